//! Objects of one bucket: conditional writes, bounded reads, ranged downloads.

use std::path::Path;
use std::pin::Pin;

use time::OffsetDateTime;
use tokio::io::AsyncRead;

use super::Error;

/// One bucket.
#[derive(Debug, Clone)]
pub struct S3 {}

/// An object's entity tag, quotes included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Etag(String);

#[derive(Debug, Clone)]
pub struct Object {
    pub body: Vec<u8>,
    pub etag: Etag,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub size: u64,
    pub modified: OffsetDateTime,
}

/// What must hold of the object for a write to happen.
#[derive(Debug, Clone, Copy)]
pub enum Condition<'a> {
    Always,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match`
    Matches(&'a Etag),
}

/// How a conditional PUT ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    Stored(Etag),
    /// The condition does not hold, or another writer is at it (412, 409).
    Refused,
}

/// How a conditional DELETE ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is not there any more, or never was.
    Gone,
    Refused,
}

/// What [`S3::download`] has put on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    pub size: u64,
    /// Of the whole file, in lower-case hex.
    pub sha256: String,
    pub etag: Etag,
}

/// An object's bytes as they come; a connection that breaks half-way is taken up again.
pub type Body = Pin<Box<dyn AsyncRead + Send>>;

impl S3 {
    pub fn bucket(&self) -> &str {
        unimplemented!()
    }

    /// S3's own clock: its last answer's `Date` and the time since. Shared between clones; `None` before the first answer.
    pub fn now(&self) -> Option<OffsetDateTime> {
        unimplemented!()
    }

    /// An object of at most `max` bytes; `None` if the key is absent. A missing bucket is an error.
    pub async fn get(&self, key: &str, max: usize) -> Result<Option<Object>, Error> {
        let _ = (key, max);
        unimplemented!()
    }

    /// Writes an object under SSE-KMS if `kms_key` is given, else under the bucket's own encryption.
    pub async fn put(&self, key: &str, body: Vec<u8>, condition: Condition<'_>, kms_key: Option<&str>) -> Result<Written, Error> {
        let _ = (key, body, condition, kms_key);
        unimplemented!()
    }

    pub async fn delete(&self, key: &str, condition: Condition<'_>) -> Result<Removed, Error> {
        let _ = (key, condition);
        unimplemented!()
    }

    /// The first `max` objects under a prefix, in key order.
    pub async fn list(&self, prefix: &str, max: usize) -> Result<Vec<Listed>, Error> {
        let _ = (prefix, max);
        unimplemented!()
    }

    /// Writes an object of at most `limit` bytes to the file `to` (created or emptied); `None` if the key is absent.
    pub async fn download(&self, key: &str, to: &Path, limit: u64) -> Result<Option<Download>, Error> {
        let _ = (key, to, limit);
        unimplemented!()
    }

    /// Opens an object of at most `max` bytes for reading; `None` if the key is absent.
    pub async fn open(&self, key: &str, max: u64) -> Result<Option<Body>, Error> {
        let _ = (key, max);
        unimplemented!()
    }

    /// Writes an object of unknown size. Nothing is left of it on an error.
    pub async fn upload(&self, key: &str, body: impl AsyncRead + Send + Unpin) -> Result<(), Error> {
        let _ = (key, body);
        unimplemented!()
    }
}
