//! What a piece of a log is called: `20261121T150001250Z-20261121T145501003Z-access.zst`.
//!
//! Its end comes first, so that the pieces with something since a given time follow one another.

use std::fmt;

use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime, UtcOffset};

use crate::host::spool::Span;

const TIME: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second][subsecond digits:3]Z");

/// Which of an instance's two logs a piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// What spotboot and the services say.
    Output,
    /// nginx's access log.
    Access,
}

/// Whole milliseconds; no line is earlier than the start, and none later than the millisecond of
/// the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PieceName {
    pub stream: Stream,
    pub start: OffsetDateTime,
    pub end: OffsetDateTime,
}

impl PieceName {
    /// The name of a piece that holds lines of this span, cut to milliseconds.
    pub fn new(stream: Stream, span: Span) -> Self {
        Self {
            stream,
            start: span.start,
            end: span.end,
        }
    }

    /// `None`: something else stands there.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".zst")?.splitn(3, '-');
        let time = |text: &str| {
            PrimitiveDateTime::parse(text, TIME)
                .ok()
                .map(PrimitiveDateTime::assume_utc)
        };
        let (end, start) = (time(parts.next()?)?, time(parts.next()?)?);
        let stream = match parts.next()? {
            "output" => Stream::Output,
            "access" => Stream::Access,
            _ => return None,
        };
        Some(Self { stream, start, end })
    }

    /// What the names of all pieces begin with or come after that end at this time or later.
    pub fn ending_since(time: OffsetDateTime) -> String {
        spelled(time)
    }
}

impl fmt::Display for PieceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stream = match self.stream {
            Stream::Output => "output",
            Stream::Access => "access",
        };
        write!(
            f,
            "{}-{}-{stream}.zst",
            spelled(self.end),
            spelled(self.start)
        )
    }
}

fn spelled(time: OffsetDateTime) -> String {
    time.to_offset(UtcOffset::UTC)
        .format(TIME)
        .expect("a time of this millennium has all these parts")
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NAME: &str = "20261121T150001250Z-20261121T145501003Z-access.zst";

    #[test]
    fn a_name_is_read_as_it_was_spelled() {
        let span = Span {
            start: datetime!(2026-11-21 14:55:01.003999 UTC),
            end: datetime!(2026-11-21 16:00:01.25 +1),
        };
        assert_eq!(PieceName::new(Stream::Access, span).to_string(), NAME);
        let read = PieceName::parse(NAME).unwrap();
        assert_eq!(
            (read.stream, read.start, read.end),
            (
                Stream::Access,
                datetime!(2026-11-21 14:55:01.003 UTC),
                datetime!(2026-11-21 15:00:01.25 UTC)
            )
        );
    }

    #[test]
    fn what_ends_later_comes_after_and_what_ended_before_does_not() {
        let since = |time| PieceName::ending_since(time);
        assert!(NAME > since(datetime!(2026-11-21 15:00:01.25 UTC)).as_str());
        assert!(NAME < since(datetime!(2026-11-21 15:00:01.251 UTC)).as_str());
    }

    #[test]
    fn other_objects_are_no_pieces() {
        for other in [
            "boot.log",
            "20261121T150001250Z-access.zst",
            "20261121T150001250Z-20261121T145501003Z-core.zst",
            "x-y-access.zst",
        ] {
            assert_eq!(PieceName::parse(other), None, "{other}");
        }
    }
}
