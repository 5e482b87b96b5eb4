//! What a run decides at each step, and to which that leads.

use std::time::Duration;

use super::names::{decide, seconds};
use super::state::{
    Asks, ClaimDecision, Id, ModelRelease, Names, RunLog, RunResult, RunStage, RunStep, World, at,
    between, id, name,
};
use crate::rollout::members::{
    Arrival, Member, Way, arrived, gives_on, heirs, leaving, lowered, made_up,
    nobody_to_go_back_to, old_ones, raised, replaced_only, surplus,
};

impl World {
    pub fn begin_run(&mut self, stale: bool) -> RunStep {
        let (target, listed) = self.shown(stale);
        let noted = self
            .machines
            .iter()
            .filter_map(|machine| machine.told.note)
            .map(|note| note.target);
        let target = noted.fold(target, u8::min);
        self.log = Some(RunLog {
            target,
            old: listed,
            since: self.launches(),
            stage: RunStage::Trial,
            end: None,
        });
        RunStep::Clear
    }

    pub fn clear(&mut self, stale: bool) -> RunStep {
        let members = self.members(stale);
        let going = self.surplus(&members);
        if going.is_empty() {
            return RunStep::Put;
        }
        let retire = self.retire(&members, going.clone(), RunStep::Put);
        self.pass_on(&members, &going, retire)
    }

    pub fn surplus(&self, members: &[Member]) -> Vec<Id> {
        surplus(members, &self.owners(), self.target_of_run())
            .iter()
            .map(|name| id(name))
            .collect()
    }

    pub fn raised(&self, members: &[Member]) -> u8 {
        u8::try_from(raised(members, self.log().target.into(), 1)).expect("it is small")
    }

    pub fn boot(&mut self, stale: bool) -> RunStep {
        let members = self.members(stale);
        if self.log().stage == RunStage::Trial
            && nobody_to_go_back_to(&members, &self.wanted()).is_some()
        {
            return RunStep::Back;
        }
        match arrived(&members, &self.wanted(), 1) {
            Arrival::Serving(new) => RunStep::Bake(new.iter().map(|name| id(name)).collect()),
            Arrival::Failed { .. } => RunStep::Back,
            Arrival::Waiting if self.raised(&members) > self.target => {
                RunStep::Raising(self.raised(&members), Box::new(RunStep::Boot))
            }
            Arrival::Waiting if replaced_only(&members, self.target_of_run()) => RunStep::Clear,
            Arrival::Waiting => RunStep::Boot,
        }
    }

    pub fn bake(&mut self, new: &[Id], stale: bool) -> RunStep {
        let members = self.members(stale);
        let is_well = |id: &Id| {
            members
                .iter()
                .any(|member| member.id() == name(*id) && !member.is_going())
        };
        let answers = |id: &Id| self.machine(*id).serves == Some(ModelRelease::New);
        if new.iter().all(|id| is_well(id) && answers(id)) {
            RunStep::Decide
        } else {
            RunStep::Back
        }
    }

    pub fn decided(&mut self, stage: RunStage, next: RunStep) -> RunStep {
        self.log.as_mut().expect("it has a log").stage = stage;
        next
    }

    pub fn promote(&mut self) {
        if !self.served_new {
            self.wrong = Some("a release becomes current that never served");
        }
        (self.current, self.on_trial) = (ModelRelease::New, None);
    }

    pub fn all_serving(&self, stale: bool) -> Option<Vec<Member>> {
        let members = self.members(stale);
        let staying = members.iter().filter(|member| !member.is_going()).count();
        let few = old_ones(&members) > 0 && staying <= self.target_of_run();
        let wanted = self.wanted();
        let is_well = |member: &Member| {
            member.serves_wanted(&wanted)
                && self.machine(id(member.id())).serves == Some(ModelRelease::New)
        };
        let all = members
            .iter()
            .filter(|member| !member.old && !member.is_going())
            .all(is_well);
        (!few && all).then_some(members)
    }

    pub fn replace_interrupted(&self, stale: bool) -> RunStep {
        let members = self.members(stale);
        let interrupted = members
            .iter()
            .any(|member| !member.old && member.is_going());
        let target = self.raised(&members);
        if interrupted && target > self.target {
            RunStep::Raising(target, Box::new(RunStep::Drain))
        } else {
            RunStep::Drain
        }
    }

    pub fn going(&self, members: &[Member]) -> Vec<Id> {
        leaving(members, Way::Forward, self.target_of_run())
            .iter()
            .map(|name| id(name))
            .collect()
    }

    pub fn recheck(&mut self, going: Vec<Id>, stale: bool) -> RunStep {
        let Some(members) = self.all_serving(stale) else {
            return RunStep::Drain;
        };
        let leads_elsewhere = self
            .names
            .as_ref()
            .is_none_or(|names| !going.contains(&names.owner));
        if self.going(&members) == going && leads_elsewhere {
            return self.retire(&members, going.clone(), RunStep::Left(going));
        }
        RunStep::Drain
    }

    pub fn left_over(&mut self, gone: &[Id], settles: bool, stale: bool) -> RunStep {
        let mut stay = self.members(stale);
        stay.retain(|member| !gone.contains(&id(member.id())));
        match old_ones(&stay) {
            _ if stay.iter().filter(|member| !member.is_going()).count() > self.target_of_run() => {
                RunStep::Drain
            }
            0 => RunStep::Close(RunResult::Whole),
            _ if settles => RunStep::Close(RunResult::Unfinished),
            _ => RunStep::Raise,
        }
    }

