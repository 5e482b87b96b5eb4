//! One line of an output, with when and who.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::output::kept_line;

/// A line as it is kept: `{"time":…,"kind":"app","line":…}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry<'a> {
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// `spotboot`, or the service without that prefix: `app`, `web`.
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow)]
    pub line: Cow<'a, str>,
}

impl<'a> Entry<'a> {
    /// Control characters could rewrite what a terminal shows.
    pub fn new(time: OffsetDateTime, kind: &'a str, line: &'a str) -> Self {
        Self {
            time,
            kind: kind.into(),
            line: kept_line(line),
        }
    }

    /// With a line break at its end.
    pub fn to_line(&self) -> Vec<u8> {
        let mut line = serde_json::to_vec(self).expect("a line is plain data");
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_as_it_was_without_what_could_rewrite_a_terminal() {
        let entry = Entry::new(
            OffsetDateTime::UNIX_EPOCH,
            "app",
            "a \"quoted\" \u{1b}[2Jline\r",
        );
        let line = entry.to_line();
        let back: Entry<'_> = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            (back.kind.as_ref(), back.line.as_ref()),
            ("app", "a \"quoted\" [2Jline")
        );
        assert_eq!(line.iter().filter(|&&byte| byte == b'\n').count(), 1);
    }
}
