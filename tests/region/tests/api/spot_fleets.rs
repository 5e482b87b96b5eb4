//! Spot Fleet's older API for the same.

use std::time::Duration;

use region::{FleetKind, FleetSpec, Region};

use crate::client::{region, texts};
use crate::fleets::{PATIENCE, created, ec2, eventually, ids};

const FLEET: &str = "sfr-1";

fn request(region: &Region) -> String {
    ec2(
        region,
        "DescribeSpotFleetRequests",
        &format!("SpotFleetRequestId.1={FLEET}"),
    )
    .1
}

fn modify(region: &Region, target: u32, policy: &str) -> (u16, String) {
    let parameters = format!(
        "SpotFleetRequestId={FLEET}&TargetCapacity={target}&ExcessCapacityTerminationPolicy={policy}"
    );
    ec2(region, "ModifySpotFleetRequest", &parameters)
}

#[test]
fn a_spot_fleet_rotates_as_an_ec2_fleet_does() {
    let region = region();
    let fleet = created(&region, FleetSpec::new(FleetKind::SpotFleet, FLEET, 1));
    let old = ids(&fleet).remove(0);
    assert_eq!(
        (
            texts(&request(&region), "targetCapacity"),
            texts(&request(&region), "excessCapacityTerminationPolicy")
        ),
        (vec!["1".to_owned()], vec!["default".to_owned()])
    );
    fleet.set_modifying(Duration::from_secs(2));
    assert_eq!(modify(&region, 2, "noTermination").0, 200);
    let (status, refusal) = modify(&region, 2, "noTermination");
    assert_eq!(
        (status, texts(&refusal, "Code")),
        (400, vec!["FleetNotInModifiableState".to_owned()])
    );
    fleet.set_modifying(Duration::ZERO);
    fleet.wait_for(2, PATIENCE).unwrap();
    let active = || texts(&request(&region), "spotFleetRequestState") == ["active"];
    eventually("it is active", active);
    assert_eq!(modify(&region, 1, "noTermination").0, 200);
    eventually("it is active", active);
    ec2(
        &region,
        "TerminateInstances",
        &format!("InstanceId.1={old}"),
    );
    fleet.wait_for_end(&old, PATIENCE).unwrap();
    let listed = ec2(
        &region,
        "DescribeSpotFleetInstances",
        &format!("SpotFleetRequestId={FLEET}"),
    )
    .1;
    assert_eq!(texts(&listed, "instanceId"), ids(&fleet));
    assert_eq!((ids(&fleet).len(), fleet.instances().len()), (1, 2));
    let parameters = format!(
        "SpotFleetRequestId={FLEET}&StartTime=2026-01-01T00%3A00%3A00Z&EventType=instanceChange"
    );
    let history = ec2(&region, "DescribeSpotFleetRequestHistory", &parameters).1;
    assert_eq!(
        texts(&history, "eventSubType"),
        ["launched", "launched", "terminated"]
    );
}

#[test]
fn an_unknown_request_and_an_unknown_policy_are_refused() {
    let region = region();
    let _fleet = created(&region, FleetSpec::new(FleetKind::SpotFleet, FLEET, 0));
    let code = |(status, body): (u16, String)| (status, texts(&body, "Code").remove(0));
    let unknown = ec2(
        &region,
        "DescribeSpotFleetInstances",
        "SpotFleetRequestId=sfr-2",
    );
    assert_eq!(
        code(unknown),
        (400, "InvalidSpotFleetRequestId.NotFound".to_owned())
    );
    assert_eq!(
        code(modify(&region, 1, "no-termination")),
        (400, "InvalidParameterValue".to_owned()),
        "that is the other API's word"
    );
}
