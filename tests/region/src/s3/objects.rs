//! A test's own hand in the buckets: not recorded, and struck by no fault.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use bytes::Bytes;
use http_body_util::BodyExt;
use s3s::dto::*;
use s3s::{S3, S3ErrorCode, S3Result};
use tokio::runtime::Handle;

use super::operations::Shared;
use super::store::{Store, request};
use crate::run_on;

/// What stands in the buckets.
pub struct Objects {
    pub(crate) handle: Handle,
    pub(crate) store: Arc<Store>,
}

impl Objects {
    /// Writes an object and returns its ETag, quotes included.
    pub fn put(&self, bucket: &str, key: &str, body: impl Into<Bytes>) -> Result<String> {
        self.put_with(bucket, key, body, &[])
    }

    /// Writes an object with headers: `content-type`, `content-encoding`, `content-disposition`,
    /// `cache-control`, `x-amz-website-redirect-location`.
    pub fn put_with(
        &self,
        bucket: &str,
        key: &str,
        body: impl Into<Bytes>,
        headers: &[(&str, &str)],
    ) -> Result<String> {
        let header = |name: &str| {
            let found = headers.iter().find(|(given, _)| *given == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let blob = StreamingBlob::from(s3s::Body::from(body.into()));
        let input = PutObjectInput::builder()
            .bucket(bucket.to_owned())
            .key(key.to_owned())
            .content_type(header("content-type"))
            .content_encoding(header("content-encoding"))
            .content_disposition(header("content-disposition"))
            .cache_control(header("cache-control"))
            .website_redirect_location(header("x-amz-website-redirect-location"))
            .body(Some(blob))
            .build()?;
        let store = self.shared();
        let done = run_on(&self.handle, async move {
            store.put_object(request(input)).await
        });
        let etag = told(done, &format!("putting {bucket}/{key}"))?.output.e_tag;
        Ok(etag
            .map(|etag| format!("\"{}\"", etag.value()))
            .unwrap_or_default())
    }

    /// An object's body, or none where it is absent.
    pub fn get(&self, bucket: &str, key: &str) -> Result<Option<Bytes>> {
        let input = GetObjectInput::builder()
            .bucket(bucket.to_owned())
            .key(key.to_owned())
            .build()?;
        let store = self.shared();
        let what = format!("getting {bucket}/{key}");
        let found: S3Result<Bytes> = run_on(&self.handle, async move {
            let mut output = store.get_object(request(input)).await?.output;
            let body = output.body.take().map(s3s::Body::from);
            Ok(match body {
                Some(body) => body
                    .collect()
                    .await
                    .map(|all| all.to_bytes())
                    .map_err(|_| s3s::s3_error!(InternalError))?,
                None => Bytes::new(),
            })
        });
        match found {
            Err(error) if *error.code() == S3ErrorCode::NoSuchKey => Ok(None),
            other => told(other, &what).map(Some),
        }
    }

    /// All keys with that prefix, in order.
    pub fn list(&self, bucket: &str, prefix: &str) -> Result<Vec<String>> {
        let mut keys: Vec<String> = Vec::new();
        loop {
            let after = keys.last().cloned();
            let input = ListObjectsV2Input::builder()
                .bucket(bucket.to_owned())
                .prefix(Some(prefix.to_owned()))
                .start_after(after)
                .build()?;
            let store = self.shared();
            let page = run_on(&self.handle, async move {
                store.list_objects_v2(request(input)).await
            });
            let page = told(page, &format!("listing {bucket}/{prefix}"))?.output;
            keys.extend(
                page.contents
                    .into_iter()
                    .flatten()
                    .filter_map(|object| object.key),
            );
            if page.is_truncated != Some(true) {
                return Ok(keys);
            }
        }
    }

    /// Removes an object; nothing happens where it is absent.
    pub fn delete(&self, bucket: &str, key: &str) -> Result<()> {
        let input = DeleteObjectInput::builder()
            .bucket(bucket.to_owned())
            .key(key.to_owned())
            .build()?;
        let store = self.shared();
        let done = run_on(&self.handle, async move {
            store.delete_object(request(input)).await
        });
        told(done, &format!("deleting {bucket}/{key}")).map(drop)
    }

    /// From now on a conditional write or delete takes that long, and of two that meet one is told
    /// to try again: 409. At first such a write takes no time, and none meet.
    pub fn let_writes_meet(&self, takes: Duration) {
        self.store.meetings.set_takes(takes);
    }

    /// From now on the bucket keeps versions, as `init`'s does.
    pub fn keep_versions(&self, bucket: &str) -> Result<()> {
        let kept = self.store.keep_versions(bucket);
        told(kept, &format!("keeping the versions of {bucket}"))
    }

    fn shared(&self) -> Shared {
        Shared(self.store.clone())
    }
}

fn told<T>(result: S3Result<T>, what: &str) -> Result<T> {
    result.map_err(|error| {
        anyhow!(
            "{what}: {:?} {}",
            error.code(),
            error.message().unwrap_or_default()
        )
    })
}
