//! The sealed generations in the bucket: the newest that is of use, the next one, and how many stay.

use anyhow::Result;
use time::OffsetDateTime;
use tracing::warn;

use super::Certificate;
use crate::cloud::s3::{Condition, S3, Written};
use crate::config::Site;

/// A chain of a few certificates with its key is a few KB.
const LARGEST_SEAL: usize = 256 * 1024;
/// Three stay by rule; what lies beyond this is somebody else's doing and no reason to stop.
const MOST_LISTED: usize = 100;
const KEPT: usize = 3;

/// Where one site's certificate stands.
#[derive(Debug, Clone)]
pub struct Cache<'s> {
    pub s3: &'s S3,
    pub site: &'s Site,
}

/// What the bucket holds.
#[derive(Debug, Clone)]
pub struct Found {
    pub best: Best,
    /// The generation after the newest that stands there, broken or not.
    pub next: u64,
}

/// The best certificate in the bucket.
#[derive(Debug, Clone)]
pub enum Best {
    /// Good, and not yet due for renewal.
    Fresh(Certificate),
    /// Good to serve, but due for renewal.
    Due(Certificate),
    None,
}

impl Cache<'_> {
    /// The folder of this CA: `certs/<ca>/`.
    pub fn ca_key(&self, rest: &str) -> String {
        self.site.key(&format!("certs/{}/{rest}", self.site.tls.directory.slug))
    }

    /// An object of this certificate: `certs/<ca>/<name>/<rest>`.
    pub fn key(&self, rest: &str) -> String {
        self.ca_key(&format!("{}/{rest}", self.site.primary()))
    }

    /// The newest generation that is of use; older ones are read only where newer ones are of none.
    ///
    /// # Errors
    /// Those of the bucket. A broken generation is no error.
    pub async fn find(&self, now: OffsetDateTime) -> Result<Found> {
        let generations = self.generations().await?;
        let next = generations.last().map_or(1, |newest| newest + 1);
        let mut due: Option<Certificate> = None;
        for generation in generations.into_iter().rev() {
            match self.open(generation, now).await? {
                Some(certificate) if now < certificate.renewal_due() => return Ok(Found { best: Best::Fresh(certificate), next }),
                Some(certificate) if due.as_ref().is_none_or(|other| other.not_after < certificate.not_after) => due = Some(certificate),
                _ => {}
            }
        }
        Ok(Found { best: due.map_or(Best::None, Best::Due), next })
    }

    /// Stores the next generation and removes those beyond the last three. `false`: somebody else stored that generation first.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn store(&self, certificate: &Certificate, generation: u64) -> Result<bool> {
        let key = self.key(&file_name(generation));
        let kms = self.site.tls.kms_key_id.as_deref();
        if self.s3.put(&key, certificate.seal(), Condition::Absent, kms).await? == Written::Refused {
            return Ok(false);
        }
        let generations = self.generations().await?;
        for old in generations.iter().rev().skip(KEPT) {
            self.s3.delete(&self.key(&file_name(*old)), Condition::Always).await?;
        }
        Ok(true)
    }

    async fn generations(&self) -> Result<Vec<u64>> {
        let folder = self.key("");
        let listed = self.s3.list(&folder, MOST_LISTED).await?;
        let mut generations: Vec<u64> = listed.iter().filter_map(|object| generation_of(object.key.strip_prefix(&folder)?)).collect();
        generations.sort_unstable();
        Ok(generations)
    }

    async fn open(&self, generation: u64, now: OffsetDateTime) -> Result<Option<Certificate>> {
        let key = self.key(&file_name(generation));
        let object = match self.s3.get(&key, LARGEST_SEAL).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(None),
            Err(error) if error.is_access_denied() => return Err(error.into()),
            Err(error) => {
                warn!("the cached certificate is passed over: {error}");
                return Ok(None);
            }
        };
        match Certificate::unseal(&object.body, &self.site.domains, now) {
            Ok(certificate) => Ok(Some(certificate)),
            Err(flaw) => {
                warn!(key, "the cached certificate is of no use: {flaw}");
                Ok(None)
            }
        }
    }
}

fn file_name(generation: u64) -> String {
    format!("{generation:010}.json")
}

fn generation_of(file: &str) -> Option<u64> {
    file.strip_suffix(".json")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_sort_as_their_keys_do() {
        assert!(file_name(9) < file_name(10));
        assert_eq!(generation_of(&file_name(10)), Some(10));
        assert_eq!(generation_of("pending.json"), None);
    }
}
