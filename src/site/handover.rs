//! An instance that AWS takes away, or may: what it asks of its fleet, and who has the names
//! meanwhile. Pure functions of what was observed.
//!
//! Nobody ends itself, and nobody who serves the names is ended (invariant I4 of
//! docs/ARCHITECTURE.md). What an instance has asked for stands in its report, as a [`Note`],
//! before it asks: whoever is left then knows what the target was.

mod surplus;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use time::OffsetDateTime;

pub use super::note::{Mark, Note};
pub use surplus::{SurplusWatch, surplus};

/// The fleet as the instance sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seen {
    pub me: String,
    pub target: u32,
    /// The largest target that the fleet takes, where it has one.
    pub max: Option<u32>,
    /// Listed by the fleet and not on their way out; also this instance, as long as it is, and
    /// living ones that a group has let go.
    pub members: Vec<Neighbour>,
    /// Others that have stopped for good: the fleet counts them until AWS ends them.
    pub stopped: u32,
    /// Those whom the names lead to.
    pub owners: Vec<String>,
    /// A rotation that has not ended.
    pub run: Option<OpenRotation>,
}

/// A living instance of the fleet, as another instance sees it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Neighbour {
    pub id: String,
    pub launched: OffsetDateTime,
    /// Its fleet counts it.
    pub listed: bool,
    /// From its report.
    pub note: Option<Note>,
}

/// A rotation by CI, as its log and its lock tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OpenRotation {
    /// The target that it started from and goes back to.
    pub target: u32,
    /// It keeps its lock; else it was killed, and the next one ends it.
    pub lives: bool,
}

/// What the members of a fleet, and CI, have said in the bucket.
#[derive(Debug, Default)]
pub struct BucketView {
    /// When the instances were launched in their own words, by which they claim the names.
    pub launched: BTreeMap<String, OffsetDateTime>,
    /// The open notes, by the ids of the instances that wrote them.
    pub notes: BTreeMap<String, Note>,
    /// The ids of those that have stopped for good, as AWS ends them.
    pub stopped: BTreeSet<String>,
    pub run: Option<OpenRotation>,
}

/// What an instance changes at its fleet when AWS announces an end.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum FleetAction {
    /// Nothing to do now; look again.
    Wait,
    Raise(u32),
    /// Back to this target; nobody ends for it.
    Lower(u32),
    /// Back to this target, and these end: they were asked for and are not needed.
    Retire(u32, Vec<String>),
    /// As it is to be: a replacement is there and the target is where it was.
    Done,
}

impl Seen {
    /// Puts together what the fleet shows to `me` and what was said in the bucket; without the
    /// owners of the names. `members` have no notes yet.
    pub fn of(
        me: String,
        (target, max): (u32, Option<u32>),
        mut members: Vec<Neighbour>,
        said: &BucketView,
    ) -> Self {
        let has_stopped = |member: &Neighbour| member.id != me && said.stopped.contains(&member.id);
        let counted = |member: &&Neighbour| member.listed && has_stopped(member);
        let stopped = Self::count(members.iter().filter(counted));
        members.retain(|member| !has_stopped(member));
        for member in &mut members {
            member.note = said.notes.get(&member.id).copied();
            if let Some(launched) = said.launched.get(&member.id) {
                member.launched = *launched;
            }
        }
        Self {
            me,
            target,
            max,
            members,
            stopped,
            owners: Vec::new(),
            run: said.run,
        }
    }

    /// The target without what was raised for instances that go, or for a rotation.
    pub fn usual_target(&self, mine: Option<&Note>) -> u32 {
        let others = self
            .members
            .iter()
            .filter(|member| member.id != self.me)
            .filter_map(|member| member.note.as_ref());
        // What was noted while the bucket did not answer may be a target that a rotation, or
        // another, had raised already. Nobody lowers it below the usual one: where it is lower than
        // what was noted, that was read from an answer that was old.
        let mine = mine.map(|note| note.target.min(self.target));
        let run = self.run.map(|run| run.target);
        others
            .map(|note| note.target)
            .chain(mine)
            .chain(run)
            .min()
            .unwrap_or(self.target)
    }

