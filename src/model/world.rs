//! What there is: instances, their fleet, the names, the bucket's words, and one run of CI. Small
//! numbers, so that states are few.

use std::time::Duration;

use super::state::{
    Actor, Hand, Id, LeadsTo, Machine, ModelRelease, Names, RunStep, StaleFleet, Up, World, at,
    name,
};
use crate::site::handover::{BucketView, Neighbour, OpenRotation, Seen};

pub const SPARE_FOR: Duration = Duration::from_secs(1800);
/// Nothing sound launches as many.
pub const MOST: u8 = 7;

impl ModelRelease {
    pub fn version(self) -> &'static str {
        match self {
            Self::Old => "v1",
            Self::New => "v2",
        }
    }
}

impl World {
    pub fn ids(&self) -> impl Iterator<Item = Id> + use<> {
        0..u8::try_from(self.machines.len()).expect("they are few")
    }

    pub fn machine(&self, id: Id) -> &Machine {
        &self.machines[usize::from(id)]
    }

    pub fn machine_mut(&mut self, id: Id) -> &mut Machine {
        &mut self.machines[usize::from(id)]
    }

    pub fn living(&self) -> Vec<Id> {
        self.ids().filter(|&id| self.machine(id).lives).collect()
    }

    /// Whether there are more instances than the target, and nothing that is under way wants them.
    pub fn has_surplus(&self) -> bool {
        self.wrong.is_none()
            && self.living().len() > usize::from(self.target)
            && self.log.as_ref().is_none_or(|log| log.end.is_some())
    }

    pub fn serving(&self) -> usize {
        self.machines
            .iter()
            .filter(|machine| machine.lives && machine.serves.is_some())
            .count()
    }

    pub fn launches(&self) -> u8 {
        u8::try_from(self.machines.len()).expect("they are few")
    }

    /// Remembers what stale answers show, and changes the fleet.
    pub fn change_fleet(&mut self, by: Actor, change: impl FnOnce(&mut Self)) {
        let before = StaleFleet {
            target: self.target,
            listed: self.living(),
            by,
        };
        change(self);
        let changed = (before.target, &before.listed) != (self.target, &self.living());
        self.before = (self.left.stale > 0 && changed).then_some(before);
    }

    /// Whether somebody may be shown what was before.
    pub fn may_be_stale(&self, to: Actor) -> bool {
        self.left.stale > 0 && self.before.as_ref().is_some_and(|before| before.by != to)
    }

    /// Target and list as an answer shows them.
    pub fn shown(&self, stale: bool) -> (u8, Vec<Id>) {
        let before = self
            .before
            .as_ref()
            .filter(|_| stale)
            .map(|before| (before.target, before.listed.clone()));
        before.unwrap_or_else(|| (self.target, self.living()))
    }

    pub fn owners(&self) -> Vec<String> {
        self.names.iter().map(|names| name(names.owner)).collect()
    }

    /// Whether the names lead where they are to: to their owner, which has proven itself; to the
    /// mirror by a person's word; elsewhere only where the owner is gone, goes, or has parted with
    /// them.
    pub fn leads_well(&self, names: &Names) -> bool {
        let owner = self.machine(names.owner);
        let leaves = !owner.lives || owner.told.going || owner.parted;
        match names.leads_to {
            LeadsTo::Instance(id) => !names.at_mirror && id == names.owner && owner.proven,
            LeadsTo::Mirror => names.at_mirror || leaves,
            LeadsTo::Nobody => !names.at_mirror && leaves,
        }
    }

    /// What the instances and the run have said in the bucket.
    fn bucket(&self) -> BucketView {
        let log = self.log.as_ref().filter(|log| log.end.is_none());
        let mut said = BucketView {
            run: log.map(|log| OpenRotation {
                target: log.target.into(),
                lives: self.locked,
            }),
            ..BucketView::default()
        };
        for id in self.living() {
            let told = &self.machine(id).told;
            said.notes
                .extend(told.note.map(|note| (name(id), note.note())));
            said.stopped.extend(told.has_stopped().then(|| name(id)));
        }
        said
    }

