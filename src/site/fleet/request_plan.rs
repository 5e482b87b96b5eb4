//! What to do next with a Spot Fleet request or an EC2 Fleet, decided from one look at it.

use anyhow::{Result, bail};

use crate::cloud::ec2::fleet::{FleetRequest, FleetState, Purchase};

#[derive(Debug, PartialEq, Eq)]
pub(super) enum RequestAct {
    Done,
    Wait(&'static str),
    Modify,
    End(Vec<String>),
    /// Somebody else wants more than is to be left.
    GiveUp,
}

/// Whether a fleet is of a sort that can be rotated; `name` is what to call it.
pub(super) fn check(fleet: &FleetRequest, name: &str) -> Result<()> {
    if let FleetState::Ended(state) = &fleet.state {
        bail!("{name} is {state} and launches nothing any more; make a new one and set [fleet] id");
    }
    if fleet.upkeep != "maintain" {
        bail!(
            "{name} is of type {}, whose target cannot be changed and which replaces no lost instance; make one of type maintain",
            fleet.upkeep
        );
    }
    if fleet.unit != "units" {
        bail!(
            "{name} counts its target in {}, and one more of that is not one more instance; make one that counts units",
            fleet.unit
        );
    }
    if fleet.purchase == Purchase::Mixed {
        bail!(
            "{name} keeps some instances on demand and some on spot, and one more is not always of the kind that goes; \
             make it all of one kind"
        );
    }
    Ok(())
}

/// `asked`: the service has accepted the change already. What it shows may be some seconds old.
pub(super) fn raise(fleet: &FleetRequest, target: u32, asked: bool) -> RequestAct {
    match fleet.state {
        _ if fleet.target >= target => RequestAct::Done,
        _ if asked => RequestAct::Wait("the higher target to be shown"),
        FleetState::Busy => RequestAct::Wait("an earlier change to be worked in"),
        FleetState::Active | FleetState::Ended(_) => RequestAct::Modify,
    }
}

/// How far the lowering is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lowering {
    NotAsked,
    /// Accepted a moment ago, of a target that was shown as low before: neither shows whether it is
    /// worked in.
    Blind,
    /// Accepted, and whatever is shown from now on counts.
    Asked,
    /// It was worked in, or must have been by now, and the target is higher again.
    Undone,
}

impl Lowering {
    /// After a look. `higher`: it shows a target above the one that was asked for; `was_low`: an
    /// earlier look did not; `recent`: asked so lately that what is shown may be older.
    pub fn seen(self, higher: bool, was_low: bool, recent: bool) -> Self {
        match self {
            Self::Blind | Self::Asked if higher && !recent => Self::Undone,
            Self::Asked if higher && was_low => Self::Undone,
            Self::Blind if !recent => Self::Asked,
            lowering => lowering,
        }
    }
}

