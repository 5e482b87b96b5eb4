//! What goes wrong with fleets, on demand, and the record of it all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use region::{FleetKind, FleetSpec, InstanceSpec, Launcher, Running, State};

use crate::client::{BUCKET, region, runtime, s3, texts};
use crate::fleets::{Nothing, PATIENCE, created, ec2, eventually, ids};
use crate::imds;

fn spec(target: u32) -> FleetSpec {
    FleetSpec::new(FleetKind::Ec2Fleet, "fleet-1", target)
}

#[test]
fn where_there_is_no_capacity_the_history_says_so_until_there_is() {
    let region = region();
    let fleet = created(&region, spec(0));
    fleet.set_capacity(Some(1));
    let parameters = "FleetId=fleet-1&TargetCapacitySpecification.TotalTargetCapacity=2";
    assert_eq!(ec2(&region, "ModifyFleet", parameters).0, 200);
    let errors = || {
        ec2(
            &region,
            "DescribeFleetHistory",
            "FleetId=fleet-1&StartTime=2026-01-01T00%3A00%3A00Z&EventType=service-error",
        )
        .1
    };
    eventually("it says so", || {
        errors().contains("Error Code: InsufficientInstanceCapacity")
    });
    assert_eq!(
        (fleet.wait_for(1, PATIENCE).unwrap().len(), fleet.target()),
        (1, 2)
    );
    let told = ec2(&region, "DescribeFleets", "").1;
    assert_eq!(
        (
            texts(&told, "activityStatus"),
            texts(&told, "fulfilledCapacity")
        ),
        (vec!["error".to_owned()], vec!["1.0".to_owned()])
    );
    fleet.set_capacity(None);
    fleet.wait_for(2, PATIENCE).unwrap();
    assert_eq!(
        texts(&ec2(&region, "DescribeFleets", "").1, "activityStatus"),
        ["fulfilled"]
    );
}

#[test]
fn what_the_account_may_not_have_is_told_as_an_error_of_its_own() {
    let region = region();
    let fleet = created(&region, spec(0));
    fleet.set_quota(Some(3));
    let parameters = "FleetId=fleet-1&TargetCapacitySpecification.TotalTargetCapacity=2";
    assert_eq!(ec2(&region, "ModifyFleet", parameters).0, 200);
    let errors = || {
        ec2(
            &region,
            "DescribeFleetHistory",
            "FleetId=fleet-1&StartTime=2026-01-01T00%3A00%3A00Z&EventType=service-error",
        )
        .1
    };
    eventually("it says so", || {
        texts(&errors(), "eventSubType").contains(&"spotInstanceCountLimitExceeded".to_owned())
    });
    assert_eq!(fleet.wait_for(1, PATIENCE).unwrap().len(), 1);
    fleet.set_quota(Some(4));
    fleet.wait_for(2, PATIENCE).unwrap();
}

#[test]
fn an_instance_is_pending_for_the_launchs_delay_and_can_be_terminated_in_it() {
    let region = region();
    let nothing = Nothing::default();
    let seen = nothing.seen.clone();
    let fleet = region.create_fleet(spec(0), Arc::new(nothing)).unwrap();
    let delay = Duration::from_secs(1);
    fleet.set_launch_delay(delay);
    ec2(
        &region,
        "ModifyFleet",
        "FleetId=fleet-1&TargetCapacitySpecification.TotalTargetCapacity=1",
    );
    eventually("it is launched", || fleet.living().len() == 1);
    let id = ids(&fleet).remove(0);
    assert_eq!(
        texts(
            &ec2(&region, "DescribeInstances", &format!("InstanceId.1={id}")).1,
            "name"
        ),
        ["pending"]
    );
    let asked = Instant::now();
    fleet.terminate(&id);
    fleet.wait_for_end(&id, PATIENCE).unwrap();
    assert_eq!(
        seen.stopped.load(std::sync::atomic::Ordering::Relaxed),
        0,
        "it was never started"
    );
    fleet.wait_for(1, PATIENCE).unwrap();
    assert!(asked.elapsed() >= delay, "{:?}", asked.elapsed());
}

#[test]
fn what_is_told_late_was_so_once() {
    let region = region();
    let fleet = created(&region, spec(1));
    let old = ids(&fleet).remove(0);
    fleet.set_lag(Duration::from_secs(3));
    let known = || {
        texts(
            &ec2(&region, "DescribeFleetInstances", "FleetId=fleet-1").1,
            "instanceId",
        )
    };
    eventually("its first instance is told", || known() == [&*old]);
    fleet.lose(&old);
    fleet.wait_for_end(&old, PATIENCE).unwrap();
    let new = fleet.wait_for(1, PATIENCE).unwrap().remove(0).id;
    assert_eq!(known(), [&*old]);
    let (status, refusal) = ec2(&region, "DescribeInstances", &format!("InstanceId.1={new}"));
    assert_eq!(
        (status, texts(&refusal, "Code")),
        (400, vec!["InvalidInstanceID.NotFound".to_owned()])
    );
    assert_eq!(
        texts(
            &ec2(&region, "DescribeInstances", &format!("InstanceId.1={old}")).1,
            "name"
        ),
        ["running"]
    );
    eventually("it is told at last", || known() == [&*new]);
}

