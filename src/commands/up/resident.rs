//! The resident: one event loop, until it is told to stop.

use std::time::Duration;

use anyhow::anyhow;
use tokio::signal::unix::Signal;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{debug, info, warn};

use super::Boot;
use super::boot::Serving;
use super::cutover::Standing;
use crate::host::notify;
use crate::site::app;
use crate::site::report::Phase;
use crate::site::web;

/// Notices come "two minutes" ahead at best (EC2 user guide, "Spot Instance interruption notices", advises every 5 seconds).
const NOTICE_EVERY: Duration = Duration::from_secs(5);
/// How often an instance that stands by looks whether the owner still lives.
const STAND_BY_EVERY: Duration = Duration::from_secs(30);

const LOOK_WITHIN: Duration = Duration::from_secs(45);

enum Event {
    Stop(&'static str),
    /// A service ended by itself; its keeper starts it again.
    Ended {
        service: &'static str,
        how: String,
    },
    LookForNotice,
    LookAtOwner,
    Renewed,
    Watchdog,
}

impl Boot {
    pub(super) async fn stay(&self, serving: &Serving, terminate: &mut Signal, interrupt: &mut Signal) {
        let mut phase = serving.phase;
        let mut certificate = serving.certificate.subscribe();
        let mut owner = interval(STAND_BY_EVERY);
        let mut notice = interval(NOTICE_EVERY);
        notice.set_missed_tick_behavior(MissedTickBehavior::Delay);
        owner.set_missed_tick_behavior(MissedTickBehavior::Delay);
        owner.reset();
        let mut watchdog = interval(notify::watchdog_interval().unwrap_or(Duration::from_secs(3600)));
        loop {
            let event = tokio::select! {
                _ = terminate.recv() => Event::Stop("SIGTERM"),
                _ = interrupt.recv() => Event::Stop("SIGINT"),
                how = self.services.ended(app::SERVICE) => Event::Ended { service: app::SERVICE, how },
                how = self.services.ended(web::SERVICE) => Event::Ended { service: web::SERVICE, how },
                _ = notice.tick(), if phase != Phase::Interrupted => Event::LookForNotice,
                _ = owner.tick(), if phase == Phase::StandBy => Event::LookAtOwner,
                Ok(()) = certificate.changed() => Event::Renewed,
                _ = watchdog.tick() => Event::Watchdog,
            };
            match event {
                Event::Stop(signal) => {
                    info!(signal, "stopping");
                    return;
                }
                Event::Ended { service, how } => warn!(service, how, "ended by itself; it is started again"),
                Event::LookForNotice => phase = self.look_for_notice(serving, phase).await,
                Event::LookAtOwner => phase = self.look_at_owner(serving).await,
                // The report has the chain that is to be seen from outside.
                Event::Renewed => self.report(phase, Some(serving), None).await,
                Event::Watchdog => notify::watchdog(),
            }
        }
    }

    /// Says in the bucket that AWS has announced this instance's end.
    async fn look_for_notice(&self, serving: &Serving, phase: Phase) -> Phase {
        match self.imds.instance_action().await {
            Ok(None) => phase,
            Ok(Some(notice)) => {
                warn!(action = notice.action, at = %notice.time, "AWS takes this instance away");
                self.report(Phase::Interrupted, Some(serving), None).await;
                Phase::Interrupted
            }
            Err(error) => {
                debug!("looking for an interruption notice: {error}");
                phase
            }
        }
    }

    /// Takes the names over once their owner is gone, if this instance still proves itself.
    async fn look_at_owner(&self, serving: &Serving) -> Phase {
        let asked = async {
            self.prove(serving.release.as_ref(), &serving.certificate()).await?;
            self.cut_over(&serving.zones, None).await
        };
        // Bounded, so that a signal or the watchdog never waits for long.
        let answer = timeout(LOOK_WITHIN, asked).await.unwrap_or_else(|_| Err(anyhow!("no answer within {} s", LOOK_WITHIN.as_secs())));
        match answer {
            Ok(Standing::StandBy) => Phase::StandBy,
            Ok(Standing::Owner(_)) => {
                info!("the owner is gone; this instance took the names over");
                self.report(Phase::Serving, Some(serving), None).await;
                Phase::Serving
            }
            Err(error) => {
                warn!("looking whether the names' owner lives: {error:#}");
                Phase::StandBy
            }
        }
    }
}
