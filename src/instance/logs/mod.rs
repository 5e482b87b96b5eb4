//! This instance's logs on their way to the bucket.
//!
//! A [`LogShipper`] owns the outbox. It may touch:
//!
//! - in the bucket: `logs/<id>/…`, which it writes;
//! - on the machine: the journal, which it reads; the access log and the output log, which it sets
//!   aside; nginx and this program's own output, which it has open their logs anew;
//! - the counters of what was shipped and dropped, and of the requests in a log that is set aside.

pub mod ship;

use std::time::Duration;

use anyhow::Result;
use tokio::time::{Instant, sleep};
use tracing::warn;

use super::Instance;
use super::metering::Metering;
use crate::host::memory;
use crate::host::spool::Outbox;
use crate::logging;

/// How often it is looked whether there are many already.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Brings the logs to the bucket, so that they outlive this instance.
pub struct LogShipper<'i> {
    instance: &'i Instance,
    metering: &'i Metering,
    /// The logs that wait for the bucket.
    outbox: Outbox,
}

impl<'i> LogShipper<'i> {
    /// Begins to keep what this program says: nothing of it is lost with the process.
    ///
    /// # Errors
    /// The outbox cannot be made.
    pub fn begin(instance: &'i Instance, metering: &'i Metering) -> Result<Self> {
        let paths = &instance.paths;
        if !instance.services.keep_a_journal()
            && let Err(error) = logging::keep_in(&paths.output_log())
        {
            warn!("what is said here will not be in the bucket: {error}");
        }
        Ok(Self {
            instance,
            metering,
            outbox: Outbox::open(paths.logs().join("outbox"))?,
        })
    }

    /// Packed logs that wait for the bucket, in bytes.
    pub fn waiting_bytes(&self) -> u64 {
        let waiting = self.outbox.waiting().unwrap_or_default();
        waiting.iter().map(|piece| piece.size).sum()
    }

    /// Ships the logs after that time, or when there are many. Returns whether the bucket took
    /// them.
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