    /// The fleet as an instance sees it.
    pub fn seen_by(&self, me: Id, stale: bool) -> Seen {
        let (target, listed) = self.shown(stale);
        let members = self
            .living()
            .into_iter()
            .filter(|id| listed.contains(id) || *id == me)
            .map(|id| Neighbour {
                id: name(id),
                launched: at(id),
                listed: listed.contains(&id),
                note: None,
            });
        let counts = (target.into(), None);
        Seen {
            owners: self.owners(),
            ..Seen::of(name(me), counts, members.collect(), &self.bucket())
        }
    }

    /// The same, as far as anybody can tell: a batch for names that have changed is as good as
    /// refused, and of generations only the order counts, among those that somebody has seen.
    pub fn canonical(mut self) -> Self {
        for machine in &mut self.machines {
            machine.over &= machine.note.is_some();
            if matches!(&machine.up, Up::Submits(seen, _) if *seen != self.names) {
                machine.up = Up::Looks;
            }
        }
        let mut known: Vec<u8> = self.seen_names().map(|names| names.generation).collect();
        known.sort_unstable();
        known.dedup();
        for names in self.seen_names() {
            let rank = known
                .iter()
                .position(|&generation| generation == names.generation)
                .expect("it is among them");
            names.generation = u8::try_from(rank + 1).expect("they are few");
        }
        self
    }

    fn seen_names(&mut self) -> impl Iterator<Item = &mut Names> {
        let seen = self.machines.iter_mut().flat_map(|machine| {
            let submits = if let Up::Submits(seen, _) = &mut machine.up {
                seen.as_mut()
            } else {
                None
            };
            let fences = if let Hand::Fences(_, seen, _) | Hand::Opens(seen) = &mut machine.hand {
                seen.as_mut()
            } else {
                None
            };
            [submits, fences].into_iter().flatten()
        });
        let run = self.run.iter_mut().filter_map(|run| match &mut run.step {
            RunStep::Appoint(_, seen, _) | RunStep::Fence(seen, ..) => seen.as_mut(),
            _ => None,
        });
        self.names.iter_mut().chain(seen).chain(run)
    }

    /// Whether others serve, and stay, than those that are to go, and the names lead to one that
    /// stays.
    pub fn others_serve(&self, going: &[Id]) -> bool {
        let owned = self.names.as_ref().is_some_and(|names| {
            self.machine(names.owner).lives && !self.machine(names.owner).told.going
        });
        let stays =
            |machine: &Machine| machine.lives && machine.serves.is_some() && !machine.told.going;
        owned
            && self
                .ids()
                .any(|id| !going.contains(&id) && stays(self.machine(id)))
    }

    /// Takes instances away, by an act of ours. That nobody is left is its fault if others served
    /// when it was decided, and none of them was lost in the moment since.
    pub fn terminate(&mut self, by: Actor, ids: &[Id], sure: bool) {
        let owner = self.names.as_ref().map(|names| names.owner);
        let led_to = owner.is_some_and(|owner| ids.contains(&owner) && self.machine(owner).lives);
        let served = self.serving() > 0;
        self.change_fleet(by, |world| {
            ids.iter().for_each(|&id| world.machine_mut(id).end())
        });
        if sure && led_to {
            self.wrong = Some("it ends the instance that the names lead to");
        }
        if sure && served && self.serving() == 0 {
            self.wrong = Some("it leaves nobody serving");
        }
    }

    /// Whoever has chosen already could not know of that.
    pub fn nobody_is_sure(&mut self) {
        self.machines
            .iter_mut()
            .for_each(|machine| machine.sure = false);
        self.run.iter_mut().for_each(|run| run.sure = false);
    }

    /// Without a word to anybody.
    pub fn loses(&mut self, id: Id) {
        self.change_fleet(Actor::Aws, |world| world.machine_mut(id).end());
        self.nobody_is_sure();
    }
}
