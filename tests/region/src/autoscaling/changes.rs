//! What changes a group: its desired capacity, and its instances.

use time::OffsetDateTime;

use super::{AutoScaling, activities, document, validation};
use crate::fleet::{Event, FleetKind, Sizes, What, Why};
use crate::front::Refusal;
use crate::query::Form;

impl AutoScaling {
    pub(super) fn set_desired_capacity(&self, form: &Form) -> Result<String, Refusal> {
        let group = self.group(form)?;
        form.required("DesiredCapacity")?;
        let desired = form.number("DesiredCapacity")?.unwrap_or_default();
        let (Sizes { min, max }, name) = (group.sizes(), "AutoScalingGroup");
        if desired > max {
            return Err(validation(format!(
                "New SetDesiredCapacity value {desired} is above max value {max} for the {name}."
            )));
        }
        if desired < min {
            return Err(validation(format!(
                "New SetDesiredCapacity value {desired} is below min value {min} for the {name}."
            )));
        }
        group.set_desired(desired);
        Ok(document("SetDesiredCapacity", |_| ()))
    }

    /// Of what it changes on AWS, the sizes.
    pub(super) fn update_group(&self, form: &Form) -> Result<String, Refusal> {
        let group = self.group(form)?;
        let sizes = (form.number("MinSize")?, form.number("MaxSize")?);
        group
            .resize(sizes, form.number("DesiredCapacity")?)
            .map_err(validation)?;
        Ok(document("UpdateAutoScalingGroup", |_| ()))
    }

    /// Instances that are protected from scale-in go by force alone ("Delete your Auto Scaling
    /// infrastructure" in the user guide).
    pub(super) fn delete_group(&self, form: &Form) -> Result<String, Refusal> {
        let group = self.group(form)?;
        let force = form.get("ForceDelete").is_some() && form.flag("ForceDelete")?;
        if group.delete(force) {
            return Ok(document("DeleteAutoScalingGroup", |_| ()));
        }
        Err(Refusal::new(
            400,
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in the group.",
        ))
    }

    /// Both in one: the instance goes, and with it, where asked, one unit of the desired capacity.
    pub(super) fn terminate_instance(&self, form: &Form) -> Result<String, Refusal> {
        let (id, lower) = (
            form.required("InstanceId")?,
            form.flag("ShouldDecrementDesiredCapacity")?,
        );
        let unknown = || {
            validation(format!(
                "Instance Id not found - No managed instance found for instance ID: {id}"
            ))
        };
        let group = self
            .fleets
            .of(id)
            .filter(|group| group.spec.kind == FleetKind::AutoScalingGroup)
            .ok_or_else(unknown)?;
        let min = group.sizes().min;
        let decrement = lower.then_some(min);
        // The answer is from when it begins, however soon it ends.
        let view = group.seen();
        match group.terminate_within(id, decrement) {
            None => Err(unknown()),
            Some(false) => Err(validation(format!(
                "Currently, desiredSize equals minSize ({min}). Terminating instance without replacement will violate group's min size \
                 constraint. Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
            ))),
            Some(true) => {
                let event = Event {
                    at: OffsetDateTime::now_utc(),
                    what: What::Left(id.to_owned(), Why::Terminated),
                };
                Ok(document("TerminateInstanceInAutoScalingGroup", |xml| {
                    xml.element("Activity", |xml| {
                        activities::activity(&group, &view, 0, &event, xml)
                    });
                }))
            }
        }
    }

    /// Out of the group and alive; one in service only ("Detach or attach instances" in the user
    /// guide).
    pub(super) fn detach_instances(&self, form: &Form) -> Result<String, Refusal> {
        let (group, lower) = (
            self.group(form)?,
            form.flag("ShouldDecrementDesiredCapacity")?,
        );
        let ids = form.list("InstanceIds.member");
        let [id] = ids.as_slice() else {
            return Err(validation(
                "The region detaches one instance at a time.".to_owned(),
            ));
        };
        let min = group.sizes().min;
        match group.detach(id, lower.then_some(min)) {
            None => Err(validation(format!(
                "The instance {id} is not part of Auto Scaling group {}.",
                group.spec.id
            ))),
            Some(false) => Err(validation(format!(
                "Currently, desiredSize equals minSize ({min}). Detaching instances without replacement will violate group's min size constraint."
            ))),
            Some(true) => {
                let event = Event {
                    at: OffsetDateTime::now_utc(),
                    what: What::Detached(id.clone()),
                };
                Ok(document("DetachInstances", |xml| {
                    super::members(xml, "Activities", [event], |xml, event| {
                        activities::activity(&group, &group.seen(), 0, &event, xml)
                    });
                }))
            }
        }
    }

    pub(super) fn set_instance_protection(&self, form: &Form) -> Result<String, Refusal> {
        let (group, protected) = (self.group(form)?, form.flag("ProtectedFromScaleIn")?);
        let ids = form.list("InstanceIds.member");
        match group.protect(&ids, protected) {
            Ok(()) => Ok(document("SetInstanceProtection", |_| ())),
            Err(why) => Err(validation(why)),
        }
    }
}
