//! One object's lines, in the order of their times.

use std::io::{Read, Take};
use std::ops::Range;

use anyhow::{Context, Result, bail};
use time::OffsetDateTime;

use super::boot_log;
use super::line::Line;
use super::name::{PieceName, Stream};
use super::stored::{StoredKind, StoredLogs};
use crate::cloud::s3::S3;
use crate::host::spool::PIECE;

/// A piece, compressed; one that cannot be compressed is a little larger than its lines.
const LARGEST: usize = 2 * PIECE as usize;
/// Its lines: a piece ends with the line that fills it.
const LARGEST_UNPACKED: u64 = 2 * PIECE;

pub(super) struct Opened {
    instance: String,
    stream: Stream,
    text: String,
    /// Latest first.
    left: Vec<(OffsetDateTime, Range<usize>)>,
    /// Lines that nobody can read.
    pub broken: usize,
}

impl Opened {
    /// Only lines since a time. `None`: the object is gone, expired it may be.
    pub async fn open(s3: &S3, stored: &StoredLogs, since: OffsetDateTime) -> Result<Option<Self>> {
        let Some(object) = s3.get(&stored.key, LARGEST).await? else {
            return Ok(None);
        };
        let (stream, text) = match stored.what {
            StoredKind::Piece(PieceName { stream, .. }) => (
                stream,
                unpacked(&object.body)
                    .with_context(|| format!("reading s3://{}/{}", s3.bucket(), stored.key))?,
            ),
            StoredKind::BootLog { stored, shipped } => (
                Stream::Output,
                boot_log::entries(&String::from_utf8_lossy(&object.body), stored, shipped),
            ),
        };
        Ok(Some(Self::new(
            stored.instance.clone(),
            stream,
            text,
            since,
        )))
    }

    fn new(instance: String, stream: Stream, text: Vec<u8>, since: OffsetDateTime) -> Self {
        // Clients may send bytes that are no text, and nginx logs them as they are.
        let text = String::from_utf8(text)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let (mut left, mut broken, mut start) = (Vec::new(), 0, 0);
        for line in text.split_inclusive('\n') {
            let range = start..start + line.len();
            start = range.end;
            match Line::read(&instance, stream, line) {
                Some(Line { time, .. }) if time >= since => left.push((time, range)),
                Some(_) => {}
                None => broken += 1,
            }
        }
        // Stable: lines of one time stay in the order in which they were written.
        left.sort_by_key(|(time, _)| *time);
        left.reverse();
        Self {
            instance,
            stream,
            text,
            left,
            broken,
        }
    }

    /// The time of the line that [`Opened::next`] answers with; `None` after the last.
    pub fn next_time(&self) -> Option<OffsetDateTime> {
        self.left.last().map(|(time, _)| *time)
    }

    /// The line of that time.
    pub fn next(&mut self) -> Option<Line<'_>> {
        let (_, range) = self.left.pop()?;
        Line::read(&self.instance, self.stream, &self.text[range])
    }
}

/// Checked by zstd's own checksum; a truncated one is told by its missing end.
fn unpacked(packed: &[u8]) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let mut bounded: Take<_> = zstd::stream::read::Decoder::new(packed)?.take(LARGEST_UNPACKED + 1);
    bounded.read_to_end(&mut text)?;
    if text.len() as u64 > LARGEST_UNPACKED {
        bail!("it holds more than {LARGEST_UNPACKED} bytes, which no piece of a log does");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_altered_or_endless_piece_is_told() {
        let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        std::io::Write::write_all(&mut encoder, &b"some lines\n".repeat(1000)).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(unpacked(&packed).unwrap().len(), 11_000);
        for end in [0, 1, packed.len() / 2, packed.len() - 1] {
            assert!(
                end == 0 || unpacked(&packed[..end]).is_err(),
                "cut at {end}"
            );
        }
        let mut altered = packed.clone();
        *altered.last_mut().unwrap() ^= 1;
        assert!(unpacked(&altered).is_err());
        let endless = zstd::encode_all(&vec![b'x'; LARGEST_UNPACKED as usize + 1][..], 3).unwrap();
        assert!(
            unpacked(&endless)
                .unwrap_err()
                .to_string()
                .contains("no piece of a log")
        );
    }

    #[test]
    fn a_request_with_bytes_that_are_no_text_is_shown_all_the_same() {
        let text = b"{\"msec\":1.5,\"client\":\"::1\",\"method\":\"GET\",\"host\":\"h\",\"uri\":\"/\xff\",\"status\":400,\"bytes\":0,\"seconds\":0.1}\n".to_vec();
        let mut opened = Opened::new(
            "i-1".into(),
            Stream::Access,
            text,
            OffsetDateTime::UNIX_EPOCH,
        );
        assert!(
            opened
                .next()
                .unwrap()
                .to_string()
                .ends_with("GET h/\u{fffd} 400 0 B 0.100 s")
        );
    }

    #[test]
    fn lines_come_in_the_order_of_time_and_those_of_one_time_as_they_were_written() {
        let line = |second: i64, line: &str| {
            crate::host::spool::Entry::new(
                OffsetDateTime::from_unix_timestamp(second).unwrap(),
                "app",
                line,
            )
            .to_line()
        };
        let text = [
            line(3, "c"),
            line(1, "a"),
            b"torn\n".to_vec(),
            line(3, "d"),
            line(2, "b"),
            line(0, "before"),
        ]
        .concat();
        let mut opened = Opened::new(
            "i-1".into(),
            Stream::Output,
            text,
            OffsetDateTime::from_unix_timestamp(1).unwrap(),
        );
        let mut seen = Vec::new();
        while let Some(line) = opened.next() {
            seen.push(line.to_string().chars().last().unwrap());
        }
        assert_eq!((seen, opened.broken), (vec!['a', 'b', 'c', 'd'], 1));
    }
}
