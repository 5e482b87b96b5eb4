//! What goes wrong by chance during a handover.

use region::{Fault, FleetKind, Match, Service};

use crate::common::Chance;

/// None, or a few, of which each strikes a few calls.
pub fn some(chance: &mut Chance, kind: FleetKind) -> Vec<(Match, Fault)> {
    let count = [0, 0, 1, 1, 2, 3][chance.below(6)];
    let calls = calls(kind);
    (0..count).map(|_| one(chance, &calls)).collect()
}

fn one(chance: &mut Chance, calls: &[(Service, &'static str, &'static str)]) -> (Match, Fault) {
    let (service, operation, path) = calls[chance.below(calls.len())];
    let fault = match chance.below(5) {
        0 => Fault::respond(500, "InternalError", "We encountered an internal error. Please try again."),
        1 => Fault::unavailable(),
        2 => Fault::Throttle,
        3 => Fault::LoseAnswer,
        _ => Fault::Delay(chance.millis(100, 1500)),
    };
    (Match::service(service).operation(operation).path(path).times(1 + chance.below(3)), fault)
}

/// What a handover asks of AWS.
fn calls(kind: FleetKind) -> Vec<(Service, &'static str, &'static str)> {
    let fleet: &[(Service, &str, &str)] = match kind {
        FleetKind::Ec2Fleet => {
            &[(Service::Ec2, "DescribeFleets", ""), (Service::Ec2, "DescribeFleetInstances", ""), (Service::Ec2, "ModifyFleet", "")]
        }
        FleetKind::SpotFleet => &[
            (Service::Ec2, "DescribeSpotFleetRequests", ""),
            (Service::Ec2, "DescribeSpotFleetInstances", ""),
            (Service::Ec2, "ModifySpotFleetRequest", ""),
        ],
        FleetKind::AutoScalingGroup => &[
            (Service::AutoScaling, "DescribeAutoScalingGroups", ""),
            (Service::AutoScaling, "SetDesiredCapacity", ""),
            (Service::AutoScaling, "DetachInstances", ""),
        ],
    };
    let others = [
        (Service::Ec2, "DescribeInstances", ""),
        (Service::Ec2, "TerminateInstances", ""),
        (Service::S3, "GetObject", "instances/"),
        (Service::S3, "PutObject", "instances/"),
        (Service::S3, "GetObject", "deploys/"),
        (Service::S3, "ListObjectsV2", ""),
        (Service::Route53, "ListResourceRecordSets", ""),
        (Service::Route53, "ChangeResourceRecordSets", ""),
        (Service::Route53, "GetChange", ""),
    ];
    fleet.iter().copied().chain(others).collect()
}
