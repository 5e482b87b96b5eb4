//! Auto Scaling groups over the wire.

use std::time::Duration;

use region::{Fault, Fleet, FleetKind, FleetSpec, Match, Region, Service};

use crate::client::{query, region, texts};
use crate::fleets::{PATIENCE, created, eventually, ids};

const NAME: &str = "AutoScalingGroupName=site";

fn group(region: &Region, target: u32, min: u32, max: u32) -> Fleet {
    created(
        region,
        FleetSpec::new(FleetKind::AutoScalingGroup, "site", target).sizes(min, max),
    )
}

fn ask(region: &Region, action: &str, parameters: &str) -> (u16, String) {
    query(region, Service::AutoScaling, action, parameters)
}

fn described(region: &Region) -> String {
    ask(
        region,
        "DescribeAutoScalingGroups",
        "AutoScalingGroupNames.member.1=site",
    )
    .1
}

fn desire(region: &Region, desired: u32) -> (u16, String) {
    ask(
        region,
        "SetDesiredCapacity",
        &format!("{NAME}&DesiredCapacity={desired}"),
    )
}

fn terminate(region: &Region, id: &str, decrement: bool) -> (u16, String) {
    ask(
        region,
        "TerminateInstanceInAutoScalingGroup",
        &format!("InstanceId={id}&ShouldDecrementDesiredCapacity={decrement}"),
    )
}

fn delete(region: &Region, further: &str) -> (u16, String) {
    ask(
        region,
        "DeleteAutoScalingGroup",
        &format!("{NAME}{further}"),
    )
}

fn refusal((status, body): (u16, String)) -> (u16, String, String) {
    (
        status,
        texts(&body, "Code").remove(0),
        texts(&body, "Message").remove(0),
    )
}

#[test]
fn a_group_tells_of_its_sizes_and_of_its_instances_lives() {
    let region = region();
    let group = group(&region, 0, 0, 2);
    group.set_grace(Duration::from_secs(2));
    assert_eq!(desire(&region, 1).0, 200);
    group.wait_for(1, PATIENCE).unwrap();
    let told = described(&region);
    assert_eq!(texts(&told, "InstanceId"), ids(&group));
    for (name, value) in [
        ("DesiredCapacity", "1"),
        ("MinSize", "0"),
        ("MaxSize", "2"),
        ("LifecycleState", "Pending"),
        ("CapacityRebalance", "false"),
    ] {
        assert_eq!(texts(&told, name), [value]);
    }
    eventually("it is in service", || {
        texts(&described(&region), "LifecycleState") == ["InService"]
    });
    let nobody = ask(
        &region,
        "DescribeAutoScalingGroups",
        "AutoScalingGroupNames.member.1=other",
    );
    assert_eq!(
        (nobody.0, texts(&nobody.1, "AutoScalingGroupName").len()),
        (200, 0)
    );
}

#[test]
fn a_desired_capacity_beyond_the_groups_sizes_is_refused() {
    let region = region();
    let group = group(&region, 1, 1, 2);
    for (desired, word) in [(3, "above max value 2"), (0, "below min value 1")] {
        let (status, code, message) = refusal(desire(&region, desired));
        assert_eq!((status, code.as_str()), (400, "ValidationError"));
        assert!(message.contains(word), "{message}");
    }
    assert_eq!(group.target(), 1);
    let (status, code, _) = refusal(ask(
        &region,
        "SetDesiredCapacity",
        "AutoScalingGroupName=other&DesiredCapacity=1",
    ));
    assert_eq!((status, code.as_str()), (400, "ValidationError"));
}

#[test]
fn a_lower_desired_capacity_ends_an_unprotected_one_of_the_groups_own_choice() {
    let region = region();
    let group = group(&region, 2, 0, 2);
    let before = ids(&group);
    let protect = format!(
        "{NAME}&InstanceIds.member.1={}&ProtectedFromScaleIn=true",
        before[1]
    );
    assert_eq!(ask(&region, "SetInstanceProtection", &protect).0, 200);
    assert_eq!(desire(&region, 1).0, 200);
    group.wait_for_end(&before[0], PATIENCE).unwrap();
    assert_eq!(desire(&region, 2).0, 200);
    let newest = group.wait_for(2, PATIENCE).unwrap().remove(1).id;
    let unprotect = protect.replace("true", "false");
    assert_eq!(ask(&region, "SetInstanceProtection", &unprotect).0, 200);
    assert_eq!(desire(&region, 1).0, 200);
    group.wait_for_end(&newest, PATIENCE).unwrap();
    assert_eq!(ids(&group), [before[1].clone()], "not the oldest");
    let (_, code, _) = refusal(ask(
        &region,
        "SetInstanceProtection",
        &protect.replace(&before[1], "i-other"),
    ));
    assert_eq!(code, "ValidationError");
}

