//! One upload in parts under way: its parts, and its end or its abort.

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use futures_util::TryStreamExt;
use futures_util::stream::FuturesUnordered;
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::runtime::Handle;
use tokio_util::bytes::BytesMut;

use super::pace::UploadPace;
use super::write::{Condition, Written, is_refused};
use super::{S3, etag};
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// How an upload in parts ended.
pub(super) enum UploadEnd {
    Written(Written),
    /// Another write of the key was under way. This upload is of no more use, and a new one may be.
    Conflict(Error),
}

/// One multipart upload under way.
pub(super) struct Upload<'a> {
    s3: S3,
    key: String,
    id: String,
    pace: UploadPace,
    doing: &'a Doing,
    /// Neither completed nor aborted yet.
    open: bool,
}

impl<'a> Upload<'a> {
    pub(super) async fn begin(
        s3: &S3,
        key: &str,
        pace: UploadPace,
        doing: &'a Doing,
    ) -> Result<Self, Error> {
        let started = s3
            .client
            .create_multipart_upload()
            .bucket(&s3.bucket)
            .key(key)
            .send()
            .await;
        let started = started.map_err(|error| doing.failed(&error))?;
        Ok(Self {
            s3: s3.clone(),
            key: key.to_owned(),
            id: started.upload_id().unwrap_or_default().to_owned(),
            pace,
            doing,
            open: true,
        })
    }

    pub(super) async fn parts(
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

    pub(super) async fn complete(
        mut self,
        parts: Vec<CompletedPart>,
        condition: Condition<'_>,
    ) -> Result<UploadEnd, Error> {
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
                let stored = etag(answer.e_tag(), self.doing)?;
                return Ok(UploadEnd::Written(Written::Stored(stored)));
            }
            // An attempt whose answer was lost may have ended the upload.
            Err(error) if is_refused(&error, condition) || is_gone(error.code(), condition) => {
                Ok(UploadEnd::Written(Written::Refused))
            }
            Err(error) => {
                let error = self.doing.failed(&error);
                if error.is_conflict() {
                    Ok(UploadEnd::Conflict(error))
                } else {
                    Err(error)
                }
            }
        };
        self.abort().await;
        ended
    }

    /// Parts of an upload that is never ended are stored, and paid for, unseen.
    pub(super) async fn abort(mut self) {
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
pub(super) async fn next_part(
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
    use crate::cloud::s3::pace::MODEST;

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
