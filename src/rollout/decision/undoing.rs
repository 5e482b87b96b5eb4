//! After a trial that was not passed: whether the place of old instances is made up for before the
//! new ones go.

use super::view::FleetView;
use crate::rollout::members::{Member, lowered, old_ones};

impl FleetView<'_> {
    /// Where AWS takes old instances away in the middle of a trial and nobody has their place who
    /// serves what is current: the target for the fleet to bring others, while the new instances, a
    /// batch of them at the most, stay. `None`: nobody is missing.
    pub fn make_up(self) -> Option<u32> {
        self.wanted.trial.as_ref()?;
        let tried = self.new_ones().filter(|member| !member.is_going()).count();
        let is_interrupted = self
            .members
            .iter()
            .any(|member| member.old && member.is_going());
        let is_missing =
            is_interrupted && tried > 0 && old_ones(self.members) < self.target as usize;
        let tried = u32::try_from(tried).unwrap_or(u32::MAX);
        is_missing.then(|| {
            let room = self.target.saturating_add(tried.min(self.batch));
            lowered(self.members, &[], room)
        })
    }

    /// Whether nobody is missing any more and those that came serve.
    pub fn is_made_up(self) -> bool {
        let serving = self
            .members
            .iter()
            .filter(|member| member.old && !member.is_going() && member.serves());
        let serve =
            serving.count() >= self.target as usize || self.members.iter().all(Member::is_going);
        self.make_up().is_none() && serve
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{interrupted, member, view, wanted};
    use super::*;
    use crate::rollout::members::WantedRelease;
    use crate::site::report::Phase;

    #[test]
    fn on_the_way_back_the_place_of_one_that_aws_takes_away_is_made_up_for() {
        let wanted = wanted();
        let make_up = |members: &[Member], target| view(members, &wanted, target).make_up();
        let alone = interrupted(&["i-1"], &[], &["i-2"]);
        assert_eq!(make_up(&alone, 1), Some(3), "the one that ends counts, too");
        assert_eq!(make_up(&interrupted(&["i-1"], &["i-3"], &["i-2"]), 1), None);
        assert_eq!(
            make_up(&interrupted(&["i-1"], &["i-3", "i-4"], &["i-2"]), 3),
            Some(5)
        );
        let asked_for = [alone.clone(), vec![member("i-3", false, None)]].concat();
        assert_eq!(
            make_up(&asked_for, 1),
            Some(3),
            "by a run that was killed, or just now"
        );
        assert_eq!(
            make_up(&interrupted(&["i-1"], &[], &[]), 1),
            None,
            "it asks for that itself"
        );
        assert_eq!(
            make_up(&interrupted(&[], &[], &["i-2"]), 1),
            None,
            "the fleet replaces what is lost"
        );
        let current = WantedRelease {
            trial: None,
            ..wanted.clone()
        };
        assert_eq!(
            view(&alone, &current, 1).make_up(),
            None,
            "nothing is on trial"
        );
    }

    #[test]
    fn a_place_is_made_up_for_once_as_many_as_the_target_serve_what_is_current() {
        let wanted = wanted();
        let is_made_up = |members: &[Member], target| view(members, &wanted, target).is_made_up();
        let replaced = interrupted(&["i-1"], &["i-3"], &["i-2"]);
        assert!(is_made_up(&replaced, 1) && !is_made_up(&replaced, 2));
        let boots = [
            interrupted(&["i-1"], &[], &["i-2"]),
            vec![member("i-3", true, Some(Phase::Booting))],
        ]
        .concat();
        assert!(!is_made_up(&boots, 1));
        assert!(
            is_made_up(&interrupted(&["i-1"], &[], &[]), 1),
            "AWS takes all away, and nobody is left to wait with"
        );
    }
}
