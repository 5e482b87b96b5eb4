//! s3s-fs, mended where it differs from S3: conditions are decided and acted on under one lock,
//! DELETE and GET honour theirs, absent buckets and keys answer as documented, and nothing of an
//! object outlives it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use s3s::dto::*;
use s3s::{S3, S3Error, S3ErrorCode, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::sync::RwLock;

use crate::fleet::Ledger;

/// A ListObjectsV2 page holds at most this many keys.
const PAGE: i32 = 1000;

pub(crate) struct Store {
    files: FileSystem,
    root: PathBuf,
    /// Writers are alone; readers hold it until they have opened the object, which then stays
    /// theirs.
    lock: RwLock<()>,
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
            lock: RwLock::default(),
            ledger,
        })
    }

    fn bucket(&self, bucket: &str) -> S3Result<()> {
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
        !key.split('/').any(|part| part == "..") && self.root.join(bucket).join(key).is_file()
    }

    fn present(&self, bucket: &str, key: &str) -> S3Result<()> {
        self.bucket(bucket)?;
        if self.exists(bucket, key) {
            Ok(())
        } else {
            Err(s3_error!(NoSuchKey, "The specified key does not exist."))
        }
    }

    async fn etag(&self, bucket: &str, key: &str) -> S3Result<Option<ETag>> {
        if !self.exists(bucket, key) {
            return Ok(None);
        }
        let input = HeadObjectInput::builder()
            .bucket(bucket.to_owned())
            .key(key.to_owned())
            .build()
            .map_err(|_| s3_error!(InternalError))?;
        Ok(self.files.head_object(request(input)).await?.output.e_tag)
    }

    /// The conditions of a write or a delete. `If-Match` on a key that is absent is 404:
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>.
    async fn write_conditions(
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

    async fn read_conditions(
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

    /// s3s-fs leaves an object's metadata behind, and the next object of that key would inherit it.
    fn forget(&self, bucket: &str, key: &str) {
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        for kind in ["internal", "metadata"] {
            let name = format!(
                ".bucket-{}.object-{}.{kind}.json",
                encode(bucket),
                encode(key)
            );
            let _ = std::fs::remove_file(self.root.join(name));
        }
    }
}

fn unmet() -> S3Error {
    s3_error!(
        PreconditionFailed,
        "At least one of the pre-conditions you specified did not hold"
    )
}

/// s3s-fs takes an upload that it does not know for somebody else's.
fn upload_error(error: S3Error) -> S3Error {
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

/// The store as s3s wants it.
pub(super) struct Shared(pub(super) Arc<Store>);

#[async_trait::async_trait]
impl S3 for Shared {
    async fn get_object(
        &self,
        req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let _reading = self.0.lock.read().await;
        let (wanted, unwanted) = (
            req.input.if_match.as_ref(),
            req.input.if_none_match.as_ref(),
        );
        self.0
            .read_conditions(&req.input.bucket, &req.input.key, wanted, unwanted)
            .await?;
        self.0.files.get_object(req).await
    }

    async fn head_object(
        &self,
        req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let _reading = self.0.lock.read().await;
        let (wanted, unwanted) = (
            req.input.if_match.as_ref(),
            req.input.if_none_match.as_ref(),
        );
        self.0
            .read_conditions(&req.input.bucket, &req.input.key, wanted, unwanted)
            .await?;
        self.0.files.head_object(req).await
    }

    async fn put_object(
        &self,
        req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let _writing = self.0.lock.write().await;
        let PutObjectInput {
            bucket,
            key,
            if_match,
            if_none_match,
            ..
        } = &req.input;
        self.0
            .write_conditions(bucket, key, if_match.as_ref(), if_none_match.as_ref())
            .await?;
        let (path, written) = (self.0.root.join(bucket).join(key), key.clone());
        let (encryption, kms_key) = (
            req.input.server_side_encryption.clone(),
            req.input.ssekms_key_id.clone(),
        );
        let mut done = self.0.files.put_object(req).await?;
        self.0.ledger.written(&written, || std::fs::read(path).ok());
        let aes = || ServerSideEncryption::from_static(ServerSideEncryption::AES256);
        done.output.server_side_encryption = Some(encryption.unwrap_or_else(aes));
        done.output.ssekms_key_id = kms_key;
        Ok(done)
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let _writing = self.0.lock.write().await;
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        self.0
            .write_conditions(&bucket, &key, req.input.if_match.as_ref(), None)
            .await?;
        if !self.0.exists(&bucket, &key) {
            return Ok(S3Response::new(DeleteObjectOutput::default()));
        }
        let done = self.0.files.delete_object(req).await?;
        self.0.forget(&bucket, &key);
        Ok(done)
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let _writing = self.0.lock.write().await;
        self.0.bucket(&req.input.bucket)?;
        self.0.files.delete_objects(req).await
    }

    async fn copy_object(
        &self,
        req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let _writing = self.0.lock.write().await;
        self.0.files.copy_object(req).await
    }

    async fn list_objects_v2(
        &self,
        mut req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let _reading = self.0.lock.read().await;
        req.input.max_keys = Some(req.input.max_keys.unwrap_or(PAGE).clamp(0, PAGE));
        let bucket = req.input.bucket.clone();
        let mut page = self.0.files.list_objects_v2(req).await?;
        for object in page.output.contents.iter_mut().flatten() {
            object.e_tag = self
                .0
                .etag(&bucket, object.key.as_deref().unwrap_or_default())
                .await?;
            object.storage_class = Some(ObjectStorageClass::from_static(
                ObjectStorageClass::STANDARD,
            ));
        }
        Ok(page)
    }

    async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let _reading = self.0.lock.read().await;
        self.0.files.list_objects(req).await
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.0.bucket(&req.input.bucket)?;
        self.0.files.create_multipart_upload(req).await
    }

    async fn upload_part(
        &self,
        req: S3Request<UploadPartInput>,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        self.0.files.upload_part(req).await.map_err(upload_error)
    }

    async fn list_parts(
        &self,
        req: S3Request<ListPartsInput>,
    ) -> S3Result<S3Response<ListPartsOutput>> {
        self.0.files.list_parts(req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let _writing = self.0.lock.write().await;
        let CompleteMultipartUploadInput {
            bucket,
            key,
            if_match,
            if_none_match,
            ..
        } = &req.input;
        self.0
            .write_conditions(bucket, key, if_match.as_ref(), if_none_match.as_ref())
            .await?;
        self.0.forget(bucket, key);
        self.0
            .files
            .complete_multipart_upload(req)
            .await
            .map_err(upload_error)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.0
            .files
            .abort_multipart_upload(req)
            .await
            .map_err(upload_error)
    }

    async fn create_bucket(
        &self,
        req: S3Request<CreateBucketInput>,
    ) -> S3Result<S3Response<CreateBucketOutput>> {
        self.0.files.create_bucket(req).await
    }

    async fn delete_bucket(
        &self,
        req: S3Request<DeleteBucketInput>,
    ) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.0.files.delete_bucket(req).await
    }

    async fn head_bucket(
        &self,
        req: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.0.files.head_bucket(req).await
    }

    async fn list_buckets(
        &self,
        req: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        self.0.files.list_buckets(req).await
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.0.files.get_bucket_location(req).await
    }
}
