//! What the metadata service announces.

use std::time::Duration;

use tokio::time::sleep;
use tokio::try_join;
use tracing::debug;

use super::Heard;
use crate::cloud::Error;
use crate::instance::Instance;

/// A notice comes two minutes ahead at best, and some come later.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Instance {
    /// Waits until AWS says something else of this instance's end than it did. A service that is
    /// silent says nothing.
    pub async fn notice(&self) -> Option<Heard> {
        loop {
            match self.heard().await {
                Ok(heard) if heard != self.handover.marked().heard => return heard,
                Ok(_) => {}
                Err(error) => debug!("looking for an interruption notice: {error}"),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    pub async fn heard(&self) -> Result<Option<Heard>, Error> {
        let (notice, rebalance) = try_join!(
            self.imds.instance_action(),
            self.imds.rebalance_recommendation()
        )?;
        Ok(Heard::of(notice, rebalance, &self.clocks()))
    }
}
