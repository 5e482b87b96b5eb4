//! Auto Scaling groups.
//!
//! One call here must not be repeated blindly, and so is not: ending an instance takes one off the
//! group's size each time.

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_autoscaling::Client;
use aws_sdk_autoscaling::config::Config;
use aws_sdk_autoscaling::types::{
    Activity, AutoScalingGroup, LifecycleState, ScalingActivityStatusCode,
};
use time::OffsetDateTime;

use super::Error;
use super::calls::Count;
use super::error::Doing;
use super::paging::{Page, first_pages};

/// Pages of activities, newest first: they go back six weeks, and we ask for the last minutes.
const PAGES: usize = 5;
/// The largest page.
const PAGE: i32 = 100;
/// As many instances as one call protects.
const PROTECTED_AT_ONCE: usize = 50;
/// What the description of an activity that ends an instance begins with, before the instance's id.
const TERMINATING: &str = "Terminating EC2 instance: ";
/// The same of one that launches an instance; the id follows, after a colon, once there is one.
const LAUNCHING: &str = "Launching a new EC2 instance";

/// The client of EC2 Auto Scaling in one region.
#[derive(Debug, Clone)]
pub struct AutoScaling {
    client: Client,
}

/// A group as one call describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingGroup {
    pub name: String,
    pub min: u32,
    pub max: u32,
    pub desired: u32,
    pub instances: Vec<GroupInstance>,
    /// Processes that are suspended: `Launch`, `Terminate`, ….
    pub suspended: Vec<String>,
    /// New instances are protected from scale-in by the group's own setting.
    pub protects_new: bool,
    /// Set while the group is being deleted: the service's word.
    pub ending: Option<String>,
}

/// An instance of a group, with what decides whether the group keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupInstance {
    pub id: String,
    pub stage: LifecycleStage,
    /// By the group's health checks.
    pub healthy: bool,
    /// From scale-in.
    pub protected: bool,
}

/// The lifecycle state, as far as the size of the group goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifecycleStage {
    Pending,
    InService,
    /// Being terminated or detached.
    Leaving,
    /// In stand-by or in a warm pool: no part of the desired capacity.
    Aside,
}

/// A scaling activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScalingActivity {
    pub started: OffsetDateTime,
    /// It ended without what it was for, by a failure. One that AWS has cancelled is no failure: a
    /// group cancels a lowering, say, for which all its instances are protected.
    pub failed: bool,
    /// The service's words on how it went, else on what it is.
    pub text: String,
    /// The instance that it terminates.
    pub terminates: Option<String>,
    /// It is launching an instance.
    pub launches: Option<Launch>,
}

/// A launch that is under way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// `None` while EC2 has yet to give one.
    pub instance: Option<String>,
}

/// What became of asking for a change.
#[derive(Debug)]
pub enum ScalingAnswer {
    Accepted,
    /// Nothing was done: the group is busy with another change, or requests come too fast.
    NotNow,
    /// Nothing was done, and the service says why.
    Refused(Error),
    /// No clear answer: it may have been done.
    Unsure(Error),
}

