//! The note of an interrupted instance, which stands in its report. It is below the other files
//! here: what plans a hand-over reads it, and what is written to the bucket holds it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What AWS has said of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// It may be taken away: most of these come to nothing.
    Rebalance,
    /// It ends.
    Notice,
}

/// What an instance was told, and what its fleet was before it asked that for a replacement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Note {
    pub mark: Mark,
    /// The target to go back to.
    pub target: u32,
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

impl Note {
    /// A replacement that was prepared for a recommendation, and `spare_for` long, is not needed.
    pub fn is_over(&self, now: OffsetDateTime, spare_for: Duration) -> bool {
        self.mark == Mark::Rebalance && now >= self.since + spare_for
    }
}
