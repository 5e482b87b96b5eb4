//! The operations of S3, each on the key's own place in s3s-fs; [`super::store`] has the rules.

use std::sync::Arc;

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::catalogue::place;
use super::store::{Store, redirect_is_fit, upload_error};

/// A page of a listing holds at most this many keys.
const PAGE: i32 = 1000;
/// What S3 takes an object for whose sender names no type.
const UNTOLD_TYPE: &str = "binary/octet-stream";

fn untold_type() -> ContentType {
    UNTOLD_TYPE.to_owned()
}

fn prefixes(prefixes: Vec<String>) -> Option<Vec<CommonPrefix>> {
    let told = prefixes.into_iter().map(|prefix| CommonPrefix {
        prefix: Some(prefix),
    });
    Some(told.collect()).filter(|all: &Vec<_>| !all.is_empty())
}

impl Store {
    /// Keys as a listing tells of them.
    async fn told(&self, bucket: &str, keys: &[String]) -> S3Result<Option<Vec<Object>>> {
        let mut objects = Vec::with_capacity(keys.len());
        for key in keys {
            let found = self.head(bucket, key).await?;
            let class = ObjectStorageClass::from_static(ObjectStorageClass::STANDARD);
            objects.push(Object {
                key: Some(key.clone()),
                e_tag: found.e_tag,
                size: found.content_length,
                last_modified: found.last_modified,
                storage_class: Some(class),
                ..Object::default()
            });
        }
        Ok(Some(objects).filter(|all| !all.is_empty()))
    }
}

/// The store as s3s wants it.
pub(super) struct Shared(pub(super) Arc<Store>);

impl Shared {
    /// Where an object (bucket and key) or a version of it lies, and the version's id. `conditions`,
    /// `If-Match` and `If-None-Match`, are about the object as it is now.
    async fn found(
        &self,
        (bucket, key): (&str, &str),
        version: Option<&str>,
        [wanted, unwanted]: [&Option<ETagCondition>; 2],
    ) -> S3Result<(String, Option<String>)> {
        let found = self.0.standing(bucket, key, version)?;
        if version.is_none() {
            self.0
                .read_conditions(bucket, key, wanted.as_ref(), unwanted.as_ref())
                .await?;
        }
        Ok(found)
    }
}

#[async_trait::async_trait]
impl S3 for Shared {
    async fn get_object(
        &self,
        mut req: S3Request<GetObjectInput>,
    ) -> S3Result<S3Response<GetObjectOutput>> {
        let _reading = self.0.lock.read().await;
        let asked = (req.input.bucket.as_str(), req.input.key.as_str());
        let conditions = [&req.input.if_match, &req.input.if_none_match];
        let (place, version) = self
            .found(asked, req.input.version_id.as_deref(), conditions)
            .await?;
        req.input.key = place;
        let mut found = self.0.files.get_object(req).await?;
        found.output.content_type.get_or_insert_with(untold_type);
        found.output.version_id = version;
        Ok(found)
    }

    async fn head_object(
        &self,
        mut req: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        let _reading = self.0.lock.read().await;
        let asked = (req.input.bucket.as_str(), req.input.key.as_str());
        let conditions = [&req.input.if_match, &req.input.if_none_match];
        let (place, version) = self
            .found(asked, req.input.version_id.as_deref(), conditions)
            .await?;
        req.input.key = place;
        let mut found = self.0.files.head_object(req).await?;
        found.output.content_type.get_or_insert_with(untold_type);
        found.output.version_id = version;
        Ok(found)
    }

