//! What the metadata service announces.

use std::time::Duration;

use tokio::time::sleep;
use tokio::try_join;
use tracing::debug;

use super::{Heard, Interruption};
use crate::cloud::Error;

/// A notice comes two minutes ahead at best, and some come later.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Interruption<'_> {
    /// Waits until AWS says something else of this instance's end than it did. A service that is
    /// silent says nothing.
    pub(super) async fn notice(&self) -> Option<Heard> {
        loop {
            match self.heard().await {
                Ok(heard) if heard != self.marked().heard => return heard,
                Ok(_) => {}
                Err(error) => debug!("looking for an interruption notice: {error}"),
            }
            sleep(LOOK_EVERY).await;
        }
    }

    pub(super) async fn heard(&self) -> Result<Option<Heard>, Error> {
        let imds = &self.instance.imds;
        let (notice, rebalance) =
            try_join!(imds.instance_action(), imds.rebalance_recommendation())?;
        Ok(Heard::of(notice, rebalance, &self.clocks()))
    }
}