impl AutoScaling {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            client: Client::from_conf(
                aws_sdk_autoscaling::config::Builder::from(config)
                    .interceptor(Count)
                    .build(),
            ),
        }
    }

    /// `None` where there is no such group.
    pub async fn group(&self, name: &str) -> Result<Option<ScalingGroup>, Error> {
        let doing = Doing::new(format!("looking at Auto Scaling group {name}"))
            .needing("autoscaling:DescribeAutoScalingGroups", "*");
        let request = self
            .client
            .describe_auto_scaling_groups()
            .auto_scaling_group_names(name);
        let answer = request.send().await.map_err(|error| doing.failed(&error))?;
        Ok(answer
            .auto_scaling_groups()
            .iter()
            .find(|group| group.auto_scaling_group_name() == Some(name))
            .map(ScalingGroup::read))
    }

    /// Those that started at `since` or later, newest first.
    pub async fn activities(
        &self,
        name: &str,
        since: OffsetDateTime,
    ) -> Result<Vec<ScalingActivity>, Error> {
        let doing = Doing::new(format!(
            "reading the activities of Auto Scaling group {name}"
        ));
        let doing = doing.needing("autoscaling:DescribeScalingActivities", "*");
        let request = self
            .client
            .describe_scaling_activities()
            .auto_scaling_group_name(name)
            .max_records(PAGE);
        // The activities' times are whole seconds.
        let is_new = |activity: &ScalingActivity| {
            activity.started.unix_timestamp() >= since.unix_timestamp()
        };
        let pages = first_pages(&doing, PAGES, async |next| {
            let page = request.clone().set_next_token(next).send().await;
            page.map(|page| {
                let found = page.activities().iter().filter_map(ScalingActivity::read);
                let (new, old): (Vec<_>, Vec<_>) = found.partition(is_new);
                Page::new(new, page.next_token.filter(|_| old.is_empty()))
            })
        });
        Ok(pages.await?.into_items())
    }

    /// Sets the desired capacity, and does not wait for a cool-down. Where that is fewer than there
    /// are, the group chooses who goes.
    pub async fn set_desired(&self, name: &str, desired: u32) -> Result<ScalingAnswer, Error> {
        let doing = Doing::new(format!(
            "setting the desired capacity of Auto Scaling group {name} to {desired}"
        ));
        let doing = doing.needing("autoscaling:SetDesiredCapacity", arn(name));
        let capacity = i32::try_from(desired).unwrap_or(i32::MAX);
        let request = self
            .client
            .set_desired_capacity()
            .auto_scaling_group_name(name)
            .desired_capacity(capacity)
            .honor_cooldown(false);
        judge(request.send().await.map_err(|error| doing.failed(&error)))
    }

    /// Ends an instance of a group, and with `decrement` takes one off its desired capacity, or
    /// else a new one comes. Sent once.
    pub async fn terminate(
        &self,
        name: &str,
        instance: &str,
        decrement: bool,
    ) -> Result<ScalingAnswer, Error> {
        let doing = Doing::new(format!(
            "terminating {instance} of Auto Scaling group {name}"
        ));
        let doing = doing.needing("autoscaling:TerminateInstanceInAutoScalingGroup", arn(name));
        let request = self
            .client
            .terminate_instance_in_auto_scaling_group()
            .instance_id(instance);
        let request = request.should_decrement_desired_capacity(decrement);
        let once = Config::builder().retry_config(RetryConfig::disabled());
        judge(
            request
                .customize()
                .config_override(once)
                .send()
                .await
                .map_err(|error| doing.failed(&error)),
        )
    }

    /// Takes an instance out of a group, which no longer ends or replaces it, and one off the
    /// desired capacity. What is out already is refused.
    pub async fn detach(&self, name: &str, instance: &str) -> Result<ScalingAnswer, Error> {
        let doing = Doing::new(format!(
            "taking {instance} out of Auto Scaling group {name}"
        ));
        let doing = doing.needing("autoscaling:DetachInstances", arn(name));
        let request = self
            .client
            .detach_instances()
            .auto_scaling_group_name(name)
            .instance_ids(instance);
        let request = request.should_decrement_desired_capacity(true);
        judge(request.send().await.map_err(|error| doing.failed(&error)))
    }

    /// Protects instances from scale-in, or lifts that. An instance can be protected only while in
    /// service.
    pub async fn protect(
        &self,
        name: &str,
        instances: &[String],
        protected: bool,
    ) -> Result<ScalingAnswer, Error> {
        for instances in instances.chunks(PROTECTED_AT_ONCE) {
            let what = if protected {
                "protecting"
            } else {
                "lifting the protection of"
            };
            let doing = Doing::new(format!(
                "{what} {} of Auto Scaling group {name}",
                instances.join(", ")
            ));
            let doing = doing.needing("autoscaling:SetInstanceProtection", arn(name));
            let request = self
                .client
                .set_instance_protection()
                .auto_scaling_group_name(name);
            let request = request
                .set_instance_ids(Some(instances.to_vec()))
                .protected_from_scale_in(protected);
            match judge(request.send().await.map_err(|error| doing.failed(&error)))? {
                ScalingAnswer::Accepted => {}
                other => return Ok(other),
            }
        }
        Ok(ScalingAnswer::Accepted)
    }
}

fn arn(name: &str) -> String {
    format!("arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/{name}")
}

fn judge<T>(answer: Result<T, Error>) -> Result<ScalingAnswer, Error> {
    let Err(error) = answer else {
        return Ok(ScalingAnswer::Accepted);
    };
    match error.code.as_deref() {
        _ if error.is_throttled() => Ok(ScalingAnswer::NotNow),
        Some("ScalingActivityInProgress" | "ResourceContention") => Ok(ScalingAnswer::NotNow),
        Some("ValidationError") => Ok(ScalingAnswer::Refused(error)),
        None
        | Some("InternalFailure" | "InternalError" | "ServiceUnavailable" | "RequestTimeout") => {
            Ok(ScalingAnswer::Unsure(error))
        }
        Some(_) => Err(error),
    }
}

impl ScalingGroup {
    fn read(group: &AutoScalingGroup) -> Self {
        let count = |number: Option<i32>| {
            number
                .and_then(|number| u32::try_from(number).ok())
                .unwrap_or(0)
        };
        Self {
            name: group
                .auto_scaling_group_name()
                .unwrap_or_default()
                .to_owned(),
            min: count(group.min_size()),
            max: count(group.max_size()),
            desired: count(group.desired_capacity()),
            instances: group
                .instances()
                .iter()
                .filter_map(GroupInstance::read)
                .collect(),
            suspended: group
                .suspended_processes()
                .iter()
                .filter_map(|process| process.process_name().map(str::to_owned))
                .collect(),
            protects_new: group
                .new_instances_protected_from_scale_in()
                .unwrap_or(false),
            ending: group
                .status()
                .filter(|status| !status.is_empty())
                .map(str::to_owned),
        }
    }
}

