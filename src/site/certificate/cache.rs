//! What the bucket holds of one CA's: the sealed generations, of which the newest that is of use
//! counts, and the ledger. A broken object there stops nobody (invariant I6 of
//! docs/ARCHITECTURE.md).

use anyhow::Result;
use serde::Deserialize;
use time::OffsetDateTime;
use tracing::warn;

use super::Certificate;
use super::ledger::{Ledger, Trouble};
use crate::cloud::s3::{Condition, Etag, S3, Written};
use crate::config::{Bucket, Directory, Site};

/// A chain of a few certificates with its key is a few KB.
const LARGEST_SEAL: usize = 256 * 1024;
const LARGEST_LEDGER: usize = 256 * 1024;
/// One page. Three stay by rule; what lies beyond is there because we may not delete, and no reason
/// to stop.
const MOST_LISTED: usize = 1000;
const KEPT: usize = 3;
/// How often others may write the ledger at the same time.
const AMENDED_WITHIN: usize = 5;

/// Where one site's certificate of one CA stands.
#[derive(Debug, Clone)]
pub struct Cache<'s> {
    pub s3: &'s S3,
    pub site: &'s Site,
    pub ca: &'s Directory,
}

/// What stands there.
#[derive(Debug, Clone)]
pub struct Found {
    /// The newest that is good to serve, fresh or due.
    pub best: Option<StoredCertificate>,
    /// The generation after the newest that stands there, broken or not.
    pub next: u64,
}

/// A generation that was opened and found good to serve.
#[derive(Debug, Clone)]
pub struct StoredCertificate {
    pub certificate: Certificate,
    pub generation: u64,
}

/// The object that earlier versions kept instead of a ledger.
#[derive(Deserialize)]
struct Refusal {
    names: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    why: String,
}

impl Cache<'_> {
    pub(super) fn bucket(&self) -> Bucket {
        Bucket::new(self.site)
    }

    /// The newest generation that is of use; older ones are read only where newer ones are of none.
    /// `now` counts only where S3's answer does not tell the time: a machine whose clock is wrong
    /// has no reason to ask the CA.
    ///
    /// # Errors
    /// Those of the bucket. A broken generation is no error.
    pub async fn find(&self, now: OffsetDateTime) -> Result<Found> {
        let generations = self.generations().await?;
        let now = self.s3.now().unwrap_or(now);
        let next = generations.last().map_or(1, |newest| newest + 1);
        for generation in generations.into_iter().rev() {
            if let Some(certificate) = self.open(generation, now).await? {
                return Ok(Found {
                    best: Some(StoredCertificate {
                        certificate,
                        generation,
                    }),
                    next,
                });
            }
        }
        Ok(Found { best: None, next })
    }

    /// What is remembered of this CA; nothing where that cannot be read, for it stops nobody.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn ledger(&self) -> Result<Ledger> {
        Ok(self.read_ledger().await?.0)
    }

    /// Changes the ledger as it stands then, whoever else has written it.
    ///
    /// # Errors
    /// Those of the bucket, and others that write without end.
    pub async fn amend(&self, change: impl Fn(&mut Ledger, OffsetDateTime)) -> Result<()> {
        for _ in 0..AMENDED_WITHIN {
            let (mut ledger, etag) = self.read_ledger().await?;
            change(
                &mut ledger,
                self.s3.now().unwrap_or_else(OffsetDateTime::now_utc),
            );
            let body = serde_json::to_vec_pretty(&ledger).expect("a ledger is plain data");
            let condition = etag.as_ref().map_or(Condition::Absent, Condition::Matches);
            if self
                .s3
                .put(&self.ledger_key(), body, condition, None)
                .await?
                != Written::Refused
            {
                if etag.is_none() {
                    self.s3
                        .delete(&self.refusal_key(), Condition::Always)
                        .await?;
                }
                return Ok(());
            }
        }
        anyhow::bail!(
            "writing s3://{}/{}: others keep writing it",
            self.s3.bucket(),
            self.ledger_key()
        )
    }

    async fn read_ledger(&self) -> Result<(Ledger, Option<Etag>)> {
        let Some(object) = self.s3.get(&self.ledger_key(), LARGEST_LEDGER).await? else {
            let refusal = self.s3.get(&self.refusal_key(), LARGEST_LEDGER).await?;
            let trouble = refusal
                .and_then(|object| serde_json::from_slice(&object.body).ok())
                .map(Refusal::into_trouble);
            return Ok((
                Ledger {
                    trouble,
                    ..Ledger::default()
                },
                None,
            ));
        };
        let ledger = serde_json::from_slice(&object.body).unwrap_or_else(|error| {
            warn!(
                key = self.ledger_key(),
                "the ledger is of no use, and is begun anew: {error}"
            );
            Ledger::default()
        });
        Ok((ledger, Some(object.etag)))
    }

    pub(super) fn ledger_key(&self) -> String {
        self.bucket().ledger(self.ca)
    }

    fn refusal_key(&self) -> String {
        self.bucket().refusal(self.ca)
    }

    /// Stores the next generation and removes those beyond the last three. `false`: somebody else
    /// stored that generation first.
    ///
    /// # Errors
    /// Those of the bucket. An old generation that stays is none: the certificate is stored.
    pub async fn store(&self, certificate: &Certificate, generation: u64) -> Result<bool> {
        let key = self.bucket().certificate(self.ca, generation);
        let kms = self.site.tls.kms_key_id.as_deref();
        if self
            .s3
            .put(&key, certificate.seal(), Condition::Absent, kms)
            .await?
            == Written::Refused
        {
            return Ok(false);
        }
        if let Err(error) = self.prune().await {
            warn!("older certificates stay in the bucket: {error:#}");
        }
        Ok(true)
    }

    async fn prune(&self) -> Result<()> {
        for old in self.generations().await?.iter().rev().skip(KEPT) {
            let key = self.bucket().certificate(self.ca, *old);
            self.s3.delete(&key, Condition::Always).await?;
        }
        Ok(())
    }

    async fn generations(&self) -> Result<Vec<u64>> {
        let bucket = self.bucket();
        let folder = bucket.certificates(self.ca);
        let listed = self.s3.list(&folder, MOST_LISTED).await?;
        let mut generations: Vec<u64> = listed
            .iter()
            .filter_map(|object| bucket.generation_of(self.ca, &object.key))
            .collect();
        generations.sort_unstable();
        Ok(generations)
    }

    async fn open(&self, generation: u64, now: OffsetDateTime) -> Result<Option<Certificate>> {
        let key = self.bucket().certificate(self.ca, generation);
        let object = match self.s3.get(&key, LARGEST_SEAL).await {
            Ok(Some(object)) => object,
            Ok(None) => return Ok(None),
            Err(error) if error.is_access_denied() => return Err(error.into()),
            Err(error) => {
                warn!("the cached certificate is passed over: {error}");
                return Ok(None);
            }
        };
        match Certificate::unseal(&self.ca.slug, &object.body, &self.site.served_names(), now) {
            Ok(certificate) => Ok(Some(certificate)),
            Err(flaw) => {
                warn!(key, "the cached certificate is of no use: {flaw}");
                Ok(None)
            }
        }
    }
}

impl Refusal {
    fn into_trouble(self) -> Trouble {
        Trouble {
            names: self.names,
            since: self.until,
            failures: 1,
            until: self.until,
            why: self.why,
        }
    }
}
