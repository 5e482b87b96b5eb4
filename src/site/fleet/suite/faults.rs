//! Rotations while the cloud has trouble.

use futures_util::future::join_all;
use region::{Fault, Match};
use time::OffsetDateTime;

use super::*;

const LAG: Duration = Duration::from_secs(4);

/// The calls that change something, of each kind.
fn changes(kind: FleetKind) -> [&'static str; 2] {
    match kind {
        FleetKind::SpotFleet => ["ModifySpotFleetRequest", "TerminateInstances"],
        FleetKind::Ec2Fleet => ["ModifyFleet", "TerminateInstances"],
        FleetKind::AutoScalingGroup => {
            ["SetDesiredCapacity", "TerminateInstanceInAutoScalingGroup"]
        }
    }
}

#[tokio::test]
async fn a_fleet_that_is_being_modified_is_waited_for() {
    for kind in [FleetKind::Ec2Fleet, FleetKind::SpotFleet] {
        let site = FleetStand::new(kind, 1).await;
        let old = site.ids();
        site.theirs.set_modifying(Duration::from_secs(3));
        site.ours.raise(2).await.unwrap();
        site.ours.raise(3).await.unwrap();
        site.theirs.wait_for(3, SOON).unwrap();
        let new = site.ids()[1..].to_vec();
        site.ours.retire(2, &old).await.unwrap();
        site.stays(&new, 3).await;
    }
}

#[tokio::test]
async fn what_is_shown_late_ends_nobody_else() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        site.theirs.set_lag(LAG);
        let new = site.grow(2).await;
        site.ours.retire(1, &old).await.unwrap();
        site.ours.retire(1, &old).await.unwrap();
        site.stays(&new, 2).await;
    })
    .await;
}

#[tokio::test]
async fn an_undo_before_the_fleet_shows_what_was_asked_ends_nobody_else() {
    for kind in [FleetKind::Ec2Fleet, FleetKind::SpotFleet] {
        let site = FleetStand::new(kind, 1).await;
        let old = site.ids();
        // They are long known.
        tokio::time::sleep(LAG).await;
        site.theirs.set_lag(LAG);
        // The run is killed right after it asked.
        _ = tokio::time::timeout(Duration::from_millis(500), site.ours.raise(2)).await;
        site.theirs.wait_for(2, SOON).unwrap();
        let new: Vec<String> = site
            .ids()
            .into_iter()
            .filter(|id| !old.contains(id))
            .collect();
        site.theirs.set_modifying(Duration::from_secs(2));
        // Its fleet is shown with the target of before.
        site.ours.retire(1, &old).await.unwrap();
        site.stays(&new, 2).await;
    }
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_change() {
    each(async |sort| {
        for change in changes(sort.kind) {
            let site = FleetStand::new(sort, 1).await;
            let old = site.ids();
            site.region
                .fault(Match::any().operation(change).nth(1), Fault::LoseAnswer);
            let new = site.grow(2).await;
            site.ours.retire(1, &old).await.unwrap();
            site.stays(&new, 2).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_service_that_throttles_and_breaks_is_asked_again() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        for change in changes(sort.kind) {
            site.region
                .fault(Match::any().operation(change).nth(1), Fault::Throttle);
            site.region
                .fault(Match::any().operation(change).nth(2), Fault::unavailable());
            site.region
                .fault(Match::any().operation(change).nth(3), Fault::Reset);
        }
        let new = site.grow(2).await;
        site.ours.retire(1, &old).await.unwrap();
        site.stays(&new, 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_run_that_is_killed_half_way_is_finished_by_the_next() {
    each(async |sort| {
        join_all([100, 600, 1300, 2500].map(async |killed_after| {
            let site = FleetStand::new(sort, 1).await;
            let old = site.ids();
            let new = site.grow(2).await;
            _ = tokio::time::timeout(
                Duration::from_millis(killed_after),
                site.ours.retire(1, &old),
            )
            .await;
            site.ours.retire(1, &old).await.unwrap();
            site.stays(&new, 2).await;
        }))
        .await;
    })
    .await;
}

#[tokio::test]
async fn a_fleet_without_capacity_says_so_and_goes_back_with_nobody_lost() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        let since = OffsetDateTime::now_utc();
        assert_eq!(site.ours.trouble(since).await.unwrap(), None);
        site.theirs.set_capacity(Some(1));
        site.ours.raise(2).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2500)).await;
        let trouble = site.ours.trouble(since).await.unwrap().unwrap();
        assert!(trouble.contains("capacity"), "{trouble}");
        assert!(!site.ours.observe().await.unwrap().settled);
        site.ours.retire(1, &[]).await.unwrap();
        site.theirs.set_capacity(None);
        site.stays(&old, 1).await;
        assert!(
            site.theirs
                .living()
                .iter()
                .all(|instance| instance.protected == sort.protects_new)
        );
    })
    .await;
}

#[tokio::test]
async fn an_instance_that_is_lost_meanwhile_does_not_take_another_with_it() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        let new = site.grow(2).await;
        site.theirs.set_capacity(Some(1));
        site.theirs.lose(&old[0]);
        site.ours.retire(1, &old).await.unwrap();
        site.theirs.set_capacity(None);
        site.stays(&new, 2).await;
    })
    .await;
}

#[tokio::test]
async fn a_denial_names_what_to_allow() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let [change, _] = changes(sort.kind);
        site.region
            .fault(Match::any().operation(change), Fault::access_denied());
        let error = site.ours.raise(2).await.unwrap_err().to_string();
        assert!(error.contains(&format!(":{change} on arn:aws:")), "{error}");
    })
    .await;
}

#[tokio::test]
async fn a_target_that_another_raises_again_is_not_waited_for_in_vain() {
    each(async |sort| {
        let site = FleetStand::new(sort, 1).await;
        let old = site.ids();
        let new = site.grow(2).await;
        let raised_again = async {
            while site.theirs.target() == 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            site.ours.ask(2).await.unwrap();
        };
        let both = async { tokio::join!(site.ours.retire(1, &old), raised_again) };
        let (retired, ()) = tokio::time::timeout(3 * SOON, both)
            .await
            .expect("it comes to an end");
        match retired {
            Ok(()) => assert!(!site.ids().contains(&old[0]), "it had ended by then"),
            Err(error) => {
                let error = error.to_string();
                assert!(
                    error.contains("would itself choose")
                        || error.contains("something has raised it to 2 again"),
                    "{error}"
                );
            }
        }
        assert!(site.ids().contains(&new[0]));
    })
    .await;
}
