//! What each request of EC2 needs:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>.

use std::collections::BTreeMap;

use super::instances::interface_of;
use crate::fleet::{FleetKind, Fleets};
use crate::iam::Request;
use crate::locked;
use crate::query::Form;
use crate::registry::Registry;

pub(super) fn permissions(registry: &Registry, fleets: &Fleets, form: &Form) -> Vec<Request> {
    let operation = form.action();
    let arn = |kind: &str, id: &str| {
        format!(
            "arn:aws:ec2:{}:{}:{kind}/{id}",
            registry.region, registry.account
        )
    };
    let on = |resource: String| {
        Request::new(format!("ec2:{operation}"), resource)
            .with("ec2:Region", [registry.region.clone()])
    };
    let fleet = |kind: FleetKind, resource: &str, parameter: &str| {
        let id = form.get(parameter).unwrap_or_default();
        let tags = fleets
            .find(kind, id)
            .map(|keeper| keeper.spec.tags.clone())
            .unwrap_or_default();
        vec![on(arn(resource, id)).tagged("ec2", &tags)]
    };
    match operation {
        "DescribeInstances"
        | "DescribeAddresses"
        | "DescribeLaunchTemplates"
        | "DescribeFleets"
        | "DescribeSpotFleetRequests" => vec![on("*".to_owned())],
        "DescribeFleetInstances" | "DescribeFleetHistory" | "ModifyFleet" => {
            fleet(FleetKind::Ec2Fleet, "fleet", "FleetId")
        }
        "DescribeSpotFleetInstances"
        | "DescribeSpotFleetRequestHistory"
        | "ModifySpotFleetRequest" => fleet(
            FleetKind::SpotFleet,
            "spot-fleet-request",
            "SpotFleetRequestId",
        ),
        "TerminateInstances" => form
            .list("InstanceId")
            .iter()
            .map(|id| on(arn("instance", id)).tagged("ec2", &tags_of(registry, id)))
            .collect(),
        "AssociateAddress" => {
            let (allocation, instance) = (
                form.get("AllocationId").unwrap_or_default(),
                form.get("InstanceId").unwrap_or_default(),
            );
            vec![
                on(arn("elastic-ip", allocation))
                    .tagged("ec2", &tags_of_address(registry, allocation)),
                on(arn("instance", instance)).tagged("ec2", &tags_of(registry, instance)),
                // EC2 gives an instance's interface none of its tags.
                on(arn("network-interface", &interface_of(instance))),
            ]
        }
        other => vec![Request::new(
            format!("ec2:{other} (its permissions are not known here)"),
            "*",
        )],
    }
}

fn tags_of(registry: &Registry, id: &str) -> BTreeMap<String, String> {
    registry
        .machine(id)
        .map(|machine| locked(&machine.now).tags.clone())
        .unwrap_or_default()
}

fn tags_of_address(registry: &Registry, allocation: &str) -> BTreeMap<String, String> {
    let found = registry
        .elastic_ips()
        .into_iter()
        .find(|(elastic, _)| elastic.allocation == allocation);
    found.map(|(elastic, _)| elastic.tags).unwrap_or_default()
}
