//! What each request of Auto Scaling needs: <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2autoscaling.html>.

use crate::fleet::{FleetKind, Fleets};
use crate::iam::Request;
use crate::query::Form;
use crate::registry::Registry;

pub(super) fn permissions(registry: &Registry, fleets: &Fleets, form: &Form) -> Vec<Request> {
    let operation = form.action();
    let on = |resource: String| vec![Request::new(format!("autoscaling:{operation}"), resource)];
    let group = |name: &str| {
        let (region, account) = (&registry.region, &registry.account);
        // The id in the middle is Auto Scaling's own; nobody can know it beforehand.
        format!("arn:aws:autoscaling:{region}:{account}:autoScalingGroup:930d940e-891e-4781-a11a-7b0acd480f03:autoScalingGroupName/{name}")
    };
    match operation {
        "DescribeAutoScalingGroups" | "DescribeScalingActivities" => on("*".to_owned()),
        "SetDesiredCapacity" | "SetInstanceProtection" | "DetachInstances" => {
            on(group(form.get("AutoScalingGroupName").unwrap_or_default()))
        }
        "TerminateInstanceInAutoScalingGroup" => {
            let instance = form.get("InstanceId").unwrap_or_default();
            let owner = fleets.all(FleetKind::AutoScalingGroup).into_iter().find(|keeper| keeper.launched(instance));
            on(group(owner.as_ref().map_or("", |keeper| &keeper.spec.id)))
        }
        other => vec![Request::new(format!("autoscaling:{other} (its permissions are not known here)"), "*")],
    }
}
