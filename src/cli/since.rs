//! A time in the past, as people give it.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// The value of `--since`: an instant, or a span that is counted back from the present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinceArg {
    At(OffsetDateTime),
    Ago(Duration),
}

impl SinceArg {
    /// The instant that the value means; `now` is the present by the bucket's clock. A span that
    /// reaches before 1970 means 1970.
    pub fn time(self, now: OffsetDateTime) -> OffsetDateTime {
        match self {
            Self::At(time) => time,
            Self::Ago(ago) => now
                .checked_sub(ago.try_into().unwrap_or(time::Duration::MAX))
                .unwrap_or(OffsetDateTime::UNIX_EPOCH),
        }
    }
}

pub(super) fn parse(text: &str) -> Result<SinceArg, String> {
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(SinceArg::At(time));
    }
    humantime::parse_duration(text)
        .map(SinceArg::Ago)
        .map_err(|_| {
            "neither a time, as in 2026-11-21T12:00:00Z, nor how long ago, as in 90m or 2h"
                .to_owned()
        })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_time_or_how_long_ago() {
        let now = datetime!(2026-11-21 12:00 UTC);
        let since = |text| parse(text).map(|since| since.time(now));
        assert_eq!(since("2h"), Ok(datetime!(2026-11-21 10:00 UTC)));
        assert_eq!(
            since("2026-11-21T12:00:00+11:00"),
            Ok(datetime!(2026-11-21 01:00 UTC))
        );
        assert_eq!(since("900000y"), Ok(OffsetDateTime::UNIX_EPOCH));
        assert!(since("yesterday").unwrap_err().contains("90m"));
    }
}
