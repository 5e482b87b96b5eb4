//! DescribeAutoScalingGroups:
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html>.

use super::{AutoScaling, document, members};
use crate::ec2::stamp;
use crate::fleet::{FleetKind, Keeper, Seen, View};
use crate::instance::State;
use crate::query::Form;
use crate::xml::Xml;

impl AutoScaling {
    /// A name that is unknown is simply absent.
    pub(super) fn describe_groups(&self, form: &Form) -> String {
        let names = form.list("AutoScalingGroupNames.member");
        let groups = self.fleets.all(FleetKind::AutoScalingGroup).into_iter();
        let wanted = groups.filter(|group| names.is_empty() || names.contains(&group.spec.id));
        document("DescribeAutoScalingGroups", |xml| {
            members(xml, "AutoScalingGroups", wanted, |xml, group| {
                self.describe(&group, &group.seen(), xml)
            });
        })
    }

    fn describe(&self, group: &Keeper, view: &View, xml: &mut Xml) {
        let name = &group.spec.id;
        let zone = |number: usize| format!("{}{}", self.registry.region, letter(number));
        let arn = format!(
            "arn:aws:autoscaling:{}:{}:autoScalingGroup:1:autoScalingGroupName/{name}",
            self.registry.region, self.registry.account
        );
        xml.text("AutoScalingGroupName", name);
        xml.text("AutoScalingGroupARN", arn);
        xml.text("MinSize", view.sizes.min);
        xml.text("MaxSize", view.sizes.max);
        xml.text("DesiredCapacity", view.asked.target);
        xml.text("DefaultCooldown", 300);
        xml.element("AvailabilityZones", |xml| {
            (0..group.spec.zones).for_each(|number| xml.text("member", zone(number)));
        });
        xml.text("HealthCheckType", "EC2");
        xml.text("HealthCheckGracePeriod", group.spec.health_grace);
        members(
            xml,
            "Instances",
            view.seats
                .iter()
                .filter(|seat| seat.state != State::Terminated && !seat.detached),
            |xml, seat| {
                instance(group, seat, &zone(seat.zone), xml);
            },
        );
        xml.text("CreatedTime", stamp(group.created));
        xml.text("NewInstancesProtectedFromScaleIn", group.spec.protects_new);
        xml.text("CapacityRebalance", group.spec.capacity_rebalance);
        xml.maybe("Status", view.deleting.then_some("Delete in progress"));
        members(xml, "Tags", &group.spec.tags, |xml, (key, value)| {
            xml.text("Key", key);
            xml.text("Value", value);
            xml.text("PropagateAtLaunch", false);
            xml.text("ResourceId", name);
            xml.text("ResourceType", "auto-scaling-group");
        });
    }
}

fn instance(group: &Keeper, seat: &Seen, zone: &str, xml: &mut Xml) {
    xml.text("InstanceId", &seat.id);
    xml.maybe(
        "InstanceType",
        group
            .machine(&seat.id)
            .map(|machine| machine.spec.instance_type.clone()),
    );
    xml.text("AvailabilityZone", zone);
    xml.text("LifecycleState", lifecycle(seat));
    xml.text(
        "HealthStatus",
        if seat.is_living() && !seat.unhealthy {
            "Healthy"
        } else {
            "Unhealthy"
        },
    );
    xml.text("ProtectedFromScaleIn", seat.protected);
}

/// Of a zone, from `a`.
fn letter(number: usize) -> char {
    ('a'..='z').nth(number).unwrap_or('z')
}

fn lifecycle(seat: &Seen) -> &'static str {
    match seat.state {
        State::Pending | State::Running if !seat.in_service => "Pending",
        State::Pending | State::Running => "InService",
        _ => "Terminating",
    }
}
