//! What each request of EC2 needs: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html>.

use std::collections::BTreeMap;

use super::instances::interface_of;
use crate::iam::Request;
use crate::locked;
use crate::query::Form;
use crate::registry::Registry;

pub(super) fn permissions(registry: &Registry, form: &Form) -> Vec<Request> {
    let operation = form.action();
    let arn = |kind: &str, id: &str| format!("arn:aws:ec2:{}:{}:{kind}/{id}", registry.region, registry.account);
    let on = |resource: String| Request::new(format!("ec2:{operation}"), resource).with("ec2:Region", [registry.region.clone()]);
    let of = |kind: &str, parameter: &str| vec![on(arn(kind, form.get(parameter).unwrap_or_default()))];
    match operation {
        "DescribeInstances" | "DescribeAddresses" | "DescribeFleets" | "DescribeSpotFleetRequests" => vec![on("*".to_owned())],
        "DescribeFleetInstances" | "DescribeFleetHistory" | "ModifyFleet" => of("fleet", "FleetId"),
        "DescribeSpotFleetInstances" | "DescribeSpotFleetRequestHistory" | "ModifySpotFleetRequest" => {
            of("spot-fleet-request", "SpotFleetRequestId")
        }
        "TerminateInstances" => form.list("InstanceId").iter().map(|id| tagged(on(arn("instance", id)), &tags_of(registry, id))).collect(),
        "AssociateAddress" => {
            let (allocation, instance) = (form.get("AllocationId").unwrap_or_default(), form.get("InstanceId").unwrap_or_default());
            vec![
                tagged(on(arn("elastic-ip", allocation)), &tags_of_address(registry, allocation)),
                tagged(on(arn("instance", instance)), &tags_of(registry, instance)),
                // EC2 gives an instance's interface none of its tags.
                on(arn("network-interface", &interface_of(instance))),
            ]
        }
        other => vec![Request::new(format!("ec2:{other} (its permissions are not known here)"), "*")],
    }
}

fn tags_of(registry: &Registry, id: &str) -> BTreeMap<String, String> {
    registry.machine(id).map(|machine| locked(&machine.now).tags.clone()).unwrap_or_default()
}

fn tags_of_address(registry: &Registry, allocation: &str) -> BTreeMap<String, String> {
    let found = registry.elastic_ips().into_iter().find(|(elastic, _)| elastic.allocation == allocation);
    found.map(|(elastic, _)| elastic.tags).unwrap_or_default()
}

fn tagged(request: Request, tags: &BTreeMap<String, String>) -> Request {
    tags.iter().fold(request, |request, (key, value)| {
        let value = [value.clone()];
        request.with(format!("aws:ResourceTag/{key}"), value.clone()).with(format!("ec2:ResourceTag/{key}"), value)
    })
}
