//! What goes wrong by chance during a handover.

use fastrand::Rng;
use region::{Fault, FleetKind, Match, Service};

use crate::common::millis;
use crate::faults::{Call, fleet_calls};

/// What a handover asks of AWS beside.
const OTHERS: [Call; 8] = [
    (Service::AutoScaling, "DetachInstances", ""),
    (Service::S3, "GetObject", "instances/"),
    (Service::S3, "PutObject", "instances/"),
    (Service::S3, "GetObject", "deploys/"),
    (Service::S3, "ListObjectsV2", ""),
    (Service::Route53, "ListResourceRecordSets", ""),
    (Service::Route53, "ChangeResourceRecordSets", ""),
    (Service::Route53, "GetChange", ""),
];

/// None, or a few, of which each strikes a few calls.
pub fn some(chance: &mut Rng, kind: FleetKind) -> Vec<(Match, Fault)> {
    let count = [0, 0, 1, 1, 2, 3][chance.usize(..6)];
    let calls: Vec<Call> = fleet_calls(kind).iter().chain(&OTHERS).copied().collect();
    (0..count).map(|_| one(chance, &calls)).collect()
}

fn one(chance: &mut Rng, calls: &[Call]) -> (Match, Fault) {
    let (service, operation, path) = calls[chance.usize(..calls.len())];
    let fault = match chance.usize(..5) {
        0 => Fault::respond(
            500,
            "InternalError",
            "We encountered an internal error. Please try again.",
        ),
        1 => Fault::unavailable(),
        2 => Fault::Throttle,
        3 => Fault::LoseAnswer,
        _ => Fault::Delay(millis(chance, 100, 1500)),
    };
    (
        Match::service(service)
            .operation(operation)
            .path(path)
            .times(chance.usize(1..4)),
        fault,
    )
}
