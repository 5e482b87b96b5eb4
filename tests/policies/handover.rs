//! The instance's policy in an interruption, and in a recommendation that comes to nothing: enough
//! on each kind of fleet, and nothing beside.

use std::collections::BTreeSet;
use std::thread;
use std::time::Duration;

use region::{FleetKind, Match, Principal, Service, Stage};
use serde_json::Value;

use crate::ci::FLEETS;
use crate::common::eventually;
use crate::documents::{Site as Values, instance_policy, without};
use crate::site::{Made, PATIENCE, Site};

/// What an instance asks of its fleet by.
const STATEMENTS: [&str; 6] = [
    "HearHowOthersFare",
    "SeeWhetherADeployRuns",
    "SeeTheFleet",
    "SeeTheGroup",
    "AskForAReplacement",
    "EndSparesOfTheSite",
];

/// A site that serves, its instances under their policy.
fn guarded(kind: FleetKind, fleet: (&'static str, &'static str)) -> Option<(Site, Value)> {
    let site = Site::serving(Made {
        kind,
        spare_for: "8s",
        ..Made::default()
    })?;
    let policy = instance_policy(Values {
        fleet: Some(fleet),
        ..Values::default()
    });
    enforce(&site, &policy);
    Some((site, policy))
}

fn enforce(site: &Site, policy: &Value) {
    site.world
        .region
        .enforce(Principal::Instances, &policy.to_string())
        .expect("the policy is one");
}

/// A recommendation that comes to nothing.
fn recommend(site: &Site, id: &str) {
    let asked = site
        .fleet
        .log(id)
        .matches("AWS may take this instance away")
        .count();
    site.fleet.rebalance(id);
    eventually("it is heard", || {
        site.fleet
            .log(id)
            .matches("AWS may take this instance away")
            .count()
            > asked
    });
}

fn wait_until_as_before(site: &Site, id: &str) {
    eventually("the fleet is as it was", || {
        let note = site.world.report(id).map(|report| report["note"].clone());
        site.living() == [id] && site.fleet.target() == 1 && note.is_some_and(|note| note.is_null())
    });
}

/// By the time that the group is to end the spare, that is no instance of the group's any more, and
/// lives: only EC2 can end it.
fn spare_that_leaves_its_group(site: &Site, id: &str) {
    let end = Match::service(Service::AutoScaling)
        .instance(id)
        .operation("TerminateInstanceInAutoScalingGroup");
    let held = site.world.region.hold(end, Stage::BeforeActing);
    recommend(site, id);
    held.wait(PATIENCE).expect("the spare is to go");
    let spare = site.living().into_iter().find(|living| living != id);
    assert!(site.fleet.detach(&spare.expect("there is one")));
    held.release();
    wait_until_as_before(site, id);
}

fn suffices(kind: FleetKind, fleet: (&'static str, &'static str)) {
    let Some((site, _)) = guarded(kind, fleet) else {
        return;
    };
    let id = site.living().remove(0);
    // No spare comes, and then one does.
    site.fleet.set_capacity(Some(1));
    recommend(&site, &id);
    eventually("a spare is asked for", || site.fleet.target() == 2);
    wait_until_as_before(&site, &id);
    site.fleet.set_capacity(None);
    if kind == FleetKind::AutoScalingGroup {
        spare_that_leaves_its_group(&site, &id);
    }
    recommend(&site, &id);
    eventually("a spare comes", || site.living().len() == 2);
    wait_until_as_before(&site, &id);
    site.fleet.interrupt(&id, Duration::from_secs(60));
    eventually("another serves and the target is as it was", || {
        let new = site.living().into_iter().find(|living| *living != id);
        site.fleet.target() == 1
            && new.is_some_and(|new| site.phase(&new).as_deref() == Some("serving"))
    });
    let denied: Vec<String> = site
        .world
        .region
        .requests()
        .into_iter()
        .filter_map(|request| request.denied)
        .collect();
    assert!(denied.is_empty(), "{denied:#?}");
    let unused = site
        .world
        .region
        .unused_grants(Principal::Instances)
        .into_iter()
        .map(|grant| grant.to_string());
    let unused: Vec<String> = unused
        .filter(|grant| STATEMENTS.iter().any(|statement| grant.contains(statement)))
        .collect();
    assert!(unused.is_empty(), "nothing needs {unused:#?}");
}

#[test]
fn it_suffices_on_each_kind_of_fleet() {
    thread::scope(|scope| {
        FLEETS
            .map(|(kind, fleet)| scope.spawn(move || suffices(kind, fleet)))
            .map(|done| done.join().expect("it suffices"))
    });
}

#[test]
fn without_any_one_of_its_actions_an_instance_says_which_one_it_misses() {
    let rows = [
        ("SeeWhetherADeployRuns", "s3:GetObject"),
        ("SeeTheFleet", "ec2:DescribeFleets"),
        ("AskForAReplacement", "ec2:DescribeFleetInstances"),
        ("AskForAReplacement", "ec2:ModifyFleet"),
        ("EndSparesOfTheSite", "ec2:TerminateInstances"),
    ];
    let (kind, fleet) = FLEETS[0];
    let Some((site, policy)) = guarded(kind, fleet) else {
        return;
    };
    let statements = policy["Statement"]
        .as_array()
        .expect("a policy has statements")
        .iter();
    let given: BTreeSet<&str> = rows.iter().map(|(statement, _)| *statement).collect();
    let of_fleet = statements
        .filter_map(|each| each["Sid"].as_str())
        .filter(|sid| STATEMENTS[1..].contains(sid))
        .collect::<BTreeSet<_>>();
    assert_eq!(
        given, of_fleet,
        "the table's rows are not the policy's statements"
    );
    let id = site.living().remove(0);
    for (statement, action) in rows {
        enforce(&site, &without(&policy, statement, action));
        recommend(&site, &id);
        eventually(&format!("it says that it misses {action}"), || {
            site.fleet.log(&id).contains(&format!("allow {action} on "))
        });
        enforce(&site, &policy);
        // Before the instance has noted what it asks for, all looks as before, and the next
        // recommendation would come on top of this one.
        eventually("the instance notes what it asks for", || {
            site.world
                .report(&id)
                .is_some_and(|report| !report["note"].is_null())
        });
        wait_until_as_before(&site, &id);
    }
}
