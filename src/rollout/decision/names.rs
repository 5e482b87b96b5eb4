//! The names go on from instances that are to go: to whom, and as of when.

use time::OffsetDateTime;

use super::view::{FleetView, Looked, Looks};
use crate::rollout::members::Member;
use crate::site::records::later_than;

/// The instances that may get the names, the best first.
#[derive(Debug)]
pub struct Heirs<'m> {
    members: Vec<&'m Member>,
    /// The newest launch of an instance that is to leave the names to the heir.
    newest: Option<OffsetDateTime>,
}

impl<'m> FleetView<'m> {
    /// Chooses who may have the names when a trial is undone: old instances, and where no new one
    /// answers even those that AWS takes away. `None`: the names stay.
    pub fn give_back(self, owners: &[String], looks: &Looks) -> Looked<'m, Option<Heirs<'m>>> {
        let members = heirs(self.members, owners);
        if members.iter().all(|heir| heir.is_going()) && self.new_one_answers(owners, looks)? {
            return Ok(None);
        }
        let launches = self.new_ones().chain(members.iter().copied());
        let newest = launches.map(|member| member.node.launched).max();
        Ok(Some(Heirs { members, newest }))
    }

    /// Whether one of the new instances answers. One that has taken the names over has proven
    /// itself, though it may not have come to say so.
    pub fn new_one_answers(self, owners: &[String], looks: &Looks) -> Looked<'m, bool> {
        for new in self.new_ones() {
            if new.has_just_proven_itself(owners) || new.serves() && looks.at(new)?.is_ok() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Chooses who may have the names once old instances serve again, where their owner ends, is
    /// gone, or is one of the new ones. `None`: the names stay.
    pub fn give_on(self, owners: &[String]) -> Option<Heirs<'m>> {
        let mut members = heirs(self.members, owners);
        members.retain(|heir| !heir.is_going());
        let leaves = owners.iter().any(|owner| gives_on(self.members, owner));
        (leaves && !members.is_empty()).then(|| Heirs::of(members))
    }

    /// Chooses who may have the names before `going` go, where their owner is one of those: the
    /// newest instance that stays comes first. `None`: the names stay.
    pub fn pass_on(self, owners: &[String], going: &[String]) -> Option<Heirs<'m>> {
        let stays = |member: &&Member| {
            member.serves() && !member.is_going() && !going.contains(&member.node.id)
        };
        let mut members: Vec<&Member> = self.members.iter().filter(stays).collect();
        members.sort_by_key(|member| std::cmp::Reverse(member.node.launched));
        let leaves = owners.iter().any(|owner| going.contains(owner));
        leaves.then(|| Heirs::of(members))
    }
}

impl<'m> Heirs<'m> {
    fn of(members: Vec<&'m Member>) -> Self {
        let newest = members.iter().map(|member| member.node.launched).max();
        Self { members, newest }
    }

    /// The first that is seen to serve. Where none is, CI may be what cannot see: then the first is
    /// taken at its word, unless AWS takes it away, as it may have stopped since.
    pub fn first_answering(&self, looks: &Looks) -> Looked<'m, Option<&'m Member>> {
        for heir in self.members.iter().copied() {
            if looks.at(heir)?.is_ok() {
                return Ok(Some(heir));
            }
        }
        let first = self.members.first().copied();
        Ok(first.filter(|heir| !heir.is_going()))
    }

    /// The launch time that the ownership record tells of `heir`: whoever was launched before
    /// stands by. The replacement of an heir that AWS takes away may be on its way, and is to get
    /// the names from it; the instances that are there are not.
    pub fn appointed_at(&self, heir: &Member, now: OffsetDateTime) -> OffsetDateTime {
        match self.newest.map(later_than) {
            Some(later) if heir.is_going() => later,
            later => later.map_or(now, |later| later.max(now)),
        }
    }
}