#[test]
fn an_interrupted_instance_has_its_notice_goes_at_its_time_and_is_replaced() {
    let region = region();
    let nothing = Nothing::default();
    let seen = nothing.seen.clone();
    let fleet = region.create_fleet(spec(1), Arc::new(nothing)).unwrap();
    let id = fleet.wait_for(1, PATIENCE).unwrap().remove(0).id;
    let (told, notice) = (Instant::now(), Duration::from_secs(2));
    fleet.interrupt(&id, notice);
    let instance = fleet.instance(&id).unwrap();
    let action = runtime().block_on(async {
        let session = imds::session(&instance).await;
        imds::get(
            &instance,
            &session,
            "/latest/meta-data/spot/instance-action",
        )
        .await
    });
    assert!(
        action.0 == 200 && action.1.contains("terminate"),
        "{action:?}"
    );
    assert_eq!(ids(&fleet), [&*id], "it lives on");
    fleet.wait_for_end(&id, PATIENCE).unwrap();
    assert!(told.elapsed() >= notice);
    let ends =
        [&seen.stopped, &seen.killed].map(|count| count.load(std::sync::atomic::Ordering::Relaxed));
    assert_eq!(
        ends,
        [0, 1],
        "it was told by its notice, and then its time is over"
    );
    assert_ne!(fleet.wait_for(1, PATIENCE).unwrap()[0].id, id);
}

#[test]
fn a_fleet_may_replace_an_interrupted_instance_at_its_notice() {
    let region = region();
    let fleet = created(&region, spec(1));
    let old = ids(&fleet).remove(0);
    fleet.replace_at_notice(true);
    fleet.interrupt(&old, Duration::from_secs(3));
    let both = fleet.wait_for(2, PATIENCE).unwrap();
    assert_eq!((&both[0].id, fleet.target()), (&old, 1));
    fleet.wait_for_end(&old, PATIENCE).unwrap();
    assert_eq!(
        (ids(&fleet), fleet.instances().len()),
        (vec![both[1].id.clone()], 2),
        "and not once more"
    );
}

#[test]
fn a_marked_instance_is_replaced_only_where_capacity_is_rebalanced_and_ends_only_in_a_group() {
    for (kind, rebalances, living) in [
        (FleetKind::Ec2Fleet, false, 1),
        (FleetKind::Ec2Fleet, true, 2),
        (FleetKind::SpotFleet, true, 2),
        (FleetKind::AutoScalingGroup, true, 1),
    ] {
        let region = region();
        let fleet = created(
            &region,
            FleetSpec {
                capacity_rebalance: rebalances,
                ..FleetSpec::new(kind, "f", 1)
            },
        );
        let marked = ids(&fleet).remove(0);
        fleet.rebalance(&marked);
        if kind == FleetKind::AutoScalingGroup {
            fleet.wait_for_end(&marked, PATIENCE).unwrap();
        }
        let now = fleet.wait_for(living, PATIENCE).unwrap();
        assert_eq!(
            now.iter()
                .any(|instance| instance.id == marked && instance.marked),
            kind != FleetKind::AutoScalingGroup,
            "{kind:?}"
        );
    }
}

#[test]
fn the_census_has_every_change_of_who_lives_and_serves() {
    let region = region();
    let fleet = created(&region, spec(1));
    let id = ids(&fleet).remove(0);
    let report = |phase: &str| {
        let put = async |body: String| {
            s3(&region)
                .await
                .put_object()
                .bucket(BUCKET)
                .key(format!("a/instances/{id}.json"))
                .body(body.into_bytes().into())
                .send()
                .await
        };
        runtime()
            .block_on(put(format!(r#"{{"phase":"{phase}","release":"v1"}}"#)))
            .unwrap();
    };
    ["booting", "serving", "interrupted"]
        .into_iter()
        .for_each(report);
    region
        .wait_for_census(|census| census.serving == 1, PATIENCE)
        .unwrap();
    fleet.lose(&id);
    fleet.wait_for_end(&id, PATIENCE).unwrap();
    fleet.wait_for(1, PATIENCE).unwrap();
    let census = region.census();
    let counts: Vec<_> = census
        .iter()
        .map(|census| (census.living, census.serving))
        .collect();
    assert_eq!(counts, [(0, 0), (1, 0), (1, 1), (0, 0), (1, 0)]);
    assert!(census.is_sorted_by_key(|census| census.at));
}

/// Nothing starts.
struct Broken;

impl Launcher for Broken {
    fn spec(&self, id: &str) -> anyhow::Result<InstanceSpec> {
        Ok(InstanceSpec::new(id))
    }

    fn start(&self, _: &region::Instance) -> anyhow::Result<Box<dyn Running>> {
        anyhow::bail!("no such image")
    }
}

#[test]
fn an_instance_that_cannot_start_is_terminated_with_its_error_and_tried_again_later() {
    let region = region();
    let fleet = region.create_fleet(spec(1), Arc::new(Broken)).unwrap();
    eventually("the second one fails", || {
        fleet
            .instances()
            .iter()
            .filter(|instance| instance.state == State::Terminated)
            .count()
            == 2
    });
    let instances = fleet.instances();
    assert_eq!(fleet.log(&instances[0].id), "no such image");
    let history = ec2(
        &region,
        "DescribeFleetHistory",
        "FleetId=fleet-1&StartTime=2026-01-01T00%3A00%3A00Z",
    )
    .1;
    assert!(
        history.contains("Error message: no such image"),
        "{history}"
    );
}
