//! This instance's logs on their way to the bucket.
//!
//! A [`LogShipper`] owns the outbox. It may touch:
//!
//! - in the bucket: `logs/<id>/…`, which it writes;
//! - on the machine: the journal, which it reads; the access log and the output log, which it sets
//!   aside; nginx and this program's own output, which it has open their logs anew;
//! - the counters of what was shipped and dropped, and of the requests in a log that is set aside.

pub mod schedule;
pub mod ship;

use anyhow::Result;
use tracing::warn;

use super::Instance;
use super::metering::Metering;
use crate::host::spool::Outbox;
use crate::logging;

/// Brings the logs to the bucket, so that they outlive this instance.
pub struct LogShipper<'i> {
    instance: &'i Instance,
    metering: &'i Metering,
    /// The logs that wait for the bucket.
    outbox: Outbox,
}

impl<'i> LogShipper<'i> {
    /// From now on nothing that is said is lost with this process.
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
}
