//! The deploy log: `deploys/<time>-<id>.json`, one object a run, from its first step to its end.
//!
//! It is also how a later run learns where a killed one stood; what to do about that is the
//! commands' to decide.

mod by;
mod log;
mod work;

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::cloud::ec2::Described;
pub use by::By;
pub use log::{Log, recent};
pub use work::{InPlaceInstances, Replacement, Work};

/// What `deploys/<time>-<id>.json` holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// `<UTC yyyymmddThhmmssZ>-<hex>`: names sort by time.
    pub id: String,
    /// The run that writes here: this one, or the one that ends it in its place.
    pub writer: String,
    pub verb: Verb,
    pub by: By,
    #[serde(with = "time::serde::rfc3339")]
    pub started: OffsetDateTime,
    /// What the new instances are to serve; `None` for kind s3, which has no release.
    pub release: Option<Released>,
    /// What was current before.
    pub previous: Option<Released>,
    #[serde(flatten)]
    pub work: Work,
    pub stage: Stage,
    #[serde(default)]
    pub steps: Vec<RecordedStep>,
    pub end: Option<End>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Deploy,
    Rotate,
    Rollback,
    /// `deploy --no-rotate`: current without a trial.
    Publish,
}

/// A release as the log names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Released {
    pub version: String,
    pub key: String,
    pub sha256: Option<String>,
    pub size: u64,
}

/// An instance that serves the site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    pub id: String,
    #[serde(with = "time::serde::rfc3339")]
    pub launched: OffsetDateTime,
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
}

impl From<Described> for Node {
    fn from(instance: Described) -> Self {
        Self {
            id: instance.id,
            launched: instance.launched,
            ipv4: instance.ipv4,
            ipv6: instance.ipv6,
        }
    }
}

/// How far a run is decided. The way back is open until [`Stage::Forward`] is written, and closed
/// from then on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// New instances are on trial; the old ones serve on.
    Trial,
    /// The trial was passed: the release becomes current, and the old instances go.
    Forward,
    /// It was not: the new instances go.
    Back,
}

/// One step, in milliseconds since the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedStep {
    pub name: String,
    pub start_ms: u64,
    pub end_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub outcome: RunOutcome,
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    pub error: Option<String>,
    /// The later run that ended this one, which had been killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    Promoted,
    RolledBack,
    /// The release is current, but some of the old instances still serve.
    Unfinished,
    Published,
}

impl Record {
    /// A run that begins now.
    pub fn new(
        id: String,
        verb: Verb,
        by: By,
        started: OffsetDateTime,
        release: Option<Released>,
        previous: Option<Released>,
    ) -> Self {
        Self {
            writer: id.clone(),
            id,
            verb,
            by,
            started,
            release,
            previous,
            work: Work::Publish,
            stage: Stage::Trial,
            steps: Vec::new(),
            end: None,
        }
    }

    /// The later run that has taken this one over, which was killed.
    pub fn ended_by(&self) -> Option<&str> {
        (self.writer != self.id).then_some(self.writer.as_str())
    }

    pub fn end(&mut self, outcome: RunOutcome, at: OffsetDateTime, error: Option<String>) {
        let ended_by = self.ended_by().map(str::to_owned);
        self.end = Some(End {
            outcome,
            at,
            error,
            ended_by,
        });
    }

    /// The version of what instances are to serve.
    pub fn version(&self) -> Option<&str> {
        self.release
            .as_ref()
            .map(|release| release.version.as_str())
    }

    /// Whether the release is put on trial first, as another one was current before.
    pub fn has_trial(&self) -> bool {
        self.release.is_some() && self.release != self.previous
    }

    /// How long it took, where it has ended.
    pub fn took(&self) -> Option<time::Duration> {
        self.end.as_ref().map(|end| end.at - self.started)
    }
}

/// A name for a run that starts now; `random` tells apart two of the same second.
pub fn name_of_run(now: OffsetDateTime, random: u32) -> String {
    format!("{}-{:06x}", stamp(now), random & 0x00ff_ffff)
}

fn stamp(now: OffsetDateTime) -> String {
    let form = format_description!("[year][month][day]T[hour][minute][second]Z");
    now.to_offset(time::UtcOffset::UTC)
        .format(&form)
        .unwrap_or_else(|_| now.unix_timestamp().to_string())
}

#[cfg(test)]
mod suite;

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn the_names_of_runs_sort_by_time() {
        let first = name_of_run(datetime!(2026-11-20 09:59:59 UTC), 0xffff_ffff);
        let second = name_of_run(datetime!(2026-11-20 10:00:00 UTC), 1);
        assert_eq!(
            (first.as_str(), second.as_str()),
            ("20261120T095959Z-ffffff", "20261120T100000Z-000001")
        );
        assert!(first < second);
    }
}
