//! EC2 Fleets of type maintain:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifyFleet.html> and its like.

use std::sync::Arc;

use super::{Ec2, active_instances, document, items, not_modifiable, stamp};
use crate::fleet::{Activity, FleetKind, Keeper, View};
use crate::front::Refusal;
use crate::query::Form;
use crate::xml::Xml;

impl Ec2 {
    fn fleet(&self, id: &str) -> Result<Arc<Keeper>, Refusal> {
        let unknown = || {
            Refusal::new(
                400,
                "InvalidFleetId.NotFound",
                format!("The fleet ID '{id}' does not exist"),
            )
        };
        self.fleets
            .find(FleetKind::Ec2Fleet, id)
            .ok_or_else(unknown)
    }

    pub(super) fn describe_fleets(&self, form: &Form) -> Result<String, Refusal> {
        let ids = form.list("FleetId");
        let named: Result<Vec<_>, _> = ids.iter().map(|id| self.fleet(id)).collect();
        let fleets = if ids.is_empty() {
            self.fleets.all(FleetKind::Ec2Fleet)
        } else {
            named?
        };
        Ok(document("DescribeFleets", |xml| {
            items(xml, "fleetSet", fleets, |xml, fleet| {
                describe(&fleet, &fleet.seen(), xml)
            })
        }))
    }

    pub(super) fn describe_fleet_instances(&self, form: &Form) -> Result<String, Refusal> {
        let fleet = self.fleet(form.required("FleetId")?)?;
        Ok(document("DescribeFleetInstances", |xml| {
            active_instances(xml, &fleet, &fleet.seen());
            xml.text("fleetId", &fleet.spec.id);
        }))
    }

    pub(super) fn describe_fleet_history(&self, form: &Form) -> Result<String, Refusal> {
        let fleet = self.fleet(form.required("FleetId")?)?;
        let since = super::history::since(form)?;
        Ok(document("DescribeFleetHistory", |xml| {
            super::history::records(xml, &fleet, since, form.get("EventType"));
            xml.text("fleetId", &fleet.spec.id);
        }))
    }

    pub(super) fn modify_fleet(&self, form: &Form) -> Result<String, Refusal> {
        let fleet = self.fleet(form.required("FleetId")?)?;
        let keeps_excess = match form.get("ExcessCapacityTerminationPolicy") {
            None => None,
            Some("no-termination") => Some(true),
            Some("termination") => Some(false),
            Some(other) => return Err(invalid("ExcessCapacityTerminationPolicy", other)),
        };
        let target = form.number("TargetCapacitySpecification.TotalTargetCapacity")?;
        if fleet.modify(target, keeps_excess) {
            Ok(document("ModifyFleet", |xml| xml.text("return", true)))
        } else {
            Err(not_modifiable())
        }
    }
}

pub(super) fn invalid(name: &str, value: &str) -> Refusal {
    Refusal::new(
        400,
        "InvalidParameterValue",
        format!("Value ({value}) for parameter {name} is invalid."),
    )
}

fn describe(fleet: &Keeper, view: &View, xml: &mut Xml) {
    xml.text("activityStatus", activity(view.activity));
    xml.text("createTime", stamp(fleet.created));
    xml.text("fleetId", &fleet.spec.id);
    xml.text(
        "fleetState",
        if view.modifying {
            "modifying"
        } else {
            "active"
        },
    );
    xml.text(
        "excessCapacityTerminationPolicy",
        if view.asked.keeps_excess {
            "no-termination"
        } else {
            "termination"
        },
    );
    xml.text("fulfilledCapacity", format!("{}.0", view.fulfilled));
    xml.text("fulfilledOnDemandCapacity", "0.0");
    xml.element("targetCapacitySpecification", |xml| {
        xml.text("totalTargetCapacity", view.asked.target);
        xml.text("onDemandTargetCapacity", 0);
        xml.text("spotTargetCapacity", view.asked.target);
        xml.text("defaultTargetCapacityType", "spot");
    });
    items(xml, "launchTemplateConfigs", [fleet], |xml, fleet| {
        xml.element("launchTemplateSpecification", |xml| {
            xml.text("launchTemplateId", fleet.template_id());
            xml.text("version", fleet.template_word());
        });
    });
    xml.text("terminateInstancesWithExpiration", false);
    xml.text("type", "maintain");
    xml.text("replaceUnhealthyInstances", false);
    xml.element("spotOptions", |xml| {
        xml.text("allocationStrategy", "price-capacity-optimized");
        if fleet.spec.capacity_rebalance {
            xml.element("maintenanceStrategies", |xml| {
                xml.element("capacityRebalance", |xml| {
                    xml.text("replacementStrategy", "launch")
                });
            });
        }
    });
}

pub(super) fn activity(activity: Activity) -> &'static str {
    match activity {
        Activity::Error => "error",
        Activity::PendingFulfillment => "pending_fulfillment",
        Activity::PendingTermination => "pending_termination",
        Activity::Fulfilled => "fulfilled",
    }
}
