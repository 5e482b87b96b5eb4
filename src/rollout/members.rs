//! The fleet's instances as a rotation sees them, and which of them go: a pure function of what
//! they are. What serves is never given up for what does not (invariant I4 of
//! docs/ARCHITECTURE.md).

use time::OffsetDateTime;

use crate::site::deploys::Node;
use crate::site::release::version_word;
use crate::site::report::{InstanceReport, Phase};

/// A living instance of the fleet that is not on its way out.
#[derive(Debug, Clone)]
pub struct Member {
    pub node: Node,
    /// AWS recommends to replace it: for a fleet with capacity rebalancing it no longer counts.
    pub marked: bool,
    /// It is to be replaced: see [`is_old`].
    pub old: bool,
    pub said: Option<InstanceReport>,
}

/// What the new instances are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WantedRelease {
    /// `None`: the site has no releases.
    pub version: Option<String>,
    /// The deploy whose trial it is; `None` to rotate onto what is current.
    pub trial: Option<String>,
}

impl WantedRelease {
    /// The version as an instance reports it.
    pub fn version_word(&self) -> &str {
        version_word(self.version.as_deref())
    }

    /// Whether an instance serves it, in its trial where it has one.
    pub fn is_served_by(&self, said: &InstanceReport) -> bool {
        said.serves()
            && said.release.as_deref() == Some(self.version_word())
            && (self.trial.is_none() || said.deploy == self.trial)
    }
}

impl Member {
    pub fn id(&self) -> &str {
        &self.node.id
    }

    /// The version that it says it serves; empty: none.
    pub fn release(&self) -> &str {
        let said = self.said.as_ref();
        said.and_then(|said| said.release.as_deref())
            .unwrap_or_default()
    }

    pub fn serves(&self) -> bool {
        self.said.as_ref().is_some_and(InstanceReport::serves)
    }

    /// AWS has announced its end: it is none of those that stay, and sees itself to its
    /// replacement.
    pub fn is_going(&self) -> bool {
        self.said.as_ref().is_some_and(InstanceReport::is_going)
    }

    /// Whoever has taken the names over has proven itself, though it may not have come to say so.
    pub fn has_just_proven_itself(&self, owners: &[String]) -> bool {
        let boots = self
            .said
            .as_ref()
            .is_none_or(|said| said.phase == Phase::Booting);
        boots && owners.iter().any(|owner| owner == self.id())
    }

    /// It serves what the rotation wants, in its trial where it has one.
    pub fn serves_wanted(&self, wanted: &WantedRelease) -> bool {
        self.said
            .as_ref()
            .is_some_and(|said| wanted.is_served_by(said))
    }
}

/// Whether an instance is one that the rotation replaces. `before`: it was there when that began,
/// as far as two clocks tell.
///
/// What it says of itself counts for more: one on this run's trial is new, however early it was
/// launched; and one that came since and serves something else, as it chose its release before
/// there was a candidate, has to be replaced like the others.
pub fn is_old(
    before: bool,
    said: Option<&InstanceReport>,
    run: &str,
    wanted: &WantedRelease,
) -> bool {
    match said {
        Some(said) if said.deploy.as_deref() == Some(run) => false,
        Some(said) if said.serves() && said.release.as_deref() != Some(wanted.version_word()) => {
            true
        }
        _ => before,
    }
}

/// Which way a rotation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Forward,
    Back,
}

/// Who is to go so that `target` stay: those worth least. What serves is never given up for what
/// does not.
///
/// Forward the new ones are worth most, back the old ones; of equals the one launched last stays.
/// One that AWS takes away is no longer one of those that stay; it goes with those that are given
/// up, old ones forward and new ones back, once enough stay.
pub fn leaving(members: &[Member], way: Way, target: usize) -> Vec<String> {
    let worth = |member: &Member| {
        let preferred = member.old == (way == Way::Back);
        // On the way back also an old one that has said nothing yet is worth more than one whose
        // release failed.
        (member.serves(), preferred, !member.marked, launched(member))
    };
    let (ending, mut ranked): (Vec<&Member>, Vec<&Member>) =
        members.iter().partition(|member| member.is_going());
    ranked.sort_by(|a, b| worth(b).cmp(&worth(a)).then_with(|| b.id().cmp(a.id())));
    let stay = ranked
        .iter()
        .filter(|member| way == Way::Forward || member.serves())
        .count();
    let ending = ending
        .into_iter()
        .filter(|member| stay >= target && member.old == (way == Way::Forward));
    ranked
        .into_iter()
        .skip(target)
        .chain(ending)
        .map(|member| member.id().to_owned())
        .collect()
}

/// The target for the fleet once those of `going` have left it: each other instance that AWS takes
/// away still counts for the fleet, and not for the site; it lowers the target itself when it is
/// replaced.
pub fn lowered(members: &[Member], going: &[String], target: u32) -> u32 {
    let sees_to_it = |member: &&Member| {
        let said = member.said.as_ref();
        said.is_some_and(|said| said.is_going() && !said.has_stopped())
    };
    let ending = members
        .iter()
        .filter(sees_to_it)
        .filter(|member| !going.iter().any(|id| id == member.id()));
    target.saturating_add(u32::try_from(ending.count()).unwrap_or(u32::MAX))
}

/// Who of them is left for another batch.
pub fn old_ones(members: &[Member]) -> usize {
    members
        .iter()
        .filter(|member| member.old && !member.is_going())
        .count()
}

