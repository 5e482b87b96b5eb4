//! Writing a large object part by part: on an instance with one part's worth of memory, from CI
//! several parts at once.

use std::time::Duration;

use aws_sdk_s3::config::Config;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::timeout::TimeoutConfig;
use futures_util::TryStreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::runtime::Handle;
use tokio_util::bytes::BytesMut;

use super::write::{Condition, Written, is_refused};
use super::{S3, etag};
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// How an upload goes: what it costs in memory, and how long a part may take. The SDK's watch gives
/// up a stalled one earlier.
#[derive(Debug, Clone, Copy)]
pub(super) struct UploadPace {
    /// At least S3's smallest part, 5 MiB ("Amazon S3 multipart upload limits"); ten thousand of
    /// them are far more than we ever write.
    part: usize,
    at_once: usize,
    /// One part's way up, on a slow line.
    attempt: Duration,
    operation: Duration,
}

/// Beside a site that serves.
const MODEST: UploadPace = UploadPace {
    part: 5 << 20,
    at_once: 1,
    attempt: Duration::from_secs(60),
    operation: Duration::from_secs(180),
};
/// From CI, or from somebody's desk, whose slow line all parts share.
pub(super) const SWIFT: UploadPace = UploadPace {
    part: 8 << 20,
    at_once: 4,
    attempt: Duration::from_secs(480),
    operation: Duration::from_secs(1440),
};

impl UploadPace {
    pub(super) fn times(self) -> aws_sdk_s3::config::Builder {
        let times = TimeoutConfig::builder()
            .operation_attempt_timeout(self.attempt)
            .operation_timeout(self.operation)
            .build();
        Config::builder().timeout_config(times)
    }
}

impl S3 {
    /// Writes an object of unknown size: one PUT where it is small, else part by part. Nothing is
    /// left of it on an error.
    pub async fn upload(
        &self,
        key: &str,
        body: impl AsyncRead + Send + Unpin,
    ) -> Result<(), Error> {
        self.upload_at(MODEST, key, body, Condition::Always, &|_| {})
            .await
            .map(drop)
    }

    /// Writes a large object that must not be there yet. `sent` hears after each part how many
    /// bytes are there.
    ///
    /// Refused: the key is taken, be it by an attempt of our own whose answer was lost.
    pub async fn upload_new(
        &self,
        key: &str,
        body: impl AsyncRead + Send + Unpin,
        sent: impl Fn(u64) + Sync,
    ) -> Result<Written, Error> {
        self.upload_at(SWIFT, key, body, Condition::Absent, &sent)
            .await
    }

    async fn upload_at(
        &self,
        pace: UploadPace,
        key: &str,
        mut body: impl AsyncRead + Send + Unpin,
        condition: Condition<'_>,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<Written, Error> {
        let doing = self
            .doing("writing", key)
            .needing("s3:PutObject", self.arn(key));
        let mut buffer = BytesMut::new();
        let first = next_part(&mut buffer, &mut body, pace.part, &doing).await?;
        if first.len() < pace.part {
            let size = first.len() as u64;
            return self
                .put_whole(pace, key, first, condition, &doing)
                .await
                .inspect(|_| sent(size));
        }
        let started = self
            .client
            .create_multipart_upload()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await;
        let started = started.map_err(|error| doing.failed(&error))?;
        let id = started.upload_id().unwrap_or_default().to_owned();
        let upload = Upload {
            s3: self.clone(),
            key: key.to_owned(),
            id,
            pace,
            doing: &doing,
            open: true,
        };
        match upload.parts(first, buffer, body, sent).await {
            Ok(parts) => upload.complete(parts, condition).await,
            Err(error) => {
                upload.abort().await;
                Err(error)
            }
        }
    }

    async fn put_whole(
        &self,
        pace: UploadPace,
        key: &str,
        body: Bytes,
        condition: Condition<'_>,
        doing: &Doing,
    ) -> Result<Written, Error> {
        let (absent, matches) = condition.headers();
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .set_if_none_match(absent)
            .set_if_match(matches);
        match request
            .body(ByteStream::from(body))
            .customize()
            .config_override(pace.times())
            .send()
            .await
        {
            Ok(answer) => Ok(Written::Stored(etag(answer.e_tag(), doing)?)),
            Err(error) if is_refused(&error, condition) => Ok(Written::Refused),
            Err(error) => Err(doing.failed(&error)),
        }
    }
}

/// One multipart upload under way.
struct Upload<'a> {
    s3: S3,
    key: String,
    id: String,
    pace: UploadPace,
    doing: &'a Doing,
    /// Neither completed nor aborted yet.
    open: bool,
}

