//! A run of CI, as the rotation's own files have it: what they decide purely is asked of them, what they do step by step is told again.

use std::time::Duration;

use super::super::members::{
    Arrival, Member, Wanted, Way, arrived, heirs, is_old, leaving, lowered, nobody_to_go_back_to, old_ones, raised, surplus, to_make_up,
};
use super::names::{Answer, Asks, Names, decide, seconds, stay};
use super::world::{By, End, Id, Log, Noted, Release, Stage, Trial, World, at, between, id, name};
use crate::site::deploys::Node;
use crate::site::report::Said;

const RUN: &str = "run";

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    pub step: Step,
    /// It ends what a killed run has left, and nothing else.
    pub settles: bool,
    /// When it chose whom to end others served, and nobody was lost since.
    pub sure: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    Begin,
    Clear,
    Put,
    Raise,
    Raising(u8, Box<Step>),
    Boot,
    Bake(Vec<Id>),
    Decide,
    Promote,
    Drain,
    Recheck(Vec<Id>),
    Restore,
    Back,
    Withdraw,
    GiveBack,
    MakeUp,
    /// Until others serve what is current.
    MadeUp,
    Undo,
    Close(End),
    /// A batch that gives the names to an instance, for what was seen.
    Appoint(Asks, Option<Names>, Box<Step>),
    /// The names are to stay where they are, or the run looks again.
    Fence(Option<Names>, u8, Vec<Id>, Box<Step>),
    Lower(u8, Vec<Id>, Box<Step>),
    End(Vec<Id>, Box<Step>),
    /// After old instances went.
    Left(Vec<Id>),
}

impl Step {
    /// What fails here leads back.
    pub fn is_trial(&self) -> bool {
        match self {
            Self::Clear | Self::Put | Self::Raise | Self::Boot | Self::Bake(_) | Self::Decide => true,
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
            Self::Lower(_, _, next) | Self::End(_, next) if **next == Self::Undo => Some(Self::Undo),
            Self::Lower(_, _, next) | Self::End(_, next) if matches!(**next, Self::Left(_)) => Some(Self::Restore),
            Self::MadeUp => Some(Self::Undo),
            step if step.is_trial() => Some(Self::Back),
            _ => None,
        }
    }
}

impl World {
    /// A run begins, or one that ends what a killed run has left.
    pub fn starts(&mut self) -> bool {
        let unended = self.log.as_ref().filter(|log| log.end.is_none()).map(|log| log.stage);
        if self.locked || (unended.is_none() && self.left.deploys == 0) {
            return false;
        }
        let step = match unended {
            None => Step::Begin,
            Some(Stage::Forward) => Step::Promote,
            Some(Stage::Trial) => Step::Back,
            Some(Stage::Back) => Step::Withdraw,
        };
        self.left.deploys -= u8::from(unended.is_none());
        self.locked = true;
        self.run = Some(Run { step, settles: unended.is_some(), sure: false });
        true
    }

    /// The run's call gets lost, or what it waits for takes too long.
    pub fn run_fails(&mut self) -> bool {
        let Some(next) = self.run.as_ref().and_then(|run| run.step.lost()) else { return false };
        self.left.faults > 0 && {
            self.left.faults -= 1;
            self.goes(next)
        }
    }

    pub fn run_times_out(&mut self) -> bool {
        let next = match self.run.as_ref().map(|run| &run.step) {
            Some(Step::Boot) if self.log().stage == Stage::Trial => Step::Back,
            Some(Step::Boot | Step::Drain) => Step::Restore,
            Some(Step::MadeUp) => Step::Undo,
            _ => return false,
        };
        self.goes(next)
    }

    fn goes(&mut self, step: Step) -> bool {
        let run = self.run.as_mut().expect("it runs");
        let changed = run.step != step;
        run.step = step;
        changed
    }

    /// Where it cannot be killed between two steps, what others cannot tell apart is one.
    pub fn runs(&mut self, stale: bool) -> bool {
        let went = self.goes_on(stale);
        let goes_at_once =
            |step: &Step| matches!(step, Step::Clear | Step::Raise | Step::Promote | Step::Withdraw | Step::GiveBack | Step::MakeUp);
        while went && self.left.kills == 0 && self.run.as_ref().is_some_and(|run| goes_at_once(&run.step)) {
            self.goes_on(stale);
        }
        went
    }

