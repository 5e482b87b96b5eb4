//! What an instance does: it boots, asks for the names, tells of itself, and hands over.

use std::time::Duration;

use super::names::{Answer, Asks, decide, fence};
use super::world::{Hand, Id, Noted, Release, SPARE_FOR, Told, Up, World, at, between, id, name};
use crate::site::handover::{Act, Mark, is_spare, leaves_at, plan, sweep};
use crate::site::report::Phase;

const GRACE: Duration = Duration::from_secs(10);

impl World {
    /// The next step of its boot, or of standing by.
    pub fn boots(&mut self, me: Id) -> bool {
        match self.machine(me).up.clone() {
            Up::Begins if self.left.deploys > 0 || self.log.is_some() => self.chooses(me),
            // Where nothing is ever on trial it does not matter when that was looked at.
            Up::Begins | Up::Proves => {
                let fails = self.left.broken && self.machine(me).release == Release::New;
                let machine = self.machine_mut(me);
                machine.proven = !fails;
                machine.serves = (!fails).then_some(machine.release);
                machine.up = if fails { Up::Failed } else { Up::Looks };
                self.served_new |= !fails && self.machine(me).release == Release::New;
                if !fails {
                    self.looks_at_names(me);
                }
            }
            Up::Looks | Up::StandBy => return self.looks_at_names(me),
            Up::Submits(seen, living) => {
                let asks = Asks::Launched(me);
                let Answer::Batch(changes) = decide(&seen, asks, &living) else { unreachable!("it saw what to change") };
                self.machine_mut(me).up = if self.submit(&changes) { Up::Serving } else { Up::Looks };
            }
            Up::Crashed => {
                let machine = self.machine_mut(me);
                (machine.up, machine.hand) = (Up::Begins, Hand::Looks);
            }
            // It sees that it was overtaken.
            Up::Serving if self.names.as_ref().is_some_and(|names| names.owner != me) => self.machine_mut(me).up = Up::StandBy,
            // Its keeper starts it again and again; what it tries then it finds as the others do.
            Up::Failed if self.on_trial.is_none() => self.machine_mut(me).up = Up::Begins,
            Up::Serving | Up::Failed | Up::Stopped => return false,
        }
        true
    }

    /// Whether anything follows from that.
    fn looks_at_names(&mut self, me: Id) -> bool {
        let up = match self.answer(me) {
            None => Up::StandBy,
            Some(Answer::Unchanged) => Up::Serving,
            Some(_) => Up::Submits(self.names.clone(), self.living()),
        };
        std::mem::replace(&mut self.machine_mut(me).up, up.clone()) != up
    }

    fn chooses(&mut self, me: Id) {
        // As `Candidate::tries` has it: whoever was launched since the run began.
        let trial = self.on_trial.is_some_and(|trial| at(me) >= between(trial.since));
        let release = if trial { Release::New } else { self.current };
        let machine = self.machine_mut(me);
        (machine.release, machine.trial, machine.up) = (release, trial, Up::Proves);
    }

    /// `None`: it leaves the names where they are.
    fn answer(&self, me: Id) -> Option<Answer> {
        let owner = self.names.iter().map(|names| names.owner).filter(|&owner| owner != me && self.machine(owner).lives);
        let notes: Vec<_> = owner.map(|owner| self.machine(owner).told.note.map(Noted::note)).collect();
        if is_spare(at(me), &notes) {
            return None;
        }
        Some(decide(&self.names, Asks::Launched(me), &self.living())).filter(|answer| *answer != Answer::StandBy)
    }

    /// Brings its report up to date.
    pub fn tells(&mut self, me: Id) -> bool {
        let machine = self.machine(me);
        let phase = match machine.up {
            Up::Serving | Up::StandBy | Up::Submits(..) if machine.note.is_some_and(|note| note.mark == Mark::Notice) => Phase::Interrupted,
            Up::Begins | Up::Proves | Up::Looks => Phase::Booting,
            Up::Submits(..) => return false,
            Up::Serving => Phase::Serving,
            Up::StandBy => Phase::StandBy,
            Up::Failed => Phase::Failed,
            Up::Crashed | Up::Stopped => return false,
        };
        let release = machine.serves.filter(|_| phase != Phase::Booting && phase != Phase::Failed);
        let told = Told { phase: Some(phase), release, trial: machine.trial, note: machine.note };
        let changed = machine.told != told && machine.up != Up::Begins;
        self.machine_mut(me).told = told;
        changed
    }

