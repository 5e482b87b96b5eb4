//! A run of CI: the order of its steps, each of which may be the last one before it is killed. What
//! a step leads to is decided by the rotation's own functions.

use super::names::stay;
use super::state::{
    Actor, Id, ModelRelease, RUN, RunLog, RunState, RunStep, Trial, World, at, between, name, small,
};
use crate::rollout::decision::view::FleetView;
use crate::rollout::members::{Member, WantedRelease, is_old};
use crate::site::deploys::{Node, Stage};
use crate::site::records::later_than;
use crate::site::release::is_since;

/// What a run sees of the fleet.
struct FleetLook {
    members: Vec<Member>,
    wanted: WantedRelease,
    target: u32,
}

impl FleetLook {
    fn view(&self) -> FleetView<'_> {
        FleetView {
            members: &self.members,
            wanted: &self.wanted,
            target: self.target,
            batch: 1,
        }
    }
}

impl RunStep {
    /// What fails here fails the new instances.
    fn brings_new(&self) -> bool {
        match self {
            Self::Clear(_)
            | Self::Put
            | Self::Raise(_)
            | Self::Boot(_)
            | Self::Bake(_)
            | Self::Decide => true,
            Self::Raising(_, next)
            | Self::Appoint(_, _, next)
            | Self::Fence(_, _, _, next)
            | Self::Lower(_, _, next)
            | Self::End(_, next) => next.brings_new(),
            _ => false,
        }
    }

    /// For others, and not for ever.
    pub fn waits(&self) -> bool {
        matches!(self, Self::Boot(_) | Self::MadeUp | Self::Drain)
    }

    /// Where the names moved meanwhile.
    fn looks_again(self) -> Self {
        match self {
            Self::Put => Self::Clear(Box::new(Self::Put)),
            Self::Left(_) => Self::Drain,
            Self::Close(_) => Self::Restore,
            look => look,
        }
    }
}

impl World {
    /// A run begins, or one that ends what a killed run has left.
    pub fn starts(&mut self) -> bool {
        let unended = self
            .log
            .as_ref()
            .filter(|log| log.end.is_none())
            .map(|log| log.stage);
        if self.locked || (unended.is_none() && self.left.deploys == 0) {
            return false;
        }
        let step = match unended {
            None => RunStep::Begin,
            Some(Stage::Forward) => RunStep::Promote,
            Some(Stage::Trial) => RunStep::Back,
            Some(Stage::Back) => RunStep::Withdraw,
        };
        self.left.deploys -= u8::from(unended.is_none());
        self.locked = true;
        self.run = Some(RunState {
            step,
            settles: unended.is_some(),
            sure: false,
        });
        true
    }

    /// The run's call gets lost, or what it waits for takes too long.
    pub fn run_fails(&mut self) -> bool {
        let step = self.run.as_ref().map(|run| run.step.clone());
        let Some(next) = step.and_then(|step| self.lost(step)) else {
            return false;
        };
        self.left.faults > 0 && {
            self.left.faults -= 1;
            self.goes(next)
        }
    }

    /// What a run does whose call got lost.
    fn lost(&self, step: RunStep) -> Option<RunStep> {
        match step {
            RunStep::MadeUp => Some(RunStep::Undo),
            RunStep::Lower(lowered_to, going, next) if matches!(*next, RunStep::Left(_)) => {
                let going: Vec<String> = going.into_iter().map(name).collect();
                let look = self.look(false);
                let is_otherwise = look.view().is_otherwise(&going, lowered_to.into());
                Some(if is_otherwise {
                    RunStep::Drain
                } else {
                    RunStep::Restore
                })
            }
            RunStep::Lower(_, _, next) | RunStep::End(_, next) if *next == RunStep::Undo => {
                Some(RunStep::Undo)
            }
            RunStep::End(_, next) if matches!(*next, RunStep::Left(_)) => Some(RunStep::Restore),
            step => step.brings_new().then(|| self.failed()),
        }
    }

    pub fn run_times_out(&mut self) -> bool {
        let next = match self.run.as_ref().map(|run| &run.step) {
            Some(RunStep::Boot(_)) => self.failed(),
            Some(RunStep::Drain) => RunStep::Restore,
            Some(RunStep::MadeUp) => RunStep::Undo,
            _ => return false,
        };
        self.goes(next)
    }

    /// The bucket takes a note sooner than a run gets that far.
    pub fn ends_untold(&self, step: &RunStep) -> bool {
        match step {
            RunStep::Lower(_, going, _) | RunStep::End(going, _) => {
                going.iter().any(|&id| self.machine(id).untold)
            }
            _ => false,
        }
    }

    pub fn goes(&mut self, step: RunStep) -> bool {
        let run = self.run.as_mut().expect("it runs");
        let changed = run.step != step;
        run.step = step;
        changed
    }

