//! From lines to compressed pieces.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use tokio::task::yield_now;
use zstd::stream::write::Encoder;

use super::Outbox;
use crate::host::files::FileError;

/// How much of a log makes a piece, before compression: what is lost with the machine, and what a
/// reader holds of it at once.
pub const PIECE: u64 = 2 << 20;
/// No line is longer; the rest of one that is goes into the next.
const LONGEST_LINE: u64 = 64 << 10;
/// Little memory (a window of 256 KiB) matters more here than the last percent of size.
const LEVEL: i32 = 3;
const WINDOW_LOG: u32 = 18;
/// How many lines are packed before others on this thread have their turn.
const LINES_AT_ONCE: u32 = 256;
const PART: &str = ".part";

/// When a piece's lines were written, first and last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub start: OffsetDateTime,
    pub end: OffsetDateTime,
}

impl Span {
    fn with(self, time: OffsetDateTime) -> Self {
        Self {
            start: self.start.min(time),
            end: self.end.max(time),
        }
    }
}

/// A piece in the making.
pub struct Packer {
    part: PathBuf,
    encoder: Encoder<'static, File>,
    raw: u64,
    span: Option<Span>,
}

impl Packer {
    /// # Errors
    /// Those of the disk.
    pub fn start(outbox: &Outbox) -> Result<Self, FileError> {
        let part = outbox.path(PART);
        let begin = || {
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&part)?;
            let mut encoder = Encoder::new(file, LEVEL)?;
            encoder.window_log(WINDOW_LOG)?;
            encoder.include_checksum(true)?;
            Ok(encoder)
        };
        let encoder = begin().map_err(|e| FileError::new("packing into", &part, e))?;
        Ok(Self {
            part,
            encoder,
            raw: 0,
            span: None,
        })
    }

    /// Takes a line with its line break. One whose time nobody can tell belongs to those before it.
    ///
    /// # Errors
    /// The disk is full.
    pub fn add(&mut self, time: Option<OffsetDateTime>, line: &[u8]) -> Result<(), FileError> {
        self.encoder
            .write_all(line)
            .map_err(|e| FileError::new("packing into", &self.part, e))?;
        self.raw += line.len() as u64;
        if let Some(time) = time {
            self.span = Some(self.span.map_or(
                Span {
                    start: time,
                    end: time,
                },
                |span| span.with(time),
            ));
        }
        Ok(())
    }

    /// Whether the piece has its size, and the next line belongs to another piece.
    pub fn is_full(&self) -> bool {
        self.raw >= PIECE
    }

    /// Whether no line was added yet.
    pub fn is_empty(&self) -> bool {
        self.raw == 0
    }

    /// The file that it stands in, and its span; `else_at` where no line of it has a time.
    ///
    /// # Errors
    /// The disk is full.
    pub fn end(self, else_at: OffsetDateTime) -> Result<(PathBuf, Span), FileError> {
        let Self {
            part,
            encoder,
            span,
            ..
        } = self;
        encoder
            .finish()
            .map_err(|e| FileError::new("packing into", &part, e))?;
        Ok((
            part,
            span.unwrap_or(Span {
                start: else_at,
                end: else_at,
            }),
        ))
    }
}

/// Packs a file that nobody writes any more, and removes it. Dropped or killed at any point, it is
/// done again from the start, with the same pieces.
///
/// # Errors
/// Those of the disk; the file stays.
pub async fn pack(
    outbox: &Outbox,
    path: &Path,
    time_of: impl Fn(&[u8]) -> Option<OffsetDateTime>,
    name: impl Fn(Span) -> String,
) -> Result<(), FileError> {
    let reading = |e| FileError::new("reading", path, e);
    let file = File::open(path).map_err(reading)?;
    let modified = file
        .metadata()
        .and_then(|meta| meta.modified())
        .map_err(reading)?
        .into();
    let mut lines = BufReader::new(file);
    let mut packer = Packer::start(outbox)?;
    let (mut line, mut count) = (Vec::new(), 0_u32);
    while lines
        .by_ref()
        .take(LONGEST_LINE)
        .read_until(b'\n', &mut line)
        .map_err(reading)?
        > 0
    {
        if line.last() != Some(&b'\n') {
            line.push(b'\n');
        }
        packer.add(time_of(&line), &line)?;
        line.clear();
        if packer.is_full() {
            let (part, span) = packer.end(modified)?;
            outbox.finish(&part, &name(span))?;
            packer = Packer::start(outbox)?;
        }
        count += 1;
        if count.is_multiple_of(LINES_AT_ONCE) {
            yield_now().await;
        }
    }
    if !packer.is_empty() {
        let (part, span) = packer.end(modified)?;
        outbox.finish(&part, &name(span))?;
    }
    std::fs::remove_file(path).map_err(|e| FileError::new("removing", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(line: &[u8]) -> Option<OffsetDateTime> {
        let text = std::str::from_utf8(line).ok()?;
        OffsetDateTime::from_unix_timestamp(text.split(' ').next()?.parse().ok()?).ok()
    }

    fn name(span: Span) -> String {
        format!(
            "{}-{}.zst",
            span.end.unix_timestamp(),
            span.start.unix_timestamp()
        )
    }

    fn unpacked(outbox: &Outbox) -> Vec<(String, String)> {
        let content = |piece: &super::super::outbox::Waiting| {
            String::from_utf8(zstd::decode_all(&outbox.read(piece).unwrap()[..]).unwrap()).unwrap()
        };
        outbox
            .waiting()
            .unwrap()
            .iter()
            .map(|piece| (piece.name.clone(), content(piece)))
            .collect()
    }

    #[tokio::test]
    async fn a_file_is_cut_into_pieces_at_line_ends_and_again_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let (path, outbox) = (
            dir.path().join("log"),
            Outbox::open(dir.path().join("outbox")).unwrap(),
        );
        let text: String = (0..50_000)
            .map(|n| format!("{} {}\n", 1000 + n, "x".repeat(90)))
            .collect();
        let mut packed = Vec::new();
        for _ in 0..2 {
            std::fs::write(&path, &text).unwrap();
            pack(&outbox, &path, second, name).await.unwrap();
            assert!(!path.exists());
            packed.push(unpacked(&outbox));
        }
        assert_eq!(packed[0], packed[1]);
        assert!(
            packed[0].len() > 1 && packed[0][0].0.ends_with("-1000.zst"),
            "{:?}",
            packed[0].iter().map(|(name, _)| name).collect::<Vec<_>>()
        );
        assert_eq!(
            packed[0]
                .iter()
                .map(|(_, content)| content.as_str())
                .collect::<String>(),
            text
        );
    }

    #[tokio::test]
    async fn a_last_line_that_was_torn_and_one_without_a_time_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let (path, outbox) = (
            dir.path().join("log"),
            Outbox::open(dir.path().join("outbox")).unwrap(),
        );
        std::fs::write(&path, "20 b\n10 a\nno time\n30 to").unwrap();
        pack(&outbox, &path, second, name).await.unwrap();
        assert_eq!(
            unpacked(&outbox),
            [(
                "30-10.zst".to_owned(),
                "20 b\n10 a\nno time\n30 to\n".to_owned()
            )]
        );
    }
}
