//! The end of an instance that was told to stop: nobody who is being served is failed by it.
//!
//! A [`Shutdown`] owns nothing. It tells the report's last phase, drains and stops the web server
//! and then the app, and has the last of the logs shipped; of the interruption it asks by when.

use std::time::Duration;

use tokio::join;
use tokio::signal::unix::Signal;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{info, warn};

use super::Instance;
use super::event_loop::event::Leaving;
use super::interruption::Interruption;
use super::logs::LogShipper;
use super::logs::ship::LAST_WITHIN;
use super::report::Reporter;
use crate::host::notify;
use crate::host::slot::Slot;
use crate::instance::deadline::within;
use crate::site::report::Phase;
use crate::site::web;

/// A bucket that does not answer keeps nothing from stopping.
const TOLD_WITHIN: Duration = Duration::from_secs(20);

/// What nginx and the app get to finish what they have begun, where the machine ends.
const STOPS_WITHIN: Duration = Duration::from_secs(7);
/// The same, where new clients are still sent here: to serve those to the last is worth more than
/// to wait for long requests.
const STOPS_AT_LAST_WITHIN: Duration = Duration::from_secs(1);

/// What an instance that stops has to see to.
pub struct Shutdown<'i> {
    pub instance: &'i Instance,
    pub reporter: &'i Reporter<'i>,
    pub interruption: &'i Interruption<'i>,
    pub logs: &'i LogShipper<'i>,
}

impl Shutdown<'_> {
    /// Sees to the end of this process. A signal meanwhile hurries it: one that AWS's end gave time
    /// for stops as if it was told to, and after a second signal whatever is under way is dropped.
    pub async fn run(&self, leaving: Leaving, terminate: &mut Signal, interrupt: &mut Signal) {
        notify::stopping();
        if leaving == Leaving::Over {
            tokio::select! {
                () = self.leave(leaving) => return,
                _ = terminate.recv() => info!(signal = "SIGTERM", "stopping before its end"),
                _ = interrupt.recv() => info!(signal = "SIGINT", "stopping before its end"),
            }
        }
        tokio::select! {
            () = self.leave(Leaving::Told) => {}
            _ = terminate.recv() => warn!("told a second time to stop: at once, whatever is under way"),
            _ = interrupt.recv() => warn!("interrupted a second time: stopping at once, whatever is under way"),
        }
    }

    /// Stops, and takes the address out of DNS of a machine that AWS takes away and that nobody has
    /// relieved.
    async fn leave(&self, leaving: Leaving) {
        join!(self.stop(leaving), self.interruption.part_at_stop());
    }

    /// Where the services outlive this process, under systemd on a machine that stays, nothing
    /// changes for anybody. Else the clients are sent away first, then nginx finishes what it has
    /// begun, then the app ends: one that is stopped earlier (gunicorn, say) drops what waits for
    /// it.
    async fn stop(&self, leaving: Leaving) {
        let services = &self.instance.services;
        self.reporter.tell_phase(Phase::Stopped);
        let told = async {
            let report = async { Ok(self.reporter.write().await) };
            if let Err(error) = within(TOLD_WITHIN, report).await {
                warn!("the bucket does not hear of this stop: {error:#}");
            }
        };
        if leaving == Leaving::Over {
            let end = self.interruption.stopped_by();
            _ = timeout_at(end, async { join!(told, self.end_before(end)) }).await;
            return;
        }
        if !services.end_with_us().await {
            told.await;
            return self.logs.ship_last(LAST_WITHIN).await;
        }
        // At once: whoever reads the report counts on this instance no more, and neither does a
        // health check.
        join!(told, self.drain());
        // Under systemd our own end is the word for it: its units are ordered.
        services.shutdown_beginning_with(web::SERVICE).await;
        // Their last words are among it.
        self.logs.ship_last(LAST_WITHIN).await;
    }

    /// The machine goes down at `end`, whoever is still served by then. Where another has the
    /// names, clients are sent there as long as some may come.
    async fn end_before(&self, end: Instant) {
        let expected_until = self
            .interruption
            .expected_until()
            .min(end - STOPS_AT_LAST_WITHIN);
        let stops = expected_until.max(end - STOPS_WITHIN);
        let drained = async {
            join!(
                self.drain(),
                sleep_until(expected_until),
                self.logs.ship_last(LAST_WITHIN)
            )
        };
        _ = timeout_at(stops, drained).await;
        let apps = Slot::ALL.map(Slot::service);
        for service in [web::SERVICE].into_iter().chain(apps) {
            if let Err(error) = self.instance.services.stop(service).await {
                warn!("{error}");
            }
        }
        self.instance.services.shutdown().await;
        self.logs.ship_last(LAST_WITHIN).await;
    }

    async fn drain(&self) {
        let begun = Instant::now();
        let (paths, web) = (&self.instance.paths, &self.instance.context.site.web);
        match web::drain(paths, &[web.http_port, web.https_port]).await {
            Ok(()) => info!(milliseconds = begun.elapsed().as_millis(), "drained"),
            Err(error) => warn!("stopping without a drain: {error}"),
        }
    }
}
