//! The resident: one event loop, until it is told to stop.
//!
//! What happens arrives as an [`Event`]; [`LoopState::on`] decides, purely, what to do about it;
//! each [`LoopAction`] is begun here as a piece of work that goes on beside the others and ends in
//! an event of its own. So nothing keeps a signal or the watchdog waiting.

pub mod crash_loop;
pub mod event;
pub mod metrics;
pub mod service_health;
pub mod state;

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::signal::unix::Signal;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Instance;
use super::certificate::CertificateKeeper;
use super::disk_copy::CopyKeeper;
use super::emergency::EmergencyKeeper;
use super::in_place::InPlaceTrial;
use super::interruption::{Interruption, InterruptionEvent};
use super::logs::LogShipper;
use super::looks::Looks;
use super::metering::Metering;
use super::mirror::MirrorKeeper;
use super::names::NameKeeper;
use super::report::Reporter;
use super::serving::Serving;
use crate::host::slot::Slot;
use crate::host::{memory, notify};
use crate::site::web;
use event::{Event, Leaving, LoopAction};
use service_health::{await_well, forget_trouble, tell_trouble};
use state::LoopState;

/// What goes on at once. Dropped, unfinished, when the loop ends.
type Works<'w> = FuturesUnordered<Pin<Box<dyn Future<Output = Event> + 'w>>>;

/// The tasks of an instance that serves.
pub struct EventLoop<'i> {
    pub instance: &'i Instance,
    pub serving: &'i Serving,
    pub reporter: &'i Reporter<'i>,
    pub metering: &'i Metering,
    pub logs: &'i LogShipper<'i>,
    pub interruption: &'i Interruption<'i>,
    pub names: &'i NameKeeper<'i>,
    pub looks: &'i Looks,
    pub emergency: &'i EmergencyKeeper<'i>,
    /// Locked by the one piece of work that a task has under way.
    pub trial: Mutex<InPlaceTrial<'i>>,
    pub certificate: Mutex<CertificateKeeper<'i>>,
    /// Where a mirror is to be kept.
    pub mirror: Option<Mutex<MirrorKeeper<'i>>>,
    /// Where an app's silence is to be answered by the mirror.
    pub disk_copy: Option<Mutex<CopyKeeper<'i>>>,
}

