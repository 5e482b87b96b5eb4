//! When the logs go to the bucket.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::warn;

use super::LogShipper;
use crate::host::memory;

/// How often it is looked whether there are many already.
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl LogShipper<'_> {
    /// Ships the logs after that time, or when they are many. Whether the bucket took them.
    pub async fn ship_after(&self, after: Duration) -> bool {
        let due = Instant::now() + after;
        loop {
            let left = due.saturating_duration_since(Instant::now());
            sleep(left.min(LOOK_EVERY)).await;
            if Instant::now() >= due || self.has_much_to_ship() {
                break;
            }
        }
        let shipped = self.ship().await;
        memory::release();
        if let Err(error) = &shipped {
            warn!("the logs wait on this instance: {error:#}");
        }
        shipped.is_ok()
    }
}
