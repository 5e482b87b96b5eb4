//! EC2 Fleets and Spot Fleets over the wire: what they do by themselves, and what a client can make
//! of it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use region::{
    Fleet, FleetKind, FleetSpec, Instance, InstanceSpec, Launcher, Region, Running, Service, State,
};

use crate::client::{query, region, texts};

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const FLEET: &str = "fleet-1";

/// Instances that are nothing but known, and stop when they may.
#[derive(Default)]
pub(crate) struct Nothing {
    pub(crate) seen: Arc<Ends>,
}

#[derive(Default)]
pub(crate) struct Ends {
    pub(crate) stopped: AtomicUsize,
    pub(crate) killed: AtomicUsize,
    /// Held by a test that has instances stop slowly.
    pub(crate) slow: Mutex<()>,
}

struct Alive(Arc<Ends>);

impl Launcher for Nothing {
    fn spec(&self, id: &str) -> anyhow::Result<InstanceSpec> {
        Ok(InstanceSpec::new(id).public_ipv4([127, 0, 0, 9].into()))
    }

    fn start(&self, _: &Instance) -> anyhow::Result<Box<dyn Running>> {
        Ok(Box::new(Alive(self.seen.clone())))
    }
}

impl Running for Alive {
    fn stop(&self) {
        drop(self.0.slow.lock());
        self.0.stopped.fetch_add(1, Ordering::Relaxed);
    }

    fn kill(&self) {
        self.0.killed.fetch_add(1, Ordering::Relaxed);
    }

    fn log(&self) -> String {
        "nothing".to_owned()
    }
}

/// One of that kind that has launched its target.
pub(crate) fn created(region: &Region, spec: FleetSpec) -> Fleet {
    let target = spec.target as usize;
    let fleet = region
        .create_fleet(spec, Arc::new(Nothing::default()))
        .unwrap();
    fleet.wait_for(target, PATIENCE).unwrap();
    fleet
}

fn fleet_of(region: &Region, target: u32) -> Fleet {
    created(region, FleetSpec::new(FleetKind::Ec2Fleet, FLEET, target))
}

/// Of those living.
pub(crate) fn ids(fleet: &Fleet) -> Vec<String> {
    fleet
        .living()
        .into_iter()
        .map(|instance| instance.id)
        .collect()
}

pub(crate) fn ec2(region: &Region, action: &str, parameters: &str) -> (u16, String) {
    query(region, Service::Ec2, action, parameters)
}

fn modify(region: &Region, target: u32, policy: &str) -> (u16, String) {
    let policy = format!("ExcessCapacityTerminationPolicy={policy}");
    ec2(
        region,
        "ModifyFleet",
        &format!(
            "FleetId={FLEET}&TargetCapacitySpecification.TotalTargetCapacity={target}&{policy}"
        ),
    )
}

fn fleet_state(region: &Region) -> String {
    texts(
        &ec2(region, "DescribeFleets", &format!("FleetId.1={FLEET}")).1,
        "fleetState",
    )
    .remove(0)
}

fn wait_until_active(region: &Region) {
    eventually("it is active", || fleet_state(region) == "active");
}

