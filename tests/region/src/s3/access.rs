//! Who may do what with the buckets: whoever has signed may do all, a distribution may read its
//! bucket, and everybody may read what is public.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use s3s::access::{S3Access, S3AccessContext};
use s3s::auth::{S3Auth, SecretKey};
use s3s::{S3Result, s3_error};

use super::Store;
use crate::locked;
use crate::registry::Registry;

/// What a bucket's policy allows to those that are no account's.
#[derive(Clone, Debug, Default)]
pub(crate) struct Readers(Arc<Mutex<Allowed>>);

#[derive(Debug, Default)]
struct Allowed {
    public: Vec<String>,
    /// By access key.
    distributions: BTreeMap<String, Reading>,
}

/// What a distribution may read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) bucket: String,
    /// Whether the bucket's policy lets the distribution list: it is then told what is missing.
    pub(crate) lists: bool,
}

impl Readers {
    pub(super) fn new(public: &[String]) -> Readers {
        let readers = Readers::default();
        public.iter().for_each(|bucket| readers.publish(bucket));
        readers
    }

    /// From now on anybody may read the bucket's objects.
    pub(crate) fn publish(&self, bucket: &str) {
        locked(&self.0).public.push(bucket.to_owned());
    }

    pub(crate) fn allow(&self, access_key: &str, reading: Reading) {
        locked(&self.0)
            .distributions
            .insert(access_key.to_owned(), reading);
    }

    pub(super) fn is_public(&self, bucket: &str) -> bool {
        locked(&self.0).public.iter().any(|name| name == bucket)
    }

    fn of(&self, access_key: &str) -> Option<Reading> {
        locked(&self.0).distributions.get(access_key).cloned()
    }
}

pub(super) struct Keys(pub(super) Arc<Registry>);

#[async_trait::async_trait]
impl S3Auth for Keys {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        let found = self.0.credentials(access_key);
        found
            .map(|credentials| SecretKey::from(credentials.secret))
            .ok_or_else(|| s3_error!(InvalidAccessKeyId))
    }
}

pub(super) struct Access {
    pub(super) readers: Readers,
    pub(super) store: Arc<Store>,
}

impl Access {
    /// Whoever may read but not list is not told that a key is missing (GetObject, "Permissions").
    fn may_read(&self, context: &S3AccessContext<'_>, lists: bool) -> bool {
        let reads = ["GetObject", "HeadObject"].contains(&context.s3_op().name());
        let object = context.s3_path().as_object();
        reads && object.is_some_and(|(bucket, key)| lists || self.store.exists(bucket, key))
    }
}

#[async_trait::async_trait]
impl S3Access for Access {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let bucket = context.s3_path().get_bucket_name().unwrap_or_default();
        let allowed = match context.credentials() {
            Some(credentials) => match self.readers.of(&credentials.access_key) {
                Some(reading) => reading.bucket == bucket && self.may_read(context, reading.lists),
                None => true,
            },
            None => self.readers.is_public(bucket) && self.may_read(context, false),
        };
        if allowed {
            Ok(())
        } else {
            Err(s3_error!(AccessDenied, "Access Denied"))
        }
    }
}
