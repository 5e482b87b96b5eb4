//! What the resident notes of its own work, to be told when somebody asks.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use time::OffsetDateTime;

#[derive(Debug, Default)]
pub struct Tally {
    /// How often each service ended by itself and was started again.
    restarts: RefCell<BTreeMap<&'static str, u64>>,
    shipped: Cell<Option<OffsetDateTime>>,
    dropped: Cell<u64>,
}

impl Tally {
    pub fn restarted(&self, service: &'static str) {
        *self.restarts.borrow_mut().entry(service).or_default() += 1;
    }

    pub fn restarts(&self) -> BTreeMap<&'static str, u64> {
        self.restarts.borrow().clone()
    }

    /// The bucket has all logs up to this time.
    pub fn shipped(&self, at: OffsetDateTime) {
        self.shipped.set(Some(at));
    }

    pub fn last_shipped(&self) -> Option<OffsetDateTime> {
        self.shipped.get()
    }

    /// Pieces of logs that were given up.
    pub fn dropped(&self, pieces: u64) {
        self.dropped.set(self.dropped.get() + pieces);
    }

    pub fn pieces_dropped(&self) -> u64 {
        self.dropped.get()
    }
}
