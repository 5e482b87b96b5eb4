//! Brings a copy into the mirror's bucket: what pages show first, then pages, then the manifest,
//! and deletions last. A run that is killed anywhere leaves a mirror that is whole, and the next run
//! goes on from what stands (invariant I8 of docs/ARCHITECTURE.md).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use futures_util::{StreamExt, TryStreamExt, stream};
use mirror::objects::{ERROR, INDEX};
use time::OffsetDateTime;
use tracing::info;

use super::plan::{NewMirror, PublishPlan, plan};
use super::report::PublicationCounts;
use super::stored::MirrorState;
use super::{MirrorManifest, PublishedObject};
use crate::cloud::Error;
use crate::cloud::s3::{Condition, Etag, S3};

/// Requests that are under way at once.
const AT_ONCE: usize = 8;

/// What a publication says of the copy beside its objects.
#[derive(Debug, Clone)]
pub struct Imprint {
    pub by: String,
    pub release: Option<String>,
    pub public: String,
    pub likeness: Option<f64>,
    /// Paths that the site answers with 404 or 410.
    pub missing: Vec<String>,
}

/// A publication that is decided and not begun.
#[derive(Debug)]
pub struct Publication {
    pub plan: PublishPlan,
    /// What stands in the bucket of the copy already.
    kept: BTreeMap<String, PublishedObject>,
    former: Option<(MirrorManifest, Etag)>,
    /// What an unfinished publication has left to clear.
    had_coming: bool,
}

/// The way from a copy to its bucket.
#[derive(Debug, Clone)]
pub struct Publisher {
    pub state: MirrorState,
    /// The mirror's bucket.
    pub bucket: S3,
}

impl Publisher {
    /// Looks at what stands, and decides. Writes nothing.
    ///
    /// # Errors
    /// Those of the two buckets.
    pub async fn decide(&self, wanted: &NewMirror, now: OffsetDateTime) -> Result<Publication> {
        let former = self.state.manifest().await?;
        let coming = self.state.coming().await?;
        let manifest = former.as_ref().map(|(manifest, _)| manifest);
        let mut standing = BTreeMap::new();
        let concerns = |key: &str| {
            wanted.contains_key(key)
                || coming.contains(key)
                || manifest.is_some_and(|manifest| {
                    manifest.objects.contains_key(key) || manifest.leaving.contains_key(key)
                })
        };
        self.bucket
            .each_object(|key, stands| {
                if concerns(key) {
                    standing.insert(key.to_owned(), stands);
                }
            })
            .await?;
        let plan = plan(manifest, &coming, &standing, wanted, now);
        let written: BTreeSet<&String> = plan.written().collect();
        let kept = manifest
            .into_iter()
            .flat_map(|manifest| &manifest.objects)
            .filter(|(key, _)| wanted.contains_key(*key) && !written.contains(key))
            .map(|(key, object)| (key.clone(), object.clone()))
            .collect();
        Ok(Publication {
            plan,
            kept,
            former,
            had_coming: !coming.is_empty(),
        })
    }

    /// Carries a publication out.
    ///
    /// # Errors
    /// Those of the two buckets; the former mirror is whole then, or the new one is.
    pub async fn publish(
        &self,
        publication: Publication,
        wanted: &NewMirror,
        imprint: Imprint,
        now: OffsetDateTime,
    ) -> Result<PublicationCounts> {
        let plan = &publication.plan;
        if !plan.coming.is_empty() {
            self.state.write_coming(&plan.coming).await?;
        }
        let mut objects = publication.kept.clone();
        for step in [&plan.assets, &plan.new_pages, &plan.changed_pages] {
            objects.extend(self.put_all(step, wanted).await?);
        }
        let manifest = imprint.manifest(objects, plan, now);
        let former = publication.former.as_ref();
        if former.is_none_or(|(former, _)| !manifest.says_the_same_as(former)) {
            let former = former.map(|(_, etag)| etag);
            self.state.write_manifest(&manifest, former).await?;
        }
        if publication.had_coming || !plan.coming.is_empty() {
            self.state.end_coming().await?;
        }
        for step in [&plan.pages_to_delete, &plan.assets_to_delete] {
            self.delete_all(step).await?;
        }
        Ok(plan.counts())
    }

    async fn put_all(
        &self,
        keys: &[String],
        wanted: &NewMirror,
    ) -> Result<Vec<(String, PublishedObject)>, Error> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let stored = Mutex::new(Vec::with_capacity(keys.len()));
        let store = |(key, published)| {
            let mut stored = stored.lock().unwrap_or_else(PoisonError::into_inner);
            stored.push((key, published));
            if stored.len().is_multiple_of(1000) {
                info!(objects = stored.len(), of = keys.len(), "publishing");
            }
        };
        let store = &store;
        stream::iter(keys)
            .map(|key| async move {
                let object = &wanted[key];
                let etag = self
                    .bucket
                    .put_file(key, &object.file, &object.headers)
                    .await?;
                store((key.clone(), PublishedObject::new(object, etag.as_str())));
                Ok::<(), Error>(())
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(stored.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    async fn delete_all(&self, keys: &[String]) -> Result<(), Error> {
        stream::iter(keys)
            .map(|key| async move { self.bucket.delete(key, Condition::Always).await.map(drop) })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await
    }
}

impl Publication {
    /// Whether the bucket and the manifest say all that they are to say.
    pub fn is_empty(&self) -> bool {
        let plan = &self.plan;
        plan.writes() == 0
            && !self.had_coming
            && plan.pages_to_delete.is_empty()
            && plan.assets_to_delete.is_empty()
    }
}

impl Imprint {
    fn manifest(
        self,
        objects: BTreeMap<String, PublishedObject>,
        plan: &PublishPlan,
        now: OffsetDateTime,
    ) -> MirrorManifest {
        let pages = objects.values().filter(|object| object.page).count();
        MirrorManifest {
            made: now,
            by: self.by,
            release: self.release,
            public: self.public,
            index: INDEX.to_owned(),
            error: objects.contains_key(ERROR).then(|| ERROR.to_owned()),
            pages: u64::try_from(pages).unwrap_or(u64::MAX),
            bytes: objects.values().map(|object| object.size).sum(),
            likeness: self.likeness,
            leaving: plan.leaving.clone(),
            missing: self.missing,
            objects,
        }
    }
}
