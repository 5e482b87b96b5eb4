//! What the resident knows, and what it does about what happens: a pure function.

use std::time::Duration;

use tracing::{info, warn};

use super::event::{Event, Leaving, LoopAction};
use super::service_health::ServiceHealth;
use crate::site::report::Phase;

/// Whether the bucket is being told of this instance: one report at a time, so that an older one
/// never comes last.
#[derive(Debug, PartialEq, Eq)]
enum Telling {
    Nothing,
    UnderWay,
    /// Something changed meanwhile.
    Again,
}

/// What the event loop knows of the instance between two events.
#[derive(Debug)]
pub struct LoopState {
    phase: Phase,
    telling: Telling,
    /// How often in a row the bucket did not take the logs.
    unshipped: u32,
    health: ServiceHealth,
}

/// The first logs are those of a boot that may be the last.
const FIRST_SHIPPING: Duration = Duration::from_secs(30);
const SHIP_EVERY: Duration = Duration::from_secs(5 * 60);
const SHIP_AGAIN: Duration = Duration::from_secs(10);

impl LoopState {
    /// The state of a resident that begins.
    pub fn new(phase: Phase) -> Self {
        Self {
            phase,
            telling: Telling::Nothing,
            unshipped: 0,
            health: ServiceHealth::default(),
        }
    }

    /// Where this instance stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What a resident begins with.
    pub fn begin(&self) -> Vec<LoopAction> {
        let names = if self.phase == Phase::StandBy {
            LoopAction::LookAtOwner
        } else {
            LoopAction::LookAtNames
        };
        let now = Duration::ZERO;
        vec![
            LoopAction::Settle,
            LoopAction::WatchInterruption,
            LoopAction::Renew { after: now },
            names,
            LoopAction::Sweep { after: now },
            LoopAction::Ship {
                after: FIRST_SHIPPING,
            },
            LoopAction::HearLooks,
            LoopAction::HeedEmergency,
            LoopAction::TellMetrics,
        ]
    }

    /// What to do about an event.
    pub fn on(&mut self, event: Event) -> Vec<LoopAction> {
        match event {
            Event::Signal(signal) => {
                info!(signal, "stopping");
                vec![LoopAction::Leave(Leaving::Told)]
            }
            Event::Over => {
                info!("AWS ends this instance in a moment; stopping");
                vec![LoopAction::Leave(Leaving::Over)]
            }
            Event::Watchdog => vec![LoopAction::Beat],
            Event::Done => Vec::new(),
            // Not before: both bring releases and remove them.
            Event::Settled => vec![LoopAction::Follow],
            Event::InPlace { changed } => self.tell_if(changed, LoopAction::Follow),
            Event::Ended { service, how, at } => {
                warn!(service, how, "ended by itself; it is started again");
                self.health.ended(service, how, at)
            }
            Event::Quiet { service, at } => vec![self.health.quiet(service, at)],
            Event::Told => self.tell(),
            Event::Reported => self.reported(),
            Event::Interruption => self.tell_if(true, LoopAction::WatchInterruption),
            Event::Swept { next } => vec![LoopAction::Sweep { after: next }],
            Event::Owner { taken_over } => self.owner_seen(taken_over),
            Event::Names { ours } => self.names_seen(ours),
            Event::Address { changed } => self.tell_if(changed, LoopAction::KeepAddress),
            // The report has the chain that is to be seen from outside.
            Event::Renewal { renewed, next } => {
                self.tell_if(renewed, LoopAction::Renew { after: next })
            }
            Event::Mirror => self.tell_if(true, LoopAction::KeepMirror),
            Event::DiskCopy => self.tell_if(true, LoopAction::KeepDiskCopy),
            Event::Shipped { failed } => vec![self.shipped(failed)],
        }
    }

    /// A standby instance that took the names over becomes their owner.
    fn owner_seen(&mut self, taken_over: bool) -> Vec<LoopAction> {
        if !taken_over {
            return vec![LoopAction::LookAtOwner];
        }
        info!("the owner is gone or goes; this instance took the names over");
        self.phase = Phase::Serving;
        self.tell_if(true, LoopAction::LookAtNames)
    }

    /// An owner that lost the names stands by.
    fn names_seen(&mut self, ours: bool) -> Vec<LoopAction> {
        if ours {
            return vec![LoopAction::LookAtNames];
        }
        info!("the names are not this instance's any more; standing by");
        self.phase = Phase::StandBy;
        self.tell_if(true, LoopAction::LookAtOwner)
    }

    /// The next shipping of logs: sooner while the bucket does not take them.
    fn shipped(&mut self, failed: bool) -> LoopAction {
        self.unshipped = if failed {
            self.unshipped.saturating_add(1)
        } else {
            0
        };
        LoopAction::Ship {
            after: ship_after(self.unshipped),
        }
    }

    /// A report first, where it is worth one; `next` in any case.
    fn tell_if(&mut self, worth_a_report: bool, next: LoopAction) -> Vec<LoopAction> {
        let report = worth_a_report.then(|| self.tell());
        let mut acts = report.unwrap_or_default();
        acts.push(next);
        acts
    }

    /// The bucket is to hear how things stand now.
    fn tell(&mut self) -> Vec<LoopAction> {
        if self.telling == Telling::Nothing {
            self.telling = Telling::UnderWay;
            return vec![LoopAction::Report];
        }
        self.telling = Telling::Again;
        Vec::new()
    }

