//! The fleet's instances as a rotation sees them, and which of them go: a pure function of what
//! they are.

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

/// How the new instances do.
#[derive(Debug, PartialEq, Eq)]
pub enum Arrival {
    /// These serve what they are to serve.
    Serving(Vec<String>),
    Waiting,
    Failed {
        instance: String,
        why: String,
    },
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

    /// It has stopped for good: nobody brings the fleet back on its behalf any more.
    pub fn has_stopped(&self) -> bool {
        self.is_going()
            && self
                .said
                .as_ref()
                .is_some_and(|said| said.phase == Phase::Stopped)
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

/// Whether `needed` new instances serve by now. One that failed fails the rotation: the release it
/// was to run is the only one there is.
pub fn arrived(members: &[Member], wanted: &WantedRelease, needed: usize) -> Arrival {
    let new = || members.iter().filter(|member| !member.old);
    let failed = new().find_map(|member| {
        let said = member
            .said
            .as_ref()
            .filter(|said| said.phase == Phase::Failed)?;
        Some((
            member,
            said.error
                .clone()
                .unwrap_or_else(|| "it does not say why".to_owned()),
        ))
    });
    if let Some((member, why)) = failed {
        return Arrival::Failed {
            instance: member.id().to_owned(),
            why,
        };
    }
    let serving: Vec<String> = new()
        .filter(|member| member.serves_wanted(wanted))
        .map(|member| member.id().to_owned())
        .collect();
    if serving.len() >= needed.max(1) {
        Arrival::Serving(serving)
    } else {
        Arrival::Waiting
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
    let sees_to_it = |member: &&Member| member.is_going() && !member.has_stopped();
    let ending = members
        .iter()
        .filter(sees_to_it)
        .filter(|member| !going.iter().any(|id| id == member.id()));
    target.saturating_add(u32::try_from(ending.count()).unwrap_or(u32::MAX))
}

/// The target for the fleet to have room for `batch` new instances more. Where instances are
/// missing already the fleet brings new ones by itself; no more come than there are old ones to
/// replace.
pub fn raised(members: &[Member], target: u32, batch: u32) -> u32 {
    let count = |instances: usize| u32::try_from(instances).unwrap_or(u32::MAX);
    let staying = count(members.iter().filter(|member| !member.is_going()).count());
    lowered(
        members,
        &[],
        target.max(staying.min(target) + batch.min(count(old_ones(members)))),
    )
}

/// The last old instance that AWS takes away, where none stays that could have the names back, and
/// no new one serves. Where nothing is on trial a new one is its replacement, whoever asked for
/// that.
pub fn nobody_to_go_back_to<'m>(
    members: &'m [Member],
    wanted: &WantedRelease,
) -> Option<&'m Member> {
    wanted.trial.as_ref()?;
    let stays = |member: &Member| {
        !member.is_going() && (member.old && member.serves() || member.serves_wanted(wanted))
    };
    members
        .iter()
        .rfind(|member| member.old && member.is_going())
        .filter(|_| !members.iter().any(stays))
}

/// On the way back, where AWS takes old instances away whose place nobody has who serves what is
/// current: the target for the fleet to bring others, while the new ones, a `batch` of them at the
/// most, stay. `None`: nobody is missing.
pub fn made_up(members: &[Member], target: u32, batch: u32) -> Option<u32> {
    let old = old_ones(members);
    let tried = members
        .iter()
        .filter(|member| !member.old && !member.is_going())
        .count();
    let is_interrupted = members.iter().any(|member| member.old && member.is_going());
    let is_missing = is_interrupted && tried > 0 && old < target as usize;
    let tried = u32::try_from(tried).unwrap_or(u32::MAX);
    is_missing.then(|| lowered(members, &[], target.saturating_add(tried.min(batch))))
}

/// Who goes before a rotation begins, as there are more than the target: never one that serves and
/// that the names lead to.
pub fn surplus(members: &[Member], owners: &[String], target: usize) -> Vec<String> {
    let stays = |member: &&Member| {
        member.serves() && !member.is_going() && owners.iter().any(|owner| owner == member.id())
    };
    let others: Vec<Member> = members
        .iter()
        .filter(|member| !stays(member))
        .cloned()
        .collect();
    leaving(
        &others,
        Way::Back,
        target.saturating_sub(members.len() - others.len()),
    )
}

/// Whether nobody new is there or to come, as the places of the fleet are taken by replacements of
/// old ones.
pub fn replaced_only(members: &[Member], target: usize) -> bool {
    members.iter().all(|member| member.old) && old_ones(members) > target
}

/// Who of them is left for another batch.
pub fn old_ones(members: &[Member]) -> usize {
    members
        .iter()
        .filter(|member| member.old && !member.is_going())
        .count()
}

/// To whom the names may go back, the best first: old instances that serve. Who has them keeps
/// them, one that AWS takes away comes last, and of equals the newest comes first.
pub fn heirs<'m>(members: &'m [Member], owners: &[String]) -> Vec<&'m Member> {
    let worth = |member: &Member| {
        (
            !member.is_going(),
            owners.iter().any(|owner| owner == member.id()),
            launched(member),
        )
    };
    let mut heirs: Vec<&Member> = members
        .iter()
        .filter(|member| member.old && member.serves())
        .collect();
    heirs.sort_by_key(|member| std::cmp::Reverse(worth(member)));
    heirs
}

