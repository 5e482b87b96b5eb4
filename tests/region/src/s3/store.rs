//! s3s-fs, mended where it differs from S3: conditions are decided and acted on under one lock,
//! DELETE and GET honour theirs, absent buckets and keys answer as documented, every key has a place
//! of its own, and nothing of an object outlives it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::RwLock;

use super::catalogue::{Catalogue, place};
use super::meeting::{Meetings, UnderWay};
use super::versions::Versions;
use crate::fleet::Ledger;

/// S3's limit for the redirect of an object, in bytes.
const LONGEST_REDIRECT: usize = 2048;

pub(crate) struct Store {
    pub(super) files: FileSystem,
    pub(super) root: PathBuf,
    pub(super) catalogue: Catalogue,
    /// Writers are alone; readers hold it until they have opened the object, which then stays
    /// theirs.
    pub(super) lock: RwLock<()>,
    pub(super) meetings: Meetings,
    pub(super) versions: Versions,
    /// Learns of instances' reports.
    ledger: Arc<Ledger>,
}

impl Store {
    pub(crate) fn new(root: &Path, ledger: Arc<Ledger>) -> Result<Store> {
        let files = FileSystem::new(root)
            .map_err(|error| anyhow!("opening the bucket folder {}: {error:?}", root.display()))?;
        Ok(Store {
            files,
            root: root.to_owned(),
            catalogue: Catalogue::default(),
            lock: RwLock::default(),
            meetings: Meetings::default(),
            versions: Versions::default(),
            ledger,
        })
    }

    pub(crate) fn make_bucket(&self, bucket: &str) -> Result<()> {
        std::fs::create_dir_all(self.root.join(bucket))
            .with_context(|| format!("making the bucket {bucket}"))
    }

    pub(super) fn bucket(&self, bucket: &str) -> S3Result<()> {
        if self.root.join(bucket).is_dir() {
            Ok(())
        } else {
            Err(s3_error!(
                NoSuchBucket,
                "The specified bucket does not exist"
            ))
        }
    }

    pub(super) fn exists(&self, bucket: &str, key: &str) -> bool {
        self.catalogue.contains(bucket, key)
    }

    pub(super) fn present(&self, bucket: &str, key: &str) -> S3Result<()> {
        self.bucket(bucket)?;
        if self.exists(bucket, key) {
            Ok(())
        } else {
            Err(self.absent(bucket, key))
        }
    }

    pub(super) async fn etag(&self, bucket: &str, key: &str) -> S3Result<Option<ETag>> {
        if !self.exists(bucket, key) {
            return Ok(None);
        }
        Ok(self.head(bucket, key).await?.e_tag)
    }

    /// What an object's headers say.
    pub(super) async fn head(&self, bucket: &str, key: &str) -> S3Result<HeadObjectOutput> {
        self.head_at(bucket, place(key)).await
    }

    /// The same, of the object at a place of s3s-fs.
    pub(super) async fn head_at(&self, bucket: &str, place: String) -> S3Result<HeadObjectOutput> {
        let input = HeadObjectInput::builder()
            .bucket(bucket.to_owned())
            .key(place)
            .build()
            .map_err(|_| s3_error!(InternalError))?;
        Ok(self.files.head_object(request(input)).await?.output)
    }

