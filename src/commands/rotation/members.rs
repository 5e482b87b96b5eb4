//! The fleet's instances as a rotation sees them, and which of them go: a pure function of what they are.

use time::OffsetDateTime;

use crate::site::deploys::Node;
use crate::site::report::{Phase, Said};

/// A living instance of the fleet that is not on its way out.
#[derive(Debug, Clone)]
pub struct Member {
    pub node: Node,
    /// AWS recommends to replace it: for a fleet with capacity rebalancing it no longer counts.
    pub marked: bool,
    /// It was there before the rotation began.
    pub old: bool,
    pub said: Option<Said>,
}

/// What the new instances are to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// As an instance reports it.
    pub version: String,
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

impl Member {
    pub fn id(&self) -> &str {
        &self.node.id
    }

    pub fn serves(&self) -> bool {
        self.said.as_ref().is_some_and(Said::serves)
    }

    /// It serves what the rotation wants, in its trial where it has one.
    pub fn serves_wanted(&self, wanted: &Wanted) -> bool {
        let runs = |said: &Said| said.serves() && said.release.as_deref() == Some(&wanted.version);
        self.said.as_ref().is_some_and(|said| runs(said) && (wanted.trial.is_none() || said.deploy == wanted.trial))
    }
}

/// Whether `needed` new instances serve by now. One that failed fails the rotation: the release it was to run is the only one there is.
pub fn arrived(members: &[Member], wanted: &Wanted, needed: usize) -> Arrival {
    let new = || members.iter().filter(|member| !member.old);
    let failed = new().find_map(|member| {
        let said = member.said.as_ref().filter(|said| said.phase == Phase::Failed)?;
        Some((member, said.error.clone().unwrap_or_else(|| "it does not say why".to_owned())))
    });
    if let Some((member, why)) = failed {
        return Arrival::Failed { instance: member.id().to_owned(), why };
    }
    let serving: Vec<String> = new().filter(|member| member.serves_wanted(wanted)).map(|member| member.id().to_owned()).collect();
    if serving.len() >= needed.max(1) { Arrival::Serving(serving) } else { Arrival::Waiting }
}

/// Which way a rotation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Forward,
    Back,
}

/// Who is to go so that `target` stay: those worth least. What serves is never given up for what does not.
///
/// Forward the new ones are worth most, back the old ones; of equals the one launched last stays.
pub fn leaving(members: &[Member], way: Way, target: usize) -> Vec<String> {
    let worth = |member: &Member| {
        let preferred = member.old == (way == Way::Back);
        // On the way back also an old one that has said nothing yet is worth more than one whose release failed.
        (member.serves(), preferred, !member.marked, launched(member))
    };
    let mut ranked: Vec<&Member> = members.iter().collect();
    ranked.sort_by(|a, b| worth(b).cmp(&worth(a)).then_with(|| b.id().cmp(a.id())));
    ranked.into_iter().skip(target).map(|member| member.id().to_owned()).collect()
}

/// Who of them is left for another batch.
pub fn old_ones(members: &[Member]) -> usize {
    members.iter().filter(|member| member.old).count()
}

