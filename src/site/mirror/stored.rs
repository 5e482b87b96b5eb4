//! The mirror's objects in the site's own bucket. What is not there, or cannot be read as what it
//! should be, is told apart: a manifest that is broken is not a mirror that is missing.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{FormerFront, Hold, MirrorManifest, MirrorReport};
use crate::cloud::s3::{Condition, Etag, Removed, S3, Since, Written};
use crate::config::{Bucket, Site};

/// A million objects with long keys.
const LARGEST_MANIFEST: usize = 512 << 20;
const LARGEST_NOTE: usize = 4 << 20;
/// A page in base64.
const LARGEST_FRONT: usize = 8 << 20;

/// Whether a manifest took the place of the one that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestWritten {
    Stored,
    /// Another has written one meanwhile.
    Refused,
}

/// Where the site's bucket keeps what is known of the mirror.
#[derive(Debug, Clone)]
pub struct MirrorState {
    s3: S3,
    keys: Bucket,
}

/// What became of the manifest since it was last read.
#[derive(Debug)]
pub enum ManifestSince {
    Unchanged,
    Gone,
    Changed(Box<MirrorManifest>, Etag),
}

impl MirrorState {
    /// `state` is the site's own bucket.
    pub fn new(state: &S3, site: &Site) -> Self {
        Self {
            s3: state.clone(),
            keys: Bucket::new(site),
        }
    }

    /// What the last publication left.
    ///
    /// # Errors
    /// Those of the bucket, and a manifest that no version of spotboot wrote.
    pub async fn manifest(&self) -> Result<Option<(MirrorManifest, Etag)>> {
        self.read(&self.keys.mirror_manifest(), LARGEST_MANIFEST)
            .await
    }