    fn goes_on(&mut self, stale: bool) -> bool {
        let Some(run) = self.run.clone() else { return false };
        let next = match run.step {
            Step::Begin => self.begin_run(stale),
            Step::Clear => self.clear(stale),
            Step::Put => {
                self.on_trial = Some(Trial { since: self.log().since });
                Step::Raise
            }
            Step::Raise => Step::Raising(self.raised(&self.members(stale)), Box::new(Step::Boot)),
            Step::Raising(target, next) => {
                self.change_fleet(By::Run, |world| world.target = world.target.max(target));
                *next
            }
            Step::Boot => self.boot(stale),
            Step::Bake(new) => self.bake(&new, stale),
            Step::Decide => self.decided(Stage::Forward, Step::Promote),
            Step::Promote => {
                self.promote();
                Step::Drain
            }
            Step::Drain => match self.all_serving(stale) {
                Some(members) => {
                    let going = self.going(&members);
                    self.pass_on(&members, &going, Step::Recheck(going.clone()))
                }
                None => self.replace_interrupted(stale),
            },
            Step::Recheck(going) => self.recheck(going, stale),
            Step::Left(gone) => self.left_over(&gone, run.settles, stale),
            Step::Restore => {
                let members = self.members(stale);
                let going = leaving(&members, Way::Forward, self.target_of_run());
                let silent = members.iter().filter(|member| going.contains(&member.node.id) && !member.serves());
                let silent = silent.map(|member| id(member.id())).collect();
                self.retire(&members, silent, Step::Close(End::Unfinished))
            }
            Step::Back => self.decided(Stage::Back, Step::Withdraw),
            Step::Withdraw => {
                self.on_trial = None;
                Step::GiveBack
            }
            Step::GiveBack => self.give_back(stale),
            Step::MakeUp => self.make_up(stale),
            Step::MadeUp => self.made_up(stale),
            Step::Undo => self.undo(stale),
            Step::Close(end) => {
                self.log.as_mut().expect("it has a log").end = Some(end);
                (self.run, self.locked) = (None, false);
                return true;
            }
            Step::Appoint(asks, seen, next) => self.appoint(asks, &seen, *next),
            Step::Fence(seen, target, going, next) => {
                let youngest = going.iter().copied().max().expect("somebody goes");
                let changes = stay(&seen, &going, at(youngest) + Duration::from_secs(1));
                let fenced = changes.is_some_and(|changes| self.submit(&changes));
                if fenced { Step::Lower(target, going, next) } else { next.looks_again() }
            }
            Step::Lower(target, going, next) => {
                self.change_fleet(By::Run, |world| world.target = world.target.min(target));
                if going.is_empty() { *next } else { Step::End(going, next) }
            }
            Step::End(going, next) => {
                self.terminate(By::Run, &going, run.sure);
                *next
            }
        };
        self.goes(next)
    }

    fn log(&self) -> &Log {
        self.log.as_ref().expect("it has a log")
    }

    fn target_of_run(&self) -> usize {
        self.log().target.into()
    }

    fn wanted(&self) -> Wanted {
        let trial = self.log().stage != Stage::Forward || self.current == Release::Old;
        Wanted { version: Release::New.version().into(), trial: trial.then(|| RUN.into()) }
    }

    /// As `Rotation::members` puts them together.
    pub fn members(&self, stale: bool) -> Vec<Member> {
        let log = self.log();
        let (_, listed) = self.shown(stale);
        let living = listed.into_iter().filter(|&id| self.machine(id).lives);
        let member = |id: Id| {
            let told = &self.machine(id).told;
            let said = told.phase.map(|phase| Said {
                phase,
                release: told.release.map(|release| release.version().into()),
                deploy: told.trial.then(|| RUN.into()),
                public_ipv4: None,
                public_ipv6: None,
                updated: at(0),
                tried: None,
                trouble: None,
                chain: None,
                note: told.note.map(Noted::note),
                until: told.going.then(|| at(u8::MAX)),
                error: None,
            });
            let before = log.old.contains(&id) || at(id) < between(log.since);
            let old = is_old(before, said.as_ref(), RUN, &self.wanted());
            let node = Node { id: name(id), launched: at(id), ipv4: None, ipv6: None };
            Member { node, marked: false, old, said }
        };
        living.map(member).collect()
    }

