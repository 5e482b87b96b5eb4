//! What a run comes to at each step: the rotation's own decisions, and where they lead.

use super::names::{decide, seconds};
use super::state::{
    Asks, ClaimDecision, Id, ModelRelease, Names, RunLog, RunResult, RunStep, World, between, id,
    ids, name, small,
};
use crate::rollout::decision::arrival::ArrivalStep;
use crate::rollout::decision::names::Heirs;
use crate::rollout::decision::retiring::ServingStep;
use crate::rollout::decision::view::{FleetView, Looks};
use crate::rollout::members::{Member, lowered};
use crate::site::deploys::Stage;

/// Nobody is left to be looked at.
const SEEN: &str = "all were looked at";

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
            stage: Stage::Trial,
            end: None,
        });
        RunStep::Clear(Box::new(RunStep::Put))
    }

    pub fn clear(&mut self, view: FleetView<'_>, next: RunStep) -> RunStep {
        let going = view.surplus(&self.owners());
        if going.is_empty() {
            return next;
        }
        let retire = self.retire(view, &going, next);
        self.pass_on(view, &going, retire)
    }

    pub fn boot(&self, view: FleetView<'_>, needed: u8) -> RunStep {
        match view.arrival(self.log().stage, needed.into()) {
            ArrivalStep::Serving(new) => RunStep::Bake(ids(&new)),
            ArrivalStep::Failed { .. } | ArrivalStep::NobodyToGoBackTo(_) => self.failed(),
            ArrivalStep::ClearSurplus => RunStep::Clear(Box::new(RunStep::Boot(needed))),
            ArrivalStep::Raise(target) => self.raising(target, RunStep::Boot(needed)),
        }
    }

    /// Where what was decided leads if new instances do not come up.
    pub fn failed(&self) -> RunStep {
        if self.log().stage == Stage::Trial {
            RunStep::Back
        } else {
            RunStep::Restore
        }
    }

    /// The fleet is asked for no target that it has already.
    fn raising(&self, target: u32, next: RunStep) -> RunStep {
        if small(target) > self.target {
            RunStep::Raising(small(target), Box::new(next))
        } else {
            next
        }
    }

    /// Both the look from outside and, in a trial, the bake.
    pub fn bake(&self, view: FleetView<'_>, new: &[Id]) -> RunStep {
        let is_well = |id: &Id| {
            view.members
                .iter()
                .any(|member| member.id() == name(*id) && !member.is_going())
        };
        let answers = |id: &Id| self.machine(*id).serves == Some(ModelRelease::New);
        let is_trial = self.log().stage == Stage::Trial;
        match new
            .iter()
            .all(|id| (is_well(id) || !is_trial) && answers(id))
        {
            true if is_trial => RunStep::Decide,
            true => RunStep::Drain,
            false => self.failed(),
        }
    }

    pub fn decided(&mut self, stage: Stage, next: RunStep) -> RunStep {
        self.log.as_mut().expect("it has a log").stage = stage;
        next
    }

    pub fn promote(&mut self) {
        if !self.served_new {
            self.wrong = Some("a release becomes current that never served");
        }
        (self.current, self.on_trial) = (ModelRelease::New, None);
    }

    fn all_serve(&self, view: FleetView<'_>) -> ServingStep {
        let looks = self.seen_from_outside(view, |_| Some(ModelRelease::New));
        view.serving(&looks).expect(SEEN)
    }

    pub fn drain(&mut self, view: FleetView<'_>) -> RunStep {
        match self.all_serve(view) {
            ServingStep::Serve => {
                let going = view.going();
                self.pass_on(view, &going, RunStep::Recheck(ids(&going)))
            }
            ServingStep::Wait { raise: None, .. } => RunStep::Drain,
            ServingStep::Wait {
                raise: Some(target),
                ..
            } => self.raising(target, RunStep::Drain),
        }
    }

    pub fn recheck(&mut self, view: FleetView<'_>, going: Vec<Id>) -> RunStep {
        let names: Vec<String> = going.iter().copied().map(name).collect();
        let owners = self.owners();
        if self.all_serve(view) == ServingStep::Serve && view.may_go(&names, &owners) {
            self.retire(view, &names, RunStep::Left(going))
        } else {
            RunStep::Drain
        }
    }

    pub fn left_over(&self, view: FleetView<'_>, gone: &[Id], settles: bool) -> RunStep {
        let gone: Vec<String> = gone.iter().copied().map(name).collect();
        match view.left(&gone) {
            None => RunStep::Drain,
            Some(0) => RunStep::Close(RunResult::Whole),
            Some(_) if settles => RunStep::Close(RunResult::Unfinished),
            Some(old) => RunStep::Raise(u8::try_from(view.needed(old)).expect("they are few")),
        }
    }

    pub fn restore(&mut self, view: FleetView<'_>) -> RunStep {
        let close = RunStep::Close(RunResult::Unfinished);
        self.retire(view, &view.silent(), close)
    }

    pub fn give_back(&self, view: FleetView<'_>) -> RunStep {
        let owners = self.owners();
        let looks = self.seen_from_outside(view, |_| Some(ModelRelease::New));
        let heirs = view.give_back(&owners, &looks).expect(SEEN);
        self.appoint_one(view, heirs, RunStep::MakeUp)
    }

    pub fn make_up(&self, view: FleetView<'_>) -> RunStep {
        match view.make_up() {
            Some(target) => RunStep::Raising(small(target), Box::new(RunStep::MadeUp)),
            None => self.give_on(view, RunStep::Undo),
        }
    }

    pub fn made_up(&self, view: FleetView<'_>) -> RunStep {
        if view.is_made_up() {
            self.give_on(view, RunStep::Undo)
        } else {
            RunStep::MadeUp
        }
    }

    fn give_on(&self, view: FleetView<'_>, next: RunStep) -> RunStep {
        self.appoint_one(view, view.give_on(&self.owners()), next)
    }

    fn pass_on(&self, view: FleetView<'_>, going: &[String], next: RunStep) -> RunStep {
        self.appoint_one(view, view.pass_on(&self.owners(), going), next)
    }

    fn appoint_one(&self, view: FleetView<'_>, heirs: Option<Heirs<'_>>, next: RunStep) -> RunStep {
        let Some(heirs) = heirs else { return next };
        let said = |heir: &Member| self.machine(id(heir.id())).told.release;
        let looks = self.seen_from_outside(view, said);
        let Some(heir) = heirs.first_answering(&looks).expect(SEEN) else {
            return next;
        };
        let launched = seconds(heirs.appointed_at(heir, between(self.launches())));
        let asks = Asks::Appointed(id(heir.id()), launched);
        RunStep::Appoint(asks, self.names.clone(), Box::new(next))
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

    pub fn undo(&mut self, view: FleetView<'_>) -> RunStep {
        let going = view.surplus(&self.owners());
        let is_low = u32::from(self.target) <= lowered(view.members, &going, view.target);
        let is_settled = self.living().len() >= usize::from(self.target);
        match going.is_empty() && is_low {
            true if is_settled => self.give_on(view, RunStep::Close(RunResult::Whole)),
            true => RunStep::Undo,
            false => self.retire(view, &going, RunStep::Undo),
        }
    }

    fn retire(&mut self, view: FleetView<'_>, going: &[String], next: RunStep) -> RunStep {
        let target = small(lowered(view.members, going, view.target));
        let (going, next) = (ids(going), Box::new(next));
        let sure = self.others_serve(&going);
        if let Some(run) = &mut self.run {
            run.sure = sure;
        }
        if going.is_empty() {
            RunStep::Lower(target, going, next)
        } else {
            RunStep::Fence(self.names.clone(), target, going, next)
        }
    }

    /// What is seen of all instances from outside, each of which is to serve what `wanted` says.
    fn seen_from_outside(
        &self,
        view: FleetView<'_>,
        wanted: impl Fn(&Member) -> Option<ModelRelease>,
    ) -> Looks {
        let mut looks = Looks::default();
        for member in view.members {
            let serves = self.machine(id(member.id())).serves;
            let answers = serves.is_some() && serves == wanted(member);
            let seen = answers.then_some(()).ok_or_else(String::new);
            looks.add(member.id(), seen);
        }
        looks
    }
}
