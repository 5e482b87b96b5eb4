//! A stream with a seal at its end: SHA-256 over all that goes before, and what the stream is for.
//!
//! The seal is a zstd skippable frame (RFC 8878, 3.1.2), so a sealed `.tar.zst` remains one for any
//! tool. A truncated, altered or misplaced stream is told before its content is used.

use std::io::{self, Read, Write};

use sha2::{Digest, Sha256};

const MAGIC: [u8; 4] = 0x184D_2A5B_u32.to_le_bytes();
const LENGTH: [u8; 4] = 64_u32.to_le_bytes();
const SEAL: usize = 4 + 4 + 32 + 32;

/// What the stream is for: a stream sealed for something else is refused.
type Purpose = [u8; 32];

fn purpose(label: &str) -> Purpose {
    Sha256::digest(label).into()
}

pub(super) struct SealedWriter<W> {
    inner: W,
    hash: Sha256,
    purpose: Purpose,
}

impl<W: Write> SealedWriter<W> {
    pub(super) fn new(inner: W, label: &str) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            purpose: purpose(label),
        }
    }

    /// Writes the seal; a stream without it is a broken one.
    pub(super) fn seal(mut self) -> io::Result<W> {
        let hash = self.hash.finalize();
        for part in [&MAGIC[..], &LENGTH, &self.purpose, &hash] {
            self.inner.write_all(part)?;
        }
        self.inner.flush()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Hands on what precedes the seal, always holding back as many bytes as the seal has.
pub(super) struct SealedReader<R> {
    inner: R,
    hash: Sha256,
    purpose: Purpose,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<R: Read> SealedReader<R> {
    pub(super) fn new(inner: R, label: &str) -> Self {
        const BUFFER: usize = 64 << 10;
        Self {
            inner,
            hash: Sha256::new(),
            purpose: purpose(label),
            buffer: vec![0; BUFFER].into(),
            start: 0,
            end: 0,
        }
    }

    /// Reads to the end and checks the seal.
    pub(super) fn verify(mut self) -> io::Result<()> {
        let mut rest = [0; 4096];
        while self.read(&mut rest)? > 0 {}
        let held = &self.buffer[self.start..self.end];
        let hash = self.hash.finalize();
        let expected: Vec<u8> = [&MAGIC[..], &LENGTH, &self.purpose, &hash].concat();
        if held == expected {
            Ok(())
        } else {
            Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "its seal is missing or wrong: it is cut off or altered",
            ))
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        while self.end - self.start <= SEAL {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            match self.inner.read(&mut self.buffer[self.end..]) {
                Ok(0) => break,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<R: Read> Read for SealedReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.fill()?;
        let ready = (self.end - self.start).saturating_sub(SEAL).min(into.len());
        let bytes = &self.buffer[self.start..self.start + ready];
        into[..ready].copy_from_slice(bytes);
        self.hash.update(bytes);
        self.start += ready;
        Ok(ready)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(content: &[u8]) -> Vec<u8> {
        let mut writer = SealedWriter::new(Vec::new(), "label");
        writer.write_all(content).unwrap();
        writer.seal().unwrap()
    }

    #[test]
    fn what_was_sealed_comes_back_whole_at_every_size_around_the_buffers() {
        for size in [
            0,
            1,
            SEAL - 1,
            SEAL,
            SEAL + 1,
            65_536 - SEAL,
            65_536,
            65_537,
            300_000,
        ] {
            let content: Vec<u8> = (0..size)
                .map(|index| u8::try_from(index % 251).unwrap())
                .collect();
            let bytes = sealed(&content);
            let mut reader = SealedReader::new(&bytes[..], "label");
            let mut back = Vec::new();
            reader.read_to_end(&mut back).unwrap();
            assert_eq!(back, content);
            reader.verify().unwrap();
        }
    }

    #[test]
    fn a_change_or_cut_anywhere_breaks_the_seal() {
        let bytes = sealed(b"some content");
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 0x10;
            assert!(
                SealedReader::new(&flipped[..], "label").verify().is_err(),
                "byte {at}"
            );
            assert!(
                SealedReader::new(&bytes[..at], "label").verify().is_err(),
                "cut at {at}"
            );
        }
        assert!(
            SealedReader::new(&[&bytes[..], b"x"].concat()[..], "label")
                .verify()
                .is_err()
        );
        assert!(SealedReader::new(&bytes[..], "another").verify().is_err());
        SealedReader::new(&bytes[..], "label").verify().unwrap();
    }
}
