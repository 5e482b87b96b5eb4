//! EC2's Query protocol, as much as identity needs: DescribeInstances. Fleets will be further operations beside it.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>

mod authorization;

use std::collections::BTreeMap;
use std::sync::Arc;

use time::format_description::well_known::Rfc3339;

use crate::front::{Answer, Backend, Call, Refusal, Service, answer};
use crate::iam::Request;
use crate::locked;
use crate::percent::decoded;
use crate::registry::{Machine, Registry};
use crate::xml::Xml;

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const REQUEST_ID: &str = "8d5e2f3a-0000-4000-8000-0000000000ec";

pub(crate) struct Ec2 {
    registry: Arc<Registry>,
}

impl Ec2 {
    pub(crate) fn new(registry: Arc<Registry>) -> Ec2 {
        Ec2 { registry }
    }

    fn respond(&self, call: &Call) -> Result<Answer, Refusal> {
        self.registry.caller(call)?;
        let form = form(call);
        match form.get("Action").map(String::as_str) {
            Some("DescribeInstances") => self.describe_instances(&form),
            other => Err(Refusal::new(
                400,
                "InvalidAction",
                format!("The action {} is not valid for this web service.", other.unwrap_or("(none)")),
            )),
        }
    }

    fn describe_instances(&self, form: &BTreeMap<String, String>) -> Result<Answer, Refusal> {
        let mut machines = self.registry.machines();
        let ids = numbered(form, "InstanceId");
        if let Some(unknown) = ids.iter().find(|id| !machines.iter().any(|machine| machine.spec.id == **id)) {
            return Err(Refusal::new(400, "InvalidInstanceID.NotFound", format!("The instance ID '{unknown}' does not exist")));
        }
        machines.retain(|machine| ids.is_empty() || ids.contains(&machine.spec.id));
        for (name, values) in filters(form) {
            let property = property(&name)?;
            machines.retain(|machine| property(machine).is_some_and(|held| values.iter().any(|value| fits(value, &held))));
        }
        let xml = Xml::document("DescribeInstancesResponse", NAMESPACE, |xml| {
            xml.text("requestId", REQUEST_ID);
            xml.element("reservationSet", |xml| machines.iter().for_each(|machine| self.reservation(machine, xml)));
        });
        Ok(answer(200, "text/xml;charset=UTF-8", xml))
    }

    fn reservation(&self, machine: &Machine, xml: &mut Xml) {
        xml.element("item", |xml| {
            xml.text("reservationId", "r-0123456789abcdef0");
            xml.text("ownerId", &self.registry.account);
            xml.element("instancesSet", |xml| xml.element("item", |xml| self.instance(machine, xml)));
        });
    }

    fn instance(&self, machine: &Machine, xml: &mut Xml) {
        let (spec, now) = (&machine.spec, locked(&machine.now).clone());
        let (code, name) = now.state.code_and_name();
        xml.text("instanceId", &spec.id);
        xml.text("imageId", &spec.image);
        xml.element("instanceState", |xml| {
            xml.text("code", code);
            xml.text("name", name);
        });
        xml.text("instanceType", &spec.instance_type);
        xml.text("launchTime", spec.launched.format(&Rfc3339).unwrap_or_default());
        xml.element("placement", |xml| xml.text("availabilityZone", format!("{}a", self.registry.region)));
        xml.text("privateIpAddress", spec.private_ipv4);
        xml.maybe("ipAddress", spec.public_ipv4);
        xml.maybe("ipv6Address", spec.public_ipv6);
        xml.text("instanceLifecycle", "spot");
        xml.element("tagSet", |xml| {
            now.tags.iter().for_each(|(key, value)| {
                xml.element("item", |xml| {
                    xml.text("key", key);
                    xml.text("value", value);
                });
            });
        });
    }
}

type Property = Box<dyn Fn(&Machine) -> Option<String>>;

/// What a filter looks at.
fn property(filter: &str) -> Result<Property, Refusal> {
    if let Some(key) = filter.strip_prefix("tag:") {
        let key = key.to_owned();
        return Ok(Box::new(move |machine| locked(&machine.now).tags.get(&key).cloned()));
    }
    match filter {
        "instance-id" => Ok(Box::new(|machine| Some(machine.spec.id.clone()))),
        "instance-state-name" => Ok(Box::new(|machine| Some(locked(&machine.now).state.code_and_name().1.to_owned()))),
        other => Err(Refusal::new(400, "InvalidParameterValue", format!("The filter '{other}' is invalid"))),
    }
}

/// A filter's value may hold `*`, at its ends here.
fn fits(pattern: &str, held: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (None, None) => pattern == held,
        (Some(end), None) => held.ends_with(end),
        (None, Some(start)) => held.starts_with(start),
        (Some(_), Some(_)) => held.contains(pattern.trim_matches('*')),
    }
}

fn form(call: &Call) -> BTreeMap<String, String> {
    let text = if call.body.is_empty() {
        call.parts.uri.query().unwrap_or_default().to_owned()
    } else {
        String::from_utf8_lossy(&call.body).into_owned()
    };
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decoded(name), decoded(value))).collect()
}

/// `Name.1`, `Name.2`, …
fn numbered(form: &BTreeMap<String, String>, name: &str) -> Vec<String> {
    (1..).map_while(|index| form.get(&format!("{name}.{index}")).cloned()).collect()
}

fn filters(form: &BTreeMap<String, String>) -> Vec<(String, Vec<String>)> {
    (1..)
        .map_while(|index| Some((form.get(&format!("Filter.{index}.Name"))?.clone(), numbered(form, &format!("Filter.{index}.Value")))))
        .collect()
}

impl Backend for Ec2 {
    const SERVICE: Service = Service::Ec2;

    fn operation(&self, call: &Call) -> String {
        form(call).remove("Action").unwrap_or_else(|| "Unknown".to_owned())
    }

    fn instance(&self, call: &Call) -> Option<String> {
        self.registry.instance_of(call)
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Response><Errors><Error><Code>{}</Code><Message>{}</Message></Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>",
            refusal.code,
            quick_xml::escape::escape(refusal.message.as_str())
        );
        answer(refusal.status, "text/xml;charset=UTF-8", body)
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(503, "RequestLimitExceeded", "Request limit exceeded.")
    }

    fn permissions(&self, call: &Call) -> Vec<Request> {
        authorization::permissions(&self.registry, &self.operation(call), &form(call))
    }

    fn denied(&self, words: String) -> Refusal {
        Refusal::new(403, "UnauthorizedOperation", format!("You are not authorized to perform this operation. {words}"))
    }

    async fn answer(&self, call: Call) -> Answer {
        self.respond(&call).unwrap_or_else(|refusal| self.refuse(&call, &refusal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_filters_are_read_by_number() {
        let form: BTreeMap<String, String> = [
            ("InstanceId.1", "i-1"),
            ("InstanceId.2", "i-2"),
            ("Filter.1.Name", "instance-state-name"),
            ("Filter.1.Value.1", "running"),
            ("Filter.1.Value.2", "pending"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into();
        assert_eq!(numbered(&form, "InstanceId"), ["i-1", "i-2"]);
        assert_eq!(filters(&form), [("instance-state-name".to_owned(), vec!["running".to_owned(), "pending".to_owned()])]);
    }

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("i-*", "i-123") && fits("*", "x") && fits("i-1", "i-1") && fits("*3", "i-123"));
        assert!(!fits("i-1", "i-12"));
    }
}
