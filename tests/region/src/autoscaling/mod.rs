//! Auto Scaling groups' Query protocol:
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/Welcome.html>.

mod activities;
mod authorization;
mod changes;
mod groups;

use std::sync::Arc;

use crate::fleet::{FleetKind, Fleets, Keeper};
use crate::front::{Answer, Backend, Call, Refusal, Service, answer};
use crate::iam::Request;
use crate::query::Form;
use crate::registry::Registry;
use crate::xml::Xml;

const NAMESPACE: &str = "http://autoscaling.amazonaws.com/doc/2011-01-01/";
const REQUEST_ID: &str = "8d5e2f3a-0000-4000-8000-0000000000a5";

pub(crate) struct AutoScaling {
    registry: Arc<Registry>,
    fleets: Arc<Fleets>,
}

impl AutoScaling {
    pub(crate) fn new(registry: Arc<Registry>, fleets: Arc<Fleets>) -> AutoScaling {
        AutoScaling { registry, fleets }
    }

    fn respond(&self, call: &Call) -> Result<String, Refusal> {
        self.registry.caller(call)?;
        let form = Form::of(call);
        match form.action() {
            "DescribeAutoScalingGroups" => Ok(self.describe_groups(&form)),
            "DescribeScalingActivities" => self.describe_activities(&form),
            "SetDesiredCapacity" => self.set_desired_capacity(&form),
            "UpdateAutoScalingGroup" => self.update_group(&form),
            "DeleteAutoScalingGroup" => self.delete_group(&form),
            "TerminateInstanceInAutoScalingGroup" => self.terminate_instance(&form),
            "DetachInstances" => self.detach_instances(&form),
            "SetInstanceProtection" => self.set_instance_protection(&form),
            _ => Err(form.unknown_action()),
        }
    }

    fn group(&self, form: &Form) -> Result<Arc<Keeper>, Refusal> {
        let name = form.required("AutoScalingGroupName")?;
        let unknown = || {
            validation(format!(
                "AutoScalingGroup name not found - AutoScalingGroup {name} not found"
            ))
        };
        self.fleets
            .find(FleetKind::AutoScalingGroup, name)
            .ok_or_else(unknown)
    }
}

/// The service's code for whatever does not hold.
fn validation(message: String) -> Refusal {
    Refusal::new(400, "ValidationError", message)
}

fn document(action: &str, content: impl FnOnce(&mut Xml)) -> String {
    Xml::document(&format!("{action}Response"), NAMESPACE, |xml| {
        xml.element(&format!("{action}Result"), content);
        xml.element("ResponseMetadata", |xml| xml.text("RequestId", REQUEST_ID));
    })
}

/// A list's elements are `member`s.
fn members<T>(
    xml: &mut Xml,
    name: &str,
    list: impl IntoIterator<Item = T>,
    content: impl Fn(&mut Xml, T),
) {
    xml.element(name, |xml| {
        list.into_iter()
            .for_each(|one| xml.element("member", |xml| content(xml, one)))
    });
}

impl Backend for AutoScaling {
    const SERVICE: Service = Service::AutoScaling;

    fn operation(&self, call: &Call) -> String {
        Form::of(call).action().to_owned()
    }

    fn instance(&self, call: &Call) -> Option<String> {
        self.registry.instance_of(call)
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        let fault = if refusal.status < 500 {
            "Sender"
        } else {
            "Receiver"
        };
        let body = format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{fault}</Type><Code>{}</Code><Message>{}</Message></Error><RequestId>{REQUEST_ID}</RequestId></ErrorResponse>",
            refusal.code,
            quick_xml::escape::escape(refusal.message.as_str())
        );
        answer(refusal.status, "text/xml", body)
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(400, "Throttling", "Rate exceeded")
    }

    fn permissions(&self, call: &Call) -> Vec<Request> {
        authorization::permissions(&self.registry, &self.fleets, &Form::of(call))
    }

    async fn answer(&self, call: Call) -> Answer {
        match self.respond(&call) {
            Ok(body) => answer(200, "text/xml", body),
            Err(refusal) => self.refuse(&call, &refusal),
        }
    }
}