fn launched(member: &Member) -> OffsetDateTime {
    member.node.launched
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::decision::fixtures::{interrupted, member, view, wanted};

    #[test]
    fn forward_the_old_go_and_back_the_new() {
        let members = [
            member("i-1", true, Some(Phase::Serving)),
            member("i-2", false, Some(Phase::Serving)),
        ];
        assert_eq!(leaving(&members, Way::Forward, 1), ["i-1"]);
        assert_eq!(leaving(&members, Way::Back, 1), ["i-2"]);
        assert!(leaving(&members, Way::Back, 2).is_empty());
    }

    #[test]
    fn what_serves_is_never_given_up_for_what_does_not() {
        let forward = [
            member("i-1", true, Some(Phase::Serving)),
            member("i-2", false, Some(Phase::Booting)),
        ];
        assert_eq!(leaving(&forward, Way::Forward, 1), ["i-2"]);
        let back = [
            member("i-1", true, Some(Phase::Failed)),
            member("i-2", false, Some(Phase::Serving)),
        ];
        assert_eq!(leaving(&back, Way::Back, 1), ["i-1"]);
    }

    #[test]
    fn on_the_way_back_nothing_new_stays_where_the_old_are_enough() {
        let members = [
            member("i-1", true, None),
            member("i-2", false, Some(Phase::Failed)),
            member("i-3", false, None),
        ];
        assert_eq!(leaving(&members, Way::Back, 1), ["i-3", "i-2"]);
    }

    #[test]
    fn of_a_larger_fleet_the_oldest_go_first() {
        let mut members = vec![
            member("i-1", true, Some(Phase::Serving)),
            member("i-2", true, Some(Phase::Serving)),
        ];
        members.extend([
            member("i-3", true, Some(Phase::Interrupted)),
            member("i-4", false, Some(Phase::Serving)),
        ]);
        assert_eq!(leaving(&members, Way::Forward, 2), ["i-1", "i-3"]);
    }

    #[test]
    fn one_that_aws_takes_away_is_not_counted_among_those_that_stay() {
        let replaced = interrupted(&["i-1"], &["i-2"], &[]);
        assert!(
            view(&replaced, &wanted(), 1)
                .surplus(&["i-1".into()])
                .is_empty(),
            "its replacement is no surplus"
        );
        assert!(
            leaving(&interrupted(&["i-1"], &[], &["i-2"]), Way::Back, 1).is_empty(),
            "nobody would be left"
        );
        assert_eq!(
            leaving(&interrupted(&["i-1"], &["i-3"], &["i-2"]), Way::Back, 1),
            ["i-2"]
        );
        assert_eq!(
            leaving(&interrupted(&["i-1"], &[], &["i-2"]), Way::Forward, 1),
            ["i-1"]
        );
        assert!(leaving(&interrupted(&["i-1"], &[], &[]), Way::Forward, 1).is_empty());
        let mut on_trial = interrupted(&["i-2"], &["i-1"], &[]);
        on_trial[0].old = false;
        assert_eq!(
            leaving(&on_trial, Way::Back, 1),
            ["i-2"],
            "it goes with its trial"
        );
        assert_eq!(old_ones(&replaced), 1);
    }

    #[test]
    fn the_target_has_room_for_those_that_aws_takes_away() {
        let members = interrupted(&["i-1"], &["i-2"], &[]);
        assert_eq!(
            (
                lowered(&members, &[], 1),
                lowered(&members, &["i-1".into()], 1)
            ),
            (2, 1)
        );
        let raised = |members: &[Member]| view(members, &wanted(), 1).raised();
        assert_eq!(raised(&members), 3);
        assert_eq!(
            raised(&interrupted(&["i-1"], &[], &[])),
            2,
            "its replacement, and no more"
        );
        assert_eq!(raised(&interrupted(&[], &["i-1"], &[])), 2);
        assert_eq!(raised(&interrupted(&[], &["i-1"], &["i-2"])), 2);
    }

    #[test]
    fn whoever_has_the_names_has_proven_itself_before_it_says_so() {
        let booting = member("i-2", false, Some(Phase::Booting));
        assert!(
            booting.has_just_proven_itself(&["i-2".into()])
                && !booting.has_just_proven_itself(&["i-1".into()])
        );
        assert!(member("i-2", false, None).has_just_proven_itself(&["i-2".into()]));
        assert!(
            !member("i-2", false, Some(Phase::Failed)).has_just_proven_itself(&["i-2".into()]),
            "it has turned out otherwise since"
        );
    }

    #[test]
    fn what_an_instance_says_of_itself_tells_whether_it_is_replaced() {
        let told = |id: &str, old: bool, phase| member(id, old, Some(phase)).said;
        let is_old =
            |before, said: Option<InstanceReport>| is_old(before, said.as_ref(), "d", &wanted());
        assert!(is_old(true, None) && !is_old(false, None));
        let tried = told("i-2", false, Phase::Serving);
        assert!(
            !is_old(true, tried),
            "on trial, though it is in the list of those that were there"
        );
        let missed = told("i-3", true, Phase::Serving);
        assert!(
            is_old(false, missed),
            "it came since and serves what was current"
        );
        let booting = InstanceReport {
            release: None,
            deploy: None,
            ..told("i-4", false, Phase::Booting).unwrap()
        };
        assert!(!is_old(false, Some(booting)));
    }
}