    /// Where it cannot be killed between two steps, what others cannot tell apart is one.
    pub fn runs(&mut self, stale: bool) -> bool {
        let went = self.goes_on(stale);
        let goes_at_once = |step: &RunStep| {
            matches!(
                step,
                RunStep::Clear(_)
                    | RunStep::Raise(_)
                    | RunStep::Promote
                    | RunStep::Withdraw
                    | RunStep::GiveBack
                    | RunStep::MakeUp
            )
        };
        while went
            && self.left.kills == 0
            && self.run.as_ref().is_some_and(|run| goes_at_once(&run.step))
        {
            self.goes_on(stale);
        }
        went
    }

    fn goes_on(&mut self, stale: bool) -> bool {
        let Some(run) = self.run.clone() else {
            return false;
        };
        self.heed_notes();
        let next = match run.step {
            RunStep::Begin => self.begin_run(stale),
            RunStep::Put => {
                let since = self.log().since;
                self.on_trial = Some(Trial { since });
                RunStep::Raise(1)
            }
            RunStep::Raising(target, next) => {
                self.change_fleet(Actor::Run, |world| world.target = world.target.max(target));
                *next
            }
            RunStep::Decide => self.decided(Stage::Forward, RunStep::Promote),
            RunStep::Promote => {
                self.promote();
                RunStep::Drain
            }
            RunStep::Back => self.decided(Stage::Back, RunStep::Withdraw),
            RunStep::Withdraw => {
                self.on_trial = None;
                RunStep::GiveBack
            }
            RunStep::Close(end) => {
                self.log.as_mut().expect("it has a log").end = Some(end);
                (self.run, self.locked) = (None, false);
                return true;
            }
            RunStep::Appoint(asks, seen, next) => self.appoint(asks, &seen, *next),
            RunStep::Fence(seen, target, going, next) => {
                let youngest = going.iter().copied().max().expect("somebody goes");
                let fenced = self.carry_out(stay(&seen, &going, later_than(at(youngest))));
                if fenced {
                    RunStep::Lower(target, going, next)
                } else {
                    next.looks_again()
                }
            }
            RunStep::Lower(target, going, next) => {
                self.change_fleet(Actor::Run, |world| world.target = world.target.min(target));
                if going.is_empty() {
                    *next
                } else {
                    RunStep::End(going, next)
                }
            }
            RunStep::End(going, next) => {
                self.terminate(Actor::Run, &going, run.sure);
                *next
            }
            step => {
                let look = self.look(stale);
                self.decides(step, look.view(), run.settles)
            }
        };
        self.goes(next)
    }

    /// What follows from a look at the fleet.
    fn decides(&mut self, step: RunStep, view: FleetView<'_>, settles: bool) -> RunStep {
        match step {
            RunStep::Clear(next) => self.clear(view, *next),
            RunStep::Raise(needed) => {
                RunStep::Raising(small(view.raised()), Box::new(RunStep::Boot(needed)))
            }
            RunStep::Boot(needed) => self.boot(view, needed),
            RunStep::Bake(new) => self.bake(view, &new),
            RunStep::Drain => self.drain(view),
            RunStep::Recheck(going) => self.recheck(view, going),
            RunStep::Left(gone) => self.left_over(view, &gone, settles),
            RunStep::Restore => self.restore(view),
            RunStep::GiveBack => self.give_back(view),
            RunStep::MakeUp => self.make_up(view),
            RunStep::MadeUp => self.made_up(view),
            RunStep::Undo => self.undo(view),
            step => unreachable!("{step:?} looks at nothing"),
        }
    }

    /// As `Rotation::members` does, before anything is made of them.
    fn heed_notes(&mut self) {
        let Some(log) = self.log.as_ref().filter(|log| log.end.is_none()) else {
            return;
        };
        let heeded = self
            .ids()
            .filter(|id| log.old.contains(id) || self.machine(*id).lives);
        let noted = heeded
            .filter_map(|id| self.machine(id).told.report()?.note_since(at(0)))
            .map(|note| small(note.target));
        let target = noted.fold(log.target, u8::min);
        self.log = self.log.take().map(|log| RunLog { target, ..log });
    }

    pub fn log(&self) -> &RunLog {
        self.log.as_ref().expect("it has a log")
    }

    fn wanted(&self) -> WantedRelease {
        let trial = self.log().stage != Stage::Forward || self.current == ModelRelease::Old;
        WantedRelease {
            version: Some(ModelRelease::New.version().into()),
            trial: trial.then(|| RUN.into()),
        }
    }

    fn look(&self, stale: bool) -> FleetLook {
        FleetLook {
            members: self.members(stale),
            wanted: self.wanted(),
            target: self.log().target.into(),
        }
    }

    /// As `Rotation::members` puts them together.
    fn members(&self, stale: bool) -> Vec<Member> {
        let log = self.log();
        let (_, listed) = self.shown(stale);
        let living = listed.into_iter().filter(|&id| self.machine(id).lives);
        let member = |id: Id| {
            let said = self.machine(id).told.report();
            let before = log.old.contains(&id) || !is_since(between(log.since), at(id));
            let old = is_old(before, said.as_ref(), RUN, &self.wanted());
            let node = Node {
                id: name(id),
                launched: at(id),
                ipv4: None,
                ipv6: None,
            };
            Member {
                node,
                marked: false,
                old,
                said,
            }
        };
        living.map(member).collect()
    }
}
