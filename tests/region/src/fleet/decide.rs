//! What a fleet does next, from what it knows. The habits that a client meets:
//! - What is lost is replaced, whoever ended it, while the target stands: terminate before the
//!   target is lower, and a new one comes.
//! - A lowered target ends the newest, not the oldest ("Terminate instances in a running fleet"
//!   promises no order), unless excess is kept.
//! - A modification is in effect when the fleet is no longer `modifying` ("remains in this state
//!   until the modification is fully processed",
//!   <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/EC2-fleet-states.html>).
//! - What is protected from a group's scale-in is not ended by it, and the group says that its
//!   lower size could not be reached; so nobody can delete it but by force.
//! - A launch that was decided on goes through, though the target is lower by then.
//! - Under capacity rebalancing, marked instances are no longer capacity; nor are those of a group
//!   that fail their checks once its grace is over. They go when others are in service.
//! - A group balances its zones: see [`super::zones`].
//! - Whether an interrupted instance is replaced at its notice or at its end is documented nowhere:
//!   a test says which.

use std::time::{Duration, Instant};

use super::event::{Lack, Why};
use super::state::{Now, Phase, Seat};
use super::zones;

/// Of every type that `init` names: t3, t3a and t4g up to large.
const VCPUS: u32 = 2;
/// Between attempts to launch what was refused; AWS waits for minutes.
pub(super) const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The modification is in effect.
    Settle,
    /// EC2 knows it from now on.
    Admit(String),
    Boot(String),
    Leave(String, Why),
    Launch,
    /// One more than the target, in the zone that has the fewest.
    LaunchForBalance,
    /// What was launched for balance is capacity from now on.
    Count(String),
    /// The group knows that it fails its checks.
    Condemn(String),
    /// There is too little of that for another.
    Starve(Lack),
    /// There are too many, and none of them may go.
    TellAllProtected,
}

/// Empty: nothing to do before [`wakes`].
pub(super) fn decide(now: &Now, at: Instant) -> Vec<Act> {
    let due = due(now, at);
    if due.is_empty() {
        balance(now, at)
    } else {
        due
    }
}

/// When time alone gives something to do, or changes what is told.
pub(super) fn wakes(now: &Now, at: Instant) -> Option<Instant> {
    let of_seats = now
        .seats
        .iter()
        .filter(|seat| seat.is_living())
        .flat_map(|seat| {
            let phase = match seat.phase {
                Phase::Ordered(then) | Phase::Pending(then) => Some(then),
                Phase::Running(since) => Some(since + now.dials.grace),
                _ => None,
            };
            [phase, seat.ends, now.condemned_at(seat)]
                .into_iter()
                .flatten()
        });
    of_seats
        .chain(now.modifying_until)
        .chain(now.retry)
        .filter(|then| *then > at)
        .min()
}

fn due(now: &Now, at: Instant) -> Vec<Act> {
    let settle = now
        .modifying_until
        .filter(|until| *until <= at)
        .map(|_| Act::Settle);
    let seats = now.living().filter_map(|seat| match seat.phase {
        _ if seat.ends.is_some_and(|ends| ends <= at) => {
            Some(Act::Leave(seat.id.clone(), Why::Interrupted))
        }
        Phase::Ordered(known) if known <= at => Some(Act::Admit(seat.id.clone())),
        Phase::Pending(boots) if boots <= at => Some(Act::Boot(seat.id.clone())),
        _ if now.condemned_at(seat).is_some_and(|then| then <= at) => {
            Some(Act::Condemn(seat.id.clone()))
        }
        _ => None,
    });
    settle.into_iter().chain(seats).collect()
}

fn balance(now: &Now, at: Instant) -> Vec<Act> {
    let (target, counted) = (now.aim.target as usize, now.counted().count());
    if counted < target {
        return grow(now, target - counted, at);
    }
    if counted > target && !now.aim.keeps_excess {
        return victims(now, counted - target);
    }
    let replaced = replaced(now, target, at);
    if replaced.is_empty() && counted == target && now.is_group {
        return zones::even(now, at);
    }
    replaced
}

fn grow(now: &Now, missing: usize, at: Instant) -> Vec<Act> {
    if now.retry.is_some_and(|then| then > at) {
        return Vec::new();
    }
    let (capacity, quota) = (now.dials.capacity, now.dials.quota);
    let limits = [
        (zones::emptiest(now).is_none().then_some(0), Lack::Capacity),
        (capacity, Lack::Capacity),
        (quota.map(|vcpus| vcpus / VCPUS), Lack::Quota),
    ];
    let narrowest = limits
        .into_iter()
        .filter_map(|(most, lack)| Some((most?, lack)))
        .min_by_key(|(most, _)| *most);
    let Some((most, lack)) = narrowest else {
        return vec![Act::Launch; missing];
    };
    let room = (most as usize).saturating_sub(now.living().count());
    let mut acts = vec![Act::Launch; missing.min(room)];
    if room < missing {
        acts.push(Act::Starve(lack));
    }
    acts
}

