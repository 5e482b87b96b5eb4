//! The adapter against answers as the API reference shows them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use time::macros::datetime;

use super::*;
use crate::cloud::stand_in::cloud_answering;

fn refusal(code: &str, message: &str) -> String {
    format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    )
}

#[tokio::test]
async fn a_group_is_read_and_one_that_does_not_exist_is_none() {
    let cloud = cloud_answering(|body| {
        let member = |id: &str, state: &str, protected: bool| {
            format!(
                "<member><InstanceId>{id}</InstanceId><LifecycleState>{state}</LifecycleState><HealthStatus>Healthy</HealthStatus>\
                 <ProtectedFromScaleIn>{protected}</ProtectedFromScaleIn></member>"
            )
        };
        let instances = member("i-1", "InService", true) + &member("i-2", "Terminating:Wait", false);
        let group = format!(
            "<member><AutoScalingGroupName>web</AutoScalingGroupName><MinSize>1</MinSize><MaxSize>4</MaxSize>\
             <DesiredCapacity>2</DesiredCapacity><Instances>{instances}</Instances><SuspendedProcesses><member>\
             <ProcessName>Launch</ProcessName></member></SuspendedProcesses></member>"
        );
        let groups = if body.contains("member.1=web") { group } else { String::new() };
        let result =
            format!("<DescribeAutoScalingGroupsResult><AutoScalingGroups>{groups}</AutoScalingGroups></DescribeAutoScalingGroupsResult>");
        (200, format!("<DescribeAutoScalingGroupsResponse>{result}</DescribeAutoScalingGroupsResponse>"))
    })
    .await;
    let instance = |id: &str, stage, protected| GroupInstance {
        id: id.into(),
        stage,
        healthy: true,
        protected,
    };
    let instances = vec![
        instance("i-1", LifecycleStage::InService, true),
        instance("i-2", LifecycleStage::Leaving, false),
    ];
    let suspended = vec!["Launch".to_owned()];
    let group = ScalingGroup {
        name: "web".into(),
        min: 1,
        max: 4,
        desired: 2,
        instances,
        suspended,
        protects_new: false,
        ending: None,
    };
    assert_eq!(cloud.autoscaling().group("web").await.unwrap(), Some(group));
    assert_eq!(cloud.autoscaling().group("other").await.unwrap(), None);
}

#[tokio::test]
async fn activities_are_read_back_to_a_time_and_no_further() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let cloud = cloud_answering(move |_| {
        let page = count.fetch_add(1, Ordering::Relaxed);
        let activity = |minute: usize, status: &str, message: &str| {
            format!(
                "<member><Description>Launching a new EC2 instance</Description><StartTime>2026-11-20T10:{minute:02}:00Z</StartTime>\
                 <StatusCode>{status}</StatusCode><StatusMessage>{message}</StatusMessage></member>"
            )
        };
        let activities = activity(50 - 2 * page, "InProgress", "") + &activity(49 - 2 * page, "Failed", "UnfulfillableCapacity - none");
        let result = format!(
            "<DescribeScalingActivitiesResult><Activities>{activities}</Activities><NextToken>more</NextToken></DescribeScalingActivitiesResult>"
        );
        (200, format!("<DescribeScalingActivitiesResponse>{result}</DescribeScalingActivitiesResponse>"))
    })
    .await;
    let activities = cloud
        .autoscaling()
        .activities("web", datetime!(2026-11-20 10:48:00.9 UTC))
        .await
        .unwrap();
    let told: Vec<_> = activities
        .iter()
        .map(|activity| {
            (
                activity.started.minute(),
                activity.failed,
                activity.text.as_str(),
            )
        })
        .collect();
    let launching = "Launching a new EC2 instance";
    assert_eq!(
        told,
        [
            (50, false, launching),
            (49, true, "UnfulfillableCapacity - none"),
            (48, false, launching)
        ]
    );
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_termination_whose_answer_is_lost_is_not_sent_again() {
    for lost in [0, 500, 503] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let cloud = cloud_answering(move |body| {
            assert!(
                body.contains("InstanceId=i-1")
                    && body.contains("ShouldDecrementDesiredCapacity=true"),
                "{body}"
            );
            count.fetch_add(1, Ordering::Relaxed);
            (lost, refusal("ServiceUnavailable", "no"))
        })
        .await;
        let asked_for = cloud
            .autoscaling()
            .terminate("web", "i-1", true)
            .await
            .unwrap();
        assert!(
            matches!(asked_for, ScalingAnswer::Unsure(_)),
            "{asked_for:?}"
        );
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }
}

#[tokio::test]
async fn what_was_not_done_is_told_from_what_never_will_be() {
    let answer = async |code: &'static str| {
        let cloud = cloud_answering(move |_| (400, refusal(code, "because"))).await;
        cloud.autoscaling().terminate("web", "i-1", true).await
    };
    assert!(matches!(
        answer("ScalingActivityInProgress").await.unwrap(),
        ScalingAnswer::NotNow
    ));
    assert!(matches!(
        answer("Throttling").await.unwrap(),
        ScalingAnswer::NotNow
    ));
    assert!(matches!(
        answer("ValidationError").await.unwrap(),
        ScalingAnswer::Refused(_)
    ));
    let error = answer("AccessDenied").await.unwrap_err().to_string();
    let resource = "arn:aws:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/web";
    assert!(
        error.ends_with(&format!(
            "allow autoscaling:TerminateInstanceInAutoScalingGroup on {resource}"
        )),
        "{error}"
    );
}

#[tokio::test]
async fn a_desired_capacity_waits_for_no_cool_down() {
    let cloud = cloud_answering(|body| {
        assert!(
            body.contains("DesiredCapacity=2") && body.contains("HonorCooldown=false"),
            "{body}"
        );
        (200, "<SetDesiredCapacityResponse/>".into())
    })
    .await;
    assert!(matches!(
        cloud.autoscaling().set_desired("web", 2).await.unwrap(),
        ScalingAnswer::Accepted
    ));
}
