//! Large objects to disk: a few ranges at a time, each streamed to its own place in the file, so
//! that memory stays small.

use std::io::SeekFrom;
use std::ops::Range;
use std::path::Path;

use futures_util::stream::{StreamExt, TryStreamExt, iter};
use sha2::{Digest, Sha256};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, BufWriter};

use super::read::{ObjectReader, REPLACED, is_replaced};
use super::{Etag, S3};
use crate::cloud::Error;
use crate::cloud::error::Doing;

/// What one request asks for. Most packages are smaller, and come by one request.
const PART: u64 = 8 << 20;
/// Ranges under way beside the first one.
const PARALLEL: usize = 3;
/// Bytes gathered for one write; each range has its own.
const WRITE: usize = 256 << 10;

/// What [`S3::download`] has put on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    pub size: u64,
    /// Of the whole file, in lower-case hex.
    pub sha256: String,
    pub etag: Etag,
}

impl S3 {
    /// Writes an object of at most `limit` bytes to the file `to` (created, or emptied); `None` if
    /// the key is absent.
    ///
    /// No file is left where it ends in an error.
    pub async fn download(
        &self,
        key: &str,
        to: &Path,
        limit: u64,
    ) -> Result<Option<Download>, Error> {
        let mut tries = 1;
        loop {
            match self.download_once(key, to, limit).await {
                Err(error) if is_replaced(&error) && tries < REPLACED => tries += 1,
                done => return done,
            }
        }
    }

    async fn download_once(
        &self,
        key: &str,
        to: &Path,
        limit: u64,
    ) -> Result<Option<Download>, Error> {
        let Some(first) = self.first_part(key).await? else {
            return Ok(None);
        };
        first.at_most(limit)?;
        let (size, etag) = (first.total, first.etag.clone());
        let disk = writing(to);
        File::create(to)
            .await
            .map_err(|error| at_disk(&disk, &error))?;
        let saved = self.save_all(key, first, to).await;
        if saved.is_err() && is_file(to).await {
            let _ = tokio::fs::remove_file(to).await;
        }
        Ok(Some(Download {
            size,
            sha256: saved?,
            etag,
        }))
    }

    /// The SHA-256 of it all.
    async fn save_all(&self, key: &str, first: ObjectReader, to: &Path) -> Result<String, Error> {
        let (size, etag) = (first.total, first.etag.clone());
        let rest = iter(parts(size))
            .map(|part| self.save_part(key, part, &etag, to))
            .buffer_unordered(PARALLEL)
            .try_collect::<()>();
        let (mut hash, ()) = tokio::try_join!(save_and_hash(first, to), rest)?;
        hash_from(to, size.min(PART), &mut hash)
            .await
            .map_err(|error| at_disk(&writing(to), &error))?;
        Ok(hex::encode(hash.finalize()))
    }

    async fn first_part(&self, key: &str) -> Result<Option<ObjectReader>, Error> {
        match self.reader(key, Some(0..PART), None).await {
            // An empty object has no first byte to start a range at (RFC 9110 section 15.5.17).
            Err(error) if error.code.as_deref() == Some("InvalidRange") => {
                self.reader(key, None, None).await
            }
            other => other,
        }
    }

    async fn save_part(
        &self,
        key: &str,
        part: Range<u64>,
        etag: &Etag,
        to: &Path,
    ) -> Result<(), Error> {
        let reader = self.reader(key, Some(part.clone()), Some(etag)).await?;
        let reader = reader.ok_or_else(|| {
            self.reading(key)
                .wrong("it was deleted while it was being read")
        })?;
        save(reader, to, part.start, |_| ()).await
    }
}

/// The ranges after the first one.
fn parts(size: u64) -> impl Iterator<Item = Range<u64>> {
    (1..size.div_ceil(PART)).map(move |n| n * PART..((n + 1) * PART).min(size))
}

async fn save_and_hash(reader: ObjectReader, to: &Path) -> Result<Sha256, Error> {
    let mut hash = Sha256::new();
    save(reader, to, 0, |bytes| hash.update(bytes)).await?;
    Ok(hash)
}

async fn save(
    mut reader: ObjectReader,
    to: &Path,
    at: u64,
    mut seen: impl FnMut(&[u8]),
) -> Result<(), Error> {
    let disk = writing(to);
    let mut file = open_at(to, at)
        .await
        .map_err(|error| at_disk(&disk, &error))?;
    while let Some(bytes) = reader.next().await? {
        seen(&bytes);
        file.write_all(&bytes)
            .await
            .map_err(|error| at_disk(&disk, &error))?;
    }
    file.flush().await.map_err(|error| at_disk(&disk, &error))
}

async fn open_at(path: &Path, at: u64) -> std::io::Result<BufWriter<File>> {
    let mut file = OpenOptions::new().write(true).open(path).await?;
    file.seek(SeekFrom::Start(at)).await?;
    Ok(BufWriter::with_capacity(WRITE, file))
}

/// Goes on hashing where the first part ended; the file is still in the page cache.
async fn hash_from(path: &Path, at: u64, hash: &mut Sha256) -> std::io::Result<()> {
    let mut file = File::open(path).await?;
    file.seek(SeekFrom::Start(at)).await?;
    let mut buffer = vec![0; WRITE];
    loop {
        match file.read(&mut buffer).await? {
            0 => return Ok(()),
            n => hash.update(&buffer[..n]),
        }
    }
}

/// A device in the file's place is not ours to remove.
async fn is_file(path: &Path) -> bool {
    tokio::fs::symlink_metadata(path)
        .await
        .is_ok_and(|metadata| metadata.is_file())
}

fn writing(path: &Path) -> Doing {
    Doing::new(format!("writing {}", path.display()))
}

fn at_disk(doing: &Doing, error: &std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::StorageFull => doing.wrong_with_hint(
            error,
            "free some space on that disk, or give the instance a larger one",
        ),
        _ => doing.wrong(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_within_the_first_range_needs_no_other_request() {
        assert_eq!(parts(0).count(), 0);
        assert_eq!(parts(PART).count(), 0);
    }

    #[test]
    fn the_parts_cover_the_rest_of_the_object_exactly() {
        let size = 3 * PART + 5;
        let parts: Vec<_> = parts(size).collect();
        assert_eq!(parts.first().map(|part| part.start), Some(PART));
        assert_eq!(parts.last().cloned(), Some(3 * PART..size));
        assert!(parts.windows(2).all(|pair| pair[0].end == pair[1].start));
    }

    #[test]
    fn a_full_disk_says_what_to_do() {
        let error = at_disk(
            &writing(Path::new("/x")),
            &std::io::Error::from(std::io::ErrorKind::StorageFull),
        );
        assert!(
            error.to_string().contains("writing /x: ")
                && error.to_string().contains("free some space"),
            "{error}"
        );
    }
}