fn victims(now: &Now, excess: usize) -> Vec<Act> {
    if now.counted().all(|seat| now.spares(seat)) && !now.told_all_protected {
        return vec![Act::TellAllProtected];
    }
    let open: Vec<&Seat> = now
        .counted()
        .filter(|seat| !now.spares(seat) && !seat.is_ordered())
        .collect();
    open.into_iter()
        .rev()
        .take(excess)
        .map(|seat| Act::Leave(seat.id.clone(), Why::ScaledIn))
        .collect()
}

/// A group's marked and unhealthy instances whose replacements are in service.
fn replaced(now: &Now, target: usize, at: Instant) -> Vec<Act> {
    let ready = now
        .counted()
        .filter(|seat| now.in_service(seat, at))
        .count()
        >= target;
    if !(now.is_group && ready) {
        return Vec::new();
    }
    let leaves = |seat: &Seat| {
        let why = match seat {
            seat if seat.unhealthy => Why::Unhealthy,
            seat if now.rebalances && seat.marked => Why::Rebalanced,
            _ => return None,
        };
        Some(Act::Leave(seat.id.clone(), why))
    };
    now.attached().filter_map(leaves).collect()
}

#[cfg(test)]
mod tests {
    use super::super::state::Aim;
    use super::*;

    /// A fleet with that target and running instances `a`, `b`, … in the order of their launch.
    fn fleet(target: u32, running: &[&str], at: Instant) -> Now {
        let mut now = Now::new(
            Aim {
                target,
                keeps_excess: false,
            },
            false,
            false,
        );
        now.seats = running
            .iter()
            .map(|id| Seat {
                phase: Phase::Running(at),
                ..Seat::ordered((*id).to_owned(), at)
            })
            .collect();
        now
    }

    fn leaves(id: &str, why: Why) -> Act {
        Act::Leave(id.to_owned(), why)
    }

    #[test]
    fn a_lower_target_ends_the_newest_and_kept_excess_nobody() {
        let at = Instant::now();
        let mut now = fleet(1, &["a", "b"], at);
        assert_eq!(decide(&now, at), [leaves("b", Why::ScaledIn)]);
        now.aim.keeps_excess = true;
        assert_eq!(decide(&now, at), []);
        now.seats[0].phase = Phase::Leaving;
        assert_eq!(
            decide(&now, at),
            [],
            "the excess that was kept is the capacity now"
        );
    }

    #[test]
    fn the_old_target_is_kept_up_while_it_is_modifying() {
        let at = Instant::now();
        let mut now = fleet(2, &["a", "b"], at);
        now.asked = Aim {
            target: 1,
            keeps_excess: true,
        };
        now.modifying_until = Some(at + RETRY);
        now.seats[0].phase = Phase::Leaving;
        assert_eq!(decide(&now, at), [Act::Launch]);
        assert_eq!(decide(&now, at + RETRY), [Act::Settle]);
    }

    #[test]
    fn what_has_no_capacity_is_tried_again_later() {
        let at = Instant::now();
        let mut now = fleet(4, &["a"], at);
        now.dials.capacity = Some(2);
        assert_eq!(decide(&now, at), [Act::Launch, Act::Starve(Lack::Capacity)]);
        now.retry = Some(at + RETRY);
        assert_eq!(
            (decide(&now, at), wakes(&now, at)),
            (vec![], Some(at + RETRY))
        );
    }

    #[test]
    fn what_the_account_may_not_have_is_refused_too() {
        let at = Instant::now();
        let mut now = fleet(2, &["a"], at);
        now.dials.capacity = Some(2);
        now.dials.quota = Some(3);
        assert_eq!(decide(&now, at), [Act::Starve(Lack::Quota)]);
        now.dials.quota = Some(4);
        assert_eq!(decide(&now, at), [Act::Launch]);
    }

    #[test]
    fn a_marked_instance_counts_unless_capacity_is_rebalanced() {
        let at = Instant::now();
        let mut now = fleet(1, &["a"], at);
        now.seats[0].marked = true;
        assert_eq!(decide(&now, at), []);
        now.rebalances = true;
        assert_eq!(decide(&now, at), [Act::Launch]);
    }

