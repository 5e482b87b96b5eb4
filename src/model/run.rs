//! A run of CI, as the rotation's own files have it: what they decide purely is asked of them, what
//! they do step by step is told again.

use std::time::Duration;

use super::names::stay;
use super::state::{
    Actor, Id, ModelRelease, Noted, RunLog, RunResult, RunStage, RunState, RunStep, Trial, World,
    at, between, id, name,
};
use crate::rollout::members::{Member, WantedRelease, Way, is_old, leaving};
use crate::site::deploys::Node;
use crate::site::report::InstanceReport;

const RUN: &str = "run";

impl RunStep {
    /// What fails here leads back.
    pub fn is_trial(&self) -> bool {
        match self {
            Self::Clear | Self::Put | Self::Raise | Self::Boot | Self::Bake(_) | Self::Decide => {
                true
            }
            Self::Raising(_, next)
            | Self::Appoint(_, _, next)
            | Self::Fence(_, _, _, next)
            | Self::Lower(_, _, next)
            | Self::End(_, next) => next.is_trial(),
            _ => false,
        }
    }

    /// For others, and not for ever.
    pub fn waits(&self) -> bool {
        matches!(self, Self::Boot | Self::MadeUp | Self::Drain)
    }

    /// Where the names moved meanwhile.
    fn looks_again(self) -> Self {
        match self {
            Self::Put => Self::Clear,
            Self::Left(_) => Self::Drain,
            Self::Close(_) => Self::Restore,
            look => look,
        }
    }

    /// A call that may get lost, and what the run does then.
    fn lost(&self) -> Option<Self> {
        match self {
            Self::Lower(_, _, next) | Self::End(_, next) if **next == Self::Undo => {
                Some(Self::Undo)
            }
            Self::Lower(_, _, next) | Self::End(_, next) if matches!(**next, Self::Left(_)) => {
                Some(Self::Restore)
            }
            Self::MadeUp => Some(Self::Undo),
            step if step.is_trial() => Some(Self::Back),
            _ => None,
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
            Some(RunStage::Forward) => RunStep::Promote,
            Some(RunStage::Trial) => RunStep::Back,
            Some(RunStage::Back) => RunStep::Withdraw,
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
        let Some(next) = self.run.as_ref().and_then(|run| run.step.lost()) else {
            return false;
        };
        self.left.faults > 0 && {
            self.left.faults -= 1;
            self.goes(next)
        }
    }

    pub fn run_times_out(&mut self) -> bool {
        let next = match self.run.as_ref().map(|run| &run.step) {
            Some(RunStep::Boot) if self.log().stage == RunStage::Trial => RunStep::Back,
            Some(RunStep::Boot | RunStep::Drain) => RunStep::Restore,
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
                RunStep::Clear
                    | RunStep::Raise
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
            RunStep::Clear => self.clear(stale),
            RunStep::Put => {
                self.on_trial = Some(Trial {
                    since: self.log().since,
                });
                RunStep::Raise
            }
            RunStep::Raise => {
                RunStep::Raising(self.raised(&self.members(stale)), Box::new(RunStep::Boot))
            }
            RunStep::Raising(target, next) => {
                self.change_fleet(Actor::Run, |world| world.target = world.target.max(target));
                *next
            }
            RunStep::Boot => self.boot(stale),
            RunStep::Bake(new) => self.bake(&new, stale),
            RunStep::Decide => self.decided(RunStage::Forward, RunStep::Promote),
            RunStep::Promote => {
                self.promote();
                RunStep::Drain
            }
            RunStep::Drain => match self.all_serving(stale) {
                Some(members) => {
                    let going = self.going(&members);
                    self.pass_on(&members, &going, RunStep::Recheck(going.clone()))
                }
                None => self.replace_interrupted(stale),
            },
            RunStep::Recheck(going) => self.recheck(going, stale),
            RunStep::Left(gone) => self.left_over(&gone, run.settles, stale),
            RunStep::Restore => {
                let members = self.members(stale);
                let going = leaving(&members, Way::Forward, self.target_of_run());
                let silent = members
                    .iter()
                    .filter(|member| going.contains(&member.node.id) && !member.serves());
                let silent = silent.map(|member| id(member.id())).collect();
                self.retire(&members, silent, RunStep::Close(RunResult::Unfinished))
            }
            RunStep::Back => self.decided(RunStage::Back, RunStep::Withdraw),
            RunStep::Withdraw => {
                self.on_trial = None;
                RunStep::GiveBack
            }
            RunStep::GiveBack => self.give_back(stale),
            RunStep::MakeUp => self.make_up(stale),
            RunStep::MadeUp => self.made_up(stale),
            RunStep::Undo => self.undo(stale),
            RunStep::Close(end) => {
                self.log.as_mut().expect("it has a log").end = Some(end);
                (self.run, self.locked) = (None, false);
                return true;
            }
            RunStep::Appoint(asks, seen, next) => self.appoint(asks, &seen, *next),
            RunStep::Fence(seen, target, going, next) => {
                let youngest = going.iter().copied().max().expect("somebody goes");
                let fenced =
                    self.carry_out(stay(&seen, &going, at(youngest) + Duration::from_secs(1)));
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
        };
        self.goes(next)
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
            .filter_map(|id| self.machine(id).told.note.or(self.machine(id).told.settled))
            .map(|note| note.target);
        let target = noted.fold(log.target, u8::min);
        self.log = self.log.take().map(|log| RunLog { target, ..log });
    }

    pub fn log(&self) -> &RunLog {
        self.log.as_ref().expect("it has a log")
    }

    pub fn target_of_run(&self) -> usize {
        self.log().target.into()
    }

    pub fn wanted(&self) -> WantedRelease {
        let trial = self.log().stage != RunStage::Forward || self.current == ModelRelease::Old;
        WantedRelease {
            version: Some(ModelRelease::New.version().into()),
            trial: trial.then(|| RUN.into()),
        }
    }

    /// As `Rotation::members` puts them together.
    pub fn members(&self, stale: bool) -> Vec<Member> {
        let log = self.log();
        let (_, listed) = self.shown(stale);
        let living = listed.into_iter().filter(|&id| self.machine(id).lives);
        let member = |id: Id| {
            let told = &self.machine(id).told;
            let said = told.phase.map(|phase| InstanceReport {
                release: told.release.map(|release| release.version().into()),
                deploy: told.trial.then(|| RUN.into()),
                note: told.note.map(Noted::note),
                settled: told.settled.map(Noted::note),
                until: told.going.then(|| at(u8::MAX)),
                ..InstanceReport::bare(phase, at(0))
            });
            let before = log.old.contains(&id) || at(id) < between(log.since);
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