#[test]
fn an_instance_is_terminated_with_or_without_its_place() {
    let region = region();
    let group = group(&region, 2, 1, 2);
    let before = ids(&group);
    let (status, answer) = terminate(&region, &before[0], true);
    assert_eq!(
        (status, texts(&answer, "StatusCode")),
        (200, vec!["InProgress".to_owned()])
    );
    group.wait_for_end(&before[0], PATIENCE).unwrap();
    assert_eq!((ids(&group), group.target()), (vec![before[1].clone()], 1));
    let (_, code, message) = refusal(terminate(&region, &before[1], true));
    assert!(
        code == "ValidationError" && message.contains("desiredSize equals minSize (1)"),
        "{message}"
    );
    assert_eq!(terminate(&region, &before[1], false).0, 200);
    group.wait_for_end(&before[1], PATIENCE).unwrap();
    let replaced = group.wait_for(1, PATIENCE).unwrap();
    assert!(!before.contains(&replaced[0].id));
    let (_, code, message) = refusal(terminate(&region, &before[0], false));
    assert!(
        code == "ValidationError" && message.contains("No managed instance found"),
        "{message}"
    );
}

#[test]
fn activities_tell_what_was_done_the_newest_first_and_why_nothing_comes() {
    let region = region();
    let group = group(&region, 1, 0, 2);
    let id = ids(&group).remove(0);
    group.set_capacity(Some(1));
    desire(&region, 2);
    let told = || ask(&region, "DescribeScalingActivities", NAME).1;
    eventually("it fails", || {
        texts(&told(), "StatusCode")
            .first()
            .is_some_and(|code| code == "Failed")
    });
    assert!(
        texts(&told(), "StatusMessage")[0]
            .starts_with("Could not launch Spot Instances. InsufficientInstanceCapacity")
    );
    let first = texts(&told(), "Description").pop().unwrap();
    assert_eq!(
        (first, texts(&told(), "StatusCode").pop().unwrap()),
        (
            format!("Launching a new EC2 instance: {id}"),
            "Successful".to_owned()
        )
    );
    assert_eq!(
        texts(
            &ask(
                &region,
                "DescribeScalingActivities",
                &format!("{NAME}&MaxRecords=1")
            )
            .1,
            "ActivityId"
        )
        .len(),
        1
    );
}

#[test]
fn a_group_that_protects_new_instances_ends_none_and_says_why_it_stays_too_large() {
    let region = region();
    let group = created(
        &region,
        FleetSpec::new(FleetKind::AutoScalingGroup, "site", 1).protects_new(),
    );
    assert_eq!(
        texts(&described(&region), "NewInstancesProtectedFromScaleIn"),
        ["true"]
    );
    group.set_order_delay(Duration::from_secs(1));
    desire(&region, 2);
    let told = || ask(&region, "DescribeScalingActivities", NAME).1;
    eventually("it tells of a launch before the instance", || {
        texts(&told(), "StatusCode")[0] == "WaitingForInstanceId"
    });
    assert_eq!(
        texts(&described(&region), "ProtectedFromScaleIn"),
        ["true"],
        "the second is not known yet"
    );
    desire(&region, 1);
    eventually("it gives up", || {
        texts(&told(), "StatusCode").contains(&"Cancelled".to_owned())
    });
    let both = group.wait_for(2, PATIENCE).unwrap();
    assert!(both.iter().all(|instance| instance.protected), "{both:?}");
    let lift = format!(
        "{NAME}&InstanceIds.member.1={}&ProtectedFromScaleIn=false",
        both[1].id
    );
    assert_eq!(ask(&region, "SetInstanceProtection", &lift).0, 200);
    group.wait_for_end(&both[1].id, PATIENCE).unwrap();
}

#[test]
fn a_desired_capacity_follows_the_groups_sizes() {
    let region = region();
    let group = group(&region, 2, 0, 2);
    let update = |sizes: &str| {
        ask(
            &region,
            "UpdateAutoScalingGroup",
            &format!("{NAME}&{sizes}"),
        )
    };
    assert_eq!(update("MaxSize=1").0, 200);
    assert_eq!(group.wait_for(1, PATIENCE).unwrap().len(), 1);
    assert_eq!(update("MinSize=2&MaxSize=3").0, 200);
    group.wait_for(2, PATIENCE).unwrap();
    let told = described(&region);
    for (name, value) in [("DesiredCapacity", "2"), ("MinSize", "2"), ("MaxSize", "3")] {
        assert_eq!(texts(&told, name), [value]);
    }
    for (sizes, word) in [
        ("MinSize=4", "greater than or equal to min bound"),
        ("DesiredCapacity=4", "must be between"),
    ] {
        let (_, code, message) = refusal(update(sizes));
        assert!(
            code == "ValidationError" && message.contains(word),
            "{message}"
        );
    }
}