    #[test]
    fn a_group_ends_marked_instances_when_their_replacements_are_in_service_and_a_fleet_never_does()
    {
        let at = Instant::now();
        let mut now = fleet(1, &["a", "b"], at);
        now.rebalances = true;
        now.seats[0].marked = true;
        assert_eq!(decide(&now, at), []);
        now.is_group = true;
        now.dials.grace = RETRY;
        assert_eq!(
            (decide(&now, at), wakes(&now, at)),
            (vec![], Some(at + RETRY))
        );
        assert_eq!(decide(&now, at + RETRY), [leaves("a", Why::Rebalanced)]);
    }

    #[test]
    fn one_that_fails_its_checks_is_replaced_after_the_grace_though_it_is_protected() {
        let at = Instant::now();
        let mut now = fleet(1, &["a"], at);
        (now.is_group, now.health_grace) = (true, RETRY);
        (now.seats[0].fails, now.seats[0].protected) = (true, true);
        assert_eq!(
            (decide(&now, at), wakes(&now, at)),
            (vec![], Some(at + RETRY))
        );
        assert_eq!(decide(&now, at + RETRY), [Act::Condemn("a".to_owned())]);
        now.seats[0].unhealthy = true;
        assert_eq!(decide(&now, at + RETRY), [Act::Launch]);
        now.seats.push(Seat {
            phase: Phase::Running(at),
            ..Seat::ordered("b".to_owned(), at)
        });
        assert_eq!(decide(&now, at + RETRY), [leaves("a", Why::Unhealthy)]);
    }

    #[test]
    fn a_detached_instance_is_no_capacity_and_ends_at_its_own_time() {
        let at = Instant::now();
        let mut now = fleet(1, &["a", "b"], at);
        now.seats[0].detached = true;
        assert_eq!(decide(&now, at), []);
        now.seats[0].ends = Some(at);
        assert_eq!(decide(&now, at), [leaves("a", Why::Interrupted)]);
    }

    #[test]
    fn the_protected_are_no_victims() {
        let at = Instant::now();
        let mut now = fleet(0, &["a", "b"], at);
        now.seats[1].protected = true;
        assert_eq!(decide(&now, at), [leaves("a", Why::ScaledIn)]);
        now.seats[0].protected = true;
        assert_eq!(decide(&now, at), [Act::TellAllProtected]);
        now.told_all_protected = true;
        assert_eq!(decide(&now, at), []);
    }

    #[test]
    fn one_that_is_deleted_by_force_ends_the_protected_too_and_is_gone_after_them() {
        let at = Instant::now();
        let mut now = fleet(1, &["a"], at);
        now.seats[0].protected = true;
        now.delete();
        assert_eq!(decide(&now, at), [leaves("a", Why::ScaledIn)]);
        now.seats[0].phase = Phase::Leaving;
        assert!(decide(&now, at).is_empty() && !now.is_deleted());
        now.seats[0].phase = Phase::Gone;
        assert!(decide(&now, at).is_empty() && now.is_deleted());
    }

    #[test]
    fn a_launch_that_was_decided_on_goes_through_though_the_target_is_lower() {
        let at = Instant::now();
        let mut now = fleet(1, &["a"], at);
        now.seats.push(Seat::ordered("b".to_owned(), at + RETRY));
        now.seats[0].protected = true;
        assert_eq!(
            (decide(&now, at), wakes(&now, at)),
            (vec![], Some(at + RETRY))
        );
        assert_eq!(decide(&now, at + RETRY), [Act::Admit("b".to_owned())]);
        now.seats[1].phase = Phase::Pending(at + 2 * RETRY);
        assert_eq!(decide(&now, at + RETRY), [leaves("b", Why::ScaledIn)]);
    }

    #[test]
    fn an_interrupted_one_may_be_replaced_at_its_notice_and_then_is_not_at_its_end() {
        let at = Instant::now();
        let mut now = fleet(1, &["a"], at);
        now.dials.replaces_at_notice = true;
        assert_eq!(decide(&now, at), []);
        now.seats[0].ends = Some(at + RETRY);
        assert_eq!(decide(&now, at), [Act::Launch]);
        now.seats.push(Seat {
            phase: Phase::Running(at),
            ..Seat::ordered("b".to_owned(), at)
        });
        assert_eq!(decide(&now, at), []);
        now.seats[0].phase = Phase::Gone;
        assert_eq!(decide(&now, at + RETRY), []);
    }

    #[test]
    fn the_interrupted_leave_at_their_time_and_are_then_replaced() {
        let at = Instant::now();
        let mut now = fleet(1, &["a"], at);
        now.seats[0].ends = Some(at + RETRY);
        assert_eq!(
            (decide(&now, at), wakes(&now, at)),
            (vec![], Some(at + RETRY))
        );
        assert_eq!(decide(&now, at + RETRY), [leaves("a", Why::Interrupted)]);
        now.seats[0].phase = Phase::Leaving;
        assert_eq!(decide(&now, at + RETRY), [Act::Launch]);
    }
}
