//! Growing by one and going back, as a rotation does.

use super::*;

#[tokio::test]
async fn the_named_one_goes_and_no_other() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        let new = site.grow(2).await;
        site.ours.retire(1, &old).await.unwrap();
        site.stays(&new, 2).await;
        site.ours.retire(1, &old).await.unwrap();
        site.stays(&new, 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_batch_goes_together() {
    each(async |sort| {
        let site = FleetStand::new(sort, 3).await;
        let old = site.ids();
        let new = site.grow(5).await;
        site.ours.retire(3, &old[..2]).await.unwrap();
        let kept: Vec<String> = old[2..].iter().chain(&new).cloned().collect();
        site.stays(&kept, 5).await;
    })
    .await;
}

#[tokio::test]
async fn a_new_one_that_fails_goes_and_the_old_one_stays() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        let new = site.grow(2).await;
        site.ours.retire(1, &new).await.unwrap();
        site.stays(&old, 2).await;
    })
    .await;
}

#[tokio::test]
async fn what_is_observed_is_what_there_is() {
    each(async |sort| {
        let site = FleetStand::new(sort, 2).await;
        let observed = site.ours.observe().await.unwrap();
        let member = |instance: region::FleetInstance| FleetMember {
            id: instance.id,
            marked: false,
            leaving: false,
            launched: Some(instance.launched),
        };
        let max = (sort.kind == FleetKind::AutoScalingGroup).then_some(10);
        assert_eq!(
            observed,
            Observed {
                target: 2,
                max,
                members: site.theirs.living().into_iter().map(member).collect(),
                settled: true
            }
        );
        site.theirs.set_launch_delay(Duration::from_secs(60));
        site.theirs.set_capacity(Some(1));
        site.theirs.lose(&site.ids()[0]);
        let observed = site.ours.observe().await.unwrap();
        let there: Vec<&String> = observed
            .members
            .iter()
            .filter(|member| !member.leaving)
            .map(|member| &member.id)
            .collect();
        assert_eq!(
            (there, observed.settled),
            (site.ids().iter().collect(), false)
        );
    })
    .await;
}

#[tokio::test]
async fn a_target_is_never_lowered_by_raising() {
    each(async |sort| {
        let site = FleetStand::new(sort, 2).await;
        site.ours.raise(1).await.unwrap();
        site.stays(&site.ids(), 2).await;
    })
    .await;
}

#[tokio::test]
async fn an_instance_of_no_fleet_goes_too() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let outside = site.region.launch(InstanceSpec::new("i-outside")).unwrap();
        site.ours
            .retire(1, &["i-outside".to_owned(), "i-unknown".to_owned()])
            .await
            .unwrap();
        assert!(!site.ours.know(&["i-outside".to_owned()]).await.unwrap()["i-outside"].living);
        site.stays(&site.ids(), 1).await;
        drop(outside);
    })
    .await;
}

#[tokio::test]
async fn a_fleet_that_is_none_says_what_to_set() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let id = match sort.kind {
            FleetKind::SpotFleet => "sfr-none",
            FleetKind::Ec2Fleet => "fleet-none",
            FleetKind::AutoScalingGroup => "none",
        };
        let error = fleet(&site.region, sort.kind, id)
            .await
            .observe()
            .await
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            format!(
                "there is no {} {id} in this account and region; correct [fleet] id",
                sort.kind.title()
            )
        );
    })
    .await;
}

#[tokio::test]
async fn a_fleet_that_replaces_a_marked_instance_is_not_settled() {
    for kind in [FleetKind::Ec2Fleet, FleetKind::SpotFleet] {
        let site = FleetStand::with(kind, 1, FleetSpec::capacity_rebalance).await;
        assert!(site.ours.observe().await.unwrap().settled);
        site.theirs.set_capacity(Some(1));
        site.theirs.rebalance(&site.ids()[0]);
        assert!(!site.ours.observe().await.unwrap().settled);
    }
}
