//! Visitors of a site, many and of every kind, who find it by the region's DNS and note each request that fails.
//! They are strict: a request that was sent and got no whole answer has failed, even where a client might repeat it.
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
mod fault;
mod http1;
mod http2;
mod long;
mod names;
mod report;
mod spec;
mod visits;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinSet;

use connect::Connector;
use names::Resolver;
use report::Tally;

pub use fault::{Fault, Kind};
pub use report::{Failure, Population, Report, Seen, Total};
pub use spec::LoadSpec;

const THREADS: usize = 2;

/// Visitors at work, on threads of their own, until [`Load::stop`]; dropping it is leaving without a word.
pub struct Load {
    site: Arc<Site>,
    stopping: watch::Sender<bool>,
    visitors: Option<JoinSet<()>>,
    runtime: Option<Runtime>,
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
    /// Starts all populations at once.
    ///
    /// # Errors
    /// The roots are no certificates, or there are no threads to be had.
    pub fn start(spec: LoadSpec) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).thread_name("load").enable_all().build()?;
        let (sender, stopping) = watch::channel(false);
        let connector = Connector::new(&spec.roots, &spec.domain).context("reading the roots that visitors trust")?;
        let resolver = Resolver::new(spec.dns, &spec.domain)?;
        let site = Arc::new(Site { connector, resolver, tally: Tally::new(), stopping, spec });
        let mut visitors = JoinSet::new();
        visits::start(&site, |visitor| drop(visitors.spawn_on(visitor, runtime.handle())));
        Ok(Self { site, stopping: sender, visitors: Some(visitors), runtime: Some(runtime) })
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
            let all = async { tokio::time::timeout(self.site.spec.longest(), visitors.join_all()).await.is_ok() };
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
async fn within<T>(patience: Duration, request: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(patience, request).await {
        Ok(answer) => answer,
        Err(_) => Err(Fault::new(Kind::TimedOut, format!("no whole answer within {patience:?}"))),
    }
}
