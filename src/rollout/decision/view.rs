//! What a decision is made of: one look at the fleet, and what was seen of instances from outside.

use std::collections::BTreeMap;

use anyhow::Result;

use crate::rollout::members::{Member, WantedRelease, Way, leaving};

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
    /// back: never one that serves and that the names lead to.
    pub fn surplus(self, owners: &[String]) -> Vec<String> {
        let stays = |member: &Member| {
            member.serves() && !member.is_going() && owners.iter().any(|owner| owner == member.id())
        };
        let mut others = self.members.to_vec();
        others.retain(|member| !stays(member));
        let staying = self.members.len() - others.len();
        leaving(
            &others,
            Way::Back,
            (self.target as usize).saturating_sub(staying),
        )
    }
}

/// What was seen of instances from outside, by their ids; an error says what was seen instead.
#[derive(Debug, Default)]
pub struct Looks(BTreeMap<String, Result<(), String>>);

impl Looks {
    pub fn add(&mut self, id: &str, seen: Result<(), String>) {
        self.0.insert(id.to_owned(), seen);
    }

    /// What was seen of an instance, if anybody has looked.
    pub fn at<'m>(&self, member: &'m Member) -> Looked<'m, &Result<(), String>> {
        self.0.get(member.id()).ok_or(LookAt(member))
    }
}

/// A decision, or the look that it needs first.
pub type Looked<'m, T> = Result<T, LookAt<'m>>;

/// An instance that has to be seen from outside before anything can be decided.
#[derive(Debug)]
pub struct LookAt<'m>(pub &'m Member);

/// Decides with one look more each time, until none is needed.
pub async fn decided<'m, T>(
    decide: impl Fn(&Looks) -> Looked<'m, T>,
    look: impl AsyncFn(&'m Member) -> Result<()>,
) -> T {
    let mut looks = Looks::default();
    loop {
        match decide(&looks) {
            Ok(step) => return step,
            Err(LookAt(member)) => {
                let seen = look(member).await;
                looks.add(member.id(), seen.map_err(|error| format!("{error:#}")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{member, view, wanted};
    use super::*;
    use crate::site::report::Phase;

    #[test]
    fn the_surplus_is_never_the_one_that_the_names_lead_to() {
        let wanted = wanted();
        let surplus = |members: &[Member], owner: &str, target| {
            view(members, &wanted, target).surplus(&[owner.to_owned()])
        };
        let members = [
            member("i-1", true, Some(Phase::Serving)),
            member("i-2", true, Some(Phase::StandBy)),
        ];
        assert_eq!(surplus(&members, "i-1", 1), ["i-2"]);
        assert_eq!(surplus(&members, "i-9", 1), ["i-1"]);
        assert!(surplus(&members, "i-1", 2).is_empty());
        let failed = [
            member("i-1", true, Some(Phase::Failed)),
            member("i-2", true, Some(Phase::Serving)),
        ];
        assert_eq!(surplus(&failed, "i-1", 1), ["i-1"]);
    }
}
