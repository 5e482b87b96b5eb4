//! Whether the new instances are there, and what is done until they are.

use super::view::FleetView;
use crate::rollout::members::{Member, raised, replaced_only};
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
        if replaced_only(self.members, self.target as usize) {
            ArrivalStep::ClearSurplus
        } else {
            ArrivalStep::Raise(self.raised())
        }
    }

    /// The target for the fleet to have room for one batch more.
    pub fn raised(self) -> u32 {
        raised(self.members, self.target, self.batch)
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
            version: "v3".into(),
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
}
