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
    /// The Elastic IP was looked at; whether this instance is reached at another address since.
    Address {
        changed: bool,
    },
    /// When the certificate is to be looked at next, and whether another one serves since.
    Renewal {
        renewed: bool,
        next: Duration,
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
    KeepAddress,
    Renew {
        after: Duration,
    },
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
}

impl State {
    pub fn new(phase: Phase) -> Self {
        Self { phase, telling: Telling::Nothing }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What a resident begins with.
    pub fn begin(&self) -> Vec<Act> {
        let mut acts = vec![Act::Settle, Act::AwaitNotice, Act::Renew { after: Duration::ZERO }];
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
            Event::Address { changed } => {
                let mut acts = if changed { self.tell() } else { Vec::new() };
                acts.push(Act::KeepAddress);
                acts
            }
            Event::Renewal { renewed, next } => {
                // The report has the chain that is to be seen from outside.
                let mut acts = if renewed { self.tell() } else { Vec::new() };
                acts.push(Act::Renew { after: next });
                acts
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
    fn another_address_is_told_and_looked_after_again() {
        let mut state = State::new(Phase::Serving);
        assert_eq!(state.on(Event::Address { changed: false }), [Act::KeepAddress]);
        assert_eq!(state.on(Event::Address { changed: true }), [Act::Report, Act::KeepAddress]);
    }

    #[test]
    fn a_signal_ends_it_at_once() {
        assert_eq!(State::new(Phase::Serving).on(Event::Signal("SIGTERM")), [Act::Leave]);
    }
}
