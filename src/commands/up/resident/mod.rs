//! The resident: one event loop, until it is told to stop.
//!
//! What happens arrives as an [`Event`]; [`State::on`] decides, purely, what to do about it; each [`Act`] is begun here as a piece of work
//! that goes on beside the others and ends in an event of its own. So nothing keeps a signal or the watchdog waiting.

mod notice;
mod owner;
mod renewal;
mod state;
mod trouble;

use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::signal::unix::Signal;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::Boot;
use super::boot::Serving;
use crate::host::{memory, notify};
use crate::site::{app, web};
use state::{Act, Event, State};

/// What goes on at once. Dropped, unfinished, when the loop ends.
type Works<'w> = FuturesUnordered<Pin<Box<dyn Future<Output = Event> + 'w>>>;

impl Boot {
    pub(super) async fn stay(&self, serving: &Serving, terminate: &mut Signal, interrupt: &mut Signal) {
        let mut state = State::new(serving.phase);
        let mut works = Works::new();
        for act in state.begin() {
            works.push(self.work(act, serving, &state));
        }
        let mut watchdog = interval(notify::watchdog_interval().unwrap_or(Duration::from_secs(3600)));
        watchdog.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                biased;
                _ = terminate.recv() => Event::Signal("SIGTERM"),
                _ = interrupt.recv() => Event::Signal("SIGINT"),
                _ = watchdog.tick() => Event::Watchdog,
                Some(event) = works.next() => event,
                how = self.services.ended(app::SERVICE) => Event::Ended { service: app::SERVICE, how, at: Instant::now() },
                how = self.services.ended(web::SERVICE) => Event::Ended { service: web::SERVICE, how, at: Instant::now() },
            };
            for act in state.on(event) {
                if matches!(act, Act::Leave) {
                    return;
                }
                works.push(self.work(act, serving, &state));
            }
        }
    }

    /// Begins what was decided.
    fn work<'w>(&'w self, act: Act, serving: &'w Serving, state: &State) -> Pin<Box<dyn Future<Output = Event> + 'w>> {
        let phase = state.phase();
        match act {
            Act::Leave => Box::pin(std::future::pending()),
            Act::Beat => Box::pin(async {
                notify::watchdog();
                Event::Done
            }),
            Act::Settle => Box::pin(async {
                self.settle(serving).await;
                memory::release();
                Event::Done
            }),
            Act::Report => Box::pin(async move {
                self.report(phase, Some(serving), None).await;
                Event::Reported
            }),
            Act::AwaitNotice => Box::pin(self.notice()),
            Act::LookAtOwner => Box::pin(self.look_at_owner(serving)),
            Act::TellTrouble { service, how } => Box::pin(self.tell_trouble(service, how)),
            Act::AwaitWell { service, at } => Box::pin(self.await_well(service, at)),
            Act::ForgetTrouble { service } => Box::pin(self.forget_trouble(service)),
            Act::Renew { after } => Box::pin(self.renewal(serving, after)),
        }
    }
}
