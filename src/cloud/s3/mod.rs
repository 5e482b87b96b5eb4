//! Objects of one bucket: conditional writes, bounded reads that outlive a broken connection,
//! ranged downloads.

mod clock;
mod conflict;
mod download;
mod multipart;
mod pace;
mod read;
mod upload;
mod website;
mod write;

use std::pin::Pin;

use aws_config::SdkConfig;
use aws_sdk_s3::config::{Builder, RequestChecksumCalculation, ResponseChecksumValidation};
use aws_smithy_types::DateTime;
use time::OffsetDateTime;
use tokio::io::AsyncRead;

use super::Error;
use super::calls::Count;
use super::error::Doing;
use clock::Clock;
use conflict::RetryConflicts;
pub use read::Since;
pub use website::Standing;
pub use write::{Condition, Removed, Written};

/// As many keys as one page of a listing holds.
const PAGE: usize = 1000;

/// The client for all buckets.
#[derive(Debug, Clone)]
pub(super) struct Connection {
    client: aws_sdk_s3::Client,
    clock: Clock,
}

/// One bucket.
#[derive(Debug, Clone)]
pub struct S3 {
    client: aws_sdk_s3::Client,
    clock: Clock,
    bucket: String,
    /// What names the bucket's region in site.toml, for messages.
    region_key: &'static str,
}

/// An object's entity tag, quotes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(String);

impl Etag {
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Etag {
    fn from(tag: &str) -> Self {
        Self(tag.to_owned())
    }
}

/// A whole object in memory, read within the bound that the caller gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    pub body: Vec<u8>,
    pub etag: Etag,
}

/// An object as a listing tells of it; `size` is in bytes, `modified` is by S3's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub size: u64,
    pub modified: OffsetDateTime,
}

/// An object's bytes as they come; a connection that breaks half-way is taken up again.
pub type Body = Pin<Box<dyn AsyncRead + Send>>;

impl Connection {
    pub(super) fn new(config: &SdkConfig) -> Self {
        let clock = Clock::default();
        let s3 = Builder::from(config)
            // Stores other than S3 seldom know the newer checksums; our own content is hashed where
            // it matters, and TLS guards the way.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            // Such stores seldom have a host name per bucket either.
            .force_path_style(
                config.endpoint_url().is_some()
                    || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some(),
            )
            .retry_classifier(RetryConflicts)
            .interceptor(clock.clone())
            .interceptor(Count)
            .build();
        Self {
            client: aws_sdk_s3::Client::from_conf(s3),
            clock,
        }
    }

    pub(super) fn bucket(&self, bucket: &str, region_key: &'static str) -> S3 {
        S3 {
            client: self.client.clone(),
            clock: self.clock.clone(),
            bucket: bucket.to_owned(),
            region_key,
        }
    }
}

impl S3 {
    /// The bucket's name, for messages.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// S3's own clock: its last answer's `Date` and the time since. One for all buckets; `None`
    /// before the first answer.
    pub fn now(&self) -> Option<OffsetDateTime> {
        self.clock.now()
    }

    /// The first `max` objects under a prefix, in key order.
    pub async fn list(&self, prefix: &str, max: usize) -> Result<Vec<Listed>, Error> {
        self.list_after(prefix, None, max).await
    }

    /// The same, of those whose keys come after one that need not be there.
    pub async fn list_after(
        &self,
        prefix: &str,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<Listed>, Error> {
        let doing = self.listing(prefix);
        let mut listed = Vec::new();
        let mut next = None;
        while listed.len() < max {
            let wanted = i32::try_from((max - listed.len()).min(PAGE)).unwrap_or(i32::MAX);
            let request = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(prefix)
                .max_keys(wanted);
            let request = request.set_start_after(after.map(str::to_owned));
            let page = request
                .set_continuation_token(next)
                .send()
                .await
                .map_err(|error| doing.failed(&error))?;
            let room = max - listed.len();
            listed.extend(page.contents().iter().filter_map(listed_object).take(room));
            // A page that is empty yet promises another one could go on for ever.
            next = page
                .next_continuation_token
                .filter(|_| page.key_count != Some(0));
            if next.is_none() {
                break;
            }
        }
        Ok(listed)
    }

    /// The folders right under a prefix that ends in `/`, each with its own `/`: the first page of
    /// them, which holds a thousand.
    pub async fn folders(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let request = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(prefix)
            .delimiter("/");
        let page = request
            .send()
            .await
            .map_err(|error| self.listing(prefix).failed(&error))?;
        Ok(page
            .common_prefixes()
            .iter()
            .filter_map(|folder| folder.prefix().map(str::to_owned))
            .collect())
    }

    fn listing(&self, prefix: &str) -> Doing {
        let doing = Doing::new(format!("listing s3://{}/{prefix}", self.bucket));
        doing
            .placed_by(self.region_key)
            .needing("s3:ListBucket", format!("arn:aws:s3:::{}", self.bucket))
    }

    fn doing(&self, verb: &str, key: &str) -> Doing {
        Doing::new(format!("{verb} s3://{}/{key}", self.bucket)).placed_by(self.region_key)
    }

    fn arn(&self, key: &str) -> String {
        format!("arn:aws:s3:::{}/{key}", self.bucket)
    }
}

fn listed_object(object: &aws_sdk_s3::types::Object) -> Option<Listed> {
    let modified = object.last_modified().and_then(to_time)?;
    Some(Listed {
        key: object.key()?.to_owned(),
        size: u64::try_from(object.size()?).ok()?,
        modified,
    })
}

fn to_time(time: &DateTime) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(time.as_nanos()).ok()
}

fn etag(text: Option<&str>, doing: &Doing) -> Result<Etag, Error> {
    text.map(|text| Etag(text.to_owned()))
        .ok_or_else(|| doing.wrong("the answer has no ETag"))
}

#[cfg(test)]
mod suite;