/// Whether the names are not to stay with `owner` where an old instance serves: it ends, is gone,
/// or is one of those that go back.
pub fn gives_on(members: &[Member], owner: &str) -> bool {
    let owner = members.iter().find(|member| member.id() == owner);
    owner.is_none_or(|owner| owner.is_going() || !owner.old && owner.serves())
}

fn launched(member: &Member) -> OffsetDateTime {
    member.node.launched
}

#[cfg(test)]
mod tests {
    use time::Duration;
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn member(id: &str, old: bool, phase: Option<Phase>) -> Member {
        let minutes = id.bytes().last().map_or(0, i64::from);
        let node = Node {
            id: id.into(),
            launched: NOW + Duration::minutes(minutes),
            ipv4: None,
            ipv6: None,
        };
        let said = phase.map(|phase| InstanceReport {
            release: Some(if old { "v1" } else { "v2" }.into()),
            deploy: (!old).then(|| "d".into()),
            until: (phase == Phase::Interrupted).then_some(NOW),
            error: (phase == Phase::Failed).then(|| "no module named shop".into()),
            ..InstanceReport::bare(phase, NOW)
        });
        Member {
            node,
            marked: false,
            old,
            said,
        }
    }

    fn wanted() -> WantedRelease {
        WantedRelease {
            version: Some("v2".into()),
            trial: Some("d".into()),
        }
    }

    #[test]
    fn a_new_instance_has_arrived_when_it_serves_the_release_on_trial() {
        let old = member("i-1", true, Some(Phase::Serving));
        assert_eq!(
            arrived(std::slice::from_ref(&old), &wanted(), 1),
            Arrival::Waiting
        );
        let booting = [old.clone(), member("i-2", false, Some(Phase::Booting))];
        assert_eq!(arrived(&booting, &wanted(), 1), Arrival::Waiting);
        let serving = [old.clone(), member("i-2", false, Some(Phase::Serving))];
        assert_eq!(
            arrived(&serving, &wanted(), 1),
            Arrival::Serving(vec!["i-2".into()])
        );
        assert_eq!(arrived(&serving, &wanted(), 2), Arrival::Waiting);
        let other = WantedRelease {
            version: Some("v3".into()),
            ..wanted()
        };
        assert_eq!(
            arrived(&serving, &other, 1),
            Arrival::Waiting,
            "it serves another release"
        );
        let stale = WantedRelease {
            trial: Some("another deploy".into()),
            ..wanted()
        };
        assert_eq!(
            arrived(&serving, &stale, 1),
            Arrival::Waiting,
            "it is on another run's trial"
        );
    }

    #[test]
    fn a_new_instance_that_failed_fails_the_rotation_and_an_old_one_does_not() {
        let failed = [
            member("i-1", true, Some(Phase::Serving)),
            member("i-2", false, Some(Phase::Failed)),
        ];
        assert_eq!(
            arrived(&failed, &wanted(), 1),
            Arrival::Failed {
                instance: "i-2".into(),
                why: "no module named shop".into()
            }
        );
        let old = [
            member("i-1", true, Some(Phase::Failed)),
            member("i-2", false, Some(Phase::Serving)),
        ];
        assert_eq!(
            arrived(&old, &wanted(), 1),
            Arrival::Serving(vec!["i-2".into()])
        );
    }

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

    /// Old ones that AWS takes away and that stay, and new ones, by their ids.
    fn interrupted(going: &[&str], old: &[&str], new: &[&str]) -> Vec<Member> {
        let all = |ids: &[&str], old, phase| {
            ids.iter()
                .map(|id| member(id, old, Some(phase)))
                .collect::<Vec<_>>()
        };
        [
            all(going, true, Phase::Interrupted),
            all(old, true, Phase::Serving),
            all(new, false, Phase::Serving),
        ]
        .concat()
    }

