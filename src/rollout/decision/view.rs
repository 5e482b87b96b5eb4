//! What a decision is made of: one look at the fleet, and what was seen of instances from outside.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::rollout::members::{Member, WantedRelease, surplus};

/// One look at the fleet of a rotation.
#[derive(Debug, Clone, Copy)]
pub struct FleetView<'m> {
    /// The living instances that are not on their way out.
    pub members: &'m [Member],
    pub wanted: &'m WantedRelease,
    /// The number of instances that the site is to have.
    pub target: u32,
    /// The number of new instances that come at once.
    pub batch: u32,
}

impl FleetView<'_> {
    /// The ids of the instances beyond the target, which go before new ones come, and on the way
    /// back. An owner of the names that serves stays.
    pub fn surplus(self, owners: &[String]) -> Vec<String> {
        surplus(self.members, owners, self.target as usize)
    }
}

/// What was seen of instances from outside, by their ids; an error says what was seen instead.
#[derive(Debug, Default)]
pub struct Looks(BTreeMap<String, Result<(), String>>);

impl Looks {
    pub fn add(&mut self, id: &str, seen: Result<(), String>) {
        self.0.insert(id.to_owned(), seen);
    }

    /// `None`: nobody has looked at the instance yet.
    pub fn at(&self, member: &Member) -> Option<&Result<(), String>> {
        self.0.get(member.id())
    }
}

/// A decision, or the look that it needs first.
#[derive(Debug)]
pub enum Looked<'m, T> {
    At(&'m Member),
    Decided(T),
}

/// Decides with one look more each time, until none is needed.
pub async fn decided<'m, T>(
    mut looks: Looks,
    decide: impl Fn(&Looks) -> Looked<'m, T>,
    look: impl AsyncFn(&'m Member) -> Result<()>,
) -> T {
    loop {
        match decide(&looks) {
            Looked::Decided(step) => return step,
            Looked::At(member) => {
                let seen = look(member).await;
                looks.add(member.id(), seen.map_err(|error| format!("{error:#}")));
            }
        }
    }
}
