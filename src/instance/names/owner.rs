//! Whose the names are: an instance that stands by takes them over from an owner that is gone or
//! goes, and one that serves notices when another has taken them.

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep, timeout};
use tracing::warn;

use super::cutover::CutoverOutcome;
use crate::instance::Instance;
use crate::instance::deadline::within;
use crate::instance::event_loop::event::Event;
use crate::instance::serving::Serving;

/// How often an instance that stands by looks whether the owner still lives.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// How often it asks whether the owner goes.
const ASK_EVERY: Duration = Duration::from_secs(5);
const LOOK_WITHIN: Duration = Duration::from_secs(45);
/// How often an instance that serves looks whether the names are still its own.
const OWN_EVERY: Duration = Duration::from_secs(20);

impl Instance {
    /// Takes the names over once their owner is gone, or goes, if this instance still proves
    /// itself.
    pub async fn look_at_owner(&self, serving: &Serving) -> Event {
        self.until_needed().await;
        match within(LOOK_WITHIN, self.ask_for_names(serving)).await {
            Ok(standing) => Event::Owner {
                taken_over: matches!(standing, CutoverOutcome::Owner(_)),
            },
            Err(error) => {
                warn!("looking whether the names' owner lives: {error:#}");
                Event::Owner { taken_over: false }
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
        self.prove(&serving.live()).await?;
        self.leaves_names(&serving.zones.standing().await?).await;
        self.cut_over(&serving.zones, None).await
    }

    /// In a multivalue answer each has names of its own.
    pub async fn look_at_names(&self, serving: &Serving) -> Event {
        sleep(OWN_EVERY).await;
        if self.context.site.dns.answers_together() {
            return Event::Names { ours: true };
        }
        match timeout(LOOK_WITHIN, serving.zones.standing()).await {
            Ok(Ok(standing)) => {
                let anothers = standing
                    .iter()
                    .find(|zone| self.is_anothers(zone))
                    .and_then(|zone| zone.owner.as_ref());
                self.handover
                    .stands_by_for_later(anothers.map(|owner| owner.owner.as_str()));
                Event::Names {
                    ours: anothers.is_none(),
                }
            }
            Ok(Err(error)) => {
                warn!("looking whose the names are: {error:#}");
                Event::Names { ours: true }
            }
            Err(_) => Event::Names { ours: true },
        }
    }
}
