//! What the visitors saw.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::fault::{Fault, Kind};
use super::pace::Pace;
use crate::locked;

/// Of a flood of failures these many are kept; all are counted.
const FAILURES_KEPT: usize = 1000;
/// And these many are shown.
const FAILURES_SHOWN: usize = 20;
/// A machine whose own programs wait for a processor as long as this has too much to do.
const OVERLOADED: Duration = Duration::from_secs(1);

/// Who visits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Population {
    /// A connection for each request.
    Fresh,
    KeepAlive,
    Http2,
    /// Fresh connections to an address that was looked up long ago.
    Stale,
    Slow,
    Upload,
}

/// One population's requests.
#[derive(Debug, Clone, Default)]
pub struct Total {
    pub answered: u64,
    pub failed: u64,
    pub connections: u64,
    /// Connections that the site closed in an orderly way, before a request was sent on them.
    pub moved: u64,
    /// Streams that a GOAWAY or REFUSED_STREAM left unprocessed (RFC 9113, sections 6.8 and 8.7),
    /// and that were sent anew.
    pub refused_streams: u64,
    pub longest: Duration,
    sum: Duration,
}

#[derive(Debug, Clone)]
pub struct Failure {
    pub at: OffsetDateTime,
    /// Since the load began.
    pub after: Duration,
    /// How long the request had been under way.
    pub took: Duration,
    pub population: Population,
    pub address: Option<IpAddr>,
    pub fault: Fault,
}

/// The answers of one release at one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub answers: u64,
    /// Since the load began.
    pub first: Duration,
    pub last: Duration,
}

#[derive(Debug, Clone)]
pub struct Report {
    /// As it was measured before the visitors came.
    pub pace: Pace,
    /// The short requests per second that were meant: those asked for, or as many as the machine
    /// can answer.
    pub meant: u32,
    /// How late the visitors' own clock was at most.
    pub late: Duration,
    pub lasted: Duration,
    pub totals: BTreeMap<Population, Total>,
    /// In the order of their end.
    pub failures: Vec<Failure>,
    /// By address and release, the latter as the small app's answers name it.
    pub seen: BTreeMap<(IpAddr, String), Seen>,
}

impl Total {
    pub fn mean(&self) -> Duration {
        self.sum
            .checked_div(u32::try_from(self.answered).unwrap_or(u32::MAX))
            .unwrap_or_default()
    }
}

impl Report {
    pub fn answered(&self) -> u64 {
        self.totals.values().map(|total| total.answered).sum()
    }

    pub fn failed(&self) -> u64 {
        self.totals.values().map(|total| total.failed).sum()
    }

    /// Short requests per second that were answered or failed.
    pub fn rate(&self) -> f64 {
        let short = self
            .totals
            .iter()
            .filter(|(population, _)| !matches!(population, Population::Slow | Population::Upload));
        let ended: u64 = short.map(|(_, total)| total.answered + total.failed).sum();
        #[allow(clippy::cast_precision_loss, reason = "a rate for people")]
        let ended = ended as f64;
        ended / self.lasted.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    pub fn failures_of(&self, kind: Kind) -> usize {
        self.failures
            .iter()
            .filter(|failure| failure.fault.kind == kind)
            .count()
    }

    /// Why visitors were failed: by a machine that is too slow for them, as far as that can be
    /// told, or by the site.
    fn verdict(&self) -> &'static str {
        let waited = self.failures_of(Kind::TimedOut) + self.failures_of(Kind::Name);
        match (waited == self.failures.len(), self.late >= OVERLOADED) {
            (true, true) => {
                "OVERLOAD: visitors waited in vain on a machine that kept its own programs waiting; nobody was refused or reset"
            }
            (true, false) => {
                "visitors waited in vain, though the machine had time for them; nobody was refused or reset"
            }
            (false, true) => {
                "visitors were failed, on a machine that kept its own programs waiting"
            }
            (false, false) => "visitors were failed",
        }
    }

    /// # Panics
    /// A request failed; the words tell an overload from a refused or reset request.
    pub fn assert_no_failures(&self) {
        assert_eq!(self.failed(), 0, "{}\n{self}", self.verdict());
    }

