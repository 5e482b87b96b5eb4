//! Route 53, the parts that are used, as faithful as the documentation allows:
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/>.

mod authorization;
mod checkers;
mod health;
mod list;
mod names;
mod record;
mod records;
mod request;
mod rules;
mod state;
mod unverified;
mod values;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::front::{Answer, Backend, Call, Refusal, Service, answer};
use crate::iam::Request;
use crate::locked;
use crate::registry::{Caller, Registry};
use crate::xml::Xml;
pub use checkers::Checkers;
pub(crate) use checkers::ask;
pub use health::{HealthCheck, HealthCheckConfig};
use list::{Described, Query};
pub(crate) use names::within;
pub use record::{Alias, RecordSet};
pub use records::Records;
pub use rules::{Action, Change};
pub use state::Batch;
pub(crate) use state::State;
pub(crate) use values::strings;

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";
const PREFIX: &str = "/2013-04-01/";

pub(crate) struct Route53 {
    registry: Arc<Registry>,
    state: Arc<Mutex<State>>,
}

impl Route53 {
    pub(crate) fn new(registry: Arc<Registry>, state: Arc<Mutex<State>>) -> Route53 {
        Route53 { registry, state }
    }

    fn respond(&self, call: &Call) -> Result<Answer, Refusal> {
        let caller = self.registry.caller(call)?;
        let mut state = locked(&self.state);
        if !state.admits() {
            return Err(self.throttled());
        }
        let (route, id) = route(call);
        let query = Query::of(&call.parts.uri);
        match route {
            "ListHostedZonesByName" => Ok(done(200, route, list::zones_by_name(&state, &query)?)),
            "ListHostedZones" => Ok(done(200, route, list::zones(&state, &query)?)),
            "GetHostedZone" => get_zone(&state, id),
            "ListResourceRecordSets" => Ok(done(
                200,
                route,
                list::record_sets(state.zone(id)?, &query)?,
            )),
            "ChangeResourceRecordSets" => change_sets(&mut state, id, call, &caller),
            "GetChange" => get_change(&state, id),
            "CreateHealthCheck" => create_check(&mut state, call),
            "GetHealthCheck" => state
                .health
                .get(id)
                .map(|check| done(200, route, |xml| check.write(xml))),
            "DeleteHealthCheck" => state.health.delete(id).map(|()| done(200, route, |_| {})),
            "ListHealthChecks" => Ok(done(200, route, list::health_checks(&state, &query)?)),
            _ => Err(Refusal::new(
                404,
                "UnknownOperationException",
                format!("{} {} is not built here", call.parts.method, call.path()),
            )),
        }
    }
}

/// The operation, and the id in the path.
fn route(call: &Call) -> (&'static str, &str) {
    let path = call.path().strip_prefix(PREFIX).unwrap_or_default();
    let parts: Vec<&str> = path.trim_end_matches('/').split('/').collect();
    match (call.parts.method.as_str(), parts.as_slice()) {
        ("GET", ["hostedzonesbyname"]) => ("ListHostedZonesByName", ""),
        ("GET", ["hostedzone"]) => ("ListHostedZones", ""),
        ("GET", ["hostedzone", id]) => ("GetHostedZone", id),
        ("GET", ["hostedzone", id, "rrset"]) => ("ListResourceRecordSets", id),
        ("POST", ["hostedzone", id, "rrset"]) => ("ChangeResourceRecordSets", id),
        ("GET", ["change", id]) => ("GetChange", id),
        ("POST", ["healthcheck"]) => ("CreateHealthCheck", ""),
        ("GET", ["healthcheck"]) => ("ListHealthChecks", ""),
        ("GET", ["healthcheck", id]) => ("GetHealthCheck", id),
        ("DELETE", ["healthcheck", id]) => ("DeleteHealthCheck", id),
        _ => ("Unknown", ""),
    }
}

fn done(status: u16, operation: &str, content: impl FnOnce(&mut Xml)) -> Answer {
    answer(
        status,
        "text/xml",
        Xml::document(&format!("{operation}Response"), NAMESPACE, content),
    )
}