    pub fn give_back(&mut self, stale: bool) -> RunStep {
        let (members, owners) = (self.members(stale), self.owners());
        let heirs = heirs(&members, &owners);
        let answers =
            |member: &Member| member.serves() && self.machine(id(member.id())).serves.is_some();
        let tried = members.iter().any(|member| {
            !member.old && (answers(member) || member.has_just_proven_itself(&owners))
        });
        if heirs.iter().all(|heir| heir.is_going()) && tried {
            return RunStep::MakeUp;
        }
        let Some(heir) = self.answering(&heirs).filter(|_| !owners.is_empty()) else {
            return RunStep::MakeUp;
        };
        let newest = heirs
            .iter()
            .map(|heir| id(heir.id()))
            .chain(members.iter().filter(|m| !m.old).map(|m| id(m.id())))
            .max();
        let is_going = heirs
            .iter()
            .any(|member| id(member.id()) == heir && member.is_going());
        let now = newest.filter(|_| is_going).map_or_else(
            || between(self.launches()),
            |newest| at(newest) + Duration::from_secs(1),
        );
        RunStep::Appoint(
            Asks::Appointed(heir, seconds(now)),
            self.names.clone(),
            Box::new(RunStep::MakeUp),
        )
    }

    pub fn make_up(&mut self, stale: bool) -> RunStep {
        let members = self.members(stale);
        match made_up(&members, self.log().target.into(), 1) {
            Some(target) => RunStep::Raising(
                u8::try_from(target).expect("it is small"),
                Box::new(RunStep::MadeUp),
            ),
            None => self.give_on(&members, RunStep::Undo),
        }
    }

    pub fn made_up(&mut self, stale: bool) -> RunStep {
        let members = self.members(stale);
        let serving = members
            .iter()
            .filter(|member| member.old && !member.is_going() && member.serves())
            .count();
        let serve = serving >= self.target_of_run() || members.iter().all(Member::is_going);
        if made_up(&members, self.log().target.into(), 1).is_none() && serve {
            self.give_on(&members, RunStep::Undo)
        } else {
            RunStep::MadeUp
        }
    }

    fn give_on(&self, members: &[Member], next: RunStep) -> RunStep {
        let owners = self.owners();
        let heirs: Vec<&Member> = heirs(members, &owners)
            .into_iter()
            .filter(|heir| !heir.is_going())
            .collect();
        match self.answering(&heirs) {
            Some(heir) if owners.iter().any(|owner| gives_on(members, owner)) => RunStep::Appoint(
                Asks::Appointed(heir, seconds(between(self.launches()))),
                self.names.clone(),
                Box::new(next),
            ),
            _ => next,
        }
    }

    pub fn answering(&self, heirs: &[&Member]) -> Option<Id> {
        let answers = |member: &&&Member| self.machine(id(member.id())).serves.is_some();
        let first = heirs.first().filter(|heir| !heir.is_going());
        heirs
            .iter()
            .find(answers)
            .or(first)
            .map(|member| id(member.id()))
    }

    pub fn pass_on(&self, members: &[Member], going: &[Id], next: RunStep) -> RunStep {
        if self
            .names
            .as_ref()
            .is_none_or(|names| !going.contains(&names.owner))
        {
            return next;
        }
        let mut stay: Vec<&Member> = members
            .iter()
            .filter(|member| {
                member.serves() && !member.is_going() && !going.contains(&id(member.id()))
            })
            .collect();
        stay.sort_by_key(|member| std::cmp::Reverse(member.node.launched));
        match self.answering(&stay) {
            Some(heir) => RunStep::Appoint(
                Asks::Appointed(heir, seconds(between(self.launches()))),
                self.names.clone(),
                Box::new(next),
            ),
            None => next,
        }
    }

    /// Refused, it looks again and asks anew.
    pub fn appoint(&mut self, asks: Asks, seen: &Option<Names>, next: RunStep) -> RunStep {
        match decide(seen, asks, &self.living()) {
            ClaimDecision::Batch(batch) if !self.submit(batch) => {
                RunStep::Appoint(asks, self.names.clone(), Box::new(next))
            }
            _ => next,
        }
    }

    pub fn undo(&mut self, stale: bool) -> RunStep {
        let members = self.members(stale);
        let going = self.surplus(&members);
        let target = self.lowered(&members, &going);
        let settled = self.living().len() >= usize::from(self.target) && self.target <= target;
        if going.is_empty() && settled {
            return self.give_on(&members, RunStep::Close(RunResult::Whole));
        }
        if going.is_empty() && self.target <= target {
            return RunStep::Undo;
        }
        self.retire(&members, going, RunStep::Undo)
    }

    pub fn lowered(&self, members: &[Member], going: &[Id]) -> u8 {
        let going: Vec<String> = going.iter().copied().map(name).collect();
        u8::try_from(lowered(members, &going, self.log().target.into())).expect("it is small")
    }

    pub fn retire(&mut self, members: &[Member], going: Vec<Id>, next: RunStep) -> RunStep {
        let (target, next, sure) = (
            self.lowered(members, &going),
            Box::new(next),
            self.others_serve(&going),
        );
        if let Some(run) = &mut self.run {
            run.sure = sure;
        }
        if going.is_empty() {
            RunStep::Lower(target, going, next)
        } else {
            RunStep::Fence(self.names.clone(), target, going, next)
        }
    }
}
