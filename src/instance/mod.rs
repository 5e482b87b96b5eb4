//! The process that `up` runs: a blank instance becomes the site, then stays it until it is told to
//! stop or AWS takes it away.

mod app;
mod app_slot;
mod boot;
mod certificate;
mod deadline;
mod disk_copy;
pub mod dry_run;
mod emergency;
mod event_loop;
mod in_place;
mod interruption;
mod logs;
mod looks;
mod metering;
mod mirror;
mod names;
mod release_command;
mod report;
mod serving;
mod shutdown;
mod web_server;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Mutex, Notify};

use crate::cli::Globals;
use crate::cloud::Access;
use crate::cloud::imds::{Identity, Imds};
use crate::config::Site;
use crate::context::SiteContext;
use crate::context::site_file::region_of;
use crate::host::accounts::Accounts;
use crate::host::files::FileLock;
use crate::host::paths::Paths;
use crate::host::services::{Mode, Services};
use crate::logging;
use crate::outcome::Outcome;
use crate::site::report::Timeline;
use certificate::CertificateKeeper;
use disk_copy::CopyKeeper;
use emergency::EmergencyKeeper;
use event_loop::EventLoop;
use in_place::InPlaceTrial;
use interruption::Interruption;
use logs::LogShipper;
use logs::ship::LAST_WITHIN;
use looks::Looks;
use metering::Metering;
use mirror::MirrorKeeper;
use names::NameKeeper;
use report::Reporter;
use shutdown::Shutdown;

/// How long a boot may take in all; its steps have shorter deadlines of their own.
const BOOT_WITHIN: Duration = Duration::from_secs(30 * 60);

/// One instance: what every task may use and none changes. Each task owns what it changes.
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
    /// Told when this instance has published a mirror.
    mirror_published: Notify,
    _lock: FileLock,
}

impl Instance {
    /// Makes what a boot needs on this machine: accounts, folders, and the keeper of the services.
    ///
    /// # Errors
    /// The region, the credentials, the accounts or the folders cannot be had.
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
        let ensure = async { Ok(Accounts::ensure(&paths).await?) };
        let accounts = timeline.step("accounts", &["identity"], ensure).await?;
        paths.prepare(accounts.as_ref())?;
        let services = Services::choose(mode, &paths, Arc::new(logging::print_service)).await?;
        Ok(Self {
            context: SiteContext::new(site, cloud),
            imds,
            paths,
            identity,
            region,
            accounts,
            services,
            timeline,
            mirror_published: Notify::new(),
            _lock: lock,
        })
    }

    /// The instance's id.
    pub fn id(&self) -> &str {
        &self.identity.instance_id
    }

    /// Boots, then stays; whatever ends it, the instance's report says so.
    pub async fn live(self, globals: &Globals) -> Result<Outcome> {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let (reporter, metering) = (&Reporter::new(&self), &Metering::default());
        let logs = &LogShipper::begin(&self, metering)?;
        let interruption = &Interruption::new(&self, reporter);
        let names = &NameKeeper::new(&self, reporter, interruption);
        let (looks, emergency) = (&Looks::begin(&self), &EmergencyKeeper::new(&self));
        interruption.recall().await;
        let booted = tokio::select! {
            // On the heap: the futures of a boot's steps are large.
            booted = Box::pin(self.boot(reporter, names)) => booted,
            never = interruption.watch_while_booting() => match never {},
            never = looks.hear() => match never {},
            never = emergency.keep(looks) => match never {},
            () = tokio::time::sleep(BOOT_WITHIN) => Err(anyhow!("the boot was not done within {} s", BOOT_WITHIN.as_secs())),
            _ = terminate.recv() => Err(anyhow!("stopped by SIGTERM before the site was up")),
            _ = interrupt.recv() => Err(anyhow!("interrupted before the site was up")),
        };
        let serving = match booted {
            Ok(serving) => &Rc::new(serving),
            Err(failure) => {
                reporter.fail(&failure).await;
                self.services.shutdown().await;
                if interruption.is_near_its_end() {
                    interruption.part_at_stop().await;
                }
                logs.ship_last(LAST_WITHIN).await;
                return Err(failure);
            }
        };
        reporter.serves(Rc::clone(serving));
        reporter.write().await;
        reporter.announce(globals, names.is_spare());
        let tasks = EventLoop {
            instance: &self,
            serving,
            reporter,
            metering,
            logs,
            interruption,
            names,
            looks,
            emergency,
            trial: Mutex::new(InPlaceTrial::new(&self, serving, reporter, looks.follow())),
            certificate: Mutex::new(CertificateKeeper::new(&self, serving, metering)),
            mirror: MirrorKeeper::of(&self, serving, reporter, metering, interruption, globals)
                .map(Mutex::new),
            disk_copy: CopyKeeper::of(&self, serving, reporter).map(Mutex::new),
        };
        let leaving = tasks.stay(&mut terminate, &mut interrupt).await;
        let shutdown = Shutdown {
            instance: &self,
            reporter,
            interruption,
            logs,
        };
        let end_mirror = async {
            if tasks.mirror.is_some() {
                self.services.end_job(mirror::JOB).await;
            }
        };
        tokio::join!(
            shutdown.run(leaving, &mut terminate, &mut interrupt),
            end_mirror
        );
        Ok(Outcome::Done)
    }
}
