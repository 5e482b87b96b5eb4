//! The log of a boot that failed, which is text and no piece: its lines get the time that stands
//! before them, or that of the line above.

use serde::Deserialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::host::spool::Entry;

/// What ends such a log.
const FAILURE: &str = "error: ";

/// As lines of an output; only the failure at its end, where the rest was `shipped` too.
pub(super) fn entries(text: &str, stored: OffsetDateTime, shipped: bool) -> Vec<u8> {
    let lines: Vec<&str> = text.lines().collect();
    let failure = lines
        .iter()
        .rposition(|line| line.starts_with(FAILURE))
        .unwrap_or(lines.len());
    let mut time = lines
        .iter()
        .find_map(|line| time_of(line))
        .unwrap_or(stored);
    let mut entries = Vec::new();
    for (number, line) in lines.into_iter().enumerate() {
        time = time_of(line).unwrap_or(time);
        if number >= failure {
            time = stored;
        }
        if number >= failure || !shipped {
            entries.extend(entry(time, line).to_line());
        }
    }
    entries
}

fn entry(time: OffsetDateTime, line: &str) -> Entry<'_> {
    match line.split_once(" | ") {
        Some((service, text))
            if service
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') =>
        {
            Entry::new(time, service, text)
        }
        _ => Entry::new(time, "spotboot", line),
    }
}

fn time_of(line: &str) -> Option<OffsetDateTime> {
    #[derive(Deserialize)]
    struct OwnLine {
        #[serde(with = "time::serde::rfc3339")]
        timestamp: OffsetDateTime,
    }
    let plain = || OffsetDateTime::parse(line.split(' ').next()?, &Rfc3339).ok();
    plain().or_else(|| {
        serde_json::from_str::<OwnLine>(line)
            .ok()
            .map(|logged| logged.timestamp)
    })
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const LOG: &str = "2026-11-21T12:00:01Z  INFO done step=\"release\"\napp | no database\n2026-11-21T12:00:02Z  WARN ended\nerror: app: it ended\n    and why\n";
    const STORED: OffsetDateTime = datetime!(2026-11-21 12:00:05 UTC);

    fn read(shipped: bool) -> Vec<(i64, String, String)> {
        let entries = entries(LOG, STORED, shipped);
        let lines = entries
            .split_inclusive(|&byte| byte == b'\n')
            .map(|line| serde_json::from_slice::<Entry<'_>>(line).unwrap());
        lines
            .map(|entry| {
                (
                    entry.time.unix_timestamp() - STORED.unix_timestamp(),
                    entry.kind.into_owned(),
                    entry.line.into_owned(),
                )
            })
            .collect()
    }

    #[test]
    fn each_line_has_a_time_and_a_kind() {
        let told: Vec<(i64, String)> = read(false)
            .into_iter()
            .map(|(time, kind, _)| (time, kind))
            .collect();
        let expected = [
            (-4, "spotboot"),
            (-4, "app"),
            (-3, "spotboot"),
            (0, "spotboot"),
            (0, "spotboot"),
        ];
        assert_eq!(told, expected.map(|(time, kind)| (time, kind.to_owned())));
    }

    #[test]
    fn what_was_shipped_too_is_told_once() {
        assert_eq!(
            read(true)
                .into_iter()
                .map(|(_, _, line)| line)
                .collect::<Vec<_>>(),
            ["error: app: it ended", "    and why"]
        );
    }
}
