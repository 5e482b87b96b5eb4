//! What the resident knows, and what it does about what happens: a pure function.

use std::time::Duration;

use tracing::{info, warn};

use crate::cloud::imds::InstanceAction;
use crate::site::report::Phase;

/// What happened.
#[derive(Debug)]
pub(super) enum Event {
    Signal(&'static str),
    Watchdog,
    /// A piece of work came to its end that nothing follows from.
    Done,
    /// A service ended by itself; its keeper starts it again.
    Ended {
        service: &'static str,
        how: String,
    },
    /// The bucket has heard what was last to be told, or will not.
    Reported,
    /// AWS has announced this instance's end.
    Notice(InstanceAction),
    /// Another was the owner of the names; now this instance is, or is not yet.
    Owner {
        taken_over: bool,
    },
    /// When the certificate is to be looked at next, and whether another one serves since.
    Renewal {
        renewed: bool,
        next: Duration,
    },
    /// The bucket has the logs up to now, or not.
    Shipped {
        failed: bool,
    },
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act {
    /// The loop ends.
    Leave,
    Beat,
    /// What could wait until the site served.
    Settle,
    Report,
    AwaitNotice,
    LookAtOwner,
    Renew {
        after: Duration,
    },
    /// The logs to the bucket: then, or earlier where there are many.
    Ship {
        after: Duration,
    },
    TellMetrics,
}

/// Whether the bucket is being told of this instance: one report at a time, so that an older one never comes last.
#[derive(Debug, PartialEq, Eq)]
enum Telling {
    Nothing,
    UnderWay,
    /// Something changed meanwhile.
    Again,
}

#[derive(Debug)]
pub(super) struct State {
    phase: Phase,
    telling: Telling,
    /// How often in a row the bucket did not take the logs.
    unshipped: u32,
}

/// The first logs are those of a boot that may be the last.
const FIRST_SHIPPING: Duration = Duration::from_secs(30);
const SHIP_EVERY: Duration = Duration::from_secs(5 * 60);
const SHIP_AGAIN: Duration = Duration::from_secs(10);

impl State {
    pub fn new(phase: Phase) -> Self {
        Self { phase, telling: Telling::Nothing, unshipped: 0 }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What a resident begins with.
    pub fn begin(&self) -> Vec<Act> {
        let mut acts = vec![
            Act::Settle,
            Act::AwaitNotice,
            Act::Renew { after: Duration::ZERO },
            Act::Ship { after: FIRST_SHIPPING },
            Act::TellMetrics,
        ];
        if self.phase == Phase::StandBy {
            acts.push(Act::LookAtOwner);
        }
        acts
    }

    pub fn on(&mut self, event: Event) -> Vec<Act> {
        match event {
            Event::Signal(signal) => {
                info!(signal, "stopping");
                vec![Act::Leave]
            }
            Event::Watchdog => vec![Act::Beat],
            Event::Done => Vec::new(),
            Event::Ended { service, how } => {
                warn!(service, how, "ended by itself; it is started again");
                Vec::new()
            }
            Event::Reported if self.telling == Telling::Again => {
                self.telling = Telling::UnderWay;
                vec![Act::Report]
            }
            Event::Reported => {
                self.telling = Telling::Nothing;
                Vec::new()
            }
            Event::Notice(notice) => {
                warn!(action = notice.action, at = %notice.time, "AWS takes this instance away");
                self.phase = Phase::Interrupted;
                self.tell()
            }
            Event::Owner { taken_over: true } => {
                info!("the owner is gone; this instance took the names over");
                self.phase = Phase::Serving;
                self.tell()
            }
            Event::Owner { taken_over: false } => vec![Act::LookAtOwner],
            Event::Renewal { renewed, next } => {
                // The report has the chain that is to be seen from outside.
                let mut acts = if renewed { self.tell() } else { Vec::new() };
                acts.push(Act::Renew { after: next });
                acts
            }
            Event::Shipped { failed } => {
                self.unshipped = if failed { self.unshipped.saturating_add(1) } else { 0 };
                vec![Act::Ship { after: ship_after(self.unshipped) }]
            }
        }
    }

    /// The bucket is to hear how things stand now.
    fn tell(&mut self) -> Vec<Act> {
        if self.telling == Telling::Nothing {
            self.telling = Telling::UnderWay;
            return vec![Act::Report];
        }
        self.telling = Telling::Again;
        Vec::new()
    }
}

fn ship_after(failures: u32) -> Duration {
    match failures {
        0 => SHIP_EVERY,
        again => SHIP_AGAIN.saturating_mul(1 << (again - 1).min(8)).min(SHIP_EVERY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_follow_one_another_and_the_last_one_is_the_newest() {
        let mut state = State::new(Phase::StandBy);
        assert_eq!(state.on(Event::Owner { taken_over: true }), [Act::Report]);
        let renewed = Event::Renewal { renewed: true, next: Duration::from_secs(9) };
        assert_eq!(state.on(renewed), [Act::Renew { after: Duration::from_secs(9) }], "one is under way");
        assert_eq!(state.on(Event::Reported), [Act::Report]);
        assert_eq!(state.on(Event::Reported), []);
    }

    #[test]
    fn logs_that_the_bucket_did_not_take_are_tried_again_soon_and_then_less_often() {
        let mut state = State::new(Phase::Serving);
        let mut after = |failed| match state.on(Event::Shipped { failed })[..] {
            [Act::Ship { after }] => after.as_secs(),
            ref other => panic!("{other:?}"),
        };
        assert_eq!([true, true, true, false, true].map(&mut after), [10, 20, 40, 300, 10]);
        assert_eq!((0..100).map(|_| after(true)).max(), Some(300));
    }

    #[test]
    fn a_signal_ends_it_at_once() {
        assert_eq!(State::new(Phase::Serving).on(Event::Signal("SIGTERM")), [Act::Leave]);
    }
}