impl EventLoop<'_> {
    /// Serves until something ends that. Whatever the tasks have under way then is dropped.
    pub async fn stay(&self, terminate: &mut Signal, interrupt: &mut Signal) -> Leaving {
        let services = &self.instance.services;
        let mut state = LoopState::new(self.serving.phase);
        let mut works = Works::new();
        let address_moves = self.instance.context.site.dns.address_moves();
        let keep_address = address_moves.then_some(LoopAction::KeepAddress);
        let keep_mirror = self.mirror.as_ref().map(|_| LoopAction::KeepMirror);
        let keep_copy = self.disk_copy.as_ref().map(|_| LoopAction::KeepDiskCopy);
        let checks = self.instance.context.site.dns.needs_health_checks();
        let sweep_checks = checks.then_some(LoopAction::SweepHealthChecks);
        let optional = [keep_address, keep_mirror, keep_copy, sweep_checks]
            .into_iter()
            .flatten();
        for act in state.begin().into_iter().chain(optional) {
            works.push(self.work(act));
        }
        let mut watchdog =
            interval(notify::watchdog_interval().unwrap_or(Duration::from_secs(3600)));
        watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Of the app that serves: one that is on its way there is watched by who starts it.
            let app = self.serving.live().app.slot().map(Slot::service);
            let event = tokio::select! {
                biased;
                _ = terminate.recv() => Event::Signal("SIGTERM"),
                _ = interrupt.recv() => Event::Signal("SIGINT"),
                _ = watchdog.tick() => Event::Watchdog,
                Some(event) = works.next() => event,
                how = services.ended(app.unwrap_or_default()), if app.is_some() => Event::Ended { service: app.unwrap_or_default(), how, at: Instant::now() },
                how = services.ended(web::SERVICE) => Event::Ended { service: web::SERVICE, how, at: Instant::now() },
            };
            if let Event::Ended { service, .. } = &event {
                self.metering.restarted(service);
            }
            let acts = state.on(event);
            self.reporter.tell_phase(state.phase());
            for act in acts {
                if let LoopAction::Leave(leaving) = act {
                    return leaving;
                }
                works.push(self.work(act));
            }
        }
    }

    /// Begins what was decided.
    fn work<'w>(&'w self, act: LoopAction) -> Pin<Box<dyn Future<Output = Event> + 'w>> {
        let (instance, serving, reporter) = (self.instance, self.serving, self.reporter);
        match act {
            LoopAction::Leave(_) => Box::pin(std::future::pending()),
            LoopAction::Beat => Box::pin(async {
                notify::watchdog();
                Event::Done
            }),
            LoopAction::Settle => Box::pin(async {
                instance.retire_leftovers(serving).await;
                instance.settle(serving).await;
                memory::release();
                Event::Settled
            }),
            LoopAction::Follow => Box::pin(async {
                let changed = self.trial.lock().await.poll().await;
                Event::InPlace { changed }
            }),
            LoopAction::Report => Box::pin(async {
                reporter.write().await;
                Event::Reported
            }),
            LoopAction::WatchInterruption => Box::pin(async {
                match self.interruption.watch(serving).await {
                    InterruptionEvent::Changed => Event::Interruption,
                    InterruptionEvent::Over => Event::Over,
                }
            }),
            LoopAction::LookAtNames => Box::pin(async {
                let ours = self.names.look_at_names(serving).await;
                Event::Names { ours }
            }),
            LoopAction::Sweep { after } => Box::pin(async move {
                let next = self.interruption.sweep(serving, after).await;
                Event::Swept { next }
            }),
            LoopAction::KeepAddress => Box::pin(async {
                let changed = self.names.keep_address(serving).await;
                Event::Address { changed }
            }),
            LoopAction::LookAtOwner => Box::pin(async {
                let taken_over = self.names.look_at_owner(serving).await;
                Event::Owner { taken_over }
            }),
            LoopAction::TellTrouble { service, how } => {
                Box::pin(tell_trouble(instance, reporter, service, how))
            }
            LoopAction::AwaitWell { service, at } => Box::pin(await_well(service, at)),
            LoopAction::ForgetTrouble { service } => Box::pin(forget_trouble(reporter, service)),
            LoopAction::Renew { after } => Box::pin(async move {
                let (renewed, next) = self.certificate.lock().await.renew(after).await;
                Event::Renewal { renewed, next }
            }),
            LoopAction::Ship { after } => Box::pin(async move {
                let failed = !self.logs.ship_after(after).await;
                Event::Shipped { failed }
            }),
            LoopAction::KeepMirror => Box::pin(async {
                let Some(keeper) = &self.mirror else {
                    return Event::Done;
                };
                keeper.lock().await.keep().await;
                Event::Mirror
            }),
            LoopAction::KeepDiskCopy => Box::pin(async {
                let Some(keeper) = &self.disk_copy else {
                    return Event::Done;
                };
                keeper.lock().await.keep().await;
                Event::DiskCopy
            }),
            LoopAction::HearLooks => Box::pin(for_ever(self.looks.hear())),
            LoopAction::HeedEmergency => Box::pin(for_ever(self.emergency.keep(self.looks))),
            LoopAction::SweepHealthChecks => {
                Box::pin(for_ever(self.names.sweep_health_checks(serving)))
            }
            LoopAction::TellMetrics => Box::pin(self.tell_metrics()),
        }
    }
}

/// A piece of work from whose end nothing can follow, as it has none.
async fn for_ever(work: impl Future<Output = Infallible>) -> Event {
    match work.await {}
}
