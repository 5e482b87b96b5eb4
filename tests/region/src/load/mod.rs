//! Visitors of a site, many and of every kind, who find it by the region's DNS and note each
//! request that fails. They are strict: a request that was sent and got no whole answer has failed,
//! even where a client might repeat it.
//!
//! ```no_run
//! # use region::{Region, Options, load::{Load, LoadSpec}};
//! # let region = Region::start(Options::default())?;
//! let load = Load::start(LoadSpec { rate: 200, ..LoadSpec::new(&region, "example.test", 443)? })?;
//! // … rotate …
//! let report = load.stop();
//! println!("{report}");
//! report.assert_no_failures();
//! # anyhow::Ok(())
//! ```

mod connect;
mod crowd;
mod fault;
mod http1;
mod http2;
mod long;
mod names;
mod pace;
mod report;
mod spec;
mod visits;

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use connect::Connector;
use names::Resolver;
use report::Tally;

use crate::Turn;

pub use crowd::{CrowdReport, CrowdSpec, send_crowd};
pub use fault::{Fault, Kind};
pub use pace::Pace;
pub use report::{Failure, Population, Report, Seen, Total};
pub use spec::LoadSpec;

const THREADS: usize = 2;
/// So many short requests a second are no burden for a machine, and wait for no turn.
const HANDFUL: u32 = 30;
/// How often the visitors look at their own clock.
const TICK: Duration = Duration::from_millis(50);

/// Visitors at work, on threads of their own, until [`Load::stop`]; dropping it is leaving without
/// a word.
pub struct Load {
    site: Arc<Site>,
    stopping: watch::Sender<bool>,
    visitors: Option<JoinSet<()>>,
    runtime: Option<Runtime>,
    _turn: Option<Turn>,
}

/// What every visitor needs.
struct Site {
    spec: LoadSpec,
    resolver: Resolver,
    connector: Connector,
    tally: Tally,
    stopping: watch::Receiver<bool>,
}

impl Load {
    /// Waits for a turn, measures what the machine can answer, prints it, and starts all
    /// populations at once, as many as that allows.
    ///
    /// # Errors
    /// The roots are no certificates, no threads are to be had, or other crowds do not leave.
    pub fn start(spec: LoadSpec) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("load")
            .enable_all()
            .build()?;
        let (sender, stopping) = watch::channel(false);
        let connector = Connector::new(&spec.roots, &spec.domain)
            .context("reading the roots that visitors trust")?;
        let resolver = Resolver::new(spec.dns, &spec.domain)?;
        let turn = (spec.rate > HANDFUL)
            .then(Turn::to_visit)
            .transpose()
            .context("waiting for other crowds to leave")?;
        let mut site = Site {
            connector,
            resolver,
            tally: Tally::new(Pace::default(), spec.rate),
            stopping,
            spec,
        };
        let before = Arc::new(site);
        let pace = runtime.block_on(Pace::measure(&before)).unwrap_or_default();
        site = Arc::into_inner(before).context("a visitor of the measurement has not left")?;
        site.spec.rate = pace.rate(site.spec.rate);
        site.spec.patience = pace.patience(site.spec.patience);
        site.spec.spare = pace.patience(site.spec.spare);
        announce(site.spec.rate, pace);
        site.tally = Tally::new(pace, site.spec.rate);
        let site = Arc::new(site);
        let mut visitors = JoinSet::new();
        visits::start(&site, |visitor| {
            drop(visitors.spawn_on(visitor, runtime.handle()))
        });
        visitors.spawn_on(watch_the_clock(site.clone()), runtime.handle());
        Ok(Self {
            site,
            stopping: sender,
            visitors: Some(visitors),
            runtime: Some(runtime),
            _turn: turn,
        })
    }

    /// What the machine can do for visitors, as it was measured before they came.
    pub fn pace(&self) -> Pace {
        self.site.tally.report().pace
    }

    /// What was seen so far.
    pub fn report(&self) -> Report {
        self.site.tally.report()
    }

    /// No new requests from now on; those under way are waited for, and count.
    pub fn stop(mut self) -> Report {
        self.site.tally.end();
        self.stopping.send_replace(true);
        if let (Some(runtime), Some(visitors)) = (&self.runtime, self.visitors.take()) {
            let all = async {
                tokio::time::timeout(self.site.spec.longest(), visitors.join_all())
                    .await
                    .is_ok()
            };
            assert!(runtime.block_on(all), "a visitor outlived every deadline");
        }
        self.report()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

#[expect(
    clippy::disallowed_macros,
    reason = "a test's own words, which its harness keeps"
)]
fn announce(rate: u32, pace: Pace) {
    println!("{rate} short requests/s: {pace}");
}

/// Notes how late the visitors themselves are: a machine that keeps them waiting for a processor
/// cannot answer them either.
async fn watch_the_clock(site: Arc<Site>) {
    let mut due = Instant::now() + TICK;
    while site.pause(tokio::time::sleep_until(due.into())).await {
        site.tally.late(due.elapsed());
        due = Instant::now() + TICK;
    }
}

impl Site {
    fn stops(&self) -> bool {
        *self.stopping.borrow()
    }

    /// False: it is time to stop.
    async fn pause<T>(&self, pause: impl Future<Output = T>) -> bool {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            _ = pause => !self.stops(),
            _ = stopping.wait_for(|stops| *stops) => false,
        }
    }
}

/// Bounds a request as a visitor's patience does.
async fn within<T>(
    patience: Duration,
    request: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    match tokio::time::timeout(patience, request).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::new(
            Kind::TimedOut,
            format!("no whole answer within {patience:?}"),
        )),
    }
}
