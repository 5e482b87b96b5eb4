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

use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::signal::unix::Signal;
use tokio::sync::Mutex;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Instance;
use super::certificate_keeper::CertificateKeeper;
use super::in_place::InPlaceTrial;
use super::interruption::outcome::Minded;
use super::serving::Serving;
use crate::host::slot::Slot;
use crate::host::{memory, notify};
use crate::site::web;
use event::{Event, Leaving, LoopAction};
use state::LoopState;

/// What goes on at once. Dropped, unfinished, when the loop ends.
type Works<'w> = FuturesUnordered<Pin<Box<dyn Future<Output = Event> + 'w>>>;

/// The tasks of an instance that serves, each with what it owns.
pub struct EventLoop<'i> {
    instance: &'i Instance,
    serving: &'i Serving,
    /// Locked by the one piece of work that a task has under way.
    trial: Mutex<InPlaceTrial<'i>>,
    certificate: Mutex<CertificateKeeper<'i>>,
}

impl<'i> EventLoop<'i> {
    pub fn new(instance: &'i Instance, serving: &'i Serving) -> Self {
        Self {
            instance,
            serving,
            trial: Mutex::new(InPlaceTrial::new(instance, serving)),
            certificate: Mutex::new(CertificateKeeper::new(instance, serving)),
        }
    }

    pub async fn stay(&self, terminate: &mut Signal, interrupt: &mut Signal) -> Leaving {
        let (instance, serving) = (self.instance, self.serving);
        let mut state = LoopState::new(serving.phase);
        let mut works = Works::new();
        let keep_address = instance
            .context
            .site
            .dns
            .address_moves()
            .then_some(LoopAction::KeepAddress);
        for act in state.begin().into_iter().chain(keep_address) {
            works.push(self.work(act));
        }
        let mut watchdog =
            interval(notify::watchdog_interval().unwrap_or(Duration::from_secs(3600)));
        watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // Of the app that serves: one that is on its way there is watched by who starts it.
            let app = serving.live().app.slot().map(Slot::service);
            let event = tokio::select! {
                biased;
                _ = terminate.recv() => Event::Signal("SIGTERM"),
                _ = interrupt.recv() => Event::Signal("SIGINT"),
                _ = watchdog.tick() => Event::Watchdog,
                Some(event) = works.next() => event,
                how = instance.services.ended(app.unwrap_or_default()), if app.is_some() => Event::Ended { service: app.unwrap_or_default(), how, at: Instant::now() },
                how = instance.services.ended(web::SERVICE) => Event::Ended { service: web::SERVICE, how, at: Instant::now() },
            };
            if let Event::Ended { service, .. } = &event {
                instance.metering.tally.restarted(service);
            }
            let acts = state.on(event);
            instance.reporter.stands(state.phase());
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
        let (instance, serving) = (self.instance, self.serving);
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
                Event::InPlace {
                    changed: self.trial.lock().await.follow().await,
                }
            }),
            LoopAction::Report => Box::pin(async {
                instance.reporter.write(instance).await;
                Event::Reported
            }),
            LoopAction::Mind => Box::pin(async {
                match instance.mind(Some(serving)).await {
                    Minded::Heard | Minded::Settled => Event::Minded,
                    Minded::Over => Event::Over,
                }
            }),
            LoopAction::LookAtNames => Box::pin(instance.look_at_names(serving)),
            LoopAction::Sweep { after } => Box::pin(async move {
                Event::Swept {
                    next: instance.sweep(serving, after).await,
                }
            }),
            LoopAction::KeepAddress => Box::pin(instance.keep_address(serving)),
            LoopAction::LookAtOwner => Box::pin(instance.look_at_owner(serving)),
            LoopAction::TellTrouble { service, how } => {
                Box::pin(instance.tell_trouble(service, how))
            }
            LoopAction::AwaitWell { service, at } => Box::pin(instance.await_well(service, at)),
            LoopAction::ForgetTrouble { service } => Box::pin(instance.forget_trouble(service)),
            LoopAction::Renew { after } => Box::pin(async move {
                let (renewed, next) = self.certificate.lock().await.renew(after).await;
                Event::Renewal { renewed, next }
            }),
            LoopAction::Ship { after } => Box::pin(instance.shipping(after)),
            LoopAction::TellMetrics => Box::pin(instance.metrics(serving)),
        }
    }
}