    /// The note to begin with. `left`: those of instances that are gone, whose raise was perhaps
    /// never taken back.
    pub fn first_note(&self, left: &[Note], mark: Mark, since: OffsetDateTime) -> Note {
        let usual = self.usual_target(None);
        let target = if self.run.is_some() {
            usual
        } else {
            left.iter().map(|note| note.target).fold(usual, u32::min)
        };
        Note {
            mark,
            target,
            since,
        }
    }

    /// Whether AWS has announced this member's end. `mine` is the deciding instance's own note,
    /// which may be newer than its report.
    pub fn is_going(&self, member: &Neighbour, mine: Option<&Note>) -> bool {
        let note = if member.id == self.me {
            mine
        } else {
            member.note.as_ref()
        };
        note.is_some_and(|note| note.mark == Mark::Notice)
    }

    /// Whether the group takes nobody beyond those whom it counts, so that a replacement comes only
    /// once one of them has ended.
    pub fn is_full(&self) -> bool {
        let listed = self.members.iter().filter(|member| member.listed);
        let counted = Self::count(listed) + self.stopped;
        self.max.is_some_and(|max| max <= counted)
    }

    fn count(members: impl Iterator) -> u32 {
        u32::try_from(members.count()).unwrap_or(u32::MAX)
    }
}

/// What an instance with a mark does about its fleet. `spare_for`: how long a replacement that was
/// prepared for a recommendation stays where no notice follows.
///
/// A recommendation leads to one instance more, whoever else got one. A notice leads to one for
/// each instance that ends; those no longer count as capacity. While a rotation lives, it alone
/// lowers the target and ends instances.
pub fn plan(seen: &Seen, mine: &Note, now: OffsetDateTime, spare_for: Duration) -> FleetAction {
    let counts = Counts::of(seen, mine);
    let run_lives = seen.run.is_some_and(|run| run.lives);
    match mine.mark {
        Mark::Notice if counts.staying < counts.usual => raise(seen, counts.usual + counts.taken),
        Mark::Notice if run_lives => FleetAction::Wait,
        Mark::Notice => end_notice(seen, &counts),
        // Whoever goes brings the target back to what it was.
        Mark::Rebalance if run_lives || counts.going > 0 && mine.is_over(now, spare_for) => {
            FleetAction::Wait
        }
        Mark::Rebalance if mine.is_over(now, spare_for) => end_recommendation(seen, &counts),
        Mark::Rebalance if counts.staying <= counts.usual => {
            raise(seen, counts.usual + counts.taken + 1)
        }
        Mark::Rebalance => FleetAction::Wait,
    }
}

/// The members of a fleet, counted by what becomes of them.
struct Counts {
    /// The target without replacements.
    usual: u32,
    going: u32,
    staying: u32,
    /// Places that the fleet fills only once their instances have ended.
    taken: u32,
    /// Another instance has asked for a replacement because of a recommendation.
    others_prepare: bool,
}

impl Counts {
    fn of(seen: &Seen, mine: &Note) -> Self {
        let is_going = |member: &&Neighbour| seen.is_going(member, Some(mine));
        let going = Seen::count(seen.members.iter().filter(is_going));
        let listed = seen.members.iter().filter(|member| member.listed);
        Self {
            usual: seen.usual_target(Some(mine)),
            going,
            staying: Seen::count(seen.members.iter()) - going,
            taken: Seen::count(listed.filter(is_going)) + seen.stopped,
            others_prepare: seen.members.iter().any(|member| {
                member.id != seen.me && member.note.is_some_and(|note| note.mark == Mark::Rebalance)
            }),
        }
    }
}

fn raise(seen: &Seen, to: u32) -> FleetAction {
    let to = seen.max.map_or(to, |max| to.min(max));
    if seen.target < to {
        FleetAction::Raise(to)
    } else {
        FleetAction::Wait
    }
}