/// To whom the names may go back, the best first: old instances that serve. Who has them keeps
/// them, one that AWS takes away comes last, and of equals the newest comes first.
fn heirs<'m>(members: &'m [Member], owners: &[String]) -> Vec<&'m Member> {
    let worth = |member: &Member| {
        (
            !member.is_going(),
            owners.iter().any(|owner| owner == member.id()),
            member.node.launched,
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
fn gives_on(members: &[Member], owner: &str) -> bool {
    let owner = members.iter().find(|member| member.id() == owner);
    owner.is_none_or(|owner| owner.is_going() || !owner.old && owner.serves())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixtures::{NOW, interrupted, looks, member, view, wanted};
    use super::super::view::LookAt;
    use super::*;
    use crate::site::report::Phase;

    fn ids(members: &[&Member]) -> Vec<String> {
        members
            .iter()
            .map(|member| member.id().to_owned())
            .collect()
    }

    /// Whom the names go to, or who is to be looked at.
    fn chosen(looked: Looked<'_, Option<&Member>>) -> String {
        match looked {
            Err(LookAt(member)) => format!("look at {}", member.id()),
            Ok(heir) => heir.map_or("nobody", Member::id).to_owned(),
        }
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
        let heirs = |owner: &str| ids(&heirs(&members, &[owner.to_owned()]));
        assert_eq!(heirs("i-4"), ["i-2", "i-1", "i-5"]);
        assert_eq!(heirs("i-1"), ["i-1", "i-2", "i-5"]);
    }

    #[test]
    fn the_names_go_on_from_one_that_ends_or_that_goes_back() {
        let mut members = interrupted(&["i-1"], &["i-2"], &["i-3"]);
        members.push(member("i-4", false, Some(Phase::Booting)));
        let wanted = wanted();
        let gives_on = |owner: &str| view(&members, &wanted, 1).give_on(&[owner.to_owned()]);
        for owner in ["i-1", "i-3", "i-0 that is gone"] {
            let heirs = gives_on(owner).expect(owner);
            assert_eq!(ids(&heirs.members), ["i-2"], "from {owner}");
        }
        assert!(gives_on("i-2").is_none());
        assert!(
            gives_on("i-4").is_none(),
            "it may be a replacement that has yet to say so"
        );
        let alone = interrupted(&["i-1"], &[], &["i-3"]);
        let view = view(&alone, &wanted, 1);
        assert!(view.give_on(&["i-1".into()]).is_none(), "to nobody");
    }

    #[test]
    fn names_are_passed_on_to_the_newest_that_serves_and_stays() {
        let mut members = interrupted(&["i-3"], &["i-1", "i-2", "i-4"], &[]);
        members.push(member("i-5", false, Some(Phase::Booting)));
        let wanted = wanted();
        let pass_on = |owner: &str, going: &[&str]| {
            let going: Vec<String> = going.iter().map(|&id| id.to_owned()).collect();
            view(&members, &wanted, 1).pass_on(&[owner.to_owned()], &going)
        };
        let heirs = pass_on("i-4", &["i-4"]).expect("its owner goes");
        assert_eq!(ids(&heirs.members), ["i-2", "i-1"]);
        assert!(pass_on("i-1", &["i-4"]).is_none());
        let nobody = pass_on("i-1", &["i-1", "i-2", "i-4"]).expect("its owner goes");
        assert!(nobody.members.is_empty());
    }

    #[test]
    fn the_first_that_is_seen_to_serve_gets_the_names() {
        let members = interrupted(&["i-3"], &["i-1", "i-2"], &[]);
        let wanted = wanted();
        let Ok(Some(heirs)) =
            view(&members, &wanted, 1).give_back(&["i-9".into()], &looks(&[], &[]))
        else {
            panic!("old ones stay")
        };
        let chosen = |answering: &[&str], silent: &[&str]| {
            chosen(heirs.first_answering(&looks(answering, silent)))
        };
        assert_eq!(chosen(&[], &[]), "look at i-2");
        assert_eq!(chosen(&["i-2"], &[]), "i-2");
        assert_eq!(chosen(&[], &["i-2"]), "look at i-1");
        assert_eq!(chosen(&["i-1"], &["i-2"]), "i-1");
        assert_eq!(
            chosen(&[], &["i-1", "i-2", "i-3"]),
            "i-2",
            "taken at its word"
        );
    }

    #[test]
    fn an_instance_that_ends_and_does_not_answer_gets_no_names() {
        let members = interrupted(&["i-1"], &[], &[]);
        let heirs = Heirs::of(members.iter().collect());
        assert_eq!(
            chosen(heirs.first_answering(&looks(&[], &["i-1"]))),
            "nobody"
        );
        let none = Heirs::of(Vec::new());
        assert_eq!(chosen(none.first_answering(&looks(&[], &[]))), "nobody");
    }

    #[test]
    fn names_are_given_back_to_an_instance_that_ends_only_from_nobody() {
        let wanted = wanted();
        let give_back = |members: &[Member], owners: &[&str], looks: &Looks| {
            let owners: Vec<String> = owners.iter().map(|&id| id.to_owned()).collect();
            match view(members, &wanted, 1).give_back(&owners, looks) {
                Err(LookAt(new)) => format!("look at {}", new.id()),
                Ok(None) => "keep".into(),
                Ok(Some(heirs)) => ids(&heirs.members).join(" "),
            }
        };
        let unseen = looks(&[], &[]);
        let ends = interrupted(&["i-1"], &[], &["i-2"]);
        assert_eq!(give_back(&ends, &["i-2"], &unseen), "look at i-2");
        assert_eq!(give_back(&ends, &["i-2"], &looks(&["i-2"], &[])), "keep");
        assert_eq!(give_back(&ends, &["i-2"], &looks(&[], &["i-2"])), "i-1");
        let stays = interrupted(&["i-1"], &["i-3"], &["i-2"]);
        assert_eq!(give_back(&stays, &["i-2"], &unseen), "i-3 i-1");
    }

    #[test]
    fn a_new_instance_answers_when_it_is_seen_to_or_has_just_taken_the_names() {
        let mut members = interrupted(&[], &["i-1"], &["i-2"]);
        members.push(member("i-3", false, Some(Phase::Booting)));
        let wanted = wanted();
        let answers = |owner: &str, looks: &Looks| {
            view(&members, &wanted, 1).new_one_answers(&[owner.to_owned()], looks)
        };
        let unseen = looks(&[], &[]);
        assert!(answers("i-1", &unseen).is_err_and(|LookAt(new)| new.id() == "i-2"));
        assert!(answers("i-1", &looks(&["i-2"], &[])).unwrap());
        let silent = looks(&[], &["i-2"]);
        assert!(!answers("i-1", &silent).unwrap());
        assert!(answers("i-3", &silent).unwrap());
    }

    #[test]
    fn names_are_appointed_as_of_now_but_to_an_instance_that_ends_only_just_after_the_others() {
        let members = interrupted(&["i-1"], &["i-2"], &["i-3"]);
        let wanted = wanted();
        let Ok(Some(heirs)) =
            view(&members, &wanted, 1).give_back(&["i-3".into()], &looks(&[], &[]))
        else {
            panic!("old ones stay")
        };
        let newest = members[2].node.launched;
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        let appointed = |heir: usize, now| heirs.appointed_at(&members[heir], now);
        assert_eq!(appointed(1, newest + hour), newest + hour);
        assert_eq!(
            appointed(1, NOW - hour),
            newest + second,
            "by a clock that is slow"
        );
        assert_eq!(appointed(0, newest + hour), newest + second);
    }
}
