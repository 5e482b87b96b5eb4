//! What a Spot Fleet request and an EC2 Fleet have in common, which is all but the words of their
//! two APIs.

use time::OffsetDateTime;

use super::super::Error;

/// A fleet as one call describes it; its instances are another call's.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetRequest {
    pub state: FleetState,
    /// `maintain`, `request` or `instant`.
    pub upkeep: String,
    /// What the target counts: `units`, `vcpu` or `memory-mib`.
    pub unit: String,
    pub target: u32,
    /// Units that the fleet counts as there; with weights it is not a number of instances.
    /// Instances marked for rebalance count nothing.
    pub fulfilled: f64,
    pub purchase: Purchase,
}

/// A fleet's state, as far as it says whether the target may be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetState {
    Active,
    /// A change is being worked in, or the fleet is being set up: it takes no further change yet.
    Busy,
    /// It launches nothing any more: in the service's word.
    Ended(String),
}

/// How the target is bought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purchase {
    Spot,
    OnDemand,
    /// Some of each; which of them a changed target would change is the fleet's choice.
    Mixed,
}

impl Purchase {
    pub(super) fn of(on_demand: u32, target: u32) -> Self {
        match on_demand {
            0 => Self::Spot,
            all if all >= target => Self::OnDemand,
            _ => Self::Mixed,
        }
    }
}

/// An instance that a fleet lists as its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetInstance {
    pub id: String,
    /// By EC2's status checks. Neither API tells of a rebalance recommendation: only the instance
    /// itself hears of one.
    pub healthy: bool,
}

/// An entry of a fleet's history that tells of trouble.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetTrouble {
    pub at: OffsetDateTime,
    /// An error, as opposed to information that one pool of several is unusable.
    pub error: bool,
    pub text: String,
}

impl FleetTrouble {
    pub(super) fn new(
        at: OffsetDateTime,
        error: bool,
        event: &aws_sdk_ec2::types::EventInformation,
    ) -> Self {
        let said = [event.event_sub_type(), event.event_description()];
        Self {
            at,
            error,
            text: said
                .into_iter()
                .flatten()
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
                .join(": "),
        }
    }
}

/// Whether a history record tells of an error or gives information; `None` for what is no trouble
/// at all. EC2 Fleet's reference knows `service-error` only, its events also have the words of Spot
/// Fleet.
pub(super) fn tells_of_error(event_type: &str) -> Option<bool> {
    match event_type {
        "service-error" | "error" => Some(true),
        "information" | "Information" => Some(false),
        _ => None,
    }
}

/// What became of asking for another target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modified {
    Accepted,
    /// The fleet is still busy with an earlier change.
    NotNow,
}

pub(super) fn modified<T>(done: Result<T, Error>) -> Result<Modified, Error> {
    match done {
        Ok(_) => Ok(Modified::Accepted),
        // "The Spot Fleet request must be in the active state in order to modify it" (EC2 API
        // reference, error codes).
        Err(error)
            if error
                .code
                .as_deref()
                .is_some_and(|code| code.eq_ignore_ascii_case("FleetNotInModifiableState")) =>
        {
            Ok(Modified::NotNow)
        }
        Err(error) => Err(error),
    }
}

/// `None` where there is no such fleet.
pub(super) fn found<T>(answer: Result<T, Error>) -> Result<Option<T>, Error> {
    match answer {
        Err(error) if error.code.as_deref().is_some_and(unknown) => Ok(None),
        answer => answer.map(Some),
    }
}

/// `.NotFound` for an id that could be one, `.Malformed` for one that could not.
fn unknown(code: &str) -> bool {
    ["InvalidFleetId", "InvalidSpotFleetRequestId"]
        .iter()
        .any(|id| code.starts_with(id))
}

/// A number of the API, where those of a fleet are never negative.
pub(super) fn count(number: Option<i32>) -> u32 {
    number
        .and_then(|number| u32::try_from(number).ok())
        .unwrap_or(0)
}

pub(super) fn capacity(target: u32) -> i32 {
    i32::try_from(target).unwrap_or(i32::MAX)
}
