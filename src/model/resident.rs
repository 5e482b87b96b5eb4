//! What an instance does: it boots, asks for the names, tells of itself, and hands over.

use std::time::Duration;

use super::names::{decide, open, stay};
use super::state::{
    Actor, Asks, ClaimDecision, Hand, Id, ModelRelease, Names, Noted, Told, Up, World, at, between,
    ids, name, small,
};
use super::world::SPARE_FOR;
use crate::site::handover::{FleetAction, Mark, leaves_at, leaves_names, plan, surplus, sweep};
use crate::site::records::later_than;
use crate::site::release::is_since;
use crate::site::report::Phase;

const GRACE: Duration = Duration::from_secs(10);

impl World {
    /// The next step of its boot, or of standing by.
    pub fn boots(&mut self, me: Id) -> bool {
        match self.machine(me).up.clone() {
            Up::Begins if self.left.deploys > 0 || self.log.is_some() => self.chooses(me),
            // Where nothing is ever on trial it does not matter when that was looked at.
            Up::Begins | Up::Proves => {
                let fails = self.left.broken && self.machine(me).release == ModelRelease::New;
                let machine = self.machine_mut(me);
                machine.proven = !fails;
                machine.serves = (!fails).then_some(machine.release);
                machine.up = if fails { Up::Failed } else { Up::Looks };
                self.served_new |= !fails && self.machine(me).release == ModelRelease::New;
                if !fails {
                    self.looks_at_names(me);
                }
            }
            Up::Looks | Up::StandBy => return self.looks_at_names(me),
            Up::Submits(seen, living) => {
                let asks = Asks::Launched(me);
                let ClaimDecision::Batch(batch) = decide(&seen, asks, &living) else {
                    unreachable!("it saw what to change")
                };
                self.takes_in_vain(me);
                self.machine_mut(me).up = if self.submit(batch) {
                    Up::Serving
                } else {
                    Up::Looks
                };
            }
            Up::Crashed => {
                let machine = self.machine_mut(me);
                (machine.up, machine.hand) = (Up::Begins, Hand::Looks);
            }
            // It sees that it was overtaken.
            Up::Serving if self.names.as_ref().is_some_and(|names| names.owner != me) => {
                self.machine_mut(me).up = Up::StandBy
            }
            // Its keeper starts it again and again; what it tries then it finds as the others do.
            Up::Failed if self.on_trial.is_none() => self.machine_mut(me).up = Up::Begins,
            Up::Serving | Up::Failed | Up::Stopped => return false,
        }
        true
    }

    /// Whether anything follows from that.
    fn looks_at_names(&mut self, me: Id) -> bool {
        let parted = self.machine(me).parted;
        let up = match self.answer(me).filter(|_| !parted) {
            None => Up::StandBy,
            Some(ClaimDecision::Unchanged) => Up::Serving,
            Some(_) => Up::Submits(self.names.clone(), self.living_owner()),
        };
        std::mem::replace(&mut self.machine_mut(me).up, up.clone()) != up
    }

    /// A replacement that was asked for only in case leaves the names where they are.
    fn takes_in_vain(&mut self, me: Id) {
        let Some(owner) = self
            .names
            .as_ref()
            .map(|names| names.owner)
            .filter(|&owner| owner != me)
        else {
            return;
        };
        let owner = self.machine(owner);
        let in_case = owner
            .told
            .note
            .is_some_and(|note| note.mark == Mark::Rebalance && me >= note.since);
        let all_is_well = self.log.is_none()
            && self
                .machines
                .iter()
                .all(|machine| machine.lives && !machine.ends);
        if in_case && all_is_well {
            self.wrong = Some("a spare takes the names though nobody ends");
        }
    }

    fn chooses(&mut self, me: Id) {
        let trial = self
            .on_trial
            .is_some_and(|trial| is_since(between(trial.since), at(me)));
        let release = if trial {
            ModelRelease::New
        } else {
            self.current
        };
        let machine = self.machine_mut(me);
        (machine.release, machine.trial, machine.up) = (release, trial, Up::Proves);
    }

