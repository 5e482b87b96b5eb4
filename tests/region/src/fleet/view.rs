//! What Describe* tells of a fleet at one time. Kept, so that it can also be told late.

use std::sync::Arc;
use std::time::{Duration, Instant};

use time::OffsetDateTime;

use super::state::{Aim, Now, Seat, Sizes};
use crate::instance::State;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    Error,
    PendingFulfillment,
    PendingTermination,
    Fulfilled,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) asked: Aim,
    pub(crate) sizes: Sizes,
    pub(crate) deleting: bool,
    pub(crate) modifying: bool,
    pub(crate) activity: Activity,
    pub(crate) fulfilled: usize,
    pub(crate) seats: Vec<Seen>,
    /// When those were decided on that EC2 does not know yet.
    pub(crate) ordered: Vec<OffsetDateTime>,
    /// How many of the events had come to pass.
    pub(crate) events: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: String,
    pub(crate) launched: OffsetDateTime,
    pub(crate) state: State,
    pub(crate) marked: bool,
    pub(crate) protected: bool,
    pub(crate) detached: bool,
    pub(crate) in_service: bool,
    pub(crate) unhealthy: bool,
    /// From 0.
    pub(crate) zone: usize,
}

impl Seen {
    pub(crate) fn is_living(&self) -> bool {
        matches!(self.state, State::Pending | State::Running)
    }
}

impl View {
    pub(super) fn of(now: &Now, at: Instant) -> View {
        let seen = |seat: &Seat| {
            Some(Seen {
                id: seat.id.clone(),
                launched: seat.launched,
                state: seat.state()?,
                marked: seat.marked,
                protected: seat.protected,
                detached: seat.detached,
                in_service: now.in_service(seat, at),
                unhealthy: seat.unhealthy,
                zone: seat.zone,
            })
        };
        let fulfilled = now.counted().filter(|seat| !seat.is_ordered()).count();
        View {
            asked: now.asked,
            sizes: now.sizes,
            deleting: now.deleting,
            modifying: now.modifying_until.is_some(),
            activity: activity(now, fulfilled),
            fulfilled,
            seats: now.seats.iter().filter_map(seen).collect(),
            ordered: now
                .seats
                .iter()
                .filter(|seat| seat.is_ordered())
                .map(|seat| seat.launched)
                .collect(),
            events: now.events.len(),
        }
    }
}

fn activity(now: &Now, fulfilled: usize) -> Activity {
    match fulfilled.cmp(&(now.asked.target as usize)) {
        std::cmp::Ordering::Less if now.retry.is_some() => Activity::Error,
        std::cmp::Ordering::Less => Activity::PendingFulfillment,
        std::cmp::Ordering::Greater if !now.asked.keeps_excess => Activity::PendingTermination,
        _ => Activity::Fulfilled,
    }
}

/// The views since the fleet's beginning, one per change.
#[derive(Default)]
pub(super) struct Past(Vec<(Instant, Arc<View>)>);

impl Past {
    /// Keeps it if it says something new.
    pub(super) fn push(&mut self, view: View, at: Instant) {
        if self.0.last().is_none_or(|(_, last)| **last != view) {
            self.0.push((at, Arc::new(view)));
        }
    }

    /// As it was so long before; the first one where it was not yet.
    pub(super) fn before(&self, lag: Duration, at: Instant) -> Arc<View> {
        let known = self.0.iter().rev().find(|(then, _)| *then + lag <= at);
        known
            .or(self.0.first())
            .map(|(_, view)| view.clone())
            .expect("a fleet begins with a view")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_late_is_what_was_so_then() {
        let start = Instant::now();
        let mut now = Now::new(
            Aim {
                target: 1,
                keeps_excess: false,
            },
            false,
            false,
        );
        let mut past = Past::default();
        past.push(View::of(&now, start), start);
        now.asked.target = 2;
        let second = Duration::from_secs(1);
        past.push(View::of(&now, start), start + second);
        assert_eq!(past.before(Duration::ZERO, start + second).asked.target, 2);
        assert_eq!(past.before(second, start + second).asked.target, 1);
        assert_eq!(past.before(second, start + 2 * second).asked.target, 2);
        assert_eq!(past.before(10 * second, start + 2 * second).asked.target, 1);
    }
}
