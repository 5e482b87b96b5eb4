//! One line of a log, to be shown.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{OffsetDateTime, UtcOffset};

use super::name::Stream;
use super::ship::access_time;
use crate::host::spool::Entry;
use crate::output::in_one_line;

/// A line with its instance and kind; as JSON for `logs --json`, by `Display` for a person.
#[derive(Debug, Serialize)]
pub struct Line<'a> {
    pub instance: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// `app`, `web`, `spotboot`, `access`.
    pub kind: Cow<'a, str>,
    #[serde(flatten)]
    pub text: LineText<'a>,
}

/// What was logged: text of a program, or a request of nginx's access log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineText<'a> {
    Line(Cow<'a, str>),
    /// As nginx wrote it.
    Request(Value),
}

/// What a person wants to see of a request.
#[derive(Deserialize)]
struct LoggedRequest {
    client: String,
    method: String,
    host: String,
    uri: String,
    status: u16,
    bytes: u64,
    seconds: f64,
}

impl<'a> Line<'a> {
    /// `None`: it cannot be read.
    pub fn read(instance: &'a str, stream: Stream, line: &'a str) -> Option<Self> {
        match stream {
            Stream::Output => {
                let Entry { time, kind, line } = serde_json::from_str(line).ok()?;
                Some(Self {
                    instance,
                    time,
                    kind,
                    text: LineText::Line(line),
                })
            }
            Stream::Access => {
                let text = LineText::Request(serde_json::from_str(line).ok()?);
                Some(Self {
                    instance,
                    time: access_time(line.as_bytes())?,
                    kind: "access".into(),
                    text,
                })
            }
        }
    }

    /// `app` is also what a second app beside the first one writes: `app-2`.
    pub fn is_of(&self, kind: &str) -> bool {
        self.kind
            .strip_prefix(kind)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }
}

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = format_description!(
            "[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z"
        );
        let time = self
            .time
            .to_offset(UtcOffset::UTC)
            .format(&form)
            .map_err(|_| fmt::Error)?;
        let text = match &self.text {
            LineText::Line(line) => without_time(line).to_owned(),
            LineText::Request(request) => LoggedRequest::deserialize(request)
                .map_or_else(|_| request.to_string(), |request| request.to_string()),
        };
        write!(
            f,
            "{time} {} | {}",
            in_one_line(&self.kind),
            in_one_line(&text)
        )
    }
}

impl fmt::Display for LoggedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            client,
            method,
            host,
            uri,
            status,
            bytes,
            seconds,
        } = self;
        write!(
            f,
            "{client} {method} {host}{uri} {status} {bytes} B {seconds:.3} s"
        )
    }
}

/// Our own lines begin with the time, which stands there already.
fn without_time(line: &str) -> &str {
    match line.split_once(' ') {
        Some((first, rest)) if OffsetDateTime::parse(first, &Rfc3339).is_ok() => rest.trim_start(),
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCESS: &str = r#"{"time":"2025-11-21T13:55:01+00:00","msec":1763733301.123,"client":"203.0.113.9","method":"GET","scheme":"https",
        "host":"example.com","uri":"/a?b","protocol":"HTTP/2.0","status":200,"bytes":512,"seconds":0.012,"upstream_status":"200"}"#;

    #[test]
    fn a_request_is_a_line_for_people_and_whole_for_programs() {
        let line = Line::read("i-1", Stream::Access, ACCESS).unwrap();
        assert_eq!(
            line.to_string(),
            "2025-11-21T13:55:01.123Z access | 203.0.113.9 GET example.com/a?b 200 512 B 0.012 s"
        );
        let json = serde_json::to_value(&line).unwrap();
        assert_eq!(
            (&json["instance"], &json["request"]["upstream_status"]),
            (&"i-1".into(), &"200".into())
        );
    }

    #[test]
    fn our_own_time_stands_there_once() {
        let own = r#"{"time":"2025-11-21T13:55:01.5Z","kind":"spotboot","line":"2025-11-21T13:55:01.499Z  INFO done step=\"app\""}"#;
        assert_eq!(
            Line::read("i-1", Stream::Output, own).unwrap().to_string(),
            "2025-11-21T13:55:01.500Z spotboot | INFO done step=\"app\""
        );
    }

    #[test]
    fn a_second_app_is_an_app_and_a_torn_line_is_none() {
        let line = Line::read(
            "i-1",
            Stream::Output,
            r#"{"time":"2025-11-21T13:55:01.5Z","kind":"app-2","line":"x"}"#,
        )
        .unwrap();
        assert!(line.is_of("app") && !line.is_of("access") && !line.is_of("app-"));
        assert!(Line::read("i-1", Stream::Access, &ACCESS[..100]).is_none());
    }
}