    /// `None`: it leaves the names where they are.
    /// The owner, if it lives: a claim by simple routing asks EC2 for no other instance.
    fn living_owner(&self) -> Vec<Id> {
        let owner = self.names.iter().map(|names| names.owner);
        owner.filter(|&id| self.machine(id).lives).collect()
    }

    fn answer(&self, me: Id) -> Option<ClaimDecision> {
        let owner = self
            .names
            .iter()
            .map(|names| names.owner)
            .filter(|&owner| owner != me && self.machine(owner).lives);
        let notes: Vec<_> = owner
            .map(|owner| self.machine(owner).told.note.map(Noted::note))
            .collect();
        let run_lives = self.locked && self.log.as_ref().is_some_and(|log| log.end.is_none());
        let mine = self
            .machine(me)
            .note
            .map(|note| note.mark)
            .or(self.machine(me).mark());
        if leaves_names(at(me), mine, &notes, run_lives) {
            return None;
        }
        Some(decide(&self.names, Asks::Launched(me), &self.living()))
            .filter(|answer| *answer != ClaimDecision::StandBy)
    }

    /// Brings its report up to date.
    pub fn tells(&mut self, me: Id) -> bool {
        let machine = self.machine(me);
        let phase = match machine.up {
            Up::Serving | Up::StandBy | Up::Submits(..)
                if machine.note.is_some_and(|note| note.mark == Mark::Notice) =>
            {
                Phase::Interrupted
            }
            Up::Serving => Phase::Serving,
            Up::StandBy => Phase::StandBy,
            Up::Failed => Phase::Failed,
            // That it boots tells nobody anything.
            Up::Begins | Up::Proves | Up::Looks | Up::Submits(..) | Up::Crashed | Up::Stopped => {
                return false;
            }
        };
        let release = machine.serves.filter(|_| phase != Phase::Failed);
        let told = Told {
            phase: Some(phase),
            release,
            trial: machine.trial,
            note: machine.note,
            settled: None,
            going: machine.note.is_some_and(|note| note.mark == Mark::Notice),
        };
        let changed = machine.told != told;
        if told.going && !machine.told.going {
            self.nobody_is_sure();
        }
        let machine = self.machine_mut(me);
        (machine.told, machine.untold) = (told, false);
        changed
    }

    /// The next step of its handover: what it was told goes into its report before anything is
    /// asked for.
    pub fn hands_over(&mut self, me: Id, stale: bool) -> bool {
        match self.machine(me).hand.clone() {
            Hand::Looks => self.looks(me, stale),
            Hand::Raises(target) => {
                self.machine_mut(me).hand = Hand::Looks;
                self.change_fleet(Actor::Resident(me), |world| {
                    world.target = world.target.max(target)
                });
                true
            }
            Hand::Lowers(target, going) => {
                let noted = self
                    .machine(me)
                    .note
                    .filter(|note| self.machine(me).sure && note.mark == Mark::Notice);
                self.machine_mut(me).hand = if going.is_empty() {
                    Hand::Looks
                } else {
                    Hand::Ends(going)
                };
                self.change_fleet(Actor::Resident(me), |world| {
                    world.target = world.target.min(target)
                });
                let staying = self
                    .machines
                    .iter()
                    .filter(|machine| machine.lives && !machine.told.going)
                    .count();
                if noted.is_some_and(|note| staying < usize::from(note.target)) {
                    self.wrong = Some("it takes back what it has asked for");
                }
                true
            }
            Hand::Fences(target, seen, going) => {
                let youngest = going.iter().copied().max().expect("somebody goes");
                let fenced = self.carry_out(stay(&seen, &going, later_than(at(youngest))));
                let mine = self.names.as_ref().is_some_and(|names| names.owner == me);
                self.machine_mut(me).fenced |= fenced && mine;
                self.machine_mut(me).hand = if fenced {
                    Hand::Lowers(target, going)
                } else {
                    Hand::Looks
                };
                true
            }
            Hand::Opens(seen) => {
                let open = match open(&seen, me) {
                    ClaimDecision::Batch(batch) => self.submit(batch),
                    ClaimDecision::Unchanged | ClaimDecision::StandBy => true,
                };
                let machine = self.machine_mut(me);
                (machine.hand, machine.fenced) = (Hand::Looks, !open);
                true
            }
            Hand::Ends(going) => {
                self.machine_mut(me).hand = Hand::Looks;
                let sure = std::mem::take(&mut self.machine_mut(me).sure);
                self.terminate(Actor::Resident(me), &going, sure);
                true
            }
        }
    }

