//! What the resident knows, and what it does about what happens: a pure function.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use super::trouble::Ends;
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
        at: Instant,
    },
    /// A service that was in trouble has not ended for a while.
    Quiet {
        service: &'static str,
        at: Instant,
    },
    /// What is wrong here has changed, and the bucket is to hear of it.
    Told,
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
    /// A service cannot stay up.
    TellTrouble {
        service: &'static str,
        how: String,
    },
    AwaitWell {
        service: &'static str,
        at: Instant,
    },
    ForgetTrouble {
        service: &'static str,
    },
    AwaitNotice,
    LookAtOwner,
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
    ends: BTreeMap<&'static str, Ends>,
    /// The services that cannot stay up.
    troubled: BTreeSet<&'static str>,
}

impl State {
    pub fn new(phase: Phase) -> Self {
        Self { phase, telling: Telling::Nothing, ends: BTreeMap::new(), troubled: BTreeSet::new() }
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
            Event::Ended { service, how, at } => {
                warn!(service, how, "ended by itself; it is started again");
                self.ended(service, how, at)
            }
            Event::Quiet { service, at } => self.quiet(service, at),
            Event::Told => self.tell(),
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
        }
    }

    /// What cannot stay up is told once, until it is well again.
    fn ended(&mut self, service: &'static str, how: String, at: Instant) -> Vec<Act> {
        let ends = self.ends.entry(service).or_default();
        ends.add(at);
        match ends.well_at() {
            Some(well) if ends.cannot_stay_up(at) && self.troubled.insert(service) => {
                vec![Act::TellTrouble { service, how }, Act::AwaitWell { service, at: well }]
            }
            _ => Vec::new(),
        }
    }

    fn quiet(&mut self, service: &'static str, at: Instant) -> Vec<Act> {
        let ends = self.ends.entry(service).or_default();
        match ends.well_at() {
            Some(well) if ends.cannot_stay_up(at) => vec![Act::AwaitWell { service, at: well }],
            _ => {
                self.troubled.remove(service);
                vec![Act::ForgetTrouble { service }]
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
    fn an_app_that_cannot_stay_up_is_told_once_and_again_when_it_is_well() {
        let (mut state, start) = (State::new(Phase::Serving), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut end = |seconds| state.on(Event::Ended { service: "app", how: "exit status 1".into(), at: after(seconds) });
        assert_eq!(end(0), []);
        let well = Act::AwaitWell { service: "app", at: after(5 + 30 + 300) };
        assert_eq!(end(5), [Act::TellTrouble { service: "app", how: "exit status 1".into() }, well]);
        assert_eq!(end(15), [], "it is told already");
        assert_eq!(state.on(Event::Told), [Act::Report]);
        assert_eq!(state.on(Event::Quiet { service: "app", at: after(335) }), [Act::AwaitWell { service: "app", at: after(345) }]);
        assert_eq!(state.on(Event::Quiet { service: "app", at: after(345) }), [Act::ForgetTrouble { service: "app" }]);
        assert_eq!(state.on(Event::Ended { service: "app", how: "exit status 1".into(), at: after(400) }), []);
    }

    #[test]
    fn a_signal_ends_it_at_once() {
        assert_eq!(State::new(Phase::Serving).on(Event::Signal("SIGTERM")), [Act::Leave]);
    }
}