#[test]
fn a_group_is_deleted_once_it_has_no_instance() {
    let region = region();
    let group = group(&region, 2, 1, 3);
    let (_, code, _) = refusal(delete(&region, ""));
    assert_eq!(code, "ResourceInUse");
    let outside = ids(&group).remove(0);
    assert!(group.detach(&outside));
    group.delete_as_cloudformation(PATIENCE).unwrap();
    assert_eq!(ids(&group), [outside], "it is no instance of the group's");
    assert!(texts(&described(&region), "AutoScalingGroupName").is_empty());
    let (_, code, _) = refusal(delete(&region, ""));
    assert_eq!(code, "ValidationError");
}

#[test]
fn a_group_with_a_protected_instance_is_deleted_by_force_alone() {
    let region = region();
    let group = group(&region, 2, 1, 3);
    let kept = ids(&group).remove(0);
    let protect = format!("{NAME}&InstanceIds.member.1={kept}&ProtectedFromScaleIn=true");
    assert_eq!(ask(&region, "SetInstanceProtection", &protect).0, 200);
    let stuck = group.delete_as_cloudformation(Duration::from_secs(2));
    let stuck = stuck.unwrap_err().to_string();
    assert!(stuck.contains("its last instance to go"), "{stuck}");
    assert_eq!(ids(&group), std::slice::from_ref(&kept));
    let told = described(&region);
    for (name, value) in [
        ("DesiredCapacity", "0"),
        ("MaxSize", "0"),
        ("InstanceId", kept.as_str()),
    ] {
        assert_eq!(texts(&told, name), [value]);
    }
    let codes = texts(
        &ask(&region, "DescribeScalingActivities", NAME).1,
        "StatusCode",
    );
    assert_eq!(codes[0], "Cancelled");
    assert_eq!(delete(&region, "&ForceDelete=true").0, 200);
    group.wait_for_end(&kept, PATIENCE).unwrap();
    assert!(texts(&described(&region), "AutoScalingGroupName").is_empty());
}

#[test]
fn instances_are_spread_over_the_groups_zones_and_told_as_unhealthy() {
    let region = region();
    let spec = FleetSpec::new(FleetKind::AutoScalingGroup, "site", 2).zones(2);
    let group = created(&region, spec);
    let zones = ["ap-southeast-2a", "ap-southeast-2b"];
    assert_eq!(texts(&described(&region), "AvailabilityZone"), zones);
    group.set_launch_delay(Duration::from_secs(60));
    group.fail_checks(&ids(&group)[1]);
    eventually("it is told", || {
        texts(&described(&region), "HealthStatus")[1] == "Unhealthy"
    });
}

#[test]
fn only_an_instance_in_service_can_be_protected() {
    let region = region();
    let group = group(&region, 1, 0, 2);
    group.set_launch_delay(Duration::from_secs(60));
    desire(&region, 2);
    eventually("a second one is launched", || group.living().len() == 2);
    let pending = &ids(&group)[1];
    let protect = format!("{NAME}&InstanceIds.member.1={pending}&ProtectedFromScaleIn=true");
    let (_, code, message) = refusal(ask(&region, "SetInstanceProtection", &protect));
    assert!(
        code == "ValidationError" && message.contains("is not in InService"),
        "{message}"
    );
}

#[test]
fn an_ipv6_address_is_given_only_where_the_subnet_has_any() {
    let region = region();
    let mut spec = FleetSpec::new(FleetKind::AutoScalingGroup, "site", 1);
    spec.template.ipv6_addresses = 1;
    let group = region
        .create_fleet(spec, std::sync::Arc::new(crate::fleets::Nothing::default()))
        .unwrap();
    let told = || ask(&region, "DescribeScalingActivities", NAME).1;
    eventually("the launch fails", || {
        texts(&told(), "StatusMessage")
            .iter()
            .any(|text| text.contains("no IPv6 CIDR block"))
    });
    assert!(group.living().is_empty());
}

#[test]
fn a_tag_that_metadata_cannot_show_fails_every_launch() {
    let region = region();
    let mut spec = FleetSpec::new(FleetKind::AutoScalingGroup, "site", 1);
    let tag = ("Cost Center".to_owned(), "web".to_owned());
    spec.template.tags.extend([tag]);
    let group = region
        .create_fleet(spec, std::sync::Arc::new(crate::fleets::Nothing::default()))
        .unwrap();
    let told = || ask(&region, "DescribeScalingActivities", NAME).1;
    eventually("the launch fails", || {
        texts(&told(), "StatusMessage")
            .iter()
            .any(|text| text.contains("Cost Center") && text.contains("is not a valid tag key"))
    });
    assert!(group.living().is_empty());
}

#[test]
fn a_fault_of_auto_scaling_is_in_its_own_format() {
    let region = region();
    region.fault(
        Match::service(Service::AutoScaling)
            .operation("SetDesiredCapacity")
            .nth(1),
        Fault::respond(400, "ScalingActivityInProgress", "busy"),
    );
    let (status, code, message) = refusal(desire(&region, 1));
    assert_eq!(
        (status, code.as_str(), message.as_str()),
        (400, "ScalingActivityInProgress", "busy")
    );
    assert_eq!(region.count(Service::AutoScaling, "SetDesiredCapacity"), 1);
}
