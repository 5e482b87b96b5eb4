//! A fleet's events as its history tells them; the two kinds differ in the names of the events'
//! types.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_EventInformation.html>

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{items, stamp};
use crate::fleet::{Event, FleetKind, Keeper, Lack, What, Why};
use crate::front::Refusal;
use crate::query::Form;
use crate::xml::Xml;

/// How many records an answer holds at most, the newest: it has no second page here.
const MOST: usize = 1000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fleet,
    Instance,
    Information,
    Error,
}

impl Kind {
    /// DescribeFleetHistory and DescribeSpotFleetRequestHistory, parameter EventType.
    fn name(self, fleet: FleetKind) -> &'static str {
        match (self, fleet == FleetKind::Ec2Fleet) {
            (Kind::Fleet, true) => "fleet-change",
            (Kind::Fleet, false) => "fleetRequestChange",
            (Kind::Instance, true) => "instance-change",
            (Kind::Instance, false) => "instanceChange",
            (Kind::Information, true) => "service-error",
            (Kind::Information, false) => "information",
            (Kind::Error, true) => "service-error",
            (Kind::Error, false) => "error",
        }
    }
}

pub(super) fn since(form: &Form) -> Result<OffsetDateTime, Refusal> {
    let text = form.required("StartTime")?;
    OffsetDateTime::parse(text, &Rfc3339).map_err(|_| super::fleets::invalid("StartTime", text))
}

pub(super) fn records(xml: &mut Xml, fleet: &Keeper, since: OffsetDateTime, only: Option<&str>) {
    let events = fleet.events(&fleet.seen());
    let wanted = |event: &&Event| {
        event.at >= since && only.is_none_or(|only| only == kind(event).name(fleet.spec.kind))
    };
    let events: Vec<&Event> = events.iter().filter(wanted).collect();
    let newest = &events[events.len().saturating_sub(MOST)..];
    items(xml, "historyRecordSet", newest, |xml, event| {
        record(xml, fleet, event)
    });
    xml.text("lastEvaluatedTime", stamp(OffsetDateTime::now_utc()));
    xml.text("startTime", stamp(since));
}

fn kind(event: &Event) -> Kind {
    match event.what {
        What::Submitted | What::Active | What::Modifying { .. } | What::Modified => Kind::Fleet,
        What::Ordered | What::Launched(_) | What::Left(..) | What::Detached(_) => Kind::Instance,
        What::Lacks(Lack::Quota) => Kind::Error,
        What::Lacks(Lack::Capacity) | What::AllProtected | What::NotLaunched(_) => {
            Kind::Information
        }
    }
}

fn record(xml: &mut Xml, fleet: &Keeper, event: &Event) {
    let (sub_type, instance, description) = told(fleet, &event.what);
    xml.element("eventInformation", |xml| {
        xml.maybe("eventDescription", description);
        xml.text("eventSubType", sub_type);
        xml.maybe("instanceId", instance);
    });
    xml.text("eventType", kind(event).name(fleet.spec.kind));
    xml.text("timestamp", stamp(event.at));
}

/// The event's sub-type, instance and description.
fn told<'e>(fleet: &Keeper, what: &'e What) -> (&'static str, Option<&'e String>, Option<String>) {
    let blacklisted = |error: &str| {
        let template = fleet.template();
        let instance_type = template.instance_type.as_deref().unwrap_or("t3.micro");
        let image = template.image.as_deref().unwrap_or("ami-0123456789abcdef0");
        format!(
            "Repeated errors have occurred processing the launch specification \"{instance_type}, {image}, Linux/UNIX while launching spot \
             instance\". It will not be retried for at least 13 minutes. Error message: {error}"
        )
    };
    match what {
        What::Submitted => ("submitted", None, None),
        What::Active => ("active", None, None),
        What::Modifying { from, to } => (
            "modify_in_progress",
            None,
            Some(format!("Target capacity changing from {from} to {to}")),
        ),
        What::Modified => ("modify_succeeded", None, None),
        What::Ordered => ("launching", None, None),
        What::Launched(id) => ("launched", Some(id), None),
        What::Left(id, Why::ScaledIn) => ("termination_notified", Some(id), None),
        What::Left(id, _) => ("terminated", Some(id), None),
        // A group's alone, and those tell of it as an activity.
        What::Detached(id) => ("detached", Some(id), None),
        What::AllProtected => ("allProtected", None, None),
        What::Lacks(Lack::Quota) => (
            "spotInstanceCountLimitExceeded",
            None,
            Some(NO_QUOTA.to_owned()),
        ),
        What::Lacks(Lack::Capacity) => (
            "launchSpecTemporarilyBlacklisted",
            None,
            Some(blacklisted(NO_CAPACITY)),
        ),
        What::NotLaunched(error) => (
            "launchSpecTemporarilyBlacklisted",
            None,
            Some(blacklisted(error)),
        ),
    }
}

/// As the API Reference words it (EventInformation).
const NO_QUOTA: &str =
    "You've reached the limit on the number of Spot Instances that you can launch.";

/// As EC2 words it for spot instances ("Troubleshoot instance launch issues").
const NO_CAPACITY: &str = "There is no Spot capacity available that matches your request. (Service: AmazonEC2; Status Code: 500; \
                           Error Code: InsufficientInstanceCapacity)";
