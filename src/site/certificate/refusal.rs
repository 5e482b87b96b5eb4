//! The CA's last no, kept in the bucket so that the next boot, which may be another machine's, does not ask again at once.
//!
//! Let's Encrypt bars a name for an hour after five failed authorizations; a service that is restarted would spend them in a minute.

use std::time::Duration;

use anyhow::{Result, bail};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tracing::warn;

use super::cache::Cache;
use crate::cloud::acme::AcmeError;
use crate::cloud::s3::Condition;

const LARGEST: usize = 64 * 1024;
/// Where the CA does not say how long to wait: fewer than five tries an hour.
const USUAL_WAIT: Duration = Duration::from_secs(15 * 60);
/// No CA's limit is longer than a week.
const LONGEST_WAIT: Duration = Duration::from_secs(7 * 86_400);

/// `certs/<ca>/<name>/refused.json`.
#[derive(Serialize, Deserialize)]
struct Refusal {
    names: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    why: String,
}

impl Cache<'_> {
    /// Stops whoever would ask the CA before it may be asked again for these names.
    ///
    /// # Errors
    /// Says until when, and why; and those of the bucket. A refusal that cannot be read stops nobody.
    pub(super) async fn obey_refusal(&self, names: &[String]) -> Result<()> {
        let key = self.key("refused.json");
        let Some(object) = self.s3.get(&key, LARGEST).await? else { return Ok(()) };
        let standing = serde_json::from_slice::<Refusal>(&object.body).ok().filter(|refusal| refusal.names == names);
        match (standing, self.s3.now()) {
            (Some(refusal), Some(now)) if now < refusal.until => bail!(
                "the CA refused: {}; it is not asked again before {}, or before s3://{}/{key} is deleted",
                refusal.why,
                refusal.until,
                self.s3.bucket()
            ),
            _ => Ok(()),
        }
    }

    /// Remembers a no of the CA. That it cannot be written is no reason to fail for another cause than the CA's.
    pub(super) async fn remember_refusal(&self, names: &[String], error: &AcmeError) {
        let (Some(wait), Some(now)) = (wait_after(error), self.s3.now()) else { return };
        let refusal = Refusal { names: names.to_vec(), until: now + wait, why: error.to_string() };
        let body = serde_json::to_vec(&refusal).expect("a refusal is plain data");
        if let Err(error) = self.s3.put(&self.key("refused.json"), body, Condition::Always, None).await {
            warn!("the next boot will ask the CA again at once: {error}");
        }
    }
}

/// How long to wait after an error; `None`: the CA decided nothing.
fn wait_after(error: &AcmeError) -> Option<Duration> {
    match error {
        AcmeError::RateLimited { retry_after, .. } => Some(retry_after.unwrap_or(USUAL_WAIT).min(LONGEST_WAIT)),
        AcmeError::Rejected { .. } => Some(USUAL_WAIT),
        AcmeError::Unavailable { .. } | AcmeError::UnknownAccount { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cas_own_wait_is_obeyed_within_a_week() {
        let limited = |retry_after| AcmeError::RateLimited { doing: "ordering".into(), retry_after, detail: "too many".into() };
        assert_eq!(wait_after(&limited(Some(Duration::from_secs(34 * 3600)))), Some(Duration::from_secs(34 * 3600)));
        assert_eq!(wait_after(&limited(Some(Duration::MAX))), Some(LONGEST_WAIT));
        assert_eq!(wait_after(&limited(None)), Some(USUAL_WAIT));
    }

    #[test]
    fn a_ca_that_is_down_has_refused_nothing() {
        assert_eq!(wait_after(&AcmeError::Unavailable { doing: "ordering".into(), retry_after: None, detail: "down".into() }), None);
    }
}
