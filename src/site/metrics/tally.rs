//! What the resident notes of its own work, to be told when somebody asks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use time::OffsetDateTime;

/// What happened since this process began: the counters start at 0 with every run of `up`.
#[derive(Debug, Default)]
pub struct Tally {
    /// How often each service ended by itself and was started again.
    restarts: RefCell<BTreeMap<&'static str, u64>>,
    shipped: Cell<Option<OffsetDateTime>>,
    dropped: Cell<u64>,
}

impl Tally {
    /// Counts an end of a service that its keeper answered with a start.
    pub fn restarted(&self, service: &'static str) {
        *self.restarts.borrow_mut().entry(service).or_default() += 1;
    }

    /// The count of each service that ended at least once.
    pub fn restarts(&self) -> BTreeMap<&'static str, u64> {
        self.restarts.borrow().clone()
    }

    /// The bucket has all logs up to this time.
    pub fn shipped(&self, at: OffsetDateTime) {
        self.shipped.set(Some(at));
    }

    /// Up to when the bucket has all logs; `None` before the first shipment of this run.
    pub fn last_shipped(&self) -> Option<OffsetDateTime> {
        self.shipped.get()
    }

    /// Pieces of logs that were given up.
    pub fn dropped(&self, pieces: u64) {
        self.dropped.set(self.dropped.get() + pieces);
    }

    /// How many pieces of logs were given up, of both streams.
    pub fn pieces_dropped(&self) -> u64 {
        self.dropped.get()
    }
}
