//! An instance, and what it knows and says.

use super::state::{Hand, Machine, ModelRelease, Noted, RUN, Told, Up, at, between};
use crate::site::handover::{Mark, Note};
use crate::site::report::{InstanceReport, Phase};

impl Machine {
    pub fn launched() -> Self {
        Self {
            lives: true,
            ends: false,
            recommended: false,
            up: Up::Begins,
            serves: None,
            release: ModelRelease::Old,
            trial: false,
            proven: false,
            note: None,
            over: false,
            handled: false,
            hand: Hand::Looks,
            untold: false,
            fenced: false,
            sure: false,
            parted: false,
            told: Told::default(),
        }
    }

    /// Nothing of it is left but its words in the bucket.
    pub fn end(&mut self) {
        let Told { note, settled, .. } = self.told;
        let told = Told {
            phase: note.or(settled).map(|_| Phase::Stopped),
            note,
            settled,
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

impl Told {
    /// The report as others read it. How old it is nobody can tell.
    pub fn report(&self) -> Option<InstanceReport> {
        Some(InstanceReport {
            release: self.release.map(|release| release.version().into()),
            deploy: self.trial.then(|| RUN.into()),
            note: self.note.map(Noted::note),
            settled: self.settled.map(Noted::note),
            until: self.going.then(|| at(u8::MAX)),
            ..InstanceReport::bare(self.phase?, at(u8::MAX))
        })
    }

    pub fn has_stopped(&self) -> bool {
        self.report().is_some_and(|said| said.has_stopped())
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
