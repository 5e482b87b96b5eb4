//! What is counted while the site serves, and told to whoever on this machine asks for metrics.
//!
//! The [`Metering`] owns the counters; the tasks count into it by a verb each. It reads the access
//! log, and touches nothing else.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;
use tokio::task::yield_now;
use tokio::time::sleep;

use super::Instance;
use super::report::Reporter;
use super::serving::Serving;
use crate::cloud::calls::calls;
use crate::host::tail::Tail;
use crate::site::metrics::{Gauges, MirrorGauges, Requests, text};
use crate::site::release::version_word;
use crate::site::report::Step;

/// The access log is read on this often, so that no question finds much of it unread.
const READ_EVERY: Duration = Duration::from_secs(5);
/// How many chunks of it one question waits for.
const CHUNKS: usize = 64;

/// The counters of an instance.
#[derive(Default)]
pub struct Metering {
    requests: Requests,
    /// Where the access log is read on.
    tail: RefCell<Option<Tail>>,
    /// How often each service ended by itself and was started again.
    restarts: RefCell<BTreeMap<&'static str, u64>>,
    shipped: Cell<Option<OffsetDateTime>>,
    dropped: Cell<u64>,
    renewal_due: Cell<Option<OffsetDateTime>>,
    mirror: RefCell<Option<MirrorGauges>>,
}

impl Metering {
    /// A service ended by itself, and is started again.
    pub fn restarted(&self, service: &'static str) {
        *self.restarts.borrow_mut().entry(service).or_default() += 1;
    }

    /// The bucket has all logs up to this time.
    pub fn shipped(&self, until: OffsetDateTime) {
        self.shipped.set(Some(until));
    }

    /// Pieces of logs were given up.
    pub fn dropped(&self, pieces: u64) {
        self.dropped.set(self.dropped.get() + pieces);
    }

    /// When the certificate that serves is to be renewed.
    pub fn renewal_due(&self, at: OffsetDateTime) {
        self.renewal_due.set(Some(at));
    }

    /// How the mirror stands.
    pub fn mirror(&self, gauges: MirrorGauges) {
        self.mirror.replace(Some(gauges));
    }

    /// Counts the requests that the log has from now on, for ever.
    pub async fn count(&self, access_log: &Path) -> Infallible {
        self.tail.replace(Some(Tail::at_end(access_log.to_owned())));
        loop {
            sleep(READ_EVERY).await;
            while self.read() {
                yield_now().await;
            }
        }
    }

    /// The access log was set aside here, and nobody writes to it any more.
    pub fn turn(&self, aside: &Path) {
        if let Some(tail) = &mut *self.tail.borrow_mut() {
            tail.turn(aside, |line| self.requests.count(line));
        }
    }

    /// The page of metrics, with the access log as it is now, as far as that is soon read.
    /// `waiting_bytes`: packed logs that wait for the bucket.
    pub fn page(
        &self,
        instance: &Instance,
        serving: &Serving,
        reporter: &Reporter<'_>,
        waiting_bytes: u64,
    ) -> String {
        let _all = (0..CHUNKS).all(|_| self.read());
        let live = serving.live();
        let phase = serde_json::to_value(reporter.phase()).expect("a phase is a word");
        let done = |step: Step| Some((step.name, step.end_ms?.saturating_sub(step.start_ms)));
        let steps = instance.timeline.steps().into_iter();
        let gauges = Gauges {
            instance: instance.id(),
            release: version_word(live.version()),
            phase: phase.as_str().unwrap_or_default(),
            certificate_ends: live.certificate.not_after,
            renewal_due: self.renewal_due.get(),
            steps: steps.filter_map(done).collect(),
            calls: calls(),
            restarts: self.restarts.borrow().clone(),
            troubled: reporter.troubles().into_keys().collect(),
            last_shipped: self.shipped.get(),
            waiting_bytes,
            pieces_dropped: self.dropped.get(),
            mirror: self.mirror.borrow().clone(),
        };
        text(&self.requests, &gauges)
    }

    /// True: there is more.
    fn read(&self) -> bool {
        self.tail
            .borrow_mut()
            .as_mut()
            .is_some_and(|tail| tail.read(|line| self.requests.count(line)))
    }
}
