//! The owner of the names: an instance that stands by takes them over from an owner that is gone or
//! goes, and an instance that serves notices when another has taken them. The listener is proven
//! again before the names lead here (invariant I1 of docs/ARCHITECTURE.md).

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::NameKeeper;
use super::cutover::CutoverOutcome;
use crate::instance::deadline::within;
use crate::instance::serving::Serving;

/// How often an instance that stands by looks whether the owner still lives.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often it asks whether the owner goes.
const ASK_EVERY: Duration = Duration::from_secs(5);
const LOOK_WITHIN: Duration = Duration::from_secs(45);
/// How often an instance that serves looks whether the names are still its own.
const OWN_EVERY: Duration = Duration::from_secs(20);

impl NameKeeper<'_> {
    /// Takes the names over once their owner is gone, or goes, if this instance still proves
    /// itself. Returns whether it owns them now.
    pub async fn look_at_owner(&self, serving: &Serving) -> bool {
        self.until_needed().await;
        match within(LOOK_WITHIN, self.ask_for_names(serving)).await {
            Ok(outcome) => matches!(outcome, CutoverOutcome::Owner(_)),
            Err(error) => {
                warn!("looking whether the names' owner lives: {error:#}");
                false
            }
        }
    }

    async fn until_needed(&self) {
        let until = Instant::now() + LOOK_EVERY;
        while Instant::now() < until {
            sleep(ASK_EVERY).await;
            if self.is_needed().await {
                return;
            }
        }
    }

    async fn ask_for_names(&self, serving: &Serving) -> Result<CutoverOutcome> {
        self.instance.prove(&serving.live()).await?;
        self.leaves_names(&serving.zones.standing().await?).await;
        self.cut_over(&serving.zones, None).await
    }

    /// Whether the names are still this instance's own. In a multivalue answer each instance has
    /// records of its own. One that has parted with the names, and that AWS did not take away after
    /// all, asks for them again as one does that stands by.
    pub async fn look_at_names(&self, serving: &Serving) -> bool {
        sleep(OWN_EVERY).await;
        if self.interruption.is_to_have_names_again() {
            return false;
        }
        if self.instance.context.site.dns.answers_together() {
            return true;
        }
        let standing = match timeout(LOOK_WITHIN, serving.zones.standing()).await {
            Ok(Ok(standing)) => standing,
            Ok(Err(error)) => {
                warn!("looking whose the names are: {error:#}");
                return true;
            }
            Err(_) => return true,
        };
        let me = self.instance.id();
        let anothers = standing
            .iter()
            .find(|zone| zone.is_anothers(me))
            .and_then(|zone| zone.owner.as_ref());
        self.stands_by_for_later(anothers.map(|owner| owner.owner.as_str()));
        anothers.is_none()
    }
}
