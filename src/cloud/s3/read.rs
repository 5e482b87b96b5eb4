//! Reading objects. A body that breaks off or stalls is taken up where it ended, of the same
//! version (`If-Match`). Each read has the caller's bound (invariant I11 of docs/ARCHITECTURE.md).

use std::ops::Range;
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_smithy_types::byte_stream::ByteStream;
use futures_util::stream::try_unfold;
use hyper::body::Bytes;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_util::io::StreamReader;

use super::{Body, Etag, Object, S3, etag};
use crate::cloud::Error;
use crate::cloud::error::Doing;
use crate::cloud::http::{ATTEMPT, OPERATION};

/// How often one object's body may break.
const BREAKS: u32 = 6;
const BREAK_PAUSE: Duration = Duration::from_millis(200);
/// A body slower than this on the whole is given up, in bytes a second.
const SLOWEST: u64 = 128 << 10;
/// How often an object that is replaced while it is read is read anew.
pub(super) const REPLACED: usize = 3;

/// The status for an `If-None-Match` that does not hold (RFC 9110 section 15.4.5).
const NOT_MODIFIED: u16 = 304;

/// What became of an object since it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    Unchanged,
    Gone,
    Changed(Object),
}

/// S3's code for an `If-Match` that does not hold.
const OTHER_VERSION: &str = "PreconditionFailed";

/// The rest of an object, or of a range of it.
pub(super) struct ObjectReader {
    s3: S3,
    key: String,
    /// The whole object's size, whatever the range.
    pub(super) total: u64,
    pub(super) etag: Etag,
    /// What is still to come.
    rest: Range<u64>,
    stream: ByteStream,
    breaks: u32,
    deadline: Instant,
}

impl S3 {
    /// An object of at most `max` bytes; `None` if the key is absent. A missing bucket is an error.
    pub async fn get(&self, key: &str, max: usize) -> Result<Option<Object>, Error> {
        let mut tries = 1;
        loop {
            match self.get_once(key, max).await {
                Err(error) if is_replaced(&error) && tries < REPLACED => tries += 1,
                done => return done,
            }
        }
    }

    async fn get_once(&self, key: &str, max: usize) -> Result<Option<Object>, Error> {
        match self.reader(key, None, None).await? {
            Some(reader) => reader.whole(max).await.map(Some),
            None => Ok(None),
        }
    }

    /// The same of an object that was read before, for who looks again and again: nothing is sent
    /// of one that is as it was.
    pub async fn get_since(
        &self,
        key: &str,
        max: usize,
        seen: Option<&Etag>,
    ) -> Result<Since, Error> {
        let request = self.client.get_object().bucket(&self.bucket).key(key);
        match request
            .set_if_none_match(seen.map(|etag| etag.0.clone()))
            .send()
            .await
        {
            Ok(answer) => self
                .reader_of(key, None, answer)?
                .whole(max)
                .await
                .map(Since::Changed),
            Err(error)
                if error
                    .raw_response()
                    .is_some_and(|answer| answer.status().as_u16() == NOT_MODIFIED) =>
            {
                Ok(Since::Unchanged)
            }
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_no_such_key()) =>
            {
                Ok(Since::Gone)
            }
            Err(error) => Err(self.reading(key).failed(&error)),
        }
    }

    /// Opens an object of at most `max` bytes for reading; `None` if the key is absent.
    pub async fn open(&self, key: &str, max: u64) -> Result<Option<Body>, Error> {
        let Some(reader) = self.reader(key, None, None).await? else {
            return Ok(None);
        };
        reader.at_most(max)?;
        let chunks = try_unfold(reader, async |mut reader| {
            let bytes = reader.next().await.map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(bytes.map(|bytes| (bytes, reader)))
        });
        Ok(Some(Box::pin(StreamReader::new(chunks))))
    }

    /// Starts reading: the whole object, or a range whose end may lie beyond the object's; of one
    /// version only, where `version` is given.
    pub(super) async fn reader(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        version: Option<&Etag>,
    ) -> Result<Option<ObjectReader>, Error> {
        let Some(answer) = self.get_object(key, range.as_ref(), version).await? else {
            return Ok(None);
        };
        self.reader_of(key, range, answer).map(Some)
    }

    fn reader_of(
        &self,
        key: &str,
        range: Option<Range<u64>>,
        answer: GetObjectOutput,
    ) -> Result<ObjectReader, Error> {
        let doing = self.reading(key);
        let (rest, total) = extent(&answer)
            .ok_or_else(|| doing.wrong("the answer does not say how long the object is"))?;
        if range.is_some_and(|range| range.start != rest.start) {
            return Err(doing.wrong("the answer is another range than the one that was asked for"));
        }
        Ok(ObjectReader {
            s3: self.clone(),
            key: key.to_owned(),
            total,
            etag: etag(answer.e_tag(), &doing)?,
            deadline: Instant::now()
                + OPERATION
                + Duration::from_secs((rest.end - rest.start) / SLOWEST),
            rest,
            stream: answer.body,
            breaks: 0,
        })
    }

    async fn get_object(
        &self,
        key: &str,
        range: Option<&Range<u64>>,
        version: Option<&Etag>,
    ) -> Result<Option<GetObjectOutput>, Error> {
        let request = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(key)
            .set_range(range.map(range_header));
        match request
            .set_if_match(version.map(|etag| etag.0.clone()))
            .send()
            .await
        {
            Ok(answer) => Ok(Some(answer)),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_no_such_key()) =>
            {
                Ok(None)
            }
            Err(error) => Err(self.reading(key).failed(&error)),
        }
    }

    pub(super) fn reading(&self, key: &str) -> Doing {
        self.doing("reading", key)
            .needing("s3:GetObject", self.arn(key))
    }
}

