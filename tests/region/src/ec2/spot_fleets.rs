//! Spot Fleet requests of type maintain, the older API of the same thing:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_ModifySpotFleetRequest.html> and its like.

use std::sync::Arc;

use super::fleets::{activity, invalid};
use super::{Ec2, active_instances, document, items, not_modifiable, stamp};
use crate::fleet::{FleetKind, Keeper, View};
use crate::front::Refusal;
use crate::query::Form;
use crate::xml::Xml;

impl Ec2 {
    fn spot_fleet(&self, id: &str) -> Result<Arc<Keeper>, Refusal> {
        let unknown = || {
            Refusal::new(
                400,
                "InvalidSpotFleetRequestId.NotFound",
                format!("The spot fleet request ID '{id}' does not exist"),
            )
        };
        self.fleets
            .find(FleetKind::SpotFleet, id)
            .ok_or_else(unknown)
    }

    pub(super) fn describe_spot_fleet_requests(&self, form: &Form) -> Result<String, Refusal> {
        let ids = form.list("SpotFleetRequestId");
        let named: Result<Vec<_>, _> = ids.iter().map(|id| self.spot_fleet(id)).collect();
        let fleets = if ids.is_empty() {
            self.fleets.all(FleetKind::SpotFleet)
        } else {
            named?
        };
        Ok(document("DescribeSpotFleetRequests", |xml| {
            items(xml, "spotFleetRequestConfigSet", fleets, |xml, fleet| {
                describe(&self.registry.account, &fleet, &fleet.seen(), xml);
            });
        }))
    }

    pub(super) fn describe_spot_fleet_instances(&self, form: &Form) -> Result<String, Refusal> {
        let fleet = self.spot_fleet(form.required("SpotFleetRequestId")?)?;
        Ok(document("DescribeSpotFleetInstances", |xml| {
            active_instances(xml, &fleet, &fleet.seen());
            xml.text("spotFleetRequestId", &fleet.spec.id);
        }))
    }

    pub(super) fn describe_spot_fleet_request_history(
        &self,
        form: &Form,
    ) -> Result<String, Refusal> {
        let fleet = self.spot_fleet(form.required("SpotFleetRequestId")?)?;
        let since = super::history::since(form)?;
        Ok(document("DescribeSpotFleetRequestHistory", |xml| {
            super::history::records(xml, &fleet, since, form.get("EventType"));
            xml.text("spotFleetRequestId", &fleet.spec.id);
        }))
    }

    pub(super) fn modify_spot_fleet_request(&self, form: &Form) -> Result<String, Refusal> {
        let fleet = self.spot_fleet(form.required("SpotFleetRequestId")?)?;
        // The API Reference writes them as `NoTermination` and `Default`, the SDKs send the others.
        let keeps_excess = match form.get("ExcessCapacityTerminationPolicy") {
            None => None,
            Some("noTermination" | "NoTermination") => Some(true),
            Some("default" | "Default") => Some(false),
            Some(other) => return Err(invalid("ExcessCapacityTerminationPolicy", other)),
        };
        let modified = fleet.modify(form.number("TargetCapacity")?, keeps_excess);
        if modified {
            Ok(document("ModifySpotFleetRequest", |xml| {
                xml.text("return", true)
            }))
        } else {
            Err(not_modifiable())
        }
    }
}

fn describe(account: &str, fleet: &Keeper, view: &View, xml: &mut Xml) {
    xml.text("activityStatus", activity(view.activity));
    xml.text("createTime", stamp(fleet.created));
    xml.element("spotFleetRequestConfig", |xml| {
        xml.text("allocationStrategy", "priceCapacityOptimized");
        if fleet.spec.capacity_rebalance {
            xml.element("spotMaintenanceStrategies", |xml| {
                xml.element("capacityRebalance", |xml| {
                    xml.text("replacementStrategy", "launch")
                });
            });
        }
        xml.text(
            "excessCapacityTerminationPolicy",
            if view.asked.keeps_excess {
                "noTermination"
            } else {
                "default"
            },
        );
        xml.text("fulfilledCapacity", format!("{}.0", view.fulfilled));
        xml.text("onDemandFulfilledCapacity", "0.0");
        xml.text(
            "iamFleetRole",
            format!("arn:aws:iam::{account}:role/aws-ec2-spot-fleet-tagging-role"),
        );
        xml.text("targetCapacity", view.asked.target);
        xml.text("onDemandTargetCapacity", 0);
        xml.text("terminateInstancesWithExpiration", false);
        xml.text("type", "maintain");
        xml.text("replaceUnhealthyInstances", false);
    });
    xml.text("spotFleetRequestId", &fleet.spec.id);
    xml.text(
        "spotFleetRequestState",
        if view.modifying {
            "modifying"
        } else {
            "active"
        },
    );
}
