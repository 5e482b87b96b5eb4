//! What is counted while the site serves, and told to whoever asks for metrics.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::host::tail::Tail;
use crate::site::metrics::{Requests, Tally};

/// The access log is read on this often, so that no question finds much of it unread.
const READ_EVERY: Duration = Duration::from_secs(5);
/// How many chunks of it one question waits for.
const CHUNKS: usize = 64;

#[derive(Default)]
pub struct Metering {
    pub requests: Requests,
    pub tally: Tally,
    tail: RefCell<Option<Tail>>,
    renewal_due: Cell<Option<OffsetDateTime>>,
}

impl Metering {
    /// When the certificate that serves is to be renewed.
    pub fn renewal_due(&self, at: OffsetDateTime) {
        self.renewal_due.set(Some(at));
    }

    pub fn due(&self) -> Option<OffsetDateTime> {
        self.renewal_due.get()
    }

    /// Counts the requests that the log has from now on.
    pub fn begin(&self, access_log: &Path) {
        self.tail.replace(Some(Tail::at_end(access_log.to_owned())));
    }

    /// Counts on, for ever.
    pub async fn go_on(&self) -> Infallible {
        loop {
            sleep(READ_EVERY).await;
            while self.read() {
                yield_now().await;
            }
        }
    }

    /// Counts what the log has now, as far as that is soon done.
    pub fn catch_up(&self) {
        for _ in 0..CHUNKS {
            if !self.read() {
                return;
            }
        }
    }

    /// The access log was set aside here, and nobody writes to it any more.
    pub fn turn(&self, aside: &Path) {
        if let Some(tail) = &mut *self.tail.borrow_mut() {
            tail.turn(aside, |line| self.requests.count(line));
        }
    }

    /// True: there is more.
    fn read(&self) -> bool {
        self.tail
            .borrow_mut()
            .as_mut()
            .is_some_and(|tail| tail.read(|line| self.requests.count(line)))
    }
}