impl ObjectReader {
    async fn whole(mut self, max: usize) -> Result<Object, Error> {
        self.at_most(max as u64)?;
        let mut body = Vec::with_capacity(usize::try_from(self.total).unwrap_or(max));
        while let Some(bytes) = self.next().await? {
            body.extend_from_slice(&bytes);
        }
        Ok(Object {
            body,
            etag: self.etag,
        })
    }

    pub(super) fn at_most(&self, max: u64) -> Result<(), Error> {
        if self.total <= max {
            return Ok(());
        }
        let doing = self.s3.reading(&self.key);
        Err(doing.wrong(format_args!(
            "it has {} bytes, and no more than {max} are expected there",
            self.total
        )))
    }

    /// The next bytes, or `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        let deadline = self.deadline;
        let late = self.s3.reading(&self.key).timed_out();
        timeout_at(deadline, self.next_whatever_breaks())
            .await
            .unwrap_or(Err(late))
    }

    async fn next_whatever_breaks(&mut self) -> Result<Option<Bytes>, Error> {
        while !self.rest.is_empty() {
            let cause = match timeout(ATTEMPT, self.stream.next()).await {
                Ok(Some(Ok(bytes))) => return self.taken(bytes).map(Some),
                Ok(Some(Err(error))) => crate::cloud::error::innermost(&error),
                Ok(None) => format!("it ends {} bytes early", self.rest.end - self.rest.start),
                Err(_) => "no more of it came in time".to_owned(),
            };
            self.take_up(&cause).await?;
        }
        Ok(None)
    }

    fn taken(&mut self, bytes: Bytes) -> Result<Bytes, Error> {
        self.rest.start += bytes.len() as u64;
        if self.rest.start > self.rest.end {
            return Err(self
                .s3
                .reading(&self.key)
                .wrong("the body is longer than the answer said"));
        }
        Ok(bytes)
    }

    /// Asks for the rest, of the same version.
    async fn take_up(&mut self, cause: &str) -> Result<(), Error> {
        self.breaks += 1;
        tracing::debug!(
            key = self.key,
            at = self.rest.start,
            cause,
            "the body broke off"
        );
        if self.breaks > BREAKS {
            return Err(self
                .s3
                .reading(&self.key)
                .wrong(format_args!("the body breaks off again and again: {cause}")));
        }
        sleep(BREAK_PAUSE * self.breaks).await;
        let answer = self
            .s3
            .get_object(&self.key, Some(&self.rest), Some(&self.etag))
            .await?;
        let answer = answer.ok_or_else(|| {
            self.s3
                .reading(&self.key)
                .wrong("it was deleted while it was being read")
        })?;
        if extent(&answer).is_none_or(|(extent, _)| extent != self.rest) {
            return Err(self
                .s3
                .reading(&self.key)
                .wrong("the answer is another range than the one that was asked for"));
        }
        self.stream = answer.body;
        Ok(())
    }
}

/// The object was written anew between two of our requests for it.
pub(super) fn is_replaced(error: &Error) -> bool {
    error.code.as_deref() == Some(OTHER_VERSION)
}

fn range_header(range: &Range<u64>) -> String {
    format!("bytes={}-{}", range.start, range.end - 1)
}

/// Which bytes an answer holds, and how many the object has.
fn extent(answer: &GetObjectOutput) -> Option<(Range<u64>, u64)> {
    match answer.content_range() {
        Some(text) => content_range(text),
        None => {
            let length = answer
                .content_length()
                .and_then(|length| u64::try_from(length).ok())?;
            Some((0..length, length))
        }
    }
}

/// `bytes 0-99/1234` (RFC 9110 section 14.4).
fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last, total): (u64, u64, u64) =
        (first.parse().ok()?, last.parse().ok()?, total.parse().ok()?);
    (first <= last && last < total).then(|| (first..last + 1, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_content_range_gives_the_range_and_the_whole_size() {
        assert_eq!(content_range("bytes 100-199/1234"), Some((100..200, 1234)));
    }

    #[test]
    fn a_content_range_that_cannot_be_is_none() {
        for bad in [
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes */10",
            "bytes 0-9/*",
            "0-9/10",
            "bytes 0-18446744073709551615/10",
        ] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_range_is_asked_for_by_its_first_and_last_byte() {
        assert_eq!(range_header(&(0..8)), "bytes=0-7");
    }
}
