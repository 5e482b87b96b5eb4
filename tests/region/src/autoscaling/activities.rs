//! A group's events as its scaling activities:
//! <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Activity.html>.

use super::{AutoScaling, document, members};
use crate::ec2::stamp;
use crate::fleet::{Event, Keeper, Lack, Seen, View, What, Why};
use crate::front::Refusal;
use crate::instance::State;
use crate::query::Form;
use crate::xml::Xml;

/// As Auto Scaling words it ("Troubleshoot Amazon EC2 Auto Scaling: EC2 instance launch failures").
const NO_CAPACITY: &str = "Could not launch Spot Instances. InsufficientInstanceCapacity - There is no Spot capacity available that matches \
                           your request. Launching EC2 instance failed.";

/// As users have met it: <https://github.com/aws/aws-parallelcluster/issues/1115>.
const NO_QUOTA: &str = "Max spot instance count exceeded. Launching EC2 instance failed.";

const ALL_PROTECTED: &str = "Could not scale to desired capacity because all remaining instances are protected from scale-in.";

/// Changes of the group itself are no activities.
fn is_one(event: &Event) -> bool {
    !matches!(
        event.what,
        What::Submitted | What::Active | What::Modifying { .. } | What::Modified
    )
}

impl AutoScaling {
    pub(super) fn describe_activities(&self, form: &Form) -> Result<String, Refusal> {
        let group = self.group(form)?;
        let most = form
            .number("MaxRecords")?
            .map_or(usize::MAX, |most| most as usize);
        let view = group.seen();
        let mut events = group.events(&view);
        events.extend(view.ordered.iter().map(|at| Event {
            at: *at,
            what: What::Ordered,
        }));
        // The newest come first.
        let told = events
            .iter()
            .enumerate()
            .filter(|(_, event)| is_one(event))
            .rev()
            .take(most);
        Ok(document("DescribeScalingActivities", |xml| {
            members(xml, "Activities", told, |xml, (number, event)| {
                activity(&group, &view, number, event, xml)
            });
        }))
    }
}

enum Status {
    InProgress,
    Successful,
    Failed(String),
    Cancelled(&'static str),
    /// EC2 has yet to say which instance it is.
    Unknown,
}

pub(super) fn activity(group: &Keeper, view: &View, number: usize, event: &Event, xml: &mut Xml) {
    let (description, status) = told(view, &event.what);
    xml.text(
        "ActivityId",
        format!("00000000-0000-4000-8000-{number:012}"),
    );
    xml.text("AutoScalingGroupName", &group.spec.id);
    xml.text("Description", description);
    xml.text(
        "Cause",
        format!("At {} {}", stamp(event.at), cause(&event.what)),
    );
    xml.text("StartTime", stamp(event.at));
    let (code, progress, message) = match status {
        Status::InProgress => ("InProgress", 50, None),
        Status::Successful => ("Successful", 100, None),
        Status::Failed(message) => ("Failed", 100, Some(message)),
        Status::Cancelled(message) => ("Cancelled", 100, Some(message.to_owned())),
        Status::Unknown => ("WaitingForInstanceId", 20, None),
    };
    if progress == 100 {
        xml.text("EndTime", stamp(event.at));
    }
    xml.text("StatusCode", code);
    xml.maybe("StatusMessage", message);
    xml.text("Progress", progress);
    xml.text("Details", "{}");
}

fn told(view: &View, what: &What) -> (String, Status) {
    let seat = |id: &str| view.seats.iter().find(|seat| seat.id == id);
    let so_far = |done: bool| {
        if done {
            Status::Successful
        } else {
            Status::InProgress
        }
    };
    match what {
        What::Ordered => ("Launching a new EC2 instance".to_owned(), Status::Unknown),
        What::Launched(id) => (
            format!("Launching a new EC2 instance: {id}"),
            so_far(seat(id).is_some_and(is_up)),
        ),
        What::Left(id, _) => (
            format!("Terminating EC2 instance: {id}"),
            so_far(seat(id).is_some_and(|seat| seat.state == State::Terminated)),
        ),
        What::Detached(id) => (format!("Detaching EC2 instance: {id}"), Status::Successful),
        What::AllProtected => (ALL_PROTECTED.to_owned(), Status::Cancelled(ALL_PROTECTED)),
        What::NotLaunched(error) => (
            "Launching a new EC2 instance".to_owned(),
            Status::Failed(format!("{error}. Launching EC2 instance failed.")),
        ),
        What::Lacks(Lack::Quota) => (
            "Launching a new EC2 instance".to_owned(),
            Status::Failed(NO_QUOTA.to_owned()),
        ),
        _ => (
            "Launching a new EC2 instance".to_owned(),
            Status::Failed(NO_CAPACITY.to_owned()),
        ),
    }
}

/// In service, or past that.
fn is_up(seat: &Seen) -> bool {
    seat.in_service || !seat.is_living()
}

fn cause(what: &What) -> &'static str {
    match what {
        What::Left(_, Why::ScaledIn) => {
            "an instance was taken out of service in response to a difference between desired and actual capacity."
        }
        What::Left(_, Why::Rebalanced) => {
            "an instance was taken out of service in response to an EC2 instance rebalance recommendation."
        }
        What::Left(_, Why::Unhealthy) => {
            "an instance was taken out of service in response to EC2 instance status checks failure."
        }
        What::Left(_, Why::Balanced) => {
            "an instance was taken out of service to aid in balancing the group's zones."
        }
        What::Left(_, Why::Interrupted) => {
            "an instance was taken out of service in response to an EC2 spot instance interruption notice."
        }
        What::Left(..) => "instance was taken out of service in response to a user request.",
        What::Detached(_) => "instance was detached in response to a user request.",
        _ => {
            "an instance was started in response to a difference between desired and actual capacity, increasing the capacity."
        }
    }
}