    async fn put_object(
        &self,
        mut req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        redirect_is_fit(req.input.website_redirect_location.as_ref())?;
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let (wanted, unwanted) = (req.input.if_match.take(), req.input.if_none_match.take());
        let _under_way = self
            .0
            .begin(&bucket, &key, wanted.as_ref(), unwanted.as_ref())
            .await?;
        let _writing = self.0.lock.write().await;
        self.0
            .write_conditions(&bucket, &key, wanted.as_ref(), unwanted.as_ref())
            .await?;
        let (encryption, kms_key) = (
            req.input.server_side_encryption.clone(),
            req.input.ssekms_key_id.clone(),
        );
        req.input.key = place(&key);
        let mut done = self.0.files.put_object(req).await?;
        done.output.version_id = self.0.written(&bucket, &key)?;
        let aes = || ServerSideEncryption::from_static(ServerSideEncryption::AES256);
        done.output.server_side_encryption = Some(encryption.unwrap_or_else(aes));
        done.output.ssekms_key_id = kms_key;
        Ok(done)
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let (bucket, key) = (&req.input.bucket, &req.input.key);
        let wanted = req.input.if_match.as_ref();
        let _under_way = self.0.begin(bucket, key, wanted, None).await?;
        let _writing = self.0.lock.write().await;
        if let Some(id) = &req.input.version_id {
            let marker = self.0.remove_version(bucket, key, id).await?;
            return Ok(S3Response::new(DeleteObjectOutput {
                delete_marker: marker.then_some(true),
                version_id: Some(id.clone()),
                ..DeleteObjectOutput::default()
            }));
        }
        self.0.write_conditions(bucket, key, wanted, None).await?;
        let marker = self.0.hide(bucket, key).await?;
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: marker.is_some().then_some(true),
            version_id: marker,
            ..DeleteObjectOutput::default()
        }))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let _writing = self.0.lock.write().await;
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        self.0.bucket(&bucket)?;
        let mut deleted = Vec::new();
        for object in delete.objects {
            let (marks, marker) = match &object.version_id {
                Some(id) => (self.0.remove_version(&bucket, &object.key, id).await?, None),
                None => (false, self.0.hide(&bucket, &object.key).await?),
            };
            deleted.push(DeletedObject {
                key: Some(object.key),
                delete_marker: (marks || marker.is_some()).then_some(true),
                delete_marker_version_id: marker,
                version_id: object.version_id,
            });
        }
        // In quiet mode S3 tells only of what it could not delete.
        let told = delete.quiet != Some(true);
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: told.then_some(deleted),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn copy_object(
        &self,
        mut req: S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let _writing = self.0.lock.write().await;
        redirect_is_fit(req.input.website_redirect_location.as_ref())?;
        if let CopySource::Bucket { bucket, key, .. } = &mut req.input.copy_source {
            self.0.present(bucket, key)?;
            *key = place(key).into();
        }
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        req.input.key = place(&key);
        let mut done = self.0.files.copy_object(req).await?;
        done.output.version_id = self.0.written(&bucket, &key)?;
        Ok(done)
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let _reading = self.0.lock.read().await;
        let input = req.input;
        self.0.bucket(&input.bucket)?;
        let most = input.max_keys.unwrap_or(PAGE).clamp(0, PAGE);
        let after = [&input.continuation_token, &input.start_after]
            .into_iter()
            .flatten()
            .max()
            .cloned();
        let page = self.0.catalogue.page(
            &input.bucket,
            input.prefix.as_deref().unwrap_or_default(),
            input.delimiter.as_deref(),
            after.as_deref().unwrap_or_default(),
            usize::try_from(most).unwrap_or_default(),
        );
        let count = page.keys.len() + page.prefixes.len();
        Ok(S3Response::new(ListObjectsV2Output {
            contents: self.0.told(&input.bucket, &page.keys).await?,
            common_prefixes: prefixes(page.prefixes),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next,
            key_count: i32::try_from(count).ok(),
            max_keys: Some(most),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            delimiter: input.delimiter,
            encoding_type: input.encoding_type,
            prefix: input.prefix,
            name: Some(input.bucket),
            ..ListObjectsV2Output::default()
        }))
    }

    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        let _reading = self.0.lock.read().await;
        self.0.bucket(&req.input.bucket)?;
        let most = req.input.max_keys.unwrap_or(PAGE).clamp(0, PAGE);
        let listed = self.0.list_versions(req.input, most).await?;
        Ok(S3Response::new(listed))
    }

    async fn list_objects(
        &self,
        req: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        let listed = self.list_objects_v2(req.map_input(Into::into)).await?;
        Ok(listed.map_output(|page| ListObjectsOutput {
            contents: page.contents,
            common_prefixes: page.common_prefixes,
            delimiter: page.delimiter,
            encoding_type: page.encoding_type,
            name: page.name,
            prefix: page.prefix,
            max_keys: page.max_keys,
            is_truncated: page.is_truncated,
            next_marker: page.next_continuation_token,
            ..ListObjectsOutput::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        mut req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.0.bucket(&req.input.bucket)?;
        redirect_is_fit(req.input.website_redirect_location.as_ref())?;
        let key = std::mem::take(&mut req.input.key);
        req.input.key = place(&key);
        let mut done = self.0.files.create_multipart_upload(req).await?;
        done.output.key = Some(key);
        Ok(done)
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
        mut req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let (bucket, key) = (req.input.bucket.clone(), req.input.key.clone());
        let (wanted, unwanted) = (req.input.if_match.take(), req.input.if_none_match.take());
        let _under_way = self
            .0
            .begin(&bucket, &key, wanted.as_ref(), unwanted.as_ref())
            .await?;
        let _writing = self.0.lock.write().await;
        self.0
            .write_conditions(&bucket, &key, wanted.as_ref(), unwanted.as_ref())
            .await?;
        self.0.forget(&bucket, &key);
        req.input.key = place(&key);
        let mut done = self
            .0
            .files
            .complete_multipart_upload(req)
            .await
            .map_err(upload_error)?;
        if let Some(completing) = done.output.future.take() {
            done.output = completing.await?;
        }
        done.output.version_id = self.0.written(&bucket, &key)?;
        done.output.key = Some(key);
        Ok(done)
    }

    async fn abort_multipart_upload(
        &self,
        mut req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        req.input.key = place(&req.input.key);
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
        let bucket = req.input.bucket.clone();
        if !self.0.versions.all(&bucket).is_empty() {
            return Err(s3_error!(
                BucketNotEmpty,
                "The bucket you tried to delete is not empty. You must delete all versions in the bucket."
            ));
        }
        let done = self.0.files.delete_bucket(req).await?;
        self.0.catalogue.remove_bucket(&bucket);
        Ok(done)
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