    fn begin_run(&mut self, stale: bool) -> Step {
        let (target, listed) = self.shown(stale);
        let noted = self.machines.iter().filter_map(|machine| machine.told.note).map(|note| note.target);
        let target = noted.fold(target, u8::min);
        self.log = Some(Log { target, old: listed, since: self.launches(), stage: Stage::Trial, end: None });
        Step::Clear
    }

    fn clear(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        let going = self.surplus(&members);
        if going.is_empty() {
            return Step::Put;
        }
        let retire = self.retire(&members, going.clone(), Step::Put);
        self.pass_on(&members, &going, retire)
    }

    fn surplus(&self, members: &[Member]) -> Vec<Id> {
        surplus(members, &self.owners(), self.target_of_run()).iter().map(|name| id(name)).collect()
    }

    fn raised(&self, members: &[Member]) -> u8 {
        u8::try_from(raised(members, self.log().target.into(), 1)).expect("it is small")
    }

    fn boot(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        if self.log().stage == Stage::Trial && nobody_to_go_back_to(&members, &self.wanted()).is_some() {
            return Step::Back;
        }
        match arrived(&members, &self.wanted(), 1) {
            Arrival::Serving(new) => Step::Bake(new.iter().map(|name| id(name)).collect()),
            Arrival::Failed { .. } => Step::Back,
            Arrival::Waiting if self.raised(&members) > self.target => Step::Raising(self.raised(&members), Box::new(Step::Boot)),
            Arrival::Waiting => Step::Boot,
        }
    }

    fn bake(&mut self, new: &[Id], stale: bool) -> Step {
        let members = self.members(stale);
        let is_well = |id: &Id| members.iter().any(|member| member.id() == name(*id) && !member.is_going());
        let answers = |id: &Id| self.machine(*id).serves == Some(Release::New);
        if new.iter().all(|id| is_well(id) && answers(id)) { Step::Decide } else { Step::Back }
    }

    fn decided(&mut self, stage: Stage, next: Step) -> Step {
        self.log.as_mut().expect("it has a log").stage = stage;
        next
    }

    fn promote(&mut self) {
        if !self.served_new {
            self.wrong = Some("a release becomes current that never served");
        }
        (self.current, self.on_trial) = (Release::New, None);
    }

    fn all_serving(&self, stale: bool) -> Option<Vec<Member>> {
        let members = self.members(stale);
        let staying = members.iter().filter(|member| !member.is_going()).count();
        let few = old_ones(&members) > 0 && staying <= self.target_of_run();
        let wanted = self.wanted();
        let is_well = |member: &Member| member.serves_wanted(&wanted) && self.machine(id(member.id())).serves == Some(Release::New);
        let all = members.iter().filter(|member| !member.old && !member.is_going()).all(is_well);
        (!few && all).then_some(members)
    }

    fn replace_interrupted(&self, stale: bool) -> Step {
        let members = self.members(stale);
        let interrupted = members.iter().any(|member| !member.old && member.is_going());
        let target = self.raised(&members);
        if interrupted && target > self.target { Step::Raising(target, Box::new(Step::Drain)) } else { Step::Drain }
    }

    fn going(&self, members: &[Member]) -> Vec<Id> {
        leaving(members, Way::Forward, self.target_of_run()).iter().map(|name| id(name)).collect()
    }

    fn recheck(&mut self, going: Vec<Id>, stale: bool) -> Step {
        let Some(members) = self.all_serving(stale) else { return Step::Drain };
        let leads_elsewhere = self.names.as_ref().is_none_or(|names| !going.contains(&names.owner));
        if self.going(&members) == going && leads_elsewhere {
            return self.retire(&members, going.clone(), Step::Left(going));
        }
        Step::Drain
    }

    fn left_over(&mut self, gone: &[Id], settles: bool, stale: bool) -> Step {
        let mut stay = self.members(stale);
        stay.retain(|member| !gone.contains(&id(member.id())));
        match old_ones(&stay) {
            _ if stay.iter().filter(|member| !member.is_going()).count() > self.target_of_run() => Step::Drain,
            0 => Step::Close(End::Whole),
            _ if settles => Step::Close(End::Unfinished),
            _ => Step::Raise,
        }
    }