/// Enough instances stay without the one that AWS ends.
fn end_notice(seen: &Seen, counts: &Counts) -> FleetAction {
    let rest = counts.usual + u32::from(counts.others_prepare);
    match seen.target > rest {
        true => FleetAction::Lower(rest),
        // One too many is the next owner's to end, and a target that another is to lower may be
        // left to it: either finds the note.
        false if counts.staying > rest || seen.target > counts.usual => FleetAction::Wait,
        false => FleetAction::Done,
    }
}

/// The recommendation came to nothing.
fn end_recommendation(seen: &Seen, counts: &Counts) -> FleetAction {
    let usual = counts.usual;
    // An instance that lost the names ends nobody: their owner does.
    if !seen.owners.contains(&seen.me) {
        return match seen.target > usual || counts.staying > usual {
            true => FleetAction::Wait,
            false => FleetAction::Done,
        };
    }
    let spares = if counts.others_prepare {
        Vec::new()
    } else {
        spares(seen, usual)
    };
    match (
        seen.target > usual && !counts.others_prepare,
        spares.is_empty(),
    ) {
        (_, false) => FleetAction::Retire(usual, spares),
        (true, true) => FleetAction::Lower(usual),
        (false, true) => FleetAction::Done,
    }
}

/// Who goes so that `target` stay: the youngest, never one that has the names, nor the one that
/// asks.
fn spares(seen: &Seen, target: u32) -> Vec<String> {
    beyond(seen, target, |member| member.note.is_none())
}

/// Of those that may go, first whom AWS recommends to replace.
fn beyond(seen: &Seen, target: u32, may_go: impl Fn(&Neighbour) -> bool) -> Vec<String> {
    let others = |member: &&Neighbour| member.id != seen.me && !seen.owners.contains(&member.id);
    let mut going: Vec<&Neighbour> = seen
        .members
        .iter()
        .filter(others)
        .filter(|member| may_go(member))
        .collect();
    let worth = |member: &Neighbour| (member.note.is_none(), std::cmp::Reverse(member.launched));
    going.sort_by(|a, b| worth(a).cmp(&worth(b)).then_with(|| b.id.cmp(&a.id)));
    let surplus = seen.members.len().saturating_sub(target as usize);
    going
        .into_iter()
        .take(surplus)
        .map(|member| member.id.clone())
        .collect()
}

/// What the owner of the names does about what instances have left behind that are gone, or that no
/// longer have the names when their recommendation came to nothing: `notes` of the former, each
/// with a target that was never lowered again, it may be. [`FleetAction::Wait`]: it is not for this
/// instance to do, or not now.
pub fn sweep(seen: &Seen, notes: &[Note], now: OffsetDateTime, spare_for: Duration) -> FleetAction {
    let is_marked = |member: &Neighbour| {
        member
            .note
            .is_some_and(|note| member.id == seen.me || !note.is_over(now, spare_for))
    };
    if seen.run.is_some() || !seen.owners.contains(&seen.me) || seen.members.iter().any(is_marked) {
        return FleetAction::Wait;
    }
    let over = seen
        .members
        .iter()
        .filter_map(|member| member.note.as_ref());
    let Some(usual) = notes.iter().chain(over).map(|note| note.target).min() else {
        return FleetAction::Done;
    };
    let going = beyond(seen, usual, |_| true);
    match (seen.target > usual, going.is_empty()) {
        (_, false) => FleetAction::Retire(usual, going),
        (true, true) => FleetAction::Lower(usual),
        (false, true) => FleetAction::Done,
    }
}

/// Whether an instance that could have the names leaves them where they are: it ends itself, and
/// one of `others` does not, or it [`is_spare`] and no rotation has asked for it. `others` as
/// there.
pub fn leaves_names(
    launched: OffsetDateTime,
    mine: Option<Mark>,
    others: &[Option<Note>],
    run_lives: bool,
) -> bool {
    let somebody_stays = others
        .iter()
        .any(|note| note.is_none_or(|note| note.mark != Mark::Notice));
    mine == Some(Mark::Notice) && somebody_stays || !run_lives && is_spare(launched, others)
}

