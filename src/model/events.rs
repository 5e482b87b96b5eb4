//! What happens: each event as it changes the world.

use super::Action;
use super::state::{Actor, Hand, Id, LeadsTo, Left, Machine, ModelRelease, Names, Told, Up, World};
use super::world::MOST;
use crate::site::handover::Mark;
use crate::site::report::Phase;

impl World {
    /// As many instances as there are to be, the last of them with the names.
    pub fn begin(target: u8, left: Left) -> Self {
        let phase = |id| {
            if id + 1 == target {
                Phase::Serving
            } else {
                Phase::StandBy
            }
        };
        let machine = |id| Machine {
            up: if id + 1 == target {
                Up::Serving
            } else {
                Up::StandBy
            },
            serves: Some(ModelRelease::Old),
            proven: true,
            told: Told {
                phase: Some(phase(id)),
                release: Some(ModelRelease::Old),
                ..Told::default()
            },
            ..Machine::launched()
        };
        let owner = target - 1;
        let names = Names {
            owner,
            launched: 60 * u32::from(owner),
            generation: 1,
            at_mirror: false,
            leads_to: LeadsTo::Instance(owner),
        };
        Self {
            target,
            machines: (0..target).map(machine).collect(),
            names: Some(names),
            current: ModelRelease::Old,
            served_new: false,
            on_trial: None,
            log: None,
            run: None,
            offs: Vec::new(),
            locked: false,
            left,
            before: None,
            wrong: None,
        }
    }

    /// Whether anything came of it.
    pub fn does(&mut self, action: Action) -> bool {
        match action {
            Action::Launch => self.launches_one(),
            Action::Extra => {
                let some = self.left.takes(|left| &mut left.extras);
                self.change_fleet(Actor::Aws, |world| world.machines.push(Machine::launched()));
                some
            }
            Action::Sweep(id) => self.machine(id).is_resident() && self.sweeps_surplus(id),
            Action::Recommend(id) => {
                self.left.takes(|left| &mut left.recommendations) && self.recommend(id)
            }
            Action::Notice(id) => self.left.takes(|left| &mut left.notices) && self.announce(id),
            Action::Part(id) => self.parts(id),
            Action::Dies(id) => self.dies(id),
            Action::Lost(id) => {
                let lost = self.left.takes(|left| &mut left.losses);
                self.loses(id);
                lost
            }
            Action::Crash(id) => self.left.takes(|left| &mut left.crashes) && self.crash(id),
            Action::Over(id) => {
                let machine = self.machine_mut(id);
                let waits = machine
                    .told
                    .note
                    .is_some_and(|note| note.mark == Mark::Rebalance)
                    && machine.told.note == machine.note;
                let passes = waits && !std::mem::replace(&mut machine.over, true);
                // No answer is that old.
                self.before = self.before.take().filter(|_| !passes);
                passes
            }
            Action::Boot(id) => self.boots(id),
            Action::Tell(id) => self.tells(id),
            Action::Hand(id) => self.machine(id).is_resident() && self.hands_over(id, false),
            Action::HandStale(id) => {
                self.left.takes(|left| &mut left.stale) && self.hands_over(id, true)
            }
            Action::HandFails(id) => {
                let calls = self.machine(id).hand != Hand::Looks;
                self.machine_mut(id).hand = Hand::Looks;
                calls && self.left.takes(|left| &mut left.faults)
            }
            Action::HandUntold(id) => {
                self.left.takes(|left| &mut left.faults) && self.plans_untold(id)
            }
            Action::Leave(id) => self.leaves(id),
            Action::On => self.left.takes(|left| &mut left.ons) && self.leads_to_mirror(),
            Action::Off => self.left.takes(|left| &mut left.offs) && self.begins_off(),
            Action::Back(at) => self.leads_back(at),
            Action::Start => self.starts(),
            Action::Run => self.runs(false),
            Action::RunStale => self.left.takes(|left| &mut left.stale) && self.runs(true),
            Action::RunFails => self.run_fails(),
            Action::TimesOut => self.run_times_out(),
            Action::Kill => {
                self.run.is_some()
                    && self.left.takes(|left| &mut left.kills)
                    && self.run.take().is_some()
            }
            Action::Lapse => {
                let lapses = self.run.is_none() && self.locked;
                if lapses {
                    // Nobody extends what a killed run has on trial.
                    (self.locked, self.on_trial) = (false, None);
                }
                lapses
            }
        }
    }

    fn launches_one(&mut self) -> bool {
        let missing = self.living().len() < usize::from(self.target) && self.launches() < MOST;
        if missing {
            self.change_fleet(Actor::Aws, |world| world.machines.push(Machine::launched()));
        }
        missing
    }

    fn recommend(&mut self, id: Id) -> bool {
        let machine = self.machine_mut(id);
        !machine.ends && !std::mem::replace(&mut machine.recommended, true)
    }

    fn announce(&mut self, id: Id) -> bool {
        self.nobody_is_sure();
        !std::mem::replace(&mut self.machine_mut(id).ends, true)
    }

    fn dies(&mut self, id: Id) -> bool {
        if !self.machine(id).told.going {
            self.nobody_is_sure();
        }
        self.change_fleet(Actor::Aws, |world| world.machine_mut(id).end());
        if self
            .names
            .as_ref()
            .is_some_and(|names| names.instance() == Some(id))
        {
            self.wrong = Some("the names lead to an address that was given up");
        }
        true
    }

    fn crash(&mut self, id: Id) -> bool {
        let machine = self.machine_mut(id);
        // It stands on its disk, too.
        let note = if machine.untold {
            machine.note
        } else {
            machine.told.note
        };
        let runs = !matches!(machine.up, Up::Crashed | Up::Stopped | Up::Failed);
        (
            machine.up,
            machine.hand,
            machine.note,
            machine.over,
            machine.handled,
        ) = (Up::Crashed, Hand::Looks, note, false, false);
        runs
    }
}

impl Left {
    pub fn takes(&mut self, what: impl FnOnce(&mut Self) -> &mut u8) -> bool {
        let left = what(self);
        let some = *left > 0;
        *left = left.saturating_sub(1);
        some
    }
}