fn get_zone(state: &State, id: &str) -> Result<Answer, Refusal> {
    let zone = Described::of(state.zone(id)?);
    Ok(done(200, "GetHostedZone", |xml| {
        zone.write(xml);
        xml.element("DelegationSet", |xml| {
            xml.element("NameServers", |xml| {
                xml.text("NameServer", state::NAME_SERVER.trim_end_matches('.'))
            })
        });
    }))
}

fn change_sets(
    state: &mut State,
    zone_id: &str,
    call: &Call,
    caller: &Caller,
) -> Result<Answer, Refusal> {
    let request: request::ChangeRequest = parse(call)?;
    let changes = request
        .change_batch
        .changes
        .change
        .into_iter()
        .map(request::read)
        .collect::<Result<Vec<_>, _>>()?;
    let instance = match caller {
        Caller::Ci | Caller::Distribution => None,
        Caller::Instance(machine) => Some(machine.spec.id.clone()),
    };
    let id = state.change(zone_id, changes, &request.change_batch.comment, instance)?;
    change_info(state, "ChangeResourceRecordSets", &id)
}

fn get_change(state: &State, id: &str) -> Result<Answer, Refusal> {
    change_info(state, "GetChange", id)
}

fn change_info(state: &State, operation: &str, id: &str) -> Result<Answer, Refusal> {
    let missing = || {
        Refusal::new(
            404,
            "NoSuchChange",
            format!("Could not find resource with ID: {id}"),
        )
    };
    let change = state.changes.get(id).ok_or_else(missing)?;
    let status = if change.in_sync <= Instant::now() && operation == "GetChange" {
        "INSYNC"
    } else {
        "PENDING"
    };
    Ok(done(200, operation, |xml| {
        xml.element("ChangeInfo", |xml| {
            xml.text("Id", format!("/change/{id}"));
            xml.text("Status", status);
            xml.text("SubmittedAt", stamp(change.submitted));
        });
    }))
}

fn create_check(state: &mut State, call: &Call) -> Result<Answer, Refusal> {
    let check = state.health.create(parse(call)?)?;
    let mut created = done(201, "CreateHealthCheck", |xml| check.write(xml));
    let location = format!(
        "https://route53.amazonaws.com{PREFIX}healthcheck/{}",
        check.id
    );
    if let Ok(location) = location.parse() {
        created
            .headers_mut()
            .insert(http::header::LOCATION, location);
    }
    Ok(created)
}

fn parse<T: serde::de::DeserializeOwned>(call: &Call) -> Result<T, Refusal> {
    let text = String::from_utf8_lossy(&call.body);
    quick_xml::de::from_str(&text)
        .map_err(|error| Refusal::new(400, "InvalidInput", format!("Invalid XML ; {error}")))
}

fn stamp(at: OffsetDateTime) -> String {
    at.replace_microsecond(u32::from(at.millisecond()) * 1000)
        .ok()
        .and_then(|at| at.format(&Rfc3339).ok())
        .unwrap_or_default()
}

impl Backend for Route53 {
    const SERVICE: Service = Service::Route53;

    fn operation(&self, call: &Call) -> String {
        route(call).0.to_owned()
    }

    fn instance(&self, call: &Call) -> Option<String> {
        self.registry.instance_of(call)
    }

    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        let xml = Xml::document("ErrorResponse", NAMESPACE, |xml| {
            xml.element("Error", |xml| {
                xml.text(
                    "Type",
                    if refusal.status < 500 {
                        "Sender"
                    } else {
                        "Receiver"
                    },
                );
                xml.text("Code", &refusal.code);
                xml.text("Message", &refusal.message);
            });
            xml.text("RequestId", "8d5e2f3a-0000-4000-8000-000000000053");
        });
        answer(refusal.status, "text/xml", xml)
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(400, "Throttling", "Rate exceeded")
    }

    fn permissions(&self, call: &Call) -> Vec<Request> {
        authorization::permissions(call)
    }

    async fn answer(&self, call: Call) -> Answer {
        self.respond(&call)
            .unwrap_or_else(|refusal| self.refuse(&call, &refusal))
    }
}
