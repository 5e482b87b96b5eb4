//! A person's word that the mirror stays as it is.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// `mirror/hold.json`: while it is there, nobody publishes a new mirror.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// By S3's clock.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// `held since 2026-11-30 15:00:00 by ada on desk: the spike`
impl std::fmt::Display for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "held since {} by {}", self.since, self.by)?;
        match &self.why {
            Some(why) => write!(f, ": {why}"),
            None => Ok(()),
        }
    }
}