    /// Begins a conditional write or delete, which others may meet until it ends. One whose
    /// condition does not hold ends at once.
    pub(super) async fn begin(
        &self,
        bucket: &str,
        key: &str,
        wanted: Option<&ETagCondition>,
        unwanted: Option<&ETagCondition>,
    ) -> S3Result<Option<UnderWay<'_>>> {
        let conditional = wanted.is_some() || unwanted.is_some();
        let Some(takes) = self.meetings.takes().filter(|_| conditional) else {
            return Ok(None);
        };
        {
            let _reading = self.lock.read().await;
            self.write_conditions(bucket, key, wanted, unwanted).await?;
        }
        self.meetings.spend(takes, bucket, key).await.map(Some)
    }

    /// The conditions of a write or a delete. `If-Match` on a key that is absent is 404:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
    pub(super) async fn write_conditions(
        &self,
        bucket: &str,
        key: &str,
        wanted: Option<&ETagCondition>,
        unwanted: Option<&ETagCondition>,
    ) -> S3Result<()> {
        self.bucket(bucket)?;
        let current = self.etag(bucket, key).await?;
        match unwanted {
            Some(ETagCondition::Any) if current.is_some() => return Err(unmet()),
            Some(ETagCondition::ETag(_)) => {
                return Err(s3_error!(
                    NotImplemented,
                    "A header you provided implies functionality that is not implemented"
                ));
            }
            _ => {}
        }
        match (wanted, current) {
            (None, _) | (Some(ETagCondition::Any), Some(_)) => Ok(()),
            (Some(_), None) => Err(s3_error!(NoSuchKey, "The specified key does not exist.")),
            (Some(ETagCondition::ETag(wanted)), Some(current)) if current.strong_cmp(wanted) => {
                Ok(())
            }
            (Some(ETagCondition::ETag(_)), Some(_)) => Err(unmet()),
        }
    }

    pub(super) async fn read_conditions(
        &self,
        bucket: &str,
        key: &str,
        wanted: Option<&ETagCondition>,
        unwanted: Option<&ETagCondition>,
    ) -> S3Result<()> {
        self.present(bucket, key)?;
        let current = self.etag(bucket, key).await?;
        if let (Some(ETagCondition::ETag(wanted)), Some(current)) = (wanted, &current)
            && !current.strong_cmp(wanted)
        {
            return Err(unmet());
        }
        if let (Some(ETagCondition::ETag(unwanted)), Some(current)) = (unwanted, &current)
            && current.weak_cmp(unwanted)
        {
            return Err(s3_error!(NotModified));
        }
        Ok(())
    }

    /// Notes that an object was written; its version, where the bucket keeps them.
    pub(super) fn written(&self, bucket: &str, key: &str) -> S3Result<Option<String>> {
        self.catalogue.insert(bucket, key);
        let path = self.root.join(bucket).join(place(key));
        self.ledger.written(key, || std::fs::read(path).ok());
        self.version_written(bucket, key)
    }

    /// Removes an object, and says nothing where it is absent.
    pub(super) async fn remove(&self, bucket: &str, key: &str) -> S3Result<()> {
        if !self.exists(bucket, key) {
            return Ok(());
        }
        let input = DeleteObjectInput::builder()
            .bucket(bucket.to_owned())
            .key(place(key))
            .build()
            .map_err(|_| s3_error!(InternalError))?;
        self.files.delete_object(request(input)).await?;
        self.catalogue.remove(bucket, key);
        self.meetings.deleted(bucket, key);
        self.forget(bucket, key);
        Ok(())
    }

    /// s3s-fs leaves an object's metadata behind, and the next object of that key would inherit it.
    pub(super) fn forget(&self, bucket: &str, key: &str) {
        for note in self.notes_of(bucket, &place(key)) {
            let _ = std::fs::remove_file(note);
        }
    }

    /// Where s3s-fs notes the checksums and the metadata of the object at a place.
    pub(super) fn notes_of(&self, bucket: &str, place: &str) -> [PathBuf; 2] {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let (bucket, object) = (encode(bucket), encode(place));
        ["internal", "metadata"].map(|kind| {
            let name = format!(".bucket-{bucket}.object-{object}.{kind}.json");
            self.root.join(name)
        })
    }
}

/// A redirect leads to an object of the bucket or to an URL:
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/how-to-page-redirect.html>.
pub(super) fn redirect_is_fit(location: Option<&String>) -> S3Result<()> {
    let fit = |location: &String| {
        let begins = |with: &str| location.starts_with(with);
        (begins("/") || begins("http://") || begins("https://"))
            && location.len() <= LONGEST_REDIRECT
    };
    if location.is_none_or(fit) {
        Ok(())
    } else {
        let code = S3ErrorCode::Custom("InvalidRedirectLocation".into());
        let message =
            "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.";
        let mut error = S3Error::with_message(code, message);
        error.set_status_code(http::StatusCode::BAD_REQUEST);
        Err(error)
    }
}

fn unmet() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

/// s3s-fs takes an upload that it does not know for somebody else's.
pub(super) fn upload_error(error: S3Error) -> S3Error {
    match error.code() {
        S3ErrorCode::AccessDenied => s3_error!(
            NoSuchUpload,
            "The specified multipart upload does not exist."
        ),
        _ => error,
    }
}

/// A request from inside the region.
pub(super) fn request<T>(input: T) -> S3Request<T> {
    S3Request {
        input,
        method: http::Method::GET,
        uri: http::Uri::default(),
        headers: http::HeaderMap::new(),
        extensions: http::Extensions::new(),
        credentials: None,
        region: None,
        service: None,
        trailing_headers: None,
    }
}
