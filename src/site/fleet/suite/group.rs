//! What only an Auto Scaling group has.

use super::*;

#[tokio::test]
async fn a_group_that_is_as_large_as_it_gets_says_so() {
    let site = Site::with(FleetKind::AutoScalingGroup, 1, |spec| spec.sizes(0, 1)).await;
    let error = site.ours.raise(2).await.unwrap_err().to_string();
    assert_eq!(error, "Auto Scaling group web takes at most 1 instances and needs 2 for a while; raise its MaxSize to 2");
}

#[tokio::test]
async fn a_group_whose_smallest_size_is_its_size_is_rotated() {
    let site = Site::with(FleetKind::AutoScalingGroup, 1, |spec| spec.sizes(1, 2)).await;
    let old = site.ids();
    let new = site.grow(2).await;
    site.ours.retire(1, &old).await.unwrap();
    site.stays(&new, 2).await;
}

#[tokio::test]
async fn a_protection_that_a_killed_run_left_is_lifted() {
    let site = Site::new(FleetKind::AutoScalingGroup, 1).await;
    let autoscaling = cloud_in(&site.region, Service::AutoScaling).await.autoscaling();
    autoscaling.protect("web", &site.ids(), true).await.unwrap();
    assert!(site.theirs.living()[0].protected);
    site.ours.retire(1, &[]).await.unwrap();
    assert!(!site.theirs.living()[0].protected);
}

#[tokio::test]
async fn an_instance_that_is_not_in_service_yet_can_go() {
    let site = Site::new(FleetKind::AutoScalingGroup, 1).await;
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

#[tokio::test]
async fn a_group_is_never_left_to_choose() {
    let site = Site::new(FleetKind::AutoScalingGroup, 2).await;
    let error = site.ours.retire(1, &[]).await.unwrap_err().to_string();
    assert!(error.ends_with("would itself choose which of them goes; name those to end"), "{error}");
    site.stays(&site.ids(), 2).await;
}