/// `there`: those to end that are still there.
///
/// A fleet that replaces what it loses must have worked the lower target in before anybody goes. A
/// target that is shown as low enough may be older than one that was set seconds ago, so it is set
/// all the same, once.
pub(super) fn retire(
    fleet: &FleetRequest,
    target: u32,
    there: &[String],
    lowering: Lowering,
) -> RequestAct {
    let busy = fleet.state == FleetState::Busy;
    if lowering == Lowering::NotAsked && fleet.target >= target {
        return if busy {
            RequestAct::Wait("an earlier change to be worked in")
        } else {
            RequestAct::Modify
        };
    }
    if lowering != Lowering::Undone && (busy || fleet.target > target) {
        return RequestAct::Wait("the lower target to be worked in");
    }
    match lowering {
        _ if there.is_empty() => RequestAct::Done,
        Lowering::Blind => RequestAct::Wait("the lower target to be worked in unseen"),
        Lowering::Undone => RequestAct::GiveUp,
        Lowering::NotAsked | Lowering::Asked => RequestAct::End(there.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fleet(state: FleetState, target: u32) -> FleetRequest {
        let (upkeep, unit) = ("maintain".to_owned(), "units".to_owned());
        FleetRequest {
            state,
            upkeep,
            unit,
            target,
            fulfilled: 1.0,
            purchase: Purchase::Spot,
        }
    }

    fn active(target: u32) -> FleetRequest {
        fleet(FleetState::Active, target)
    }

    fn busy(target: u32) -> FleetRequest {
        fleet(FleetState::Busy, target)
    }

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_target_is_raised_once_and_never_lowered() {
        assert_eq!(raise(&active(1), 2, false), RequestAct::Modify);
        assert!(matches!(raise(&active(1), 2, true), RequestAct::Wait(_)));
        assert_eq!(raise(&active(2), 2, true), RequestAct::Done);
        assert_eq!(raise(&active(3), 2, false), RequestAct::Done);
    }

    #[test]
    fn a_fleet_that_is_being_modified_is_left_alone() {
        assert!(matches!(raise(&busy(1), 2, false), RequestAct::Wait(_)));
        assert!(matches!(
            retire(&busy(2), 1, &ids(&["i-1"]), Lowering::NotAsked),
            RequestAct::Wait(_)
        ));
    }

    #[test]
    fn a_target_that_is_higher_again_was_raised_by_another_unless_what_is_shown_may_be_older() {
        let higher = |lowering: Lowering, was_low, recent| lowering.seen(true, was_low, recent);
        assert_eq!(higher(Lowering::Asked, false, true), Lowering::Asked);
        assert_eq!(
            higher(Lowering::Asked, true, true),
            Lowering::Undone,
            "it was seen to be worked in"
        );
        assert_eq!(higher(Lowering::Asked, false, false), Lowering::Undone);
        assert_eq!(
            (
                higher(Lowering::Blind, true, true),
                higher(Lowering::Blind, true, false)
            ),
            (Lowering::Blind, Lowering::Undone)
        );
        assert_eq!(
            (
                higher(Lowering::NotAsked, true, false),
                Lowering::Blind.seen(false, true, false)
            ),
            (Lowering::NotAsked, Lowering::Asked)
        );
    }

    #[test]
    fn nobody_goes_before_the_lower_target_is_worked_in() {
        let there = ids(&["i-1"]);
        assert_eq!(
            retire(&active(2), 1, &there, Lowering::NotAsked),
            RequestAct::Modify
        );
        assert!(matches!(
            retire(&active(2), 1, &there, Lowering::Asked),
            RequestAct::Wait(_)
        ));
        assert!(matches!(
            retire(&busy(1), 1, &there, Lowering::Asked),
            RequestAct::Wait(_)
        ));
        assert_eq!(
            retire(&active(1), 1, &there, Lowering::Asked),
            RequestAct::End(there)
        );
    }

    #[test]
    fn a_low_target_that_may_be_old_is_set_before_anybody_goes() {
        assert_eq!(
            retire(&active(1), 1, &ids(&["i-1"]), Lowering::NotAsked),
            RequestAct::Modify
        );
        assert_eq!(
            retire(&active(1), 1, &[], Lowering::NotAsked),
            RequestAct::Modify
        );
        assert!(matches!(
            retire(&active(1), 1, &ids(&["i-1"]), Lowering::Blind),
            RequestAct::Wait(_)
        ));
        assert_eq!(
            retire(&active(1), 1, &[], Lowering::Blind),
            RequestAct::Done
        );
    }

    #[test]
    fn a_target_that_is_lower_still_stays_there() {
        assert_eq!(
            retire(&active(1), 2, &ids(&["i-1"]), Lowering::NotAsked),
            RequestAct::End(ids(&["i-1"]))
        );
    }

    #[test]
    fn once_they_are_gone_it_is_done() {
        assert_eq!(
            retire(&active(1), 1, &[], Lowering::Asked),
            RequestAct::Done
        );
        assert_eq!(
            retire(&active(2), 1, &[], Lowering::Undone),
            RequestAct::Done,
            "the target is somebody else's by now"
        );
    }

    #[test]
    fn nobody_goes_whom_a_higher_target_would_replace() {
        assert_eq!(
            retire(&active(2), 1, &ids(&["i-1"]), Lowering::Undone),
            RequestAct::GiveUp
        );
    }

    #[test]
    fn fleets_that_cannot_be_rotated_say_why() {
        let text =
            |fleet: FleetRequest| check(&fleet, "EC2 Fleet fleet-1").unwrap_err().to_string();
        assert!(
            text(fleet(FleetState::Ended("deleted_running".into()), 1))
                .contains("is deleted_running and launches nothing")
        );
        assert!(
            text(FleetRequest {
                upkeep: "request".into(),
                ..active(1)
            })
            .ends_with("make one of type maintain")
        );
        assert!(
            text(FleetRequest {
                unit: "vcpu".into(),
                ..active(1)
            })
            .contains("counts its target in vcpu")
        );
        assert!(
            text(FleetRequest {
                purchase: Purchase::Mixed,
                ..active(2)
            })
            .contains("some on spot")
        );
        assert!(check(&busy(1), "it").is_ok());
    }
}