    /// The next step of its handover: what it was told goes into its report before anything is asked for.
    pub fn hands_over(&mut self, me: Id, stale: bool) -> bool {
        match self.machine(me).hand.clone() {
            Hand::Looks => self.looks(me, stale),
            Hand::Raises(target) => {
                self.machine_mut(me).hand = Hand::Looks;
                self.change_fleet(|world| world.target = world.target.max(target));
                true
            }
            Hand::Lowers(target, going) => {
                self.machine_mut(me).hand = if going.is_empty() { Hand::Looks } else { Hand::Ends(going) };
                self.change_fleet(|world| world.target = world.target.min(target));
                true
            }
            Hand::Fences(target, seen, going) => {
                let fenced = fence(&seen, &going, self.launches()).is_some_and(|changes| self.submit(&changes));
                self.machine_mut(me).hand = if fenced { Hand::Lowers(target, going) } else { Hand::Looks };
                true
            }
            Hand::Ends(going) => {
                self.machine_mut(me).hand = Hand::Looks;
                let sure = std::mem::take(&mut self.machine_mut(me).sure);
                self.terminate(&going, sure);
                true
            }
        }
    }

    fn looks(&mut self, me: Id, stale: bool) -> bool {
        let machine = self.machine(me);
        match (machine.mark(), machine.note) {
            (Some(mark), note) if note.is_none_or(|note| note.mark != mark) => {
                let since = if mark == Mark::Rebalance { self.launches() } else { 1 };
                let target = note.map_or_else(|| self.seen_by(me, stale).usual_target(None).try_into().expect("it is small"), |n| n.target);
                let machine = self.machine_mut(me);
                (machine.note, machine.over) = (Some(Noted { mark, target, since }), false);
                true
            }
            (_, Some(note)) if machine.told.note == Some(note) => self.plans(me, note, stale),
            (None, None) => self.sweeps(me, stale),
            _ => false,
        }
    }

    fn plans(&mut self, me: Id, note: Noted, stale: bool) -> bool {
        let now = between(note.since) + if self.machine(me).over { SPARE_FOR } else { Duration::ZERO };
        let act = plan(&self.seen_by(me, stale), &note.note(), now, SPARE_FOR);
        if act == Act::Done && note.mark == Mark::Rebalance {
            let machine = self.machine_mut(me);
            (machine.note, machine.handled) = (None, true);
            return true;
        }
        self.begins(me, act)
    }

    /// Once what the gone have left is put right, their notes go.
    fn sweeps(&mut self, me: Id, stale: bool) -> bool {
        let gone: Vec<Id> = self.ids().filter(|&id| !self.machine(id).lives && self.machine(id).told.note.is_some()).collect();
        let seen = self.seen_by(me, stale);
        if gone.is_empty() || seen.run.is_some() || !seen.owners.contains(&name(me)) || self.machine(me).up != Up::Serving {
            return false;
        }
        let notes: Vec<_> = gone.iter().filter_map(|&id| self.machine(id).told.note.map(Noted::note)).collect();
        if let Some(act) = sweep(&seen, &notes) {
            return self.begins(me, act);
        }
        let settled = seen.members.iter().all(|member| member.note.is_none()) && !stale;
        if settled {
            gone.into_iter().for_each(|id| self.machine_mut(id).told.note = None);
        }
        settled
    }

    fn begins(&mut self, me: Id, act: Act) -> bool {
        let small = |target: u32| u8::try_from(target).expect("it is small");
        let hand = match act {
            Act::Wait | Act::Done => return false,
            Act::Raise(target) => Hand::Raises(small(target)),
            Act::Lower(target) => Hand::Lowers(small(target), Vec::new()),
            Act::Retire(target, ids) => Hand::Fences(small(target), self.names.clone(), ids.iter().map(|name| id(name)).collect()),
        };
        let sure = if let Hand::Fences(_, _, going) = &hand { self.others_serve(going) } else { false };
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
        let other = self.names.as_ref().map(|names| names.owner).filter(|&owner| owner != me && self.machine(owner).lives);
        if now < leaves_at(until, other.map(at), GRACE) {
            return false;
        }
        let before = self.serving();
        let machine = self.machine_mut(me);
        (machine.up, machine.serves) = (Up::Stopped, None);
        if before > 0 && self.serving() == 0 {
            self.wrong = Some("it leaves nobody serving");
        }
        true
    }
}