impl GroupInstance {
    fn read(instance: &aws_sdk_autoscaling::types::Instance) -> Option<Self> {
        Some(Self {
            id: instance.instance_id()?.to_owned(),
            stage: instance
                .lifecycle_state()
                .map_or(LifecycleStage::Pending, LifecycleStage::of),
            healthy: instance
                .health_status()
                .is_none_or(|status| !status.eq_ignore_ascii_case("unhealthy")),
            protected: instance.protected_from_scale_in().unwrap_or(false),
        })
    }
}

impl LifecycleStage {
    fn of(state: &LifecycleState) -> Self {
        match state.as_str() {
            "InService" => Self::InService,
            "Standby" => Self::Aside,
            state if state.starts_with("Warmed") => Self::Aside,
            state
                if ["Terminat", "Detach", "Quarantined"]
                    .iter()
                    .any(|leaving| state.starts_with(leaving)) =>
            {
                Self::Leaving
            }
            state if state.starts_with("Pending") => Self::Pending,
            // On its way to stand-by, or with its root volume being replaced: still part of the
            // group.
            _ => Self::InService,
        }
    }
}

impl ScalingActivity {
    fn read(activity: &Activity) -> Option<Self> {
        let description = activity.description().unwrap_or_default();
        let failed = activity.status_code() == Some(&ScalingActivityStatusCode::Failed);
        let in_vain =
            failed || activity.status_code() == Some(&ScalingActivityStatusCode::Cancelled);
        let is_over =
            in_vain || activity.status_code() == Some(&ScalingActivityStatusCode::Successful);
        let first_word = |rest: &str| rest.split_whitespace().next().map(str::to_owned);
        let launched = description.strip_prefix(LAUNCHING);
        Some(Self {
            started: OffsetDateTime::from_unix_timestamp_nanos(activity.start_time()?.as_nanos())
                .ok()?,
            failed,
            text: activity
                .status_message()
                .filter(|message| !message.is_empty())
                .unwrap_or(description)
                .to_owned(),
            terminates: description
                .strip_prefix(TERMINATING)
                .and_then(first_word)
                .filter(|_| !in_vain),
            launches: launched
                .map(|rest| Launch {
                    instance: rest.strip_prefix(':').and_then(first_word),
                })
                .filter(|_| !is_over),
        })
    }
}

#[cfg(test)]
mod suite;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_lifecycle_state_has_its_stage() {
        let stage = |state: &str| LifecycleStage::of(&LifecycleState::from(state));
        assert_eq!(stage("InService"), LifecycleStage::InService);
        assert_eq!(
            (stage("Pending:Wait"), stage("Pending")),
            (LifecycleStage::Pending, LifecycleStage::Pending)
        );
        assert_eq!(
            (
                stage("Terminating:Wait"),
                stage("Terminated"),
                stage("Detaching")
            ),
            (
                LifecycleStage::Leaving,
                LifecycleStage::Leaving,
                LifecycleStage::Leaving
            )
        );
        assert_eq!(
            (stage("Standby"), stage("Warmed:Running")),
            (LifecycleStage::Aside, LifecycleStage::Aside)
        );
        assert_eq!(stage("EnteringStandby"), LifecycleStage::InService);
    }

    #[test]
    fn an_activity_that_ends_an_instance_names_it_unless_it_was_in_vain() {
        let read = |status| {
            read(
                "Terminating EC2 instance: i-1 - Waiting For ELB connection draining.",
                status,
            )
            .terminates
        };
        assert_eq!(
            read(ScalingActivityStatusCode::InProgress).as_deref(),
            Some("i-1")
        );
        assert_eq!(
            (
                read(ScalingActivityStatusCode::Failed),
                read(ScalingActivityStatusCode::Cancelled)
            ),
            (None, None)
        );
    }

    #[test]
    fn a_launch_is_under_way_from_before_its_instance_has_an_id_until_it_is_over() {
        let launch = |instance: Option<&str>| {
            Some(Launch {
                instance: instance.map(str::to_owned),
            })
        };
        let unnamed = read(
            "Launching a new EC2 instance",
            ScalingActivityStatusCode::WaitingForInstanceId,
        );
        let named = |status| read("Launching a new EC2 instance: i-1", status).launches;
        assert_eq!(unnamed.launches, launch(None));
        assert_eq!(
            named(ScalingActivityStatusCode::PreInService),
            launch(Some("i-1"))
        );
        assert_eq!(
            (
                named(ScalingActivityStatusCode::Successful),
                named(ScalingActivityStatusCode::Cancelled)
            ),
            (None, None)
        );
        assert_eq!(
            read(
                "Terminating EC2 instance: i-1",
                ScalingActivityStatusCode::InProgress
            )
            .launches,
            None
        );
    }

    #[test]
    fn what_aws_cancels_is_no_failure() {
        let failed = |status| read("Could not scale to desired capacity", status).failed;
        assert!(
            failed(ScalingActivityStatusCode::Failed)
                && !failed(ScalingActivityStatusCode::Cancelled)
        );
    }

    fn read(description: &str, status: ScalingActivityStatusCode) -> ScalingActivity {
        let activity = Activity::builder()
            .description(description)
            .status_code(status);
        ScalingActivity::read(
            &activity
                .start_time(aws_sdk_autoscaling::primitives::DateTime::from_secs(1))
                .build(),
        )
        .unwrap()
    }
}