/// Whether an instance that has just booted leaves the names where they are: those who have them
/// asked for it only in case. `others`: the notes of the living instances that the names lead to.
pub fn is_spare(launched: OffsetDateTime, others: &[Option<Note>]) -> bool {
    let waits = |note: &Note| {
        note.mark == Mark::Rebalance && launched + Duration::from_secs(1) > note.since
    };
    !others.is_empty()
        && others.iter().flatten().any(waits)
        && others
            .iter()
            .flatten()
            .all(|note| note.mark == Mark::Rebalance)
}

/// So long before its end everything of an instance is stopped.
pub const LAST: Duration = Duration::from_secs(5);

/// When an instance that ends at `until` begins to stop. Where another has had the names since
/// `taken_over`, its clients get `grace` to leave; where nobody has, it serves to the last.
pub fn leaves_at(
    until: OffsetDateTime,
    taken_over: Option<OffsetDateTime>,
    grace: Duration,
) -> OffsetDateTime {
    match taken_over {
        Some(_) => until - LAST - grace,
        None => until - LAST - Duration::from_secs(1),
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
    const SPARE_FOR: Duration = Duration::from_secs(1800);

    fn member(id: &str, note: Option<Note>) -> Neighbour {
        Neighbour {
            id: id.into(),
            launched: datetime!(2026-11-21 10:00 UTC),
            listed: true,
            note,
        }
    }

    fn later(id: &str) -> Neighbour {
        Neighbour {
            launched: NOW,
            ..member(id, None)
        }
    }

    fn note(mark: Mark, target: u32) -> Note {
        Note {
            mark,
            target,
            since: NOW,
        }
    }

    fn seen(target: u32, members: Vec<Neighbour>) -> Seen {
        Seen {
            me: "i-1".into(),
            target,
            max: None,
            members,
            stopped: 0,
            owners: vec!["i-1".into()],
            run: None,
        }
    }

    fn act(seen: &Seen, mark: Mark) -> FleetAction {
        plan(seen, &note(mark, 1), NOW, SPARE_FOR)
    }

    #[test]
    fn what_the_bucket_says_is_put_beside_what_the_fleet_shows() {
        let notice = note(Mark::Notice, 1);
        let listed = |ids: &[&str]| ids.iter().map(|id| member(id, None)).collect();
        let said = BucketView {
            notes: [("i-1".to_owned(), notice), ("i-9".to_owned(), notice)].into(),
            stopped: ["i-1", "i-2", "i-3"].map(str::to_owned).into(),
            launched: [("i-4".to_owned(), NOW + Duration::from_secs(3))].into(),
            run: None,
        };
        let mut members: Vec<Neighbour> = listed(&["i-1", "i-2", "i-3", "i-4"]);
        members[2].listed = false;
        let seen = Seen::of("i-1".into(), (3, Some(5)), members, &said);
        let other = Neighbour {
            launched: NOW + Duration::from_secs(3),
            ..member("i-4", None)
        };
        assert_eq!(
            seen.members,
            [member("i-1", Some(notice)), other],
            "whoever asks has not stopped"
        );
        assert_eq!(seen.stopped, 1, "a group that let one go does not count it");
        assert_eq!((seen.target, seen.max), (3, Some(5)));
    }

    #[test]
    fn an_instance_that_owns_names_beside_this_one_is_never_a_spare() {
        let seen = Seen {
            owners: vec!["i-1".into(), "i-3".into()],
            ..seen(1, vec![member("i-1", None), later("i-2"), later("i-3")])
        };
        assert_eq!(spares(&seen, 1), ["i-2"]);
        assert_eq!(
            spares(
                &Seen {
                    owners: vec![],
                    ..seen
                },
                1
            ),
            ["i-3", "i-2"]
        );
    }

    #[test]
    fn a_notice_raises_at_once_and_lowers_once_the_replacement_is_listed() {
        assert_eq!(
            act(&seen(1, vec![member("i-1", None)]), Mark::Notice),
            FleetAction::Raise(2)
        );
        assert_eq!(
            act(&seen(2, vec![member("i-1", None)]), Mark::Notice),
            FleetAction::Wait
        );
        assert_eq!(
            act(
                &seen(2, vec![member("i-1", None), later("i-2")]),
                Mark::Notice
            ),
            FleetAction::Lower(1)
        );
        assert_eq!(
            act(
                &seen(1, vec![member("i-1", None), later("i-2")]),
                Mark::Notice
            ),
            FleetAction::Done
        );
        assert_eq!(
            act(&seen(1, vec![later("i-2")]), Mark::Notice),
            FleetAction::Done,
            "it left the group"
        );
    }

    #[test]
    fn a_replacement_that_is_lost_too_is_asked_for_again() {
        assert_eq!(
            act(&seen(1, vec![member("i-1", None)]), Mark::Notice),
            FleetAction::Raise(2)
        );
        let going = Some(note(Mark::Notice, 1));
        assert_eq!(
            act(
                &seen(1, vec![member("i-1", None), member("i-2", going)]),
                Mark::Notice
            ),
            FleetAction::Raise(3)
        );
    }

    #[test]
    fn the_places_of_those_that_the_fleet_still_counts_are_taken() {
        let alone = seen(2, vec![member("i-1", None)]);
        assert_eq!(act(&alone, Mark::Notice), FleetAction::Wait);
        let after_another = Seen {
            stopped: 1,
            ..alone.clone()
        };
        assert_eq!(act(&after_another, Mark::Notice), FleetAction::Raise(3));
        assert_eq!(
            act(
                &Seen {
                    target: 1,
                    ..after_another
                },
                Mark::Rebalance
            ),
            FleetAction::Raise(3)
        );
        let let_go = Neighbour {
            listed: false,
            ..member("i-2", Some(note(Mark::Notice, 1)))
        };
        assert_eq!(
            act(
                &Seen {
                    members: vec![member("i-1", None), let_go],
                    ..alone
                },
                Mark::Notice
            ),
            FleetAction::Wait
        );
    }

    #[test]
    fn what_another_has_raised_is_not_taken_for_usual() {
        let both = seen(
            3,
            vec![
                member("i-1", None),
                member("i-2", Some(note(Mark::Notice, 1))),
            ],
        );
        assert_eq!(both.first_note(&[], Mark::Notice, NOW).target, 1);
        assert_eq!(
            both.usual_target(Some(&note(Mark::Notice, 2))),
            1,
            "it heard of it after it had noted its own"
        );
    }

    #[test]
    fn a_rotation_that_lives_has_raised_already_and_lowers_itself() {
        let run = Some(OpenRotation {
            target: 1,
            lives: true,
        });
        let trial = Seen {
            run,
            ..seen(2, vec![member("i-1", None), later("i-2")])
        };
        assert_eq!(act(&trial, Mark::Notice), FleetAction::Wait);
        assert_eq!(act(&trial, Mark::Rebalance), FleetAction::Wait);
        let killed = Seen {
            run: Some(OpenRotation {
                target: 1,
                lives: false,
            }),
            ..trial
        };
        assert_eq!(act(&killed, Mark::Notice), FleetAction::Lower(1));
    }

    #[test]
    fn a_recommendation_alone_leads_to_one_more_and_that_one_goes_again() {
        assert_eq!(
            act(&seen(1, vec![member("i-1", None)]), Mark::Rebalance),
            FleetAction::Raise(2)
        );
        let both = seen(2, vec![member("i-1", None), later("i-2")]);
        assert_eq!(act(&both, Mark::Rebalance), FleetAction::Wait);
        let over = |seen: &Seen| plan(seen, &note(Mark::Rebalance, 1), NOW + SPARE_FOR, SPARE_FOR);
        assert_eq!(over(&both), FleetAction::Retire(1, vec!["i-2".into()]));
        assert_eq!(
            over(&seen(2, vec![member("i-1", None)])),
            FleetAction::Lower(1)
        );
        assert_eq!(over(&seen(1, vec![member("i-1", None)])), FleetAction::Done);
        let taken_over = Seen {
            owners: vec!["i-2".into()],
            ..both
        };
        assert_eq!(
            over(&taken_over),
            FleetAction::Wait,
            "whoever has the names stays, and sees to it"
        );
    }

    #[test]
    fn a_group_is_not_asked_for_more_than_it_takes() {
        let full = Seen {
            max: Some(1),
            ..seen(1, vec![member("i-1", None)])
        };
        assert_eq!(act(&full, Mark::Notice), FleetAction::Wait);
        assert!(full.is_full());
        let without_capacity = Seen {
            target: 2,
            max: Some(2),
            ..full
        };
        assert_eq!(act(&without_capacity, Mark::Notice), FleetAction::Wait);
        assert!(!without_capacity.is_full(), "what is missing is capacity");
    }

    #[test]
    fn the_owner_lowers_what_a_lost_instance_has_raised() {
        let left = seen(2, vec![member("i-1", None), later("i-3")]);
        let notes = [note(Mark::Notice, 1)];
        let sweep = |seen: &Seen, notes: &[Note]| sweep(seen, notes, NOW, SPARE_FOR);
        assert_eq!(
            sweep(&left, &notes),
            FleetAction::Retire(1, vec!["i-3".into()])
        );
        assert_eq!(
            sweep(&seen(2, vec![member("i-1", None)]), &notes),
            FleetAction::Lower(1)
        );
        assert_eq!(
            sweep(&seen(1, vec![member("i-1", None)]), &notes),
            FleetAction::Done,
            "it had been lowered"
        );
        assert_eq!(sweep(&left, &[]), FleetAction::Done);
        assert_eq!(
            sweep(
                &Seen {
                    owners: vec!["i-3".into()],
                    ..left.clone()
                },
                &notes
            ),
            FleetAction::Wait
        );
        assert_eq!(
            sweep(
                &Seen {
                    run: Some(OpenRotation {
                        target: 1,
                        lives: true
                    }),
                    ..left
                },
                &notes
            ),
            FleetAction::Wait
        );
    }

    #[test]
    fn a_member_beyond_the_target_is_surplus_to_the_owner_while_nothing_goes_on() {
        let both = seen(1, vec![member("i-1", None), later("i-2")]);
        assert_eq!(surplus(&both), ["i-2"]);
        let but = |change: fn(&mut Seen)| {
            let mut seen = both.clone();
            change(&mut seen);
            surplus(&seen)
        };
        let nobody: Vec<String> = Vec::new();
        assert_eq!(but(|seen| seen.target = 2), nobody);
        assert_eq!(but(|seen| seen.owners = vec!["i-2".into()]), nobody);
        assert_eq!(
            but(|seen| seen.owners.push("i-2".into())),
            nobody,
            "it serves"
        );
        assert_eq!(but(|seen| seen.stopped = 1), nobody);
        assert_eq!(
            but(|seen| seen.members[0].note = Some(note(Mark::Rebalance, 1))),
            nobody
        );
        let run = |lives| OpenRotation { target: 1, lives };
        for lives in [true, false] {
            let rotated = Seen {
                run: Some(run(lives)),
                ..both.clone()
            };
            assert_eq!(surplus(&rotated), nobody, "{lives}");
        }
    }

    #[test]
    fn the_owner_ends_one_that_was_to_be_replaced_and_lost_the_names() {
        let overtaken = seen(
            1,
            vec![member("i-0", Some(note(Mark::Rebalance, 1))), later("i-1")],
        );
        let mine = Seen {
            me: "i-0".into(),
            ..overtaken.clone()
        };
        let over = NOW + SPARE_FOR;
        assert_eq!(
            plan(&mine, &note(Mark::Rebalance, 1), over, SPARE_FOR),
            FleetAction::Wait,
            "nobody ends itself"
        );
        assert_eq!(sweep(&overtaken, &[], NOW, SPARE_FOR), FleetAction::Wait);
        assert_eq!(
            sweep(&overtaken, &[], over, SPARE_FOR),
            FleetAction::Retire(1, vec!["i-0".into()])
        );
        let alone = Seen {
            members: vec![member("i-0", None)],
            owners: vec!["i-0".into()],
            ..mine
        };
        assert_eq!(
            plan(&alone, &note(Mark::Rebalance, 1), over, SPARE_FOR),
            FleetAction::Done
        );
    }

    #[test]
    fn the_first_note_knows_the_target_that_others_have_raised() {
        let first = |seen: &Seen, left: &[Note]| seen.first_note(left, Mark::Notice, NOW).target;
        let raised = seen(
            3,
            vec![
                member("i-1", None),
                member("i-2", Some(note(Mark::Notice, 2))),
            ],
        );
        assert_eq!(first(&raised, &[]), 2);
        let lost = seen(2, vec![member("i-1", None)]);
        assert_eq!(
            (first(&lost, &[]), first(&lost, &[note(Mark::Notice, 1)])),
            (2, 1)
        );
        let rotating = Seen {
            run: Some(OpenRotation {
                target: 1,
                lives: true,
            }),
            ..lost
        };
        assert_eq!(first(&rotating, &[]), 1);
    }

    #[test]
    fn a_spare_that_is_over_never_takes_the_replacement_of_one_that_goes() {
        let mut members = vec![
            member("i-1", None),
            member("i-2", Some(note(Mark::Notice, 2))),
            later("i-3"),
        ];
        let over = |members: &[Neighbour]| {
            plan(
                &seen(3, members.to_vec()),
                &note(Mark::Rebalance, 2),
                NOW + SPARE_FOR,
                SPARE_FOR,
            )
        };
        assert_eq!(over(&members), FleetAction::Wait);
        members.remove(1);
        assert_eq!(over(&members), FleetAction::Lower(2));
    }

    #[test]
    fn one_that_goes_is_not_done_while_another_is_to_lower_the_target() {
        let prepared = vec![
            member("i-1", None),
            member("i-2", Some(note(Mark::Rebalance, 1))),
            later("i-3"),
        ];
        assert_eq!(
            act(&seen(2, prepared.clone()), Mark::Notice),
            FleetAction::Wait
        );
        assert_eq!(act(&seen(3, prepared), Mark::Notice), FleetAction::Lower(2));
    }

    #[test]
    fn one_that_goes_leaves_the_names_to_who_stays() {
        let (notice, rebalance) = (note(Mark::Notice, 1), note(Mark::Rebalance, 1));
        assert!(leaves_names(NOW, Some(Mark::Notice), &[None], false));
        assert!(
            !leaves_names(NOW, Some(Mark::Notice), &[Some(notice)], false)
                && !leaves_names(NOW, Some(Mark::Notice), &[], false)
        );
        assert!(leaves_names(NOW, None, &[Some(rebalance)], false));
        assert!(
            !leaves_names(NOW, None, &[Some(rebalance)], true),
            "a rotation has asked for it"
        );
    }

    #[test]
    fn a_spare_leaves_the_names_until_the_notice() {
        assert!(is_spare(NOW, &[Some(note(Mark::Rebalance, 1))]));
        assert!(!is_spare(NOW, &[Some(note(Mark::Notice, 1))]));
        assert!(!is_spare(NOW, &[None]) && !is_spare(NOW, &[]));
        assert!(
            !is_spare(
                NOW - Duration::from_secs(60),
                &[Some(note(Mark::Rebalance, 1))]
            ),
            "it was there before"
        );
    }
}