    fn looks(&mut self, me: Id, stale: bool) -> bool {
        let machine = self.machine(me);
        match (machine.mark(), machine.note) {
            (Some(mark), None) => {
                let since = if mark == Mark::Rebalance {
                    self.launches()
                } else {
                    1
                };
                let left: Vec<_> = self
                    .left_behind(me)
                    .into_iter()
                    .filter_map(|id| self.machine(id).told.note.map(Noted::note))
                    .collect();
                let target = small(
                    self.seen_by(me, stale)
                        .first_note(&left, mark, between(since))
                        .target,
                );
                let machine = self.machine_mut(me);
                (machine.note, machine.over) = (
                    Some(Noted {
                        mark,
                        target,
                        since,
                    }),
                    false,
                );
                true
            }
            (Some(mark), Some(note)) if note.mark != mark => {
                self.machine_mut(me).note = Some(Noted { mark, ..note });
                true
            }
            (_, Some(note)) if machine.told.note.is_some_and(|told| told.mark == note.mark) => {
                self.plans(me, note, stale)
            }
            (None, None) => self.sweeps(me, stale),
            _ => false,
        }
    }

    /// What is urgent does not wait for the bucket.
    pub fn plans_untold(&mut self, me: Id) -> bool {
        let machine = self.machine(me);
        let Some(note) = machine.note.filter(|note| machine.told.note != Some(*note)) else {
            return false;
        };
        let asks = self.plans(me, note, false) && self.machine(me).hand != Hand::Looks;
        self.machine_mut(me).untold |= asks;
        asks
    }

    fn plans(&mut self, me: Id, note: Noted, stale: bool) -> bool {
        let seen = self.seen_by(me, stale);
        let target = small(seen.usual_target(Some(&note.note())));
        if target != note.target {
            // Told at the next occasion, and not waited for.
            self.machine_mut(me).note = Some(Noted { target, ..note });
            return true;
        }
        let owner = self.names.as_ref().map(Names::ownership);
        let kept = owner.is_some_and(|owner| owner.is_kept_for(&name(me), at(me)));
        let run_lives = seen.run.is_some_and(|run| run.lives);
        if note.mark == Mark::Notice && (self.machine(me).fenced || kept && !run_lives) {
            self.machine_mut(me).hand = Hand::Opens(self.names.clone());
            return true;
        }
        let now = between(note.since)
            + if self.machine(me).over {
                SPARE_FOR
            } else {
                Duration::ZERO
            };
        let act = plan(&seen, &note.note(), now, SPARE_FOR);
        let is_short = seen
            .members
            .iter()
            .filter(|member| !seen.is_going(member, Some(&note.note())))
            .count()
            < usize::from(target);
        if note.mark == Mark::Notice
            && act == FleetAction::Wait
            && is_short
            && !stale
            && self.living().len() >= usize::from(self.target)
        {
            self.wrong = Some("it waits for a replacement that nobody is to launch");
            return true;
        }
        if act == FleetAction::Done && note.mark == Mark::Rebalance {
            let machine = self.machine_mut(me);
            (machine.note, machine.handled) = (None, true);
            return true;
        }
        self.begins(me, act)
    }