/// To whom the names go back: the newest old instance that serves.
pub fn heir(members: &[Member]) -> Option<&Member> {
    members.iter().filter(|member| member.old && member.serves()).max_by_key(|member| launched(member))
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
        let node = Node { id: id.into(), launched: NOW + Duration::minutes(minutes), ipv4: None, ipv6: None };
        let said = phase.map(|phase| Said {
            phase,
            release: Some(if old { "v1" } else { "v2" }.into()),
            deploy: (!old).then(|| "d".into()),
            public_ipv4: None,
            public_ipv6: None,
            updated: NOW,
            chain: None,
            error: (phase == Phase::Failed).then(|| "no module named shop".into()),
        });
        Member { node, marked: false, old, said }
    }

    fn wanted() -> Wanted {
        Wanted { version: "v2".into(), trial: Some("d".into()) }
    }

    #[test]
    fn a_new_instance_has_arrived_when_it_serves_the_release_on_trial() {
        let old = member("i-1", true, Some(Phase::Serving));
        assert_eq!(arrived(std::slice::from_ref(&old), &wanted(), 1), Arrival::Waiting);
        let booting = [old.clone(), member("i-2", false, Some(Phase::Booting))];
        assert_eq!(arrived(&booting, &wanted(), 1), Arrival::Waiting);
        let serving = [old.clone(), member("i-2", false, Some(Phase::Serving))];
        assert_eq!(arrived(&serving, &wanted(), 1), Arrival::Serving(vec!["i-2".into()]));
        assert_eq!(arrived(&serving, &wanted(), 2), Arrival::Waiting);
        let other = Wanted { version: "v3".into(), ..wanted() };
        assert_eq!(arrived(&serving, &other, 1), Arrival::Waiting, "it serves another release");
        let stale = Wanted { trial: Some("another deploy".into()), ..wanted() };
        assert_eq!(arrived(&serving, &stale, 1), Arrival::Waiting, "it is on another run's trial");
    }

    #[test]
    fn a_new_instance_that_failed_fails_the_rotation_and_an_old_one_does_not() {
        let failed = [member("i-1", true, Some(Phase::Serving)), member("i-2", false, Some(Phase::Failed))];
        assert_eq!(arrived(&failed, &wanted(), 1), Arrival::Failed { instance: "i-2".into(), why: "no module named shop".into() });
        let old = [member("i-1", true, Some(Phase::Failed)), member("i-2", false, Some(Phase::Serving))];
        assert_eq!(arrived(&old, &wanted(), 1), Arrival::Serving(vec!["i-2".into()]));
    }

    #[test]
    fn forward_the_old_go_and_back_the_new() {
        let members = [member("i-1", true, Some(Phase::Serving)), member("i-2", false, Some(Phase::Serving))];
        assert_eq!(leaving(&members, Way::Forward, 1), ["i-1"]);
        assert_eq!(leaving(&members, Way::Back, 1), ["i-2"]);
        assert!(leaving(&members, Way::Back, 2).is_empty());
    }

    #[test]
    fn what_serves_is_never_given_up_for_what_does_not() {
        let forward = [member("i-1", true, Some(Phase::Serving)), member("i-2", false, Some(Phase::Booting))];
        assert_eq!(leaving(&forward, Way::Forward, 1), ["i-2"]);
        let back = [member("i-1", true, Some(Phase::Failed)), member("i-2", false, Some(Phase::Serving))];
        assert_eq!(leaving(&back, Way::Back, 1), ["i-1"]);
    }

    #[test]
    fn on_the_way_back_nothing_new_stays_where_the_old_are_enough() {
        let members = [member("i-1", true, None), member("i-2", false, Some(Phase::Failed)), member("i-3", false, None)];
        assert_eq!(leaving(&members, Way::Back, 1), ["i-3", "i-2"]);
    }

    #[test]
    fn of_a_larger_fleet_the_oldest_go_first() {
        let mut members = vec![member("i-1", true, Some(Phase::Serving)), member("i-2", true, Some(Phase::Serving))];
        members.extend([member("i-3", true, Some(Phase::Interrupted)), member("i-4", false, Some(Phase::Serving))]);
        assert_eq!(leaving(&members, Way::Forward, 3), ["i-1"]);
    }

    #[test]
    fn the_names_go_back_to_the_newest_old_instance_that_serves() {
        let mut members = vec![member("i-1", true, Some(Phase::Serving)), member("i-2", true, Some(Phase::StandBy))];
        members.extend([member("i-3", true, Some(Phase::Failed)), member("i-4", false, Some(Phase::Serving))]);
        assert_eq!(heir(&members).map(Member::id), Some("i-2"));
    }
}