    fn give_back(&mut self, stale: bool) -> Step {
        let (members, owners) = (self.members(stale), self.owners());
        let heirs = heirs(&members, &owners);
        let tried = members.iter().any(|member| !member.old && member.serves() && self.machine(id(member.id())).serves.is_some());
        if heirs.iter().all(|heir| heir.is_going()) && tried {
            return Step::MakeUp;
        }
        let Some(heir) = self.answering(&heirs).filter(|_| !owners.is_empty()) else { return Step::MakeUp };
        let newest = heirs.iter().map(|heir| id(heir.id())).chain(members.iter().filter(|m| !m.old).map(|m| id(m.id()))).max();
        let is_going = heirs.iter().any(|member| id(member.id()) == heir && member.is_going());
        let now = newest.filter(|_| is_going).map_or_else(|| between(self.launches()), |newest| at(newest) + Duration::from_secs(1));
        Step::Appoint(Asks::Appointed(heir, seconds(now)), self.names.clone(), Box::new(Step::MakeUp))
    }

    fn make_up(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        let missing = to_make_up(&members, self.target_of_run());
        if missing == 0 {
            return Step::Undo;
        }
        let staying = u32::try_from(members.iter().filter(|member| !member.is_going()).count()).expect("they are few");
        let target = u8::try_from(lowered(&members, &[], staying + missing)).expect("it is small");
        Step::Raising(target, Box::new(Step::MadeUp))
    }

    fn made_up(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        let serving = members.iter().filter(|member| member.old && !member.is_going() && member.serves()).count();
        let serve = serving >= self.target_of_run() || members.iter().all(Member::is_going);
        if to_make_up(&members, self.target_of_run()) == 0 && serve { Step::Undo } else { Step::MadeUp }
    }

    fn answering(&self, heirs: &[&Member]) -> Option<Id> {
        let answers = |member: &&&Member| self.machine(id(member.id())).serves.is_some();
        heirs.iter().find(answers).or(heirs.first()).map(|member| id(member.id()))
    }

    fn pass_on(&self, members: &[Member], going: &[Id], next: Step) -> Step {
        if self.names.as_ref().is_none_or(|names| !going.contains(&names.owner)) {
            return next;
        }
        let mut stay: Vec<&Member> =
            members.iter().filter(|member| member.serves() && !member.is_going() && !going.contains(&id(member.id()))).collect();
        stay.sort_by_key(|member| std::cmp::Reverse(member.node.launched));
        match self.answering(&stay) {
            Some(heir) => Step::Appoint(Asks::Appointed(heir, seconds(between(self.launches()))), self.names.clone(), Box::new(next)),
            None => next,
        }
    }

    /// Refused, it looks again and asks anew.
    fn appoint(&mut self, asks: Asks, seen: &Option<Names>, next: Step) -> Step {
        match decide(seen, asks, &self.living()) {
            Answer::Batch(changes) if !self.submit(&changes) => Step::Appoint(asks, self.names.clone(), Box::new(next)),
            _ => next,
        }
    }

    fn undo(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        let going = self.surplus(&members);
        let target = self.lowered(&members, &going);
        let settled = self.living().len() >= usize::from(self.target) && self.target <= target;
        if going.is_empty() && settled {
            return Step::Close(End::Whole);
        }
        if going.is_empty() && self.target <= target {
            return Step::Undo;
        }
        self.retire(&members, going, Step::Undo)
    }

    fn lowered(&self, members: &[Member], going: &[Id]) -> u8 {
        let going: Vec<String> = going.iter().copied().map(name).collect();
        u8::try_from(lowered(members, &going, self.log().target.into())).expect("it is small")
    }

    fn retire(&mut self, members: &[Member], going: Vec<Id>, next: Step) -> Step {
        let (target, next, sure) = (self.lowered(members, &going), Box::new(next), self.others_serve(&going));
        if let Some(run) = &mut self.run {
            run.sure = sure;
        }
        if going.is_empty() { Step::Lower(target, going, next) } else { Step::Fence(self.names.clone(), target, going, next) }
    }
}