    /// The gone whose notes nobody has struck out, and those that have stopped for good.
    fn left_behind(&self, me: Id) -> Vec<Id> {
        let is_over = |id: Id| !self.machine(id).lives || self.machine(id).told.has_stopped();
        self.ids()
            .filter(|&id| id != me && is_over(id) && self.machine(id).told.note.is_some())
            .collect()
    }

    /// Once what the gone have left is put right, their notes go.
    fn sweeps(&mut self, me: Id, stale: bool) -> bool {
        let left = self.left_behind(me);
        let over = |id: Id| {
            self.machine(id)
                .told
                .note
                .filter(|_| id != me && self.machine(id).over)
        };
        let over = self
            .living()
            .into_iter()
            .filter_map(over)
            .map(|note| between(note.since) + SPARE_FOR)
            .max();
        if left.is_empty() && over.is_none() {
            return false;
        }
        let now = over.unwrap_or_else(|| between(self.launches()));
        let notes: Vec<_> = left
            .iter()
            .filter_map(|&id| self.machine(id).told.note.map(Noted::note))
            .collect();
        match sweep(&self.seen_by(me, stale), &notes, now, SPARE_FOR) {
            FleetAction::Done if left.is_empty() => return false,
            FleetAction::Done => left
                .into_iter()
                .for_each(|id| self.machine_mut(id).told.note = None),
            act => return self.begins(me, act),
        }
        true
    }

    /// Ends whom nobody has asked for, and nobody has needed since.
    pub fn sweeps_surplus(&mut self, me: Id) -> bool {
        let machine = self.machine(me);
        if machine.hand != Hand::Looks || machine.note.is_some() || machine.mark().is_some() {
            return false;
        }
        let seen = self.seen_by(me, false);
        let going = surplus(&seen);
        !going.is_empty() && self.begins(me, FleetAction::Retire(seen.target, going))
    }

    fn begins(&mut self, me: Id, act: FleetAction) -> bool {
        let hand = match act {
            FleetAction::Wait | FleetAction::Done => return false,
            FleetAction::Raise(target) => Hand::Raises(small(target)),
            FleetAction::Lower(target) => Hand::Lowers(small(target), Vec::new()),
            FleetAction::Retire(target, going) => {
                Hand::Fences(small(target), self.names.clone(), ids(&going))
            }
        };
        let sure = if let Hand::Fences(_, _, going) = &hand {
            self.others_serve(going)
        } else {
            true
        };
        let machine = self.machine_mut(me);
        (machine.sure, machine.hand) = (sure, hand);
        true
    }

    /// It stops, as its end is near, where another has the names.
    pub fn leaves(&mut self, me: Id) -> bool {
        let machine = self.machine(me);
        if machine.told.note.is_none() {
            return false;
        }
        // So late that who has handed over may go, and who has not may not.
        let until = at(u8::MAX);
        let now = until - Duration::from_secs(5) - GRACE;
        let other = self
            .names
            .as_ref()
            .map(|names| names.owner)
            .filter(|&owner| owner != me && self.machine(owner).lives);
        if now < leaves_at(until, other.map(at), GRACE) {
            return false;
        }
        let before = self.serving();
        let note = self.machine(me).note.map(Noted::note);
        let settled = note.is_some_and(|note| {
            plan(&self.seen_by(me, false), &note, note.since, SPARE_FOR) == FleetAction::Done
        });
        let machine = self.machine_mut(me);
        (machine.up, machine.serves, machine.hand) = (Up::Stopped, None, Hand::Looks);
        let (note, settled) = if settled {
            (None, machine.told.note)
        } else {
            (machine.told.note, None)
        };
        machine.told = Told {
            phase: Some(Phase::Stopped),
            release: None,
            note,
            settled,
            ..machine.told.clone()
        };
        if before > 0 && self.serving() == 0 {
            self.wrong = Some("it leaves nobody serving");
        }
        true
    }
}
