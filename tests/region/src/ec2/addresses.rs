//! Elastic IPs:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeAddresses.html>,
//! `AssociateAddress`.

use super::instances::{fits, interface_of};
use super::{Ec2, document, items};
use crate::elastic::{ElasticIp, Holder};
use crate::front::Refusal;
use crate::instance::State;
use crate::locked;
use crate::query::Form;
use crate::xml::Xml;

impl Ec2 {
    pub(super) fn describe_addresses(&self, form: &Form) -> Result<String, Refusal> {
        let mut all = self.registry.elastic_ips();
        let ids = form.list("AllocationId");
        if let Some(unknown) = ids
            .iter()
            .find(|id| all.iter().all(|(elastic, _)| elastic.allocation != **id))
        {
            return Err(unknown_allocation(unknown));
        }
        all.retain(|(elastic, _)| ids.is_empty() || ids.contains(&elastic.allocation));
        for (name, values) in form.filters() {
            let held = property(&name)?;
            all.retain(|(elastic, holder)| {
                held(elastic, holder)
                    .is_some_and(|held| values.iter().any(|value| fits(value, &held)))
            });
        }
        Ok(document("DescribeAddresses", |xml| {
            items(xml, "addressesSet", all, |xml, (elastic, holder)| {
                address(xml, &elastic, &holder)
            })
        }))
    }

    /// By allocation and instance; reassociation is automatic unless it is refused.
    pub(super) fn associate_address(&self, form: &Form) -> Result<String, Refusal> {
        let (allocation, instance) = (form.required("AllocationId")?, form.required("InstanceId")?);
        let found = self
            .registry
            .elastic_ips()
            .into_iter()
            .find(|(elastic, _)| elastic.allocation == allocation);
        let (elastic, holder) = found.ok_or_else(|| unknown_allocation(allocation))?;
        let unknown = || {
            Refusal::new(
                400,
                "InvalidInstanceID.NotFound",
                format!("The instance ID '{instance}' does not exist"),
            )
        };
        let (machine, state) = self
            .known()
            .into_iter()
            .find(|(machine, _)| machine.spec.id == instance)
            .ok_or_else(unknown)?;
        if !matches!(state, State::Running | State::Stopping | State::Stopped)
            || locked(&machine.now).state == State::Terminated
        {
            let (_, state) = state.code_and_name();
            let words = format!(
                "The {state} instance '{instance}' is not in a valid state for this operation."
            );
            return Err(Refusal::new(400, "InvalidInstanceID", words));
        }
        let elsewhere = holder != Holder::Nobody && holder != Holder::Instance(instance.to_owned());
        if elsewhere && form.get("AllowReassociation") == Some("false") {
            let words = format!(
                "resource {allocation} is already associated with associate-id {}",
                association(&elastic)
            );
            return Err(Refusal::new(400, "Resource.AlreadyAssociated", words));
        }
        if form.get("DryRun") == Some("true") {
            return Err(Refusal::new(
                412,
                "DryRunOperation",
                "Request would have succeeded, but DryRun flag is set.",
            ));
        }
        let moved = self.registry.associate(&elastic, &machine);
        moved.map_err(|error| Refusal::new(500, "InternalError", format!("{error:#}")))?;
        Ok(document("AssociateAddress", |xml| {
            xml.text("return", true);
            xml.text("associationId", association(&elastic));
        }))
    }
}

fn association(elastic: &ElasticIp) -> String {
    elastic.allocation.replace("eipalloc-", "eipassoc-")
}

fn unknown_allocation(id: &str) -> Refusal {
    Refusal::new(
        400,
        "InvalidAllocationID.NotFound",
        format!("The allocation ID '{id}' does not exist"),
    )
}

fn address(xml: &mut Xml, elastic: &ElasticIp, holder: &Holder) {
    xml.text("publicIp", elastic.address);
    xml.text("allocationId", &elastic.allocation);
    xml.text("domain", "vpc");
    if *holder != Holder::Nobody {
        xml.text("associationId", association(elastic));
    }
    match holder {
        Holder::Nobody => {}
        Holder::Instance(id) => {
            xml.text("instanceId", id);
            xml.text("networkInterfaceId", interface_of(id));
        }
        Holder::Interface(id) => xml.text("networkInterfaceId", id),
    }
    items(xml, "tagSet", &elastic.tags, |xml, (key, value)| {
        xml.text("key", key);
        xml.text("value", value);
    });
}

type Property = Box<dyn Fn(&ElasticIp, &Holder) -> Option<String>>;

/// What a filter looks at.
fn property(filter: &str) -> Result<Property, Refusal> {
    if let Some(key) = filter.strip_prefix("tag:") {
        let key = key.to_owned();
        return Ok(Box::new(move |elastic, _| elastic.tags.get(&key).cloned()));
    }
    match filter {
        "allocation-id" => Ok(Box::new(|elastic, _| Some(elastic.allocation.clone()))),
        "instance-id" => Ok(Box::new(|_, holder| {
            if let Holder::Instance(id) = holder {
                Some(id.clone())
            } else {
                None
            }
        })),
        "public-ip" => Ok(Box::new(|elastic, _| Some(elastic.address.to_string()))),
        other => Err(Refusal::new(
            400,
            "InvalidParameterValue",
            format!("The filter '{other}' is invalid"),
        )),
    }
}
