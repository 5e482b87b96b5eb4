//! DescribeInstances:
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>.

use std::sync::Arc;

use super::{Ec2, document, items};
use crate::fleet::Told;
use crate::front::Refusal;
use crate::instance::State;
use crate::locked;
use crate::query::Form;
use crate::registry::Machine;
use crate::xml::Xml;

/// An instance with the state that is told of it.
pub(super) type Known = (Arc<Machine>, State);

impl Ec2 {
    /// Those that EC2 tells of by now.
    pub(super) fn known(&self) -> Vec<Known> {
        let told = |machine: Arc<Machine>| match self.fleets.state_of(&machine.spec.id) {
            Told::NotOurs => {
                let state = locked(&machine.now).state;
                Some((machine, state))
            }
            Told::Absent => None,
            Told::State(state) => Some((machine, state)),
        };
        self.registry
            .machines()
            .into_iter()
            .filter_map(told)
            .collect()
    }

    pub(super) fn describe_instances(&self, form: &Form) -> Result<String, Refusal> {
        let mut known = self.known();
        let ids = form.list("InstanceId");
        all_known(&ids, &known)?;
        known.retain(|(machine, _)| ids.is_empty() || ids.contains(&machine.spec.id));
        for (name, values) in form.filters() {
            let property = property(&name)?;
            known.retain(|known| {
                property(known).is_some_and(|held| values.iter().any(|value| fits(value, &held)))
            });
        }
        Ok(document("DescribeInstances", |xml| {
            items(xml, "reservationSet", &known, |xml, known| {
                self.reservation(known, xml)
            })
        }))
    }

    fn reservation(&self, known: &Known, xml: &mut Xml) {
        xml.text("reservationId", "r-0123456789abcdef0");
        xml.text("ownerId", &self.registry.account);
        items(xml, "instancesSet", [known], |xml, known| {
            self.instance(known, xml)
        });
    }

    fn instance(&self, (machine, state): &Known, xml: &mut Xml) {
        let spec = &machine.spec;
        xml.text("instanceId", &spec.id);
        xml.text("imageId", &spec.image);
        xml.element("instanceState", |xml| code_and_name(*state, xml));
        xml.text("instanceType", &spec.instance_type);
        xml.text("launchTime", super::stamp(spec.launched));
        xml.element("placement", |xml| {
            xml.text("availabilityZone", format!("{}a", self.registry.region))
        });
        // A terminated instance keeps neither addresses nor interfaces.
        if *state != State::Terminated {
            xml.text("privateIpAddress", spec.private_ipv4);
            xml.maybe("ipAddress", machine.public_ipv4());
            xml.maybe("ipv6Address", spec.public_ipv6);
            interface(machine, xml);
        }
        xml.text("instanceLifecycle", "spot");
        items(xml, "tagSet", machine.told_tags(), |xml, (key, value)| {
            xml.text("key", key);
            xml.text("value", value);
        });
    }
}

fn interface(machine: &Machine, xml: &mut Xml) {
    let spec = &machine.spec;
    items(xml, "networkInterfaceSet", [spec], |xml, spec| {
        xml.text("networkInterfaceId", interface_of(&spec.id));
        xml.text("macAddress", &spec.mac);
        xml.text("privateIpAddress", spec.private_ipv4);
        xml.text("status", "in-use");
        if let Some(address) = machine.public_ipv4() {
            xml.element("association", |xml| xml.text("publicIp", address));
        }
        items(xml, "ipv6AddressesSet", spec.public_ipv6, |xml, address| {
            xml.text("ipv6Address", address)
        });
    });
}

/// The id of its only one.
pub(super) fn interface_of(instance: &str) -> String {
    format!("eni-{}", instance.trim_start_matches("i-"))
}

/// One unknown id fails the whole call.
pub(super) fn all_known(ids: &[String], known: &[Known]) -> Result<(), Refusal> {
    match ids
        .iter()
        .find(|id| !known.iter().any(|(machine, _)| machine.spec.id == **id))
    {
        Some(unknown) => Err(Refusal::new(
            400,
            "InvalidInstanceID.NotFound",
            format!("The instance ID '{unknown}' does not exist"),
        )),
        None => Ok(()),
    }
}

pub(super) fn code_and_name(state: State, xml: &mut Xml) {
    let (code, name) = state.code_and_name();
    xml.text("code", code);
    xml.text("name", name);
}

type Property = Box<dyn Fn(&Known) -> Option<String>>;

/// What a filter looks at.
fn property(filter: &str) -> Result<Property, Refusal> {
    if let Some(key) = filter.strip_prefix("tag:") {
        let key = key.to_owned();
        return Ok(Box::new(move |(machine, _)| {
            machine.told_tags().remove(&key)
        }));
    }
    match filter {
        "instance-id" => Ok(Box::new(|(machine, _)| Some(machine.spec.id.clone()))),
        "instance-state-name" => Ok(Box::new(|(_, state)| {
            Some(state.code_and_name().1.to_owned())
        })),
        // A terminated instance has none.
        "ip-address" => Ok(Box::new(|(machine, state)| {
            let address = machine.public_ipv4()?;
            (*state != State::Terminated).then(|| address.to_string())
        })),
        "network-interface.ipv6-addresses.ipv6-address" => Ok(Box::new(|(machine, state)| {
            let address = machine.spec.public_ipv6?;
            (*state != State::Terminated).then(|| address.to_string())
        })),
        other => Err(Refusal::new(
            400,
            "InvalidParameterValue",
            format!("The filter '{other}' is invalid"),
        )),
    }
}

/// A filter's value may hold `*`, at its ends here.
pub(super) fn fits(pattern: &str, held: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (None, None) => pattern == held,
        (Some(end), None) => held.ends_with(end),
        (None, Some(start)) => held.starts_with(start),
        (Some(_), Some(_)) => held.contains(pattern.trim_matches('*')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(
            fits("i-*", "i-123") && fits("*", "x") && fits("i-1", "i-1") && fits("*3", "i-123")
        );
        assert!(!fits("i-1", "i-12"));
    }
}
