//! What a run decides at each step, and to which that leads.

use std::time::Duration;

use super::names::{decide, seconds};
use super::state::{
    Answer, Asks, End, Id, Log, Names, Release, Stage, Step, World, at, between, id, name,
};
use crate::rollout::members::{
    Arrival, Member, Way, arrived, gives_on, heirs, leaving, lowered, made_up,
    nobody_to_go_back_to, old_ones, raised, replaced_only, surplus,
};

impl World {
    pub fn begin_run(&mut self, stale: bool) -> Step {
        let (target, listed) = self.shown(stale);
        let noted = self
            .machines
            .iter()
            .filter_map(|machine| machine.told.note)
            .map(|note| note.target);
        let target = noted.fold(target, u8::min);
        self.log = Some(Log {
            target,
            old: listed,
            since: self.launches(),
            stage: Stage::Trial,
            end: None,
        });
        Step::Clear
    }

    pub fn clear(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        let going = self.surplus(&members);
        if going.is_empty() {
            return Step::Put;
        }
        let retire = self.retire(&members, going.clone(), Step::Put);
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

    pub fn boot(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        if self.log().stage == Stage::Trial
            && nobody_to_go_back_to(&members, &self.wanted()).is_some()
        {
            return Step::Back;
        }
        match arrived(&members, &self.wanted(), 1) {
            Arrival::Serving(new) => Step::Bake(new.iter().map(|name| id(name)).collect()),
            Arrival::Failed { .. } => Step::Back,
            Arrival::Waiting if self.raised(&members) > self.target => {
                Step::Raising(self.raised(&members), Box::new(Step::Boot))
            }
            Arrival::Waiting if replaced_only(&members, self.target_of_run()) => Step::Clear,
            Arrival::Waiting => Step::Boot,
        }
    }

    pub fn bake(&mut self, new: &[Id], stale: bool) -> Step {
        let members = self.members(stale);
        let is_well = |id: &Id| {
            members
                .iter()
                .any(|member| member.id() == name(*id) && !member.is_going())
        };
        let answers = |id: &Id| self.machine(*id).serves == Some(Release::New);
        if new.iter().all(|id| is_well(id) && answers(id)) {
            Step::Decide
        } else {
            Step::Back
        }
    }

    pub fn decided(&mut self, stage: Stage, next: Step) -> Step {
        self.log.as_mut().expect("it has a log").stage = stage;
        next
    }

    pub fn promote(&mut self) {
        if !self.served_new {
            self.wrong = Some("a release becomes current that never served");
        }
        (self.current, self.on_trial) = (Release::New, None);
    }

    pub fn all_serving(&self, stale: bool) -> Option<Vec<Member>> {
        let members = self.members(stale);
        let staying = members.iter().filter(|member| !member.is_going()).count();
        let few = old_ones(&members) > 0 && staying <= self.target_of_run();
        let wanted = self.wanted();
        let is_well = |member: &Member| {
            member.serves_wanted(&wanted)
                && self.machine(id(member.id())).serves == Some(Release::New)
        };
        let all = members
            .iter()
            .filter(|member| !member.old && !member.is_going())
            .all(is_well);
        (!few && all).then_some(members)
    }

    pub fn replace_interrupted(&self, stale: bool) -> Step {
        let members = self.members(stale);
        let interrupted = members
            .iter()
            .any(|member| !member.old && member.is_going());
        let target = self.raised(&members);
        if interrupted && target > self.target {
            Step::Raising(target, Box::new(Step::Drain))
        } else {
            Step::Drain
        }
    }

    pub fn going(&self, members: &[Member]) -> Vec<Id> {
        leaving(members, Way::Forward, self.target_of_run())
            .iter()
            .map(|name| id(name))
            .collect()
    }

    pub fn recheck(&mut self, going: Vec<Id>, stale: bool) -> Step {
        let Some(members) = self.all_serving(stale) else {
            return Step::Drain;
        };
        let leads_elsewhere = self
            .names
            .as_ref()
            .is_none_or(|names| !going.contains(&names.owner));
        if self.going(&members) == going && leads_elsewhere {
            return self.retire(&members, going.clone(), Step::Left(going));
        }
        Step::Drain
    }

    pub fn left_over(&mut self, gone: &[Id], settles: bool, stale: bool) -> Step {
        let mut stay = self.members(stale);
        stay.retain(|member| !gone.contains(&id(member.id())));
        match old_ones(&stay) {
            _ if stay.iter().filter(|member| !member.is_going()).count() > self.target_of_run() => {
                Step::Drain
            }
            0 => Step::Close(End::Whole),
            _ if settles => Step::Close(End::Unfinished),
            _ => Step::Raise,
        }
    }

    pub fn give_back(&mut self, stale: bool) -> Step {
        let (members, owners) = (self.members(stale), self.owners());
        let heirs = heirs(&members, &owners);
        let answers =
            |member: &Member| member.serves() && self.machine(id(member.id())).serves.is_some();
        let tried = members.iter().any(|member| {
            !member.old && (answers(member) || member.has_just_proven_itself(&owners))
        });
        if heirs.iter().all(|heir| heir.is_going()) && tried {
            return Step::MakeUp;
        }
        let Some(heir) = self.answering(&heirs).filter(|_| !owners.is_empty()) else {
            return Step::MakeUp;
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
        Step::Appoint(
            Asks::Appointed(heir, seconds(now)),
            self.names.clone(),
            Box::new(Step::MakeUp),
        )
    }

    pub fn make_up(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        match made_up(&members, self.log().target.into(), 1) {
            Some(target) => Step::Raising(
                u8::try_from(target).expect("it is small"),
                Box::new(Step::MadeUp),
            ),
            None => self.give_on(&members, Step::Undo),
        }
    }

    pub fn made_up(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        let serving = members
            .iter()
            .filter(|member| member.old && !member.is_going() && member.serves())
            .count();
        let serve = serving >= self.target_of_run() || members.iter().all(Member::is_going);
        if made_up(&members, self.log().target.into(), 1).is_none() && serve {
            self.give_on(&members, Step::Undo)
        } else {
            Step::MadeUp
        }
    }

    fn give_on(&self, members: &[Member], next: Step) -> Step {
        let owners = self.owners();
        let heirs: Vec<&Member> = heirs(members, &owners)
            .into_iter()
            .filter(|heir| !heir.is_going())
            .collect();
        match self.answering(&heirs) {
            Some(heir) if owners.iter().any(|owner| gives_on(members, owner)) => Step::Appoint(
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

    pub fn pass_on(&self, members: &[Member], going: &[Id], next: Step) -> Step {
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
            Some(heir) => Step::Appoint(
                Asks::Appointed(heir, seconds(between(self.launches()))),
                self.names.clone(),
                Box::new(next),
            ),
            None => next,
        }
    }

    /// Refused, it looks again and asks anew.
    pub fn appoint(&mut self, asks: Asks, seen: &Option<Names>, next: Step) -> Step {
        match decide(seen, asks, &self.living()) {
            Answer::Batch(batch) if !self.submit(batch) => {
                Step::Appoint(asks, self.names.clone(), Box::new(next))
            }
            _ => next,
        }
    }

    pub fn undo(&mut self, stale: bool) -> Step {
        let members = self.members(stale);
        let going = self.surplus(&members);
        let target = self.lowered(&members, &going);
        let settled = self.living().len() >= usize::from(self.target) && self.target <= target;
        if going.is_empty() && settled {
            return self.give_on(&members, Step::Close(End::Whole));
        }
        if going.is_empty() && self.target <= target {
            return Step::Undo;
        }
        self.retire(&members, going, Step::Undo)
    }

    pub fn lowered(&self, members: &[Member], going: &[Id]) -> u8 {
        let going: Vec<String> = going.iter().copied().map(name).collect();
        u8::try_from(lowered(members, &going, self.log().target.into())).expect("it is small")
    }

    pub fn retire(&mut self, members: &[Member], going: Vec<Id>, next: Step) -> Step {
        let (target, next, sure) = (
            self.lowered(members, &going),
            Box::new(next),
            self.others_serve(&going),
        );
        if let Some(run) = &mut self.run {
            run.sure = sure;
        }
        if going.is_empty() {
            Step::Lower(target, going, next)
        } else {
            Step::Fence(self.names.clone(), target, going, next)
        }
    }
}
