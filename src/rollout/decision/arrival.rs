//! Whether the instances that are to come are there, and what is done until they are: new ones, and
//! on the way back others that serve what is current.

use super::view::FleetView;
use crate::rollout::members::{Member, lowered, old_ones};
use crate::site::deploys::Stage;
use crate::site::report::Phase;

/// What a rotation does that waits for new instances.
#[derive(Debug, PartialEq, Eq)]
pub enum ArrivalStep {
    /// The ids of the new instances, which serve what they are to serve.
    Serving(Vec<String>),
    Failed {
        instance: String,
        why: String,
    },
    /// The id of the last old instance: AWS takes it away, so a trial could not be undone.
    NobodyToGoBackTo(String),
    /// Replacements of old instances have taken the new ones' places.
    ClearSurplus,
    /// Asks the fleet for this target, also where that was done before: an earlier look may have
    /// shown instances that were gone.
    Raise(u32),
}

impl<'m> FleetView<'m> {
    /// Waits for `needed` new instances. One that failed fails the rotation: the release it was to
    /// run is the only one there is.
    pub fn arrival(self, stage: Stage, needed: usize) -> ArrivalStep {
        if let Some(last) = self
            .nobody_to_go_back_to()
            .filter(|_| stage == Stage::Trial)
        {
            return ArrivalStep::NobodyToGoBackTo(last.id().to_owned());
        }
        if let Some((member, error)) = self.new_ones().find_map(failure) {
            return ArrivalStep::Failed {
                instance: member.id().to_owned(),
                why: error.unwrap_or("it does not say why").to_owned(),
            };
        }
        let serving: Vec<String> = self
            .new_ones()
            .filter(|member| member.serves_wanted(self.wanted))
            .map(|member| member.id().to_owned())
            .collect();
        if serving.len() >= needed.max(1) {
            return ArrivalStep::Serving(serving);
        }
        let is_full = old_ones(self.members) > self.target as usize;
        if is_full && self.members.iter().all(|member| member.old) {
            ArrivalStep::ClearSurplus
        } else {
            ArrivalStep::Raise(self.raised())
        }
    }

    /// The target for the fleet to have room for one batch more. Where instances are missing already
    /// the fleet brings new ones by itself; no more come than there are old ones to replace.
    pub fn raised(self) -> u32 {
        let count = |instances: usize| u32::try_from(instances).unwrap_or(u32::MAX);
        let staying = self.members.iter().filter(|member| !member.is_going());
        let batch = self.batch.min(count(old_ones(self.members)));
        let room = self
            .target
            .max(count(staying.count()).min(self.target) + batch);
        lowered(self.members, &[], room)
    }

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

    pub fn new_ones(self) -> impl Iterator<Item = &'m Member> {
        self.members.iter().filter(|member| !member.old)
    }

    /// The last old instance that AWS takes away, where none stays that could have the names back,
    /// and no new one serves. Where nothing is on trial a new instance is its replacement, whoever
    /// asked for that.
    fn nobody_to_go_back_to(self) -> Option<&'m Member> {
        self.wanted.trial.as_ref()?;
        let stays = |member: &Member| {
            !member.is_going()
                && (member.old && member.serves() || member.serves_wanted(self.wanted))
        };
        self.members
            .iter()
            .rfind(|member| member.old && member.is_going())
            .filter(|_| !self.members.iter().any(stays))
    }
}

