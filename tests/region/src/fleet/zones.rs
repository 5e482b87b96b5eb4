//! A group's Availability Zones: it launches where it has the fewest instances, and where it finds
//! one zone with two more than another, it launches one there before it ends one here
//! ("Availability Zone rebalancing" in the user guide of Auto Scaling). What is protected from
//! scale-in is not ended for that.

use std::time::Instant;

use super::decide::Act;
use super::event::Why;
use super::state::{Now, Seat};

/// The next launch's zone. None: no zone has capacity.
pub(super) fn emptiest(now: &Now) -> Option<usize> {
    let counts = counts(now);
    now.open_zones().min_by_key(|zone| counts[*zone])
}

/// What balance needs next, of a group that has as many instances as it is to have.
pub(super) fn even(now: &Now, at: Instant) -> Vec<Act> {
    let Some(new) = now.attached().find(|seat| seat.balances) else {
        let has_room = now
            .dials
            .capacity
            .is_none_or(|capacity| now.living().count() < capacity as usize);
        let launches = has_room && now.retry.is_none() && surplus(now, at).is_some();
        return launches
            .then_some(Act::LaunchForBalance)
            .into_iter()
            .collect();
    };
    if !now.in_service(new, at) {
        return Vec::new();
    }
    let ends = surplus(now, at).map(|seat| Act::Leave(seat.id.clone(), Why::Balanced));
    [Act::Count(new.id.clone())]
        .into_iter()
        .chain(ends)
        .collect()
}

/// The oldest that may go of the zone that has too many.
fn surplus(now: &Now, at: Instant) -> Option<&Seat> {
    let counts = counts(now);
    let fewest = counts[emptiest(now)?];
    let (crowded, most) = counts.iter().enumerate().max_by_key(|(_, count)| **count)?;
    let may_go = |seat: &&Seat| {
        seat.zone == crowded && !seat.balances && !now.spares(seat) && now.in_service(seat, at)
    };
    (*most > fewest + 1)
        .then(|| now.attached().find(may_go))
        .flatten()
}

/// Of each zone, how many instances are there, those left out that are launched for balance.
fn counts(now: &Now) -> Vec<usize> {
    let mut counts = vec![0; now.zones.len()];
    now.attached()
        .filter(|seat| !seat.balances)
        .for_each(|seat| counts[seat.zone] += 1);
    counts
}

#[cfg(test)]
mod tests {
    use super::super::decide::decide;
    use super::super::event::Lack;
    use super::super::state::{Aim, Phase};
    use super::*;

    /// A group of as many running instances `a`, `b`, … as zones are told, of three that it has.
    fn group(zones: &[usize], at: Instant) -> Now {
        let aim = Aim {
            target: u32::try_from(zones.len()).unwrap(),
            keeps_excess: false,
        };
        let mut now = Now::new(aim, false, true);
        now.zones = vec![true; 3];
        now.seats = ["a", "b", "c"]
            .into_iter()
            .zip(zones)
            .map(|(id, zone)| Seat {
                phase: Phase::Running(at),
                zone: *zone,
                ..Seat::ordered(id.to_owned(), at)
            })
            .collect();
        now
    }

    #[test]
    fn a_launch_goes_where_the_fewest_are_and_capacity_is() {
        let at = Instant::now();
        let mut now = group(&[0, 1], at);
        assert_eq!(emptiest(&now), Some(2));
        now.zones[2] = false;
        assert_eq!(emptiest(&now), Some(0));
        now.zones = vec![false; 3];
        assert_eq!(emptiest(&now), None);
        now.aim.target = 3;
        assert_eq!(decide(&now, at), [Act::Starve(Lack::Capacity)]);
    }

    #[test]
    fn balance_launches_one_before_it_ends_one() {
        let at = Instant::now();
        let mut now = group(&[0, 1, 1], at);
        now.zones = vec![true; 2];
        assert!(decide(&now, at).is_empty(), "one more is even enough");
        let mut now = group(&[1, 1], at);
        assert_eq!(decide(&now, at), [Act::LaunchForBalance]);
        now.seats.push(Seat {
            balances: true,
            ..Seat::ordered("new".to_owned(), at)
        });
        now.seats[2].phase = Phase::Starting;
        assert!(decide(&now, at).is_empty());
        now.seats[2].phase = Phase::Running(at);
        assert_eq!(
            decide(&now, at),
            [
                Act::Count("new".to_owned()),
                Act::Leave("a".to_owned(), Why::Balanced)
            ]
        );
    }

    #[test]
    fn balance_ends_none_that_is_protected() {
        let at = Instant::now();
        let mut now = group(&[1, 1], at);
        now.seats[0].protected = true;
        assert_eq!(decide(&now, at), [Act::LaunchForBalance]);
        now.seats[1].protected = true;
        assert!(decide(&now, at).is_empty());
        now.seats[1].protected = false;
        now.zones = vec![false, true, false];
        assert!(decide(&now, at).is_empty(), "nowhere else is capacity");
    }
}