pub(crate) fn eventually(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_fleet_launches_what_is_asked_for_and_tells_of_it() {
    let region = region();
    let fleet = fleet_of(&region, 1);
    let id = ids(&fleet).remove(0);
    let told = ec2(&region, "DescribeFleets", &format!("FleetId.1={FLEET}")).1;
    for (name, value) in [
        ("fleetId", FLEET),
        ("fleetState", "active"),
        ("activityStatus", "fulfilled"),
        ("totalTargetCapacity", "1"),
        ("fulfilledCapacity", "1.0"),
        ("type", "maintain"),
        ("excessCapacityTerminationPolicy", "termination"),
    ] {
        assert_eq!(texts(&told, name), [value], "{told}");
    }
    assert_eq!(
        texts(
            &ec2(
                &region,
                "DescribeFleetInstances",
                &format!("FleetId={FLEET}")
            )
            .1,
            "instanceId"
        ),
        [&*id]
    );
    let instance = ec2(&region, "DescribeInstances", &format!("InstanceId.1={id}")).1;
    assert_eq!(texts(&instance, "name"), ["running"]);
    assert_eq!(texts(&instance, "ipAddress"), ["127.0.0.9"]);
    assert_eq!(
        (texts(&instance, "key"), texts(&instance, "value")),
        (
            [
                "aws:ec2:fleet-id",
                "aws:ec2launchtemplate:id",
                "aws:ec2launchtemplate:version"
            ]
            .map(str::to_owned)
            .to_vec(),
            vec![FLEET.to_owned(), fleet.template(), "1".to_owned()]
        )
    );
    let (status, unknown) = ec2(&region, "DescribeFleets", "FleetId.1=fleet-2");
    assert_eq!(
        (status, texts(&unknown, "Code")),
        (400, vec!["InvalidFleetId.NotFound".to_owned()])
    );
}

#[test]
fn a_lower_target_without_termination_ends_nobody_and_then_the_old_one_can_go_by_its_id() {
    let region = region();
    let fleet = fleet_of(&region, 1);
    let old = ids(&fleet).remove(0);
    assert_eq!(modify(&region, 2, "no-termination").0, 200);
    fleet.wait_for(2, PATIENCE).unwrap();
    assert_eq!(modify(&region, 1, "no-termination").0, 200);
    wait_until_active(&region);
    let new = ids(&fleet).remove(1);
    let (_, answer) = ec2(
        &region,
        "TerminateInstances",
        &format!("InstanceId.1={old}"),
    );
    assert_eq!(texts(&answer, "name"), ["shutting-down", "running"]);
    fleet.wait_for_end(&old, PATIENCE).unwrap();
    assert_eq!(
        (ids(&fleet), fleet.instances().len()),
        (vec![new], 2),
        "neither another victim nor a replacement"
    );
    let told = ec2(&region, "DescribeInstances", &format!("InstanceId.1={old}")).1;
    assert_eq!(
        (texts(&told, "name"), texts(&told, "ipAddress").len()),
        (vec!["terminated".to_owned()], 0),
        "it stays listed"
    );
}

#[test]
fn with_termination_the_fleets_own_victim_is_not_the_oldest() {
    let region = region();
    let fleet = fleet_of(&region, 2);
    let before = ids(&fleet);
    assert_eq!(modify(&region, 1, "termination").0, 200);
    fleet.wait_for_end(&before[1], PATIENCE).unwrap();
    assert_eq!(ids(&fleet), before[..1]);
}

#[test]
fn who_terminates_before_the_target_is_lower_gets_a_replacement() {
    let region = region();
    let fleet = fleet_of(&region, 2);
    let before = ids(&fleet);
    ec2(
        &region,
        "TerminateInstances",
        &format!("InstanceId.1={}", before[0]),
    );
    fleet.wait_for_end(&before[0], PATIENCE).unwrap();
    fleet.wait_for(2, PATIENCE).unwrap();
    assert_eq!(fleet.instances().len(), 3);
    assert_eq!(fleet.instances()[0].state, State::Terminated);
}

#[test]
fn a_fleet_that_is_modifying_takes_no_other_modification_and_keeps_its_old_target_till_then() {
    let region = region();
    let fleet = fleet_of(&region, 2);
    fleet.set_modifying(Duration::from_secs(3));
    let old = ids(&fleet).remove(0);
    assert_eq!(
        (modify(&region, 1, "no-termination").0, fleet_state(&region)),
        (200, "modifying".to_owned())
    );
    let (status, refusal) = modify(&region, 3, "no-termination");
    assert_eq!(
        (status, texts(&refusal, "Code")),
        (400, vec!["FleetNotInModifiableState".to_owned()])
    );
    assert_eq!(fleet.target(), 1);
    fleet.terminate(&old);
    fleet.wait_for_end(&old, PATIENCE).unwrap();
    fleet
        .wait_for(2, PATIENCE)
        .expect("who does not wait for the modification gets a replacement");
    wait_until_active(&region);
    assert_eq!(modify(&region, 2, "no-termination").0, 200);
    let history = ec2(
        &region,
        "DescribeFleetHistory",
        &format!("FleetId={FLEET}&StartTime=2026-01-01T00%3A00%3A00Z&EventType=fleet-change"),
    )
    .1;
    assert_eq!(
        texts(&history, "eventSubType"),
        [
            "submitted",
            "active",
            "modify_in_progress",
            "modify_succeeded",
            "modify_in_progress"
        ]
    );
}

#[test]
fn one_unknown_id_among_those_to_terminate_ends_nobody() {
    let region = region();
    let fleet = fleet_of(&region, 1);
    let id = ids(&fleet).remove(0);
    let (status, refusal) = ec2(
        &region,
        "TerminateInstances",
        &format!("InstanceId.1={id}&InstanceId.2=i-never"),
    );
    assert_eq!(
        (status, texts(&refusal, "Code")),
        (400, vec!["InvalidInstanceID.NotFound".to_owned()])
    );
    assert_eq!(ids(&fleet), [id]);
}

#[test]
fn an_instance_shuts_down_until_it_has_stopped_and_keeps_its_metadata_so_long() {
    let region = region();
    let nothing = Nothing::default();
    let seen = nothing.seen.clone();
    let fleet = region
        .create_fleet(
            FleetSpec::new(FleetKind::Ec2Fleet, FLEET, 1),
            Arc::new(nothing),
        )
        .unwrap();
    let id = fleet.wait_for(1, PATIENCE).unwrap().remove(0).id;
    let metadata = fleet.instance(&id).unwrap().env()["AWS_EC2_METADATA_SERVICE_ENDPOINT"].clone();
    let answers = || std::net::TcpStream::connect(metadata.trim_start_matches("http://")).is_ok();
    let slowly = seen.slow.lock().unwrap();
    ec2(&region, "TerminateInstances", &format!("InstanceId.1={id}"));
    let told = || {
        texts(
            &ec2(&region, "DescribeInstances", &format!("InstanceId.1={id}")).1,
            "name",
        )
    };
    assert_eq!(
        (told(), answers()),
        (vec!["shutting-down".to_owned()], true)
    );
    let again = ec2(&region, "TerminateInstances", &format!("InstanceId.1={id}")).1;
    assert_eq!(texts(&again, "name"), ["shutting-down", "shutting-down"]);
    drop(slowly);
    fleet.wait_for_end(&id, PATIENCE).unwrap();
    assert_eq!(told(), ["terminated"]);
    eventually("its metadata is gone", || !answers());
    drop(region);
    let counts = (
        seen.stopped.load(Ordering::Relaxed),
        seen.killed.load(Ordering::Relaxed),
    );
    assert_eq!(counts, (1, 1), "its replacement was killed with the region");
}
