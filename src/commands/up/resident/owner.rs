//! An instance that stands by, and the owner of the names.

use std::time::Duration;

use anyhow::anyhow;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::super::Boot;
use super::super::boot::Serving;
use super::super::cutover::Standing;
use super::state::Event;

/// How often an instance that stands by looks whether the owner still lives.
const LOOK_EVERY: Duration = Duration::from_secs(30);
const LOOK_WITHIN: Duration = Duration::from_secs(45);

impl Boot {
    /// Takes the names over once their owner is gone, if this instance still proves itself.
    pub(super) async fn look_at_owner(&self, serving: &Serving) -> Event {
        sleep(LOOK_EVERY).await;
        let asked = async {
            let live = serving.live();
            self.prove(live.release.as_ref(), &live.certificate).await?;
            self.cut_over(&serving.zones, None).await
        };
        let answer = timeout(LOOK_WITHIN, asked).await.unwrap_or_else(|_| Err(anyhow!("no answer within {} s", LOOK_WITHIN.as_secs())));
        match answer {
            Ok(standing) => Event::Owner { taken_over: matches!(standing, Standing::Owner(_)) },
            Err(error) => {
                warn!("looking whether the names' owner lives: {error:#}");
                Event::Owner { taken_over: false }
            }
        }
    }
}
