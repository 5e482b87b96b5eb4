//! How emergency mode stands: the word in the bucket, the names in Route 53, the mirror's front. Each
//! is looked at beside the others and within a few seconds, and what does not answer is no reason to
//! do nothing: an emergency may be that the region of the bucket is down.

use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use tokio::time::timeout;

use super::decision::{FailoverView, SeenNames};
use super::names::LedNames;
use crate::context::SiteContext;
use crate::site::emergency::EmergencyRead;
use crate::site::mirror::FrontState;

/// For each look.
const SEEN_WITHIN: Duration = Duration::from_secs(8);

/// What was seen, with what kept a look from seeing.
pub struct ObservedMode {
    pub word: Result<EmergencyRead>,
    /// What stands at the mirror's front.
    pub front: Result<FrontState>,
    /// Whether a mirror is published; true where the bucket does not say.
    pub is_published: bool,
    pub names: Result<LedNames>,
}

impl ObservedMode {
    /// Looks at everything at once.
    pub async fn of(context: &SiteContext) -> Self {
        let file = context.emergency();
        let (word, front, published, names) = tokio::join!(
            in_time("the word in the bucket", file.read()),
            in_time("the mirror's front", front(context)),
            in_time("the mirror's manifest", context.has_mirror()),
            in_time("the names in Route 53", LedNames::observe(context)),
        );
        Self {
            word,
            front,
            is_published: published.unwrap_or(true),
            names,
        }
    }

    /// What the decision needs.
    pub fn view(&self) -> FailoverView {
        let read = self.word.as_ref().ok();
        FailoverView {
            word: read.and_then(|read| read.on().cloned()),
            broken: read.is_some_and(|read| read.broken.is_some()),
            names: self
                .names
                .as_ref()
                .map_or(SeenNames::Unknown, LedNames::lead),
            front: self
                .front
                .as_ref()
                .map_or(FrontState::Usual, |front| *front),
        }
    }
}

/// What stands at the mirror's front; without a mirror, nothing unusual.
pub async fn front(context: &SiteContext) -> Result<FrontState> {
    match context.mirror_front() {
        Some(front) => front.standing().await,
        None => Ok(FrontState::Usual),
    }
}

/// Bounds a look; a Route 53 that throttles would be asked again for minutes.
async fn in_time<T>(what: &str, look: impl Future<Output = Result<T>>) -> Result<T> {
    let seen = timeout(SEEN_WITHIN, look).await;
    seen.unwrap_or_else(|_| Err(anyhow!("no answer within {SEEN_WITHIN:?}")))
        .with_context(|| format!("reading {what}"))
}