    #[test]
    fn one_that_aws_takes_away_is_not_counted_among_those_that_stay() {
        let replaced = interrupted(&["i-1"], &["i-2"], &[]);
        assert!(
            surplus(&replaced, &["i-1".into()], 1).is_empty(),
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
        assert_eq!(raised(&members, 1, 1), 3);
        assert_eq!(
            raised(&interrupted(&["i-1"], &[], &[]), 1, 1),
            2,
            "its replacement, and no more"
        );
        assert_eq!(raised(&interrupted(&[], &["i-1"], &[]), 1, 1), 2);
        assert_eq!(raised(&interrupted(&[], &["i-1"], &["i-2"]), 1, 1), 2);
    }

    #[test]
    fn replacements_of_old_ones_can_take_all_places() {
        assert!(replaced_only(
            &interrupted(&["i-1"], &["i-2", "i-3"], &[]),
            1
        ));
        assert!(!replaced_only(&interrupted(&["i-1"], &["i-2"], &[]), 1));
        assert!(!replaced_only(
            &interrupted(&[], &["i-1", "i-2"], &["i-3"]),
            1
        ));
    }

    #[test]
    fn a_trial_ends_when_aws_takes_away_the_last_instance_to_go_back_to() {
        let last = |members: &[Member]| {
            nobody_to_go_back_to(members, &wanted()).map(|member| member.id().to_owned())
        };
        let booting = [
            interrupted(&["i-1"], &[], &[]),
            vec![member("i-2", false, Some(Phase::Booting))],
        ]
        .concat();
        assert_eq!(last(&booting).as_deref(), Some("i-1"));
        assert_eq!(last(&interrupted(&["i-1"], &["i-2"], &[])), None);
        assert_eq!(
            last(&interrupted(&["i-1"], &[], &["i-3"])),
            None,
            "the new one serves"
        );
        assert_eq!(last(&interrupted(&[], &["i-1"], &[])), None);
        assert_eq!(
            nobody_to_go_back_to(
                &booting,
                &WantedRelease {
                    trial: None,
                    ..wanted()
                }
            )
            .map(Member::id),
            None,
            "it runs what is current"
        );
    }

    #[test]
    fn on_the_way_back_the_place_of_one_that_aws_takes_away_is_made_up_for() {
        let alone = interrupted(&["i-1"], &[], &["i-2"]);
        assert_eq!(
            made_up(&alone, 1, 1),
            Some(3),
            "the one that ends counts, too"
        );
        assert_eq!(
            made_up(&interrupted(&["i-1"], &["i-3"], &["i-2"]), 1, 1),
            None
        );
        assert_eq!(
            made_up(&interrupted(&["i-1"], &["i-3", "i-4"], &["i-2"]), 3, 1),
            Some(5)
        );
        let asked_for = [alone, vec![member("i-3", false, None)]].concat();
        assert_eq!(
            made_up(&asked_for, 1, 1),
            Some(3),
            "by a run that was killed, or just now"
        );
        assert_eq!(
            made_up(&interrupted(&["i-1"], &[], &[]), 1, 1),
            None,
            "it asks for that itself"
        );
        assert_eq!(
            made_up(&interrupted(&[], &[], &["i-2"]), 1, 1),
            None,
            "the fleet replaces what is lost"
        );
    }

    #[test]
    fn the_names_go_back_to_who_has_them_else_to_the_newest_old_instance_that_serves() {
        let mut members = vec![
            member("i-1", true, Some(Phase::Serving)),
            member("i-2", true, Some(Phase::StandBy)),
        ];
        members.extend([
            member("i-3", true, Some(Phase::Failed)),
            member("i-4", false, Some(Phase::Serving)),
        ]);
        members.push(member("i-5", true, Some(Phase::Interrupted)));
        let heirs = |owner: &str| {
            heirs(&members, &[owner.to_owned()])
                .into_iter()
                .map(Member::id)
                .collect::<Vec<_>>()
        };
        assert_eq!(heirs("i-4"), ["i-2", "i-1", "i-5"]);
        assert_eq!(heirs("i-1"), ["i-1", "i-2", "i-5"]);
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
    fn the_names_go_on_from_one_that_ends_or_that_goes_back() {
        let mut members = interrupted(&["i-1"], &["i-2"], &["i-3"]);
        members.push(member("i-4", false, Some(Phase::Booting)));
        let gives_on = |owner: &str| gives_on(&members, owner);
        assert!(gives_on("i-1") && gives_on("i-3") && gives_on("i-0 that is gone"));
        assert!(
            !gives_on("i-2") && !gives_on("i-4"),
            "which may be a replacement that has yet to say so"
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

    #[test]
    fn the_surplus_is_never_the_one_that_the_names_lead_to() {
        let members = [
            member("i-1", true, Some(Phase::Serving)),
            member("i-2", true, Some(Phase::StandBy)),
        ];
        assert_eq!(surplus(&members, &["i-1".into()], 1), ["i-2"]);
        assert_eq!(surplus(&members, &["i-9".into()], 1), ["i-1"]);
        assert!(surplus(&members, &["i-1".into()], 2).is_empty());
        let failed = [
            member("i-1", true, Some(Phase::Failed)),
            member("i-2", true, Some(Phase::Serving)),
        ];
        assert_eq!(surplus(&failed, &["i-1".into()], 1), ["i-1"]);
    }
}
