//! EC2's Query protocol, as much as a site needs: instances, EC2 Fleets and Spot Fleets.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/Welcome.html>; error codes are of its page "Error codes for the Amazon EC2 API".

mod addresses;
mod authorization;
mod fleets;
mod history;
mod instances;
mod spot_fleets;
mod templates;
mod terminate;

use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::FormatItem;
use time::macros::format_description;

use crate::fleet::{Fleets, Keeper, View};
use crate::front::{Answer, Backend, Call, Refusal, Service, answer};
use crate::iam::Request;
use crate::query::Form;
use crate::registry::Registry;
use crate::xml::Xml;

const NAMESPACE: &str = "http://ec2.amazonaws.com/doc/2016-11-15/";
const REQUEST_ID: &str = "8d5e2f3a-0000-4000-8000-0000000000ec";
/// As both services write times.
const TIME: &[FormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

pub(crate) struct Ec2 {
    registry: Arc<Registry>,
    fleets: Arc<Fleets>,
}

impl Ec2 {
    pub(crate) fn new(registry: Arc<Registry>, fleets: Arc<Fleets>) -> Ec2 {
        Ec2 { registry, fleets }
    }

    fn respond(&self, call: &Call) -> Result<String, Refusal> {
        self.registry.caller(call)?;
        let form = Form::of(call);
        match form.action() {
            "DescribeInstances" => self.describe_instances(&form),
            "TerminateInstances" => self.terminate_instances(&form),
            "DescribeAddresses" => self.describe_addresses(&form),
            "AssociateAddress" => self.associate_address(&form),
            "DescribeLaunchTemplates" => self.describe_launch_templates(&form),
            "DescribeFleets" => self.describe_fleets(&form),
            "DescribeFleetInstances" => self.describe_fleet_instances(&form),
            "DescribeFleetHistory" => self.describe_fleet_history(&form),
            "ModifyFleet" => self.modify_fleet(&form),
            "DescribeSpotFleetRequests" => self.describe_spot_fleet_requests(&form),
            "DescribeSpotFleetInstances" => self.describe_spot_fleet_instances(&form),
            "DescribeSpotFleetRequestHistory" => self.describe_spot_fleet_request_history(&form),
            "ModifySpotFleetRequest" => self.modify_spot_fleet_request(&form),
            _ => Err(form.unknown_action()),
        }
    }
}

fn document(action: &str, content: impl FnOnce(&mut Xml)) -> String {
    Xml::document(&format!("{action}Response"), NAMESPACE, |xml| {
        xml.text("requestId", REQUEST_ID);
        content(xml);
    })
}

pub(crate) fn stamp(time: OffsetDateTime) -> String {
    time.format(TIME).unwrap_or_default()
}

/// A list's elements are `item`s.
fn items<T>(
    xml: &mut Xml,
    name: &str,
    list: impl IntoIterator<Item = T>,
    content: impl Fn(&mut Xml, T),
) {
    xml.element(name, |xml| {
        list.into_iter()
            .for_each(|one| xml.element("item", |xml| content(xml, one)))
    });
}

/// DescribeFleetInstances and DescribeSpotFleetInstances.
fn active_instances(xml: &mut Xml, keeper: &Keeper, view: &View) {
    items(
        xml,
        "activeInstanceSet",
        view.seats.iter().filter(|seat| seat.is_living()),
        |xml, seat| {
            xml.text("instanceId", &seat.id);
            xml.maybe(
                "instanceType",
                keeper
                    .machine(&seat.id)
                    .map(|machine| machine.spec.instance_type.clone()),
            );
            xml.text(
                "spotInstanceRequestId",
                format!(
                    "sir-{}",
                    seat.id
                        .trim_start_matches("i-")
                        .chars()
                        .take(8)
                        .collect::<String>()
                ),
            );
            xml.text("instanceHealth", "healthy");
        },
    );
}

/// A modification while another is being processed; the message of both kinds says "Spot Fleet".
fn not_modifiable() -> Refusal {
    Refusal::new(
        400,
        "FleetNotInModifiableState",
        "The Spot Fleet request must be in the active state in order to modify it.",
    )
}

impl Backend for Ec2 {
    const SERVICE: Service = Service::Ec2;

    fn operation(&self, call: &Call) -> String {
        Form::of(call).action().to_owned()
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
        authorization::permissions(&self.registry, &self.fleets, &Form::of(call))
    }

    fn denied(&self, words: String) -> Refusal {
        Refusal::new(
            403,
            "UnauthorizedOperation",
            format!("You are not authorized to perform this operation. {words}"),
        )
    }

    async fn answer(&self, call: Call) -> Answer {
        match self.respond(&call) {
            Ok(body) => answer(200, "text/xml;charset=UTF-8", body),
            Err(refusal) => self.refuse(&call, &refusal),
        }
    }
}
