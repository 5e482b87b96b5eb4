//! A zip file's bytes, read at a position of one's own: cheap to clone for each thread, and bounded
//! while the directory is read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const BUFFER: usize = 8 << 10;

pub(super) struct ZipReader {
    file: Arc<File>,
    length: u64,
    at: u64,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins.
    buffered_at: u64,
    /// Bytes that may still be read, by all clones together.
    allowance: Arc<AtomicU64>,
}

impl ZipReader {
    pub(super) fn new(file: File, allowance: u64) -> io::Result<Self> {
        let length = file.metadata()?.len();
        let allowance = Arc::new(AtomicU64::new(allowance));
        Ok(Self {
            file: Arc::new(file),
            length,
            at: 0,
            buffer: Vec::new(),
            buffered_at: 0,
            allowance,
        })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The handle that lifts the bound.
    pub(super) fn allowance(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.allowance)
    }

    fn fill(&mut self) -> io::Result<()> {
        let left = self.allowance.load(Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "its directory is too large",
            ));
        }
        self.buffer.resize(BUFFER, 0);
        let read = self.file.read_at(&mut self.buffer, self.at)?;
        self.buffer.truncate(read);
        self.buffered_at = self.at;
        self.allowance
            .store(left.saturating_sub(read as u64), Ordering::Relaxed);
        Ok(())
    }

    fn buffered(&self) -> &[u8] {
        let skip = self
            .at
            .checked_sub(self.buffered_at)
            .and_then(|skip| usize::try_from(skip).ok());
        skip.and_then(|skip| self.buffer.get(skip..))
            .unwrap_or_default()
    }
}

impl Clone for ZipReader {
    fn clone(&self) -> Self {
        let (file, allowance) = (Arc::clone(&self.file), self.allowance());
        Self {
            file,
            length: self.length,
            at: self.at,
            buffer: Vec::new(),
            buffered_at: 0,
            allowance,
        }
    }
}

impl Read for ZipReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.buffered().is_empty() && self.at < self.length {
            self.fill()?;
        }
        let read = self.buffered().read(into)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for ZipReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
        };
        self.at = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn reader(content: &[u8], allowance: u64) -> ZipReader {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        ZipReader::new(file, allowance).unwrap()
    }

    #[test]
    fn clones_read_from_places_of_their_own() {
        let content: Vec<u8> = (0..20_000_u32)
            .map(|index| u8::try_from(index % 251).unwrap())
            .collect();
        let mut one = reader(&content, u64::MAX);
        let mut other = one.clone();
        one.seek(SeekFrom::Start(9_000)).unwrap();
        let (mut from_one, mut from_other) = (Vec::new(), Vec::new());
        one.read_to_end(&mut from_one).unwrap();
        other.seek(SeekFrom::End(-5)).unwrap();
        other.read_to_end(&mut from_other).unwrap();
        assert_eq!(
            (&from_one[..], &from_other[..]),
            (&content[9_000..], &content[19_995..])
        );
        assert!(one.seek(SeekFrom::Current(-30_000)).is_err());
    }

    #[test]
    fn no_more_is_read_than_allowed() {
        let mut reader = reader(&[0; 100_000], 20_000);
        assert!(reader.read_to_end(&mut Vec::new()).is_err());
        reader.allowance().store(u64::MAX, Ordering::Relaxed);
        reader.rewind().unwrap();
        assert_eq!(reader.read_to_end(&mut Vec::new()).unwrap(), 100_000);
    }
}