impl Upload<'_> {
    async fn parts(
        &self,
        first: Bytes,
        mut buffer: BytesMut,
        mut body: impl AsyncRead + Send + Unpin,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<CompletedPart>, Error> {
        let mut stored = StoredParts {
            sent,
            parts: Vec::new(),
            total: 0,
        };
        let mut under_way = FuturesUnordered::new();
        let mut part = first;
        for number in 1.. {
            let last = part.len() < self.pace.part;
            under_way.push(self.part(number, part));
            // Before the next one is read: its memory may be that of one that is up.
            if under_way.len() == self.pace.at_once {
                stored.extend(under_way.try_next().await?);
            }
            if last {
                break;
            }
            part = next_part(&mut buffer, &mut body, self.pace.part, self.doing).await?;
            if part.is_empty() {
                break;
            }
        }
        while let Some(done) = under_way.try_next().await? {
            stored.extend(Some(done));
        }
        Ok(stored.in_order())
    }

    async fn part(&self, number: i32, bytes: Bytes) -> Result<(CompletedPart, u64), Error> {
        let size = bytes.len() as u64;
        let request = self
            .s3
            .client
            .upload_part()
            .bucket(&self.s3.bucket)
            .key(&self.key)
            .upload_id(&self.id)
            .part_number(number);
        let sent = request
            .body(ByteStream::from(bytes))
            .customize()
            .config_override(self.pace.times())
            .send()
            .await;
        let sent = sent.map_err(|error| self.doing.failed(&error))?;
        Ok((
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(sent.e_tag)
                .build(),
            size,
        ))
    }

    async fn complete(
        mut self,
        parts: Vec<CompletedPart>,
        condition: Condition<'_>,
    ) -> Result<Written, Error> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(parts))
            .build();
        let (absent, matches) = condition.headers();
        let request = self
            .s3
            .client
            .complete_multipart_upload()
            .bucket(&self.s3.bucket)
            .key(&self.key)
            .upload_id(&self.id);
        let request = request
            .multipart_upload(parts)
            .set_if_none_match(absent)
            .set_if_match(matches);
        let ended = match request
            .customize()
            .config_override(self.pace.times())
            .send()
            .await
        {
            Ok(answer) => {
                self.open = false;
                return Ok(Written::Stored(etag(answer.e_tag(), self.doing)?));
            }
            // An attempt whose answer was lost may have ended the upload.
            Err(error) if is_refused(&error, condition) || is_gone(error.code(), condition) => {
                Ok(Written::Refused)
            }
            Err(error) => Err(self.doing.failed(&error)),
        };
        self.abort().await;
        ended
    }

    /// Parts of an upload that is never ended are stored, and paid for, unseen.
    async fn abort(mut self) {
        self.open = false;
        abort(self.s3.clone(), self.key.clone(), self.id.clone()).await;
    }
}

/// The parts that are up, as they come.
struct StoredParts<'a> {
    sent: &'a (dyn Fn(u64) + Sync),
    parts: Vec<CompletedPart>,
    total: u64,
}

impl StoredParts<'_> {
    fn extend(&mut self, done: Option<(CompletedPart, u64)>) {
        if let Some((part, size)) = done {
            self.parts.push(part);
            self.total += size;
            (self.sent)(self.total);
        }
    }

    fn in_order(mut self) -> Vec<CompletedPart> {
        self.parts.sort_unstable_by_key(|part| part.part_number);
        self.parts
    }
}

impl Drop for Upload<'_> {
    /// Whoever waited for it has stopped waiting: it is aborted if the runtime lives long enough.
    fn drop(&mut self) {
        if self.open
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(abort(self.s3.clone(), self.key.clone(), self.id.clone()));
        }
    }
}

async fn abort(s3: S3, key: String, id: String) {
    let doing = s3
        .doing("giving up the upload of", &key)
        .needing("s3:AbortMultipartUpload", s3.arn(&key));
    match s3
        .client
        .abort_multipart_upload()
        .bucket(&s3.bucket)
        .key(&key)
        .upload_id(&id)
        .send()
        .await
    {
        Ok(_) => {}
        Err(error) if error.code() == Some("NoSuchUpload") => {}
        Err(error) => {
            let error = doing.failed(&error);
            tracing::warn!(key, %error, "an unfinished upload was left behind");
        }
    }
}

fn is_gone(code: Option<&str>, condition: Condition<'_>) -> bool {
    code == Some("NoSuchUpload") && matches!(condition, Condition::Absent)
}

/// Up to one part's worth; less only at the end. The memory is that of the part before, once nobody
/// holds its bytes any more: as much taken and given back for each part would stay with the
/// process.
async fn next_part(
    buffer: &mut BytesMut,
    body: &mut (impl AsyncRead + Send + Unpin),
    size: usize,
    doing: &Doing,
) -> Result<Bytes, Error> {
    buffer.reserve(size);
    let mut body = body.take(size as u64);
    while buffer.len() < size
        && body
            .read_buf(buffer)
            .await
            .map_err(|error| doing.wrong(error))?
            > 0
    {}
    Ok(buffer.split().freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PART: usize = MODEST.part;

    #[tokio::test]
    async fn a_body_is_cut_into_parts_of_the_smallest_size() {
        let mut body = tokio::io::repeat(7).take(2 * PART as u64 + 1);
        let mut buffer = BytesMut::new();
        let mut sizes = Vec::new();
        for _ in 0..4 {
            sizes.push(
                next_part(&mut buffer, &mut body, PART, &Doing::new("writing"))
                    .await
                    .unwrap()
                    .len(),
            );
        }
        assert_eq!(sizes, [PART, PART, 1, 0]);
    }

    #[tokio::test]
    async fn the_memory_of_a_part_is_used_for_the_next() {
        let mut body = tokio::io::repeat(7).take(2 * PART as u64);
        let mut buffer = BytesMut::new();
        let first = next_part(&mut buffer, &mut body, PART, &Doing::new("writing"))
            .await
            .unwrap();
        let at = first.as_ptr();
        drop(first);
        assert_eq!(
            next_part(&mut buffer, &mut body, PART, &Doing::new("writing"))
                .await
                .unwrap()
                .as_ptr(),
            at
        );
    }
}
