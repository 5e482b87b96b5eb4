//! What only an Auto Scaling group has.

use time::OffsetDateTime;

use super::*;

const GROUPS: [Sort; 2] = [SORTS[2], SORTS[3]];

#[tokio::test]
async fn a_group_that_is_as_large_as_it_gets_says_so() {
    let site = FleetStand::with(FleetKind::AutoScalingGroup, 1, |spec| spec.sizes(0, 1)).await;
    let error = site.ours.raise(2).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "Auto Scaling group web takes at most 1 instances and needs 2 for a while; raise its MaxSize to 2"
    );
}

#[tokio::test]
async fn a_group_whose_smallest_size_is_its_size_is_rotated() {
    let site = FleetStand::with(FleetKind::AutoScalingGroup, 1, |spec| spec.sizes(1, 2)).await;
    let old = site.ids();
    let new = site.grow(2).await;
    site.ours.retire(1, &old).await.unwrap();
    site.stays(&new, 2).await;
}

#[tokio::test]
async fn a_protection_that_a_killed_run_left_is_lifted() {
    let site = FleetStand::new(FleetKind::AutoScalingGroup, 1).await;
    let autoscaling = cloud_in(&site.region, Service::AutoScaling)
        .await
        .autoscaling();
    autoscaling.protect("web", &site.ids(), true).await.unwrap();
    assert!(site.theirs.living()[0].protected);
    site.ours.retire(1, &[]).await.unwrap();
    assert!(!site.theirs.living()[0].protected);
}

/// AWS decides on a launch, and the target is lowered before anybody knows of the instance.
#[tokio::test]
async fn an_instance_that_comes_after_the_size_was_lowered_does_not_stay() {
    for sort in GROUPS {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        site.theirs.set_order_delay(Duration::from_secs(7));
        site.ours.raise(2).await.unwrap();
        let late = || {
            site.ids()
                .into_iter()
                .filter(|id| !old.contains(id))
                .collect::<Vec<_>>()
        };
        if let Err(error) = site.ours.retire(1, &[]).await {
            let error = error.to_string();
            assert!(
                sort.protects_new
                    && error
                        .ends_with("protects its new instances from scale-in; name those to end"),
                "{error}"
            );
            site.ours.retire(1, &late()).await.unwrap();
        }
        site.stays(&old, 2).await;
        assert_eq!(site.theirs.living()[0].protected, sort.protects_new);
    }
}

#[tokio::test]
async fn a_group_that_balances_its_zones_ends_nobody_who_serves_while_it_is_larger_for_a_rotation()
{
    for sort in GROUPS {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        let new = site.grow(2).await;
        assert_ne!(
            site.theirs.balance_zones().as_ref(),
            Some(&old[0]),
            "{sort:?}"
        );
        site.theirs.wait_for(2, SOON).unwrap();
        let there = site.ids();
        site.ours.retire(1, &there[1..]).await.unwrap();
        site.stays(&old, if there.contains(&new[0]) { 2 } else { 3 })
            .await;
        assert_eq!(site.theirs.living()[0].protected, sort.protects_new);
    }
}

/// The other zones have no capacity when the rotation asks for one more, and then they have.
#[tokio::test]
async fn a_group_that_evens_its_zones_in_a_rotation_ends_the_new_one_and_has_another() {
    let site = FleetStand::new(FleetKind::AutoScalingGroup, 1).await;
    let old = site.ids();
    let others_have_capacity = |have| {
        for zone in [1, 2] {
            site.theirs.set_zone_capacity(zone, have);
        }
    };
    others_have_capacity(false);
    let new = site.grow(2).await;
    others_have_capacity(true);
    site.theirs.wait_for_end(&new[0], SOON).unwrap();
    let there = site.theirs.wait_for(2, SOON).unwrap();
    assert!(
        there[0].id == old[0] && there[0].zone != there[1].zone,
        "{there:?}"
    );
    site.ours.retire(1, &old).await.unwrap();
    site.stays(std::slice::from_ref(&there[1].id), 3).await;
}

#[tokio::test]
async fn an_instance_that_fails_its_checks_is_no_capacity_once_the_grace_is_over() {
    let grace = |spec| FleetSpec {
        health_grace: 2,
        ..spec
    };
    let site = FleetStand::with(FleetKind::AutoScalingGroup, 1, grace).await;
    let old = site.ids();
    let is_marked = async || site.ours.observe().await.unwrap().members[0].marked;
    site.theirs.set_launch_delay(Duration::from_secs(3));
    site.theirs.fail_checks(&old[0]);
    assert!(!is_marked().await);
    while !is_marked().await {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(site.ids()[0], old[0], "nobody goes before another is there");
    site.theirs.wait_for_end(&old[0], SOON).unwrap();
    site.stays(&site.ids(), 2).await;
}

#[tokio::test]
async fn a_group_whose_instances_are_all_protected_is_in_no_trouble() {
    let site = FleetStand::new(SORTS[3], 1).await;
    let since = OffsetDateTime::now_utc();
    site.grow(2).await;
    let autoscaling = cloud_in(&site.region, Service::AutoScaling)
        .await
        .autoscaling();
    autoscaling.set_desired("web", 1).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let activities = autoscaling.activities("web", since).await.unwrap();
    assert!(
        activities[0]
            .text
            .contains("all remaining instances are protected"),
        "{activities:?}"
    );
    assert_eq!(site.ours.trouble(since).await.unwrap(), None);
}

#[tokio::test]
async fn an_instance_that_is_not_in_service_yet_can_go() {
    let site = FleetStand::new(FleetKind::AutoScalingGroup, 1).await;
    let old = site.ids();
    site.theirs.set_launch_delay(Duration::from_secs(60));
    site.ours.raise(2).await.unwrap();
    let new = loop {
        let living = site.ids();
        if living.len() == 2 {
            break living[1..].to_vec();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    site.ours.retire(1, &new).await.unwrap();
    site.stays(&old, 2).await;
}

/// AWS announces its end in the middle of the rotation, say, and it lets itself go.
#[tokio::test]
async fn an_instance_that_has_left_its_group_goes_too() {
    for sort in GROUPS {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        let new = site.grow(2).await;
        assert!(site.theirs.detach(&old[0]));
        site.ours.retire(1, &old).await.unwrap();
        site.stays(&new, 2).await;
        assert_eq!(site.region.count(Service::Ec2, "TerminateInstances"), 1);
    }
}

#[tokio::test]
async fn a_group_is_never_left_to_choose() {
    let site = FleetStand::new(FleetKind::AutoScalingGroup, 2).await;
    let error = site.ours.retire(1, &[]).await.unwrap_err().to_string();
    assert!(
        error.ends_with("would itself choose which of them goes; name those to end"),
        "{error}"
    );
    site.stays(&site.ids(), 2).await;
}
