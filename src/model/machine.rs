//! An instance, and what it knows and says.

use super::names::Names;
use super::world::{Id, Release, between};
use crate::site::handover::{Mark, Note};
use crate::site::report::Phase;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Machine {
    pub lives: bool,
    /// AWS has announced its end.
    pub ends: bool,
    pub recommended: bool,
    pub up: Up,
    /// What its web server answers with, as long as it does.
    pub serves: Option<Release>,
    /// What it has chosen, and whether as part of the trial.
    pub release: Release,
    pub trial: bool,
    pub proven: bool,
    /// What the process knows of its mark; after a crash, what the bucket knows.
    pub note: Option<Noted>,
    /// Time enough has passed since the recommendation.
    pub over: bool,
    /// The recommendation was dealt with.
    pub handled: bool,
    pub hand: Hand,
    /// It has asked for a replacement though the bucket did not take its note yet.
    pub untold: bool,
    /// It knows of a fence of its own.
    pub fenced: bool,
    /// It has decided on what still holds: when it chose whom to end others served, and nobody was
    /// lost since.
    pub sure: bool,
    pub told: Told,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Up {
    Begins,
    /// It proves itself, and looks at the names.
    Proves,
    Looks,
    /// A batch is on its way, for what was seen.
    Submits(Option<Names>, Vec<Id>),
    Serving,
    StandBy,
    Failed,
    Crashed,
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Noted {
    pub mark: Mark,
    pub target: u8,
    /// Instances launched so far.
    pub since: u8,
}

/// What an instance's handover is at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Hand {
    Looks,
    Raises(u8),
    Lowers(u8, Vec<Id>),
    /// It makes sure that nobody takes the names from it meanwhile.
    Fences(u8, Option<Names>, Vec<Id>),
    /// And that they can be taken again.
    Opens(Option<Names>),
    Ends(Vec<Id>),
}

/// `instances/<id>.json`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Told {
    pub phase: Option<Phase>,
    pub release: Option<Release>,
    pub trial: bool,
    pub note: Option<Noted>,
    /// The same, where nothing of it is left to do.
    pub settled: Option<Noted>,
    /// It says when it ends.
    pub going: bool,
}

impl Machine {
    pub fn launched() -> Self {
        Self {
            lives: true,
            ends: false,
            recommended: false,
            up: Up::Begins,
            serves: None,
            release: Release::Old,
            trial: false,
            proven: false,
            note: None,
            over: false,
            handled: false,
            hand: Hand::Looks,
            untold: false,
            fenced: false,
            sure: false,
            told: Told::default(),
        }
    }

    /// Nothing of it is left but its words in the bucket.
    pub fn end(&mut self) {
        let told = Told {
            note: self.told.note,
            settled: self.told.settled,
            ..Told::default()
        };
        *self = Self {
            lives: false,
            up: Up::Stopped,
            told,
            proven: self.proven,
            ..Self::launched()
        };
    }

    /// Its event loop runs, which begins with a report.
    pub fn is_resident(&self) -> bool {
        self.lives
            && matches!(self.up, Up::Serving | Up::StandBy | Up::Submits(..))
            && self.told.phase.is_some()
    }

    pub fn mark(&self) -> Option<Mark> {
        let recommended = (self.recommended && !self.handled).then_some(Mark::Rebalance);
        self.ends.then_some(Mark::Notice).or(recommended)
    }
}

impl Noted {
    pub fn note(self) -> Note {
        Note {
            mark: self.mark,
            target: self.target.into(),
            since: between(self.since),
        }
    }
}
