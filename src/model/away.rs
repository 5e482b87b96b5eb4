//! The names are led away from instances: by the last act of one that AWS takes away, and by a
//! person, who leads them to the mirror and back.

use super::names::{back, part, to_mirror};
use super::state::{ClaimDecision, Found, Id, RunStep, Up, World};

/// More commands than that at once say nothing more.
const MOST_OFFS: usize = 2;

impl World {
    /// The last act: its batch arrives. One for records that another has changed meanwhile is refused
    /// and changes nothing, so that the look and the batch are one step.
    pub fn parts(&mut self, me: Id) -> bool {
        let decided = part(&self.names, me, &self.living());
        if !self.may_part(me) || !matches!(decided, ClaimDecision::Batch(_)) {
            return false;
        }
        self.carry_out(decided);
        self.machine_mut(me).parted = true;
        true
    }

    /// Its process runs, were it in the middle of a boot.
    fn may_part(&self, me: Id) -> bool {
        let machine = self.machine(me);
        machine.lives && machine.ends && !matches!(machine.up, Up::Crashed | Up::Stopped)
    }

    /// Whether an instance may end, or stop for its end, by now. In its last seconds it takes its
    /// address out of DNS, and a batch that was decided on when it had a minute left has arrived.
    pub fn has_parted(&self, me: Id) -> bool {
        let is_to_part = matches!(
            part(&self.names, me, &self.living()),
            ClaimDecision::Batch(_)
        );
        let submits = matches!(self.machine(me).up, Up::Submits(..));
        let run = self.run.as_ref().map(|run| &run.step);
        let appointed = matches!(run, Some(RunStep::Appoint(asks, ..)) if asks.who() == me);
        let led_back = self.offs.contains(&Found::Serves(me));
        !is_to_part && !submits && !appointed && !led_back
    }

    /// A person leads the names to the mirror: whoever owns them, so that a refused batch is the same
    /// as one that was decided on later.
    pub fn leads_to_mirror(&mut self) -> bool {
        self.carry_out(to_mirror(&self.names))
    }

    /// A person looks for whom the names are led back to: for their owner, or where that is gone for
    /// whoever boots next.
    pub fn begins_off(&mut self) -> bool {
        let found = self.found().filter(|_| self.offs.len() < MOST_OFFS);
        self.offs.extend(found);
        found.is_some()
    }

    /// Whom a person's look finds; none where the owner lives and does not serve, or ends: the person
    /// is told so, and waits.
    fn found(&self) -> Option<Found> {
        let Some(names) = &self.names else {
            return Some(Found::Gone(None));
        };
        let owner = names.owner;
        let machine = self.machine(owner);
        if !machine.lives {
            return Some(Found::Gone(Some(owner)));
        }
        (machine.serves.is_some() && !machine.told.going).then_some(Found::Serves(owner))
    }

    /// The batch of that person arrives, for the names as they are by then. Where they have another
    /// owner than was found, the person looks again.
    pub fn leads_back(&mut self, at: usize) -> bool {
        if at >= self.offs.len() {
            return false;
        }
        let decided = back(&self.names, self.offs.remove(at));
        if !self.carry_out(decided) {
            let again = self.found();
            self.offs.extend(again);
        }
        true
    }
}