/// With the instance's own word for why it failed.
fn failure(member: &Member) -> Option<(&Member, Option<&str>)> {
    let said = member
        .said
        .as_ref()
        .filter(|said| said.phase == Phase::Failed)?;
    Some((member, said.error.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{interrupted, member, view, wanted};
    use super::*;
    use crate::rollout::members::WantedRelease;

    fn arrival(members: &[Member], wanted: &WantedRelease, needed: usize) -> ArrivalStep {
        view(members, wanted, 1).arrival(Stage::Trial, needed)
    }

    #[test]
    fn a_new_instance_has_arrived_when_it_serves_the_release_on_trial() {
        let old = member("i-1", true, Some(Phase::Serving));
        let alone = std::slice::from_ref(&old);
        assert_eq!(arrival(alone, &wanted(), 1), ArrivalStep::Raise(2));
        let booting = [old.clone(), member("i-2", false, Some(Phase::Booting))];
        assert_eq!(arrival(&booting, &wanted(), 1), ArrivalStep::Raise(2));
        let serving = [old.clone(), member("i-2", false, Some(Phase::Serving))];
        assert_eq!(
            arrival(&serving, &wanted(), 1),
            ArrivalStep::Serving(vec!["i-2".into()])
        );
        assert_eq!(arrival(&serving, &wanted(), 2), ArrivalStep::Raise(2));
        let other = WantedRelease {
            version: Some("v3".into()),
            ..wanted()
        };
        assert_eq!(
            arrival(&serving, &other, 1),
            ArrivalStep::Raise(2),
            "it serves another release"
        );
        let stale = WantedRelease {
            trial: Some("another deploy".into()),
            ..wanted()
        };
        assert_eq!(
            arrival(&serving, &stale, 1),
            ArrivalStep::Raise(2),
            "it is on another run's trial"
        );
    }

    #[test]
    fn at_least_one_has_to_arrive_whatever_is_needed() {
        let alone = [member("i-1", true, Some(Phase::Serving))];
        assert_eq!(arrival(&alone, &wanted(), 0), ArrivalStep::Raise(2));
    }

    #[test]
    fn a_new_instance_that_failed_fails_the_rotation_and_an_old_one_does_not() {
        let failed = [
            member("i-1", true, Some(Phase::Serving)),
            member("i-2", false, Some(Phase::Failed)),
            member("i-3", false, Some(Phase::Serving)),
        ];
        assert_eq!(
            arrival(&failed, &wanted(), 1),
            ArrivalStep::Failed {
                instance: "i-2".into(),
                why: "no module named shop".into()
            }
        );
        let old = [
            member("i-1", true, Some(Phase::Failed)),
            member("i-2", false, Some(Phase::Serving)),
        ];
        assert_eq!(
            arrival(&old, &wanted(), 1),
            ArrivalStep::Serving(vec!["i-2".into()])
        );
    }

    #[test]
    fn replacements_of_old_instances_make_room_for_new_ones() {
        let replaced = interrupted(&["i-1"], &["i-2", "i-3"], &[]);
        assert_eq!(arrival(&replaced, &wanted(), 1), ArrivalStep::ClearSurplus);
        for members in [
            interrupted(&["i-1"], &["i-2"], &[]),
            interrupted(&[], &["i-1", "i-2"], &["i-3"]),
        ] {
            assert_ne!(arrival(&members, &wanted(), 2), ArrivalStep::ClearSurplus);
        }
    }

    #[test]
    fn a_trial_ends_when_aws_takes_away_the_last_instance_to_go_back_to() {
        let is_over = |members: &[Member], wanted: &WantedRelease, stage| {
            let step = view(members, wanted, 1).arrival(stage, 1);
            step == ArrivalStep::NobodyToGoBackTo("i-1".into())
        };
        let booting = [
            interrupted(&["i-1"], &[], &[]),
            vec![member("i-2", false, Some(Phase::Booting))],
        ]
        .concat();
        assert!(is_over(&booting, &wanted(), Stage::Trial));
        assert!(!is_over(&booting, &wanted(), Stage::Forward));
        for (members, why) in [
            (interrupted(&["i-1"], &["i-2"], &[]), "an old one stays"),
            (interrupted(&["i-1"], &[], &["i-3"]), "the new one serves"),
            (interrupted(&[], &["i-1"], &[]), "AWS takes nobody away"),
        ] {
            assert!(!is_over(&members, &wanted(), Stage::Trial), "{why}");
        }
        let current = WantedRelease {
            trial: None,
            ..wanted()
        };
        assert!(
            !is_over(&booting, &current, Stage::Trial),
            "it runs what is current"
        );
    }

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
