//! What each request of Auto Scaling needs:
//! <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html>.

use crate::fleet::{FleetKind, Fleets};
use crate::iam::Request;
use crate::query::Form;
use crate::registry::Registry;

pub(super) fn permissions(registry: &Registry, fleets: &Fleets, form: &Form) -> Vec<Request> {
    let operation = form.action();
    let on = |resource: String| Request::new(format!("autoscaling:{operation}"), resource);
    let group = |name: &str| {
        let (region, account) = (&registry.region, &registry.account);
        let tags = fleets
            .find(FleetKind::AutoScalingGroup, name)
            .map(|keeper| keeper.spec.tags.clone())
            .unwrap_or_default();
        // The id in the middle is Auto Scaling's own; nobody can know it beforehand.
        let arn = format!(
            "arn:aws:autoscaling:{region}:{account}:autoScalingGroup:930d940e-891e-4781-a11a-7b0acd480f03:autoScalingGroupName/{name}"
        );
        vec![on(arn).tagged("autoscaling", &tags)]
    };
    match operation {
        "DescribeAutoScalingGroups" | "DescribeScalingActivities" => vec![on("*".to_owned())],
        "SetDesiredCapacity"
        | "SetInstanceProtection"
        | "DetachInstances"
        | "UpdateAutoScalingGroup"
        | "DeleteAutoScalingGroup" => group(form.get("AutoScalingGroupName").unwrap_or_default()),
        "TerminateInstanceInAutoScalingGroup" => {
            let instance = form.get("InstanceId").unwrap_or_default();
            let owner = fleets
                .all(FleetKind::AutoScalingGroup)
                .into_iter()
                .find(|keeper| keeper.launched(instance));
            group(owner.as_ref().map_or("", |keeper| &keeper.spec.id))
        }
        other => vec![Request::new(
            format!("autoscaling:{other} (its permissions are not known here)"),
            "*",
        )],
    }
}
