//! Writing an object of unknown size with one part's worth of memory.

use std::time::Duration;

use aws_sdk_s3::config::Config;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::timeout::TimeoutConfig;
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::bytes::BytesMut;

use super::S3;
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// S3's smallest part ("Amazon S3 multipart upload limits"); ten thousand of them are far more than we ever write.
const PART: usize = 5 << 20;
/// One part's way up, on a slow line. The SDK's watch gives up a stalled one earlier.
const PART_ATTEMPT: Duration = Duration::from_secs(60);
const PART_OPERATION: Duration = Duration::from_secs(180);

impl S3 {
    /// Writes an object of unknown size: one PUT where it is small, else part by part. Nothing is left of it on an error.
    pub async fn upload(&self, key: &str, mut body: impl AsyncRead + Send + Unpin) -> Result<(), Error> {
        let doing = self.doing("writing", key).needing("s3:PutObject", self.arn(key));
        let mut buffer = BytesMut::new();
        let first = next_part(&mut buffer, &mut body, &doing).await?;
        if first.len() < PART {
            let request = self.client.put_object().bucket(&self.bucket).key(key).body(ByteStream::from(first));
            let sent = request.customize().config_override(unhurried()).send().await;
            return sent.map(drop).map_err(|error| doing.failed(&error));
        }
        let started = self.client.create_multipart_upload().bucket(&self.bucket).key(key).send().await;
        let started = started.map_err(|error| doing.failed(&error))?;
        let upload = Upload { s3: self, key, id: started.upload_id().unwrap_or_default(), doing: &doing };
        match upload.parts(first, buffer, body).await {
            Ok(parts) => upload.complete(parts).await,
            Err(error) => upload.abort(error).await,
        }
    }
}

impl S3 {
    pub(super) async fn abort(&self, key: &str, upload: &str) -> Result<(), Error> {
        let doing = self.doing("ending the upload of", key).needing("s3:AbortMultipartUpload", self.arn(key));
        let sent = self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(upload).send().await;
        sent.map(drop).map_err(|error| doing.failed(&error))
    }
}

/// One multipart upload under way.
struct Upload<'a> {
    s3: &'a S3,
    key: &'a str,
    id: &'a str,
    doing: &'a Doing,
}

impl Upload<'_> {
    async fn parts(
        &self,
        first: Bytes,
        mut buffer: BytesMut,
        mut body: impl AsyncRead + Send + Unpin,
    ) -> Result<Vec<CompletedPart>, Error> {
        let mut parts = Vec::new();
        let mut part = first;
        for number in 1.. {
            let last = part.len() < PART;
            parts.push(self.part(number, part).await?);
            if last {
                break;
            }
            part = next_part(&mut buffer, &mut body, self.doing).await?;
            if part.is_empty() {
                break;
            }
        }
        Ok(parts)
    }

    async fn part(&self, number: i32, bytes: Bytes) -> Result<CompletedPart, Error> {
        let request = self.s3.client.upload_part().bucket(&self.s3.bucket).key(self.key).upload_id(self.id).part_number(number);
        let sent = request.body(ByteStream::from(bytes)).customize().config_override(unhurried()).send().await;
        let sent = sent.map_err(|error| self.doing.failed(&error))?;
        Ok(CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).build())
    }

    async fn complete(&self, parts: Vec<CompletedPart>) -> Result<(), Error> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self.s3.client.complete_multipart_upload().bucket(&self.s3.bucket).key(self.key).upload_id(self.id);
        match request.multipart_upload(parts).customize().config_override(unhurried()).send().await {
            Ok(_) => Ok(()),
            Err(error) => self.abort(self.doing.failed(&error)).await,
        }
    }

    /// Parts of an upload that is never ended are stored, and paid for, unseen.
    async fn abort(&self, cause: Error) -> Result<(), Error> {
        if let Err(error) = self.s3.abort(self.key, self.id).await {
            tracing::warn!(key = self.key, %error, "an unfinished upload was left behind");
        }
        Err(cause)
    }
}

fn unhurried() -> aws_sdk_s3::config::Builder {
    let times = TimeoutConfig::builder().operation_attempt_timeout(PART_ATTEMPT).operation_timeout(PART_OPERATION).build();
    Config::builder().timeout_config(times)
}

/// Up to one part's worth; less only at the end. The memory is that of the part before, once nobody holds its bytes any more: as much taken
/// and given back for each part would stay with the process.
async fn next_part(buffer: &mut BytesMut, body: &mut (impl AsyncRead + Send + Unpin), doing: &Doing) -> Result<Bytes, Error> {
    buffer.reserve(PART);
    let mut body = body.take(PART as u64);
    while buffer.len() < PART && body.read_buf(buffer).await.map_err(|error| doing.wrong(error))? > 0 {}
    Ok(buffer.split().freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_is_cut_into_parts_of_the_smallest_size() {
        let mut body = tokio::io::repeat(7).take(2 * PART as u64 + 1);
        let mut buffer = BytesMut::new();
        let mut sizes = Vec::new();
        for _ in 0..4 {
            sizes.push(next_part(&mut buffer, &mut body, &Doing::new("writing")).await.unwrap().len());
        }
        assert_eq!(sizes, [PART, PART, 1, 0]);
    }

    #[tokio::test]
    async fn the_memory_of_a_part_is_used_for_the_next() {
        let mut body = tokio::io::repeat(7).take(2 * PART as u64);
        let mut buffer = BytesMut::new();
        let first = next_part(&mut buffer, &mut body, &Doing::new("writing")).await.unwrap();
        let at = first.as_ptr();
        drop(first);
        assert_eq!(next_part(&mut buffer, &mut body, &Doing::new("writing")).await.unwrap().as_ptr(), at);
    }
}