    /// A report ended; another follows where something changed meanwhile.
    fn reported(&mut self) -> Vec<LoopAction> {
        if self.telling == Telling::Again {
            self.telling = Telling::UnderWay;
            return vec![LoopAction::Report];
        }
        self.telling = Telling::Nothing;
        Vec::new()
    }
}

fn ship_after(failures: u32) -> Duration {
    match failures {
        0 => SHIP_EVERY,
        again => SHIP_AGAIN
            .saturating_mul(1 << (again - 1).min(8))
            .min(SHIP_EVERY),
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[test]
    fn reports_follow_one_another_and_the_last_one_is_the_newest() {
        let mut state = LoopState::new(Phase::StandBy);
        assert_eq!(
            state.on(Event::Owner { taken_over: true }),
            [LoopAction::Report, LoopAction::LookAtNames]
        );
        let renewed = Event::Renewal {
            renewed: true,
            next: Duration::from_secs(9),
        };
        assert_eq!(
            state.on(renewed),
            [LoopAction::Renew {
                after: Duration::from_secs(9)
            }],
            "one is under way"
        );
        assert_eq!(state.on(Event::Reported), [LoopAction::Report]);
        assert_eq!(state.on(Event::Reported), []);
    }

    #[test]
    fn deploys_in_place_are_followed_one_look_after_the_other_once_the_boot_is_settled() {
        let mut state = LoopState::new(Phase::Serving);
        assert!(
            !state.begin().contains(&LoopAction::Follow),
            "both bring releases and remove them"
        );
        assert_eq!(state.on(Event::Settled), [LoopAction::Follow]);
        assert_eq!(
            state.on(Event::InPlace { changed: false }),
            [LoopAction::Follow]
        );
        assert_eq!(
            state.on(Event::InPlace { changed: true }),
            [LoopAction::Report, LoopAction::Follow]
        );
    }

    #[test]
    fn logs_that_the_bucket_did_not_take_are_tried_again_soon_and_then_less_often() {
        let mut state = LoopState::new(Phase::Serving);
        let mut after = |failed| match state.on(Event::Shipped { failed })[..] {
            [LoopAction::Ship { after }] => after.as_secs(),
            ref other => panic!("{other:?}"),
        };
        assert_eq!(
            [true, true, true, false, true].map(&mut after),
            [10, 20, 40, 300, 10]
        );
        assert_eq!((0..100).map(|_| after(true)).max(), Some(300));
    }

    #[test]
    fn what_became_of_the_mirror_is_told_and_the_mirror_kept_on() {
        let mut state = LoopState::new(Phase::Serving);
        assert_eq!(
            state.on(Event::Mirror),
            [LoopAction::Report, LoopAction::KeepMirror]
        );
    }

    #[test]
    fn another_address_is_told_and_looked_after_again() {
        let mut state = LoopState::new(Phase::Serving);
        assert_eq!(
            state.on(Event::Address { changed: false }),
            [LoopAction::KeepAddress]
        );
        assert_eq!(
            state.on(Event::Address { changed: true }),
            [LoopAction::Report, LoopAction::KeepAddress]
        );
    }

    #[test]
    fn an_app_that_cannot_stay_up_is_told_once_and_again_when_it_is_well() {
        let (mut state, start) = (LoopState::new(Phase::Serving), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut end = |seconds| {
            state.on(Event::Ended {
                service: "app",
                how: "exit status 1".into(),
                at: after(seconds),
            })
        };
        assert_eq!(end(0), []);
        let well = LoopAction::AwaitWell {
            service: "app",
            at: after(5 + 30 + 300),
        };
        assert_eq!(
            end(5),
            [
                LoopAction::TellTrouble {
                    service: "app",
                    how: "exit status 1".into()
                },
                well
            ]
        );
        assert_eq!(end(15), [], "it is told already");
        assert_eq!(state.on(Event::Told), [LoopAction::Report]);
        assert_eq!(
            state.on(Event::Quiet {
                service: "app",
                at: after(335)
            }),
            [LoopAction::AwaitWell {
                service: "app",
                at: after(345)
            }]
        );
        assert_eq!(
            state.on(Event::Quiet {
                service: "app",
                at: after(345)
            }),
            [LoopAction::ForgetTrouble { service: "app" }]
        );
        assert_eq!(
            state.on(Event::Ended {
                service: "app",
                how: "exit status 1".into(),
                at: after(400)
            }),
            []
        );
    }

    #[test]
    fn a_signal_ends_it_at_once() {
        assert_eq!(
            LoopState::new(Phase::Serving).on(Event::Signal("SIGTERM")),
            [LoopAction::Leave(Leaving::Told)]
        );
    }

    #[test]
    fn an_owner_that_lost_the_names_stands_by_and_takes_them_back() {
        let mut state = LoopState::new(Phase::Serving);
        assert!(state.begin().contains(&LoopAction::LookAtNames));
        assert_eq!(
            state.on(Event::Names { ours: true }),
            [LoopAction::LookAtNames]
        );
        assert_eq!(
            state.on(Event::Names { ours: false }),
            [LoopAction::Report, LoopAction::LookAtOwner]
        );
        assert_eq!(state.phase(), Phase::StandBy);
        assert_eq!(
            state.on(Event::Owner { taken_over: false }),
            [LoopAction::LookAtOwner]
        );
        assert_eq!(
            state.on(Event::Owner { taken_over: true }),
            [LoopAction::LookAtNames],
            "a report is under way"
        );
        assert_eq!(state.phase(), Phase::Serving);
    }
}
