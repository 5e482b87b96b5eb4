//! The process that `up` runs: a blank instance becomes the site, then stays it until it is told to
//! stop or AWS takes it away.

mod app;
mod app_slot;
mod boot;
mod certificate;
mod deadline;
pub mod dry_run;
mod event_loop;
mod in_place;
mod interruption;
mod logs;
mod metering;
mod names;
mod release_command;
mod report;
mod secrets;
mod serving;
mod shutdown;
mod web_server;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;
use tracing::{info, warn};

use crate::cli::Globals;
use crate::cloud::Access;
use crate::cloud::imds::{Identity, Imds};
use crate::config::Site;
use crate::context::SiteContext;
use crate::context::site_file::region_of;
use crate::host::accounts::Accounts;
use crate::host::files::FileLock;
use crate::host::notify;
use crate::host::paths::Paths;
use crate::host::services::{Mode, Services};
use crate::host::spool::Outbox;
use crate::logging;
use crate::outcome::Outcome;
use crate::site::report::{Phase, ReleaseCommand, Timeline};
use event_loop::event::Leaving;
use interruption::Handover;
use metering::Metering;

/// How long a boot may take in all; its steps have shorter deadlines of their own.
const BOOT_WITHIN: Duration = Duration::from_secs(30 * 60);

/// One instance on its way to being the site.
pub struct Instance {
    context: SiteContext,
    paths: Paths,
    imds: Imds,
    identity: Identity,
    region: String,
    /// Who runs what, where we are root.
    accounts: Option<Accounts>,
    services: Services,
    timeline: Timeline,
    /// As of now: an Elastic IP comes and goes.
    public_ipv4: Cell<Option<Ipv4Addr>>,
    /// The deploy that tries its candidate here.
    trial: RefCell<Option<String>>,
    /// The outcome of the last release command, for the report.
    released: RefCell<Option<ReleaseCommand>>,
    /// Where this instance stands, for whoever reports it beside the event loop.
    phase: Cell<Phase>,
    /// One report at a time, made when its turn comes: the last one is the newest.
    telling: Mutex<()>,
    handover: Handover,
    /// The logs that wait for the bucket.
    outbox: Outbox,
    metering: Metering,
    /// The services that cannot stay up, and what is to be told of each.
    troubles: RefCell<BTreeMap<&'static str, String>>,
    _lock: FileLock,
}

impl Instance {
    pub async fn prepare(
        site: Site,
        paths: Paths,
        identity: Identity,
        imds: Imds,
        mode: Option<Mode>,
        timeline: Timeline,
        lock: FileLock,
    ) -> Result<Self> {
        let region = region_of(&site, &identity).await?;
        let cloud = Access::on_instance(&imds).cloud(&region).await?;
        let accounts = timeline
            .step("accounts", &["identity"], async {
                Ok(Accounts::ensure(&paths).await?)
            })
            .await?;
        paths.prepare(accounts.as_ref())?;
        let services =
            Services::choose(mode, &paths, std::sync::Arc::new(logging::print_service)).await?;
        let outbox = logs::ship::begin(&paths, &services)?;
        Ok(Self {
            context: SiteContext::new(site, cloud),
            imds,
            public_ipv4: Cell::new(identity.public_ipv4),
            paths,
            identity,
            region,
            accounts,
            services,
            timeline,
            trial: RefCell::default(),
            released: RefCell::default(),
            phase: Cell::new(Phase::Booting),
            telling: Mutex::default(),
            handover: Handover::default(),
            outbox,
            metering: Metering::default(),
            troubles: RefCell::default(),
            _lock: lock,
        })
    }

    /// Boots, then stays; whatever ends it, the instance's report says so.
    pub async fn live(self, globals: &Globals) -> Result<Outcome> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        self.recall().await;
        let booted = tokio::select! {
            // On the heap: the futures of a boot's steps are large.
            booted = Box::pin(self.boot()) => booted,
            never = self.mind_while_booting() => match never {},
            () = tokio::time::sleep(BOOT_WITHIN) => Err(anyhow!("the boot was not done within {} s", BOOT_WITHIN.as_secs())),
            _ = terminate.recv() => Err(anyhow!("stopped by SIGTERM before the site was up")),
            _ = interrupt.recv() => Err(anyhow!("interrupted before the site was up")),
        };
        let leaving = match booted {
            Ok(serving) => {
                self.report(serving.phase, Some(&serving), None).await;
                self.announce(globals, &serving);
                self.stay(&serving, &mut terminate, &mut interrupt).await
            }
            Err(failure) => {
                self.report_failure(&failure).await;
                self.services.shutdown().await;
                self.ship_last(logs::ship::LAST_WITHIN).await;
                return Err(failure);
            }
        };
        notify::stopping();
        if leaving == Leaving::Over {
            tokio::select! {
                () = self.leave(leaving) => return Ok(Outcome::Done),
                _ = terminate.recv() => info!(signal = "SIGTERM", "stopping before its end"),
                _ = interrupt.recv() => info!(signal = "SIGINT", "stopping before its end"),
            }
        }
        tokio::select! {
            () = self.leave(Leaving::Told) => {}
            _ = terminate.recv() => warn!("told a second time to stop: at once, whatever is under way"),
            _ = interrupt.recv() => warn!("interrupted a second time: stopping at once, whatever is under way"),
        }
        Ok(Outcome::Done)
    }
}
