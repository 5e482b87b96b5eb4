//! The body of an answer: in memory while it is small, in a file beyond that.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::spool::BodyId;

/// The most of a body that memory holds.
const IN_MEMORY: usize = 256 << 10;

/// A whole, decoded body.
#[derive(Debug)]
pub struct Body {
    id: BodyId,
    held: Held,
}

#[derive(Debug)]
enum Held {
    Memory(Vec<u8>),
    File(NamedTempFile),
}

impl Body {
    /// The hash and the size.
    pub fn id(&self) -> &BodyId {
        &self.id
    }

    /// All bytes, however many.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        self.head(usize::MAX)
    }

    /// The first bytes, at most `most`.
    pub fn head(&self, most: usize) -> io::Result<Vec<u8>> {
        match &self.held {
            Held::Memory(bytes) => Ok(bytes[..bytes.len().min(most)].to_vec()),
            Held::File(file) => {
                let mut head = Vec::new();
                file.reopen()?.take(most as u64).read_to_end(&mut head)?;
                Ok(head)
            }
        }
    }

    /// The file of a large body, or the bytes of a small one.
    pub fn into_file(self) -> Result<NamedTempFile, Vec<u8>> {
        match self.held {
            Held::Memory(bytes) => Err(bytes),
            Held::File(file) => Ok(file),
        }
    }
}

/// Takes a body in, piece by piece, and refuses what goes beyond its bound.
pub(super) struct Sink {
    held: Held,
    hash: Sha256,
    size: u64,
    most: u64,
    folder: PathBuf,
}

impl Sink {
    /// A body of at most `most` bytes, whose file lies in `folder`.
    pub(super) fn new(folder: &Path, most: u64) -> Self {
        Self {
            held: Held::Memory(Vec::new()),
            hash: Sha256::new(),
            size: 0,
            most,
            folder: folder.to_path_buf(),
        }
    }

    /// The bound of the body, in bytes.
    pub(super) fn most(&self) -> u64 {
        self.most
    }

    pub(super) fn into_body(self) -> Body {
        let id = BodyId {
            sha256: hex::encode(self.hash.finalize()),
            size: self.size,
        };
        Body {
            id,
            held: self.held,
        }
    }

    /// Moves what memory holds to a file.
    fn spill(&mut self) -> io::Result<()> {
        if let Held::Memory(bytes) = &self.held {
            let mut file = NamedTempFile::new_in(&self.folder)?;
            file.write_all(bytes)?;
            self.held = Held::File(file);
        }
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        self.size += data.len() as u64;
        if self.size > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.hash.update(data);
        if self.size > IN_MEMORY as u64 {
            self.spill()?;
        }
        match &mut self.held {
            Held::Memory(bytes) => bytes.extend_from_slice(data),
            Held::File(file) => file.write_all(data)?,
        }
        Ok(data.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_body_lies_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let mut sink = Sink::new(folder.path(), 1 << 20);
        let whole = vec![b'x'; IN_MEMORY + 1];
        for piece in whole.chunks(1000) {
            sink.write_all(piece).unwrap();
        }
        let body = sink.into_body();
        assert_eq!(*body.id(), BodyId::of(&whole));
        assert_eq!(body.head(3).unwrap(), b"xxx");
        assert_eq!(body.bytes().unwrap(), whole);
        assert!(body.into_file().is_ok());
    }

    #[test]
    fn a_body_beyond_its_bound_is_refused() {
        let mut sink = Sink::new(Path::new("/nowhere"), 10);
        sink.write_all(&[0; 10]).unwrap();
        let error = sink.write_all(&[0]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
