//! Writing a large object part by part: on an instance with one part's worth of memory, from CI
//! several parts at once.

use std::time::Duration;

use aws_smithy_types::byte_stream::ByteStream;
use hyper::body::Bytes;
use tokio::io::{AsyncRead, AsyncSeek, AsyncSeekExt};
use tokio_util::bytes::BytesMut;

use super::multipart::{Upload, UploadEnd, next_part};
use super::pace::{MODEST, SWIFT, UploadPace};
use super::write::{Condition, Written, is_refused};
use super::{S3, etag};
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// How often an upload in parts begins anew whose end met another write.
const ANEW: u32 = 3;
/// Before the first time; before each further one, as much longer.
const ANEW_AFTER: Duration = Duration::from_secs(1);

impl S3 {
    /// Writes an object of unknown size: one PUT where it is small, else part by part. Nothing is
    /// left of it on an error.
    pub async fn upload(
        &self,
        key: &str,
        body: impl AsyncRead + Send + Unpin,
    ) -> Result<(), Error> {
        let ended = self.upload_at(MODEST, key, body, Condition::Always, &|_| {});
        match ended.await? {
            UploadEnd::Written(_) => Ok(()),
            UploadEnd::Conflict(error) => Err(error),
        }
    }

    /// Writes a large object that must not be there yet, from the beginning of `body`. `sent` hears
    /// after each part how many bytes are there; they are fewer again where S3 wants an upload anew
    /// whose end met another write.
    ///
    /// Refused: the key is taken, be it by an attempt of our own whose answer was lost.
    pub async fn upload_new(
        &self,
        key: &str,
        mut body: impl AsyncRead + AsyncSeek + Send + Unpin,
        sent: impl Fn(u64) + Sync,
    ) -> Result<Written, Error> {
        let mut anew = 0;
        loop {
            let ended = self.upload_at(SWIFT, key, &mut body, Condition::Absent, &sent);
            match ended.await? {
                UploadEnd::Written(written) => return Ok(written),
                UploadEnd::Conflict(error) if anew == ANEW => return Err(error),
                UploadEnd::Conflict(_) => anew += 1,
            }
            tracing::info!(key, "another write was under way: the upload begins anew");
            tokio::time::sleep(ANEW_AFTER * anew).await;
            let rewound = body.rewind().await;
            rewound.map_err(|error| self.doing("reading again what goes to", key).wrong(error))?;
        }
    }

    async fn upload_at(
        &self,
        pace: UploadPace,
        key: &str,
        mut body: impl AsyncRead + Send + Unpin,
        condition: Condition<'_>,
        sent: &(dyn Fn(u64) + Sync),
    ) -> Result<UploadEnd, Error> {
        let doing = self
            .doing("writing", key)
            .needing("s3:PutObject", self.arn(key));
        let mut buffer = BytesMut::new();
        let first = next_part(&mut buffer, &mut body, pace.part, &doing).await?;
        if first.len() < pace.part {
            let size = first.len() as u64;
            let written = self.put_whole(pace, key, first, condition, &doing).await?;
            sent(size);
            return Ok(UploadEnd::Written(written));
        }
        let upload = Upload::begin(self, key, pace, &doing).await?;
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
