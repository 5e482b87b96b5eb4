//! A world in one line.

use super::state::{Machine, World};
use std::fmt;

/// A line, for a story that went wrong.
impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "target {}", self.target)?;
        for (id, machine) in self.machines.iter().enumerate() {
            let Machine {
                up,
                serves,
                hand,
                note,
                told,
                ends,
                recommended,
                parted,
                ..
            } = machine;
            write!(f, " | i-{id} ")?;
            match (machine.lives, ends, recommended) {
                (false, ..) => write!(f, "gone {:?}", told.note)?,
                (true, ends, recommended) => {
                    write!(
                        f,
                        "{up:?} {serves:?} ends {ends} recommended {recommended} {hand:?} {note:?} parted {parted} told {:?} {:?}",
                        told.phase, told.note
                    )?;
                }
            }
        }
        let names = self.names.as_ref().map(|names| {
            (
                names.owner,
                names.generation,
                names.at_mirror,
                names.leads_to,
            )
        });
        write!(
            f,
            " | names {names:?} | current {:?}, trial {:?} | {:?} {:?} locked {} | {:?}",
            self.current, self.on_trial, self.log, self.run, self.locked, self.offs
        )?;
        self.wrong
            .map_or(Ok(()), |wrong| write!(f, " | WRONG: {wrong}"))
    }
}
