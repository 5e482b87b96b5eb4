//! What the metadata service announces.

use std::time::Duration;

use tokio::time::sleep;
use tracing::debug;

use super::super::Boot;
use super::state::Event;

/// A notice comes two minutes ahead at best, and some come later.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Boot {
    /// Waits until AWS announces this instance's end.
    pub(super) async fn notice(&self) -> Event {
        loop {
            match self.imds.instance_action().await {
                Ok(Some(notice)) => return Event::Notice(notice),
                Ok(None) => {}
                Err(error) => debug!("looking for an interruption notice: {error}"),
            }
            sleep(LOOK_EVERY).await;
        }
    }
}