    /// # Panics
    /// Visitors who wait for their turn were held up: fewer short requests than four fifths of
    /// those that were meant have ended.
    pub fn assert_not_held_up(&self) {
        assert!(
            self.rate() >= f64::from(self.meant) * 0.8,
            "the visitors were held up\n{self}"
        );
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (answered, failed) = (self.answered(), self.failed());
        let (lasted, rate, meant) = (self.lasted.as_secs_f64(), self.rate(), self.meant);
        writeln!(
            f,
            "{answered} answered, {failed} failed in {lasted:.1} s; {rate:.1} short requests/s of {meant} that were meant"
        )?;
        writeln!(
            f,
            "  {}; the visitors' own clock was late by {:.0?} at most",
            self.pace, self.late
        )?;
        for (population, total) in &self.totals {
            let Total {
                answered,
                failed,
                connections,
                moved,
                refused_streams,
                longest,
                ..
            } = total;
            writeln!(
                f,
                "  {population:?}: {answered} answered, {failed} failed; {connections} connections, {moved} closed while idle, \
                 {refused_streams} streams refused; mean {:?}, longest {longest:?}",
                total.mean()
            )?;
        }
        for ((address, release), seen) in &self.seen {
            let (first, last) = (seen.first.as_secs_f64(), seen.last.as_secs_f64());
            writeln!(
                f,
                "  release {release} at {address}: {} answers from {first:.1} s to {last:.1} s",
                seen.answers
            )?;
        }
        for Failure {
            at,
            after,
            took,
            population,
            address,
            fault,
        } in self.failures.iter().take(FAILURES_SHOWN)
        {
            let address =
                address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string());
            writeln!(
                f,
                "  failed at {at} ({:.2} s, after {took:.2?}): {population:?} at {address}: {fault}",
                after.as_secs_f64()
            )?;
        }
        Ok(())
    }
}

pub(super) struct Tally {
    began: Instant,
    inner: Mutex<(Option<Instant>, Report)>,
}

impl Tally {
    pub(super) fn new(pace: Pace, meant: u32) -> Self {
        let (totals, failures, seen) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let report = Report {
            pace,
            meant,
            late: Duration::ZERO,
            lasted: Duration::ZERO,
            totals,
            failures,
            seen,
        };
        Self {
            began: Instant::now(),
            inner: Mutex::new((None, report)),
        }
    }

    /// Rates are up to here.
    pub(super) fn end(&self) {
        locked(&self.inner).0 = Some(Instant::now());
    }

    pub(super) fn report(&self) -> Report {
        let inner = locked(&self.inner);
        Report {
            lasted: inner.0.unwrap_or_else(Instant::now) - self.began,
            ..inner.1.clone()
        }
    }

    pub(super) fn late(&self, by: Duration) {
        let mut inner = locked(&self.inner);
        inner.1.late = inner.1.late.max(by);
    }

    pub(super) fn count(&self, population: Population, count: impl FnOnce(&mut Total)) {
        count(locked(&self.inner).1.totals.entry(population).or_default());
    }

    pub(super) fn answered(
        &self,
        population: Population,
        address: IpAddr,
        release: &str,
        began: Instant,
    ) {
        let now = self.began.elapsed();
        let mut inner = locked(&self.inner);
        let total = inner.1.totals.entry(population).or_default();
        let took = began.elapsed();
        total.answered += 1;
        total.sum += took;
        total.longest = total.longest.max(took);
        let seen = inner
            .1
            .seen
            .entry((address, release.to_owned()))
            .or_insert(Seen {
                answers: 0,
                first: now,
                last: now,
            });
        seen.answers += 1;
        seen.last = now;
    }

    pub(super) fn failed(
        &self,
        population: Population,
        address: Option<IpAddr>,
        fault: Fault,
        began: Instant,
    ) {
        let (after, took) = (self.began.elapsed(), began.elapsed());
        let mut inner = locked(&self.inner);
        inner.1.totals.entry(population).or_default().failed += 1;
        if inner.1.failures.len() < FAILURES_KEPT {
            inner.1.failures.push(Failure {
                at: OffsetDateTime::now_utc(),
                after,
                took,
                population,
                address,
                fault,
            });
        }
    }
}