    /// Whether a mirror is published; of its manifest nothing is read.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn stands(&self) -> Result<bool> {
        let key = self.keys.mirror_manifest();
        let listed = self.s3.list(&key, 1).await?;
        Ok(listed.iter().any(|listed| listed.key == key))
    }

    /// What the last publication left, where that is another manifest than the one seen before; for
    /// who looks again and again, and has no use for one of more than `most` bytes.
    ///
    /// # Errors
    /// Those of [`Self::manifest`].
    pub async fn manifest_since(&self, seen: Option<&Etag>, most: usize) -> Result<ManifestSince> {
        let key = self.keys.mirror_manifest();
        Ok(match self.s3.get_since(&key, most, seen).await? {
            Since::Unchanged => ManifestSince::Unchanged,
            Since::Gone => ManifestSince::Gone,
            Since::Changed(object) => {
                ManifestSince::Changed(Box::new(self.parsed(&key, &object.body)?), object.etag)
            }
        })
    }

    /// Writes the manifest in place of the one that was read.
    ///
    /// # Errors
    /// Also when another publication wrote one meanwhile.
    pub async fn write_manifest(
        &self,
        manifest: &MirrorManifest,
        former: Option<&Etag>,
    ) -> Result<()> {
        match self.replace_manifest(manifest, former).await? {
            ManifestWritten::Stored => Ok(()),
            ManifestWritten::Refused => {
                bail!("another run has published a mirror meanwhile; run `spotboot mirror` again")
            }
        }
    }

    /// The same for who looks again where another wrote first.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn replace_manifest(
        &self,
        manifest: &MirrorManifest,
        former: Option<&Etag>,
    ) -> Result<ManifestWritten> {
        let condition = former.map_or(Condition::Absent, Condition::Matches);
        let (key, body) = (self.keys.mirror_manifest(), serde_json::to_vec(manifest)?);
        Ok(match self.s3.put(&key, body, condition, None).await? {
            Written::Stored(_) => ManifestWritten::Stored,
            Written::Refused => ManifestWritten::Refused,
        })
    }

    /// The last try.
    ///
    /// # Errors
    /// Those of the bucket. A report that cannot be read is none: the next one takes its place.
    pub async fn report(&self) -> Result<Option<MirrorReport>> {
        let object = self
            .s3
            .get(&self.keys.mirror_report(), LARGEST_NOTE)
            .await?;
        Ok(object.and_then(|object| serde_json::from_slice(&object.body).ok()))
    }

    /// Says how a try ended, and gives back what was said: the report with what it goes on from.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn write_report(&self, report: MirrorReport) -> Result<MirrorReport> {
        let report = report.after(self.report().await?.as_ref());
        self.write(&self.keys.mirror_report(), &report).await?;
        Ok(report)
    }

    /// Who holds the mirror.
    ///
    /// # Errors
    /// Those of the bucket. An object that cannot be read holds the mirror, too, and is an error.
    pub async fn hold(&self) -> Result<Option<Hold>> {
        let found = self.read(&self.keys.mirror_hold(), LARGEST_NOTE).await?;
        Ok(found.map(|(hold, _)| hold))
    }

    /// Holds the mirror; `None`: somebody does already, and that stands.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn take_hold(&self, hold: &Hold) -> Result<Option<Hold>> {
        let (key, body) = (self.keys.mirror_hold(), serde_json::to_vec(hold)?);
        match self.s3.put(&key, body, Condition::Absent, None).await? {
            Written::Stored(_) => Ok(Some(hold.clone())),
            Written::Refused => Ok(None),
        }
    }

    /// Releases the mirror, also from a hold that cannot be read.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn end_hold(&self) -> Result<()> {
        self.remove(&self.keys.mirror_hold()).await
    }

    /// What stood at the mirror's front before an emergency's page.
    ///
    /// # Errors
    /// Those of the bucket, and an object that no version of spotboot wrote.
    pub async fn front(&self) -> Result<Option<FormerFront>> {
        let found = self.read(&self.keys.mirror_front(), LARGEST_FRONT).await?;
        Ok(found.map(|(former, _)| former))
    }

    /// Keeps what stands at the front. False: that is kept already.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn keep_front(&self, former: &FormerFront) -> Result<bool> {
        let (key, body) = (self.keys.mirror_front(), serde_json::to_vec(former)?);
        let written = self.s3.put(&key, body, Condition::Absent, None).await?;
        Ok(matches!(written, Written::Stored(_)))
    }

    /// Keeps what stands at the front in place of what stood there earlier.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn replace_front(&self, former: &FormerFront) -> Result<()> {
        self.write(&self.keys.mirror_front(), former).await
    }

    /// Says that the front is as it was.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn end_front(&self) -> Result<()> {
        self.remove(&self.keys.mirror_front()).await
    }

    /// The keys that an unfinished publication was about to create.
    ///
    /// # Errors
    /// Those of the bucket, and an object that no version of spotboot wrote.
    pub async fn coming(&self) -> Result<BTreeSet<String>> {
        let found = self
            .read(&self.keys.mirror_coming(), LARGEST_MANIFEST)
            .await?;
        Ok(found.map_or_else(BTreeSet::new, |(keys, _)| keys))
    }

    /// Says which keys are about to be created.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn write_coming(&self, keys: &BTreeSet<String>) -> Result<()> {
        self.write(&self.keys.mirror_coming(), keys).await
    }

    /// Says that the manifest names all that was created.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn end_coming(&self) -> Result<()> {
        self.remove(&self.keys.mirror_coming()).await
    }

    async fn read<T: DeserializeOwned>(&self, key: &str, max: usize) -> Result<Option<(T, Etag)>> {
        let Some(object) = self.s3.get(key, max).await? else {
            return Ok(None);
        };
        Ok(Some((self.parsed(key, &object.body)?, object.etag)))
    }

    fn parsed<T: DeserializeOwned>(&self, key: &str, body: &[u8]) -> Result<T> {
        serde_json::from_slice(body).with_context(|| {
            format!(
                "reading s3://{}/{key}: it is not what spotboot writes there; delete it if nobody knows what it is",
                self.s3.bucket()
            )
        })
    }

    async fn write(&self, key: &str, value: &impl Serialize) -> Result<()> {
        let body = serde_json::to_vec(value)?;
        match self.s3.put(key, body, Condition::Always, None).await? {
            Written::Stored(_) => Ok(()),
            Written::Refused => bail!("writing {key}: refused without a condition"),
        }
    }

    async fn remove(&self, key: &str) -> Result<()> {
        match self.s3.delete(key, Condition::Always).await? {
            Removed::Gone => Ok(()),
            Removed::Refused => bail!("deleting {key}: refused without a condition"),
        }
    }
}
