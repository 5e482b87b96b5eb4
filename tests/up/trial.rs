//! A candidate is booted while its deploy keeps it alive, and by nobody who served before.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use crate::common::{Machine, Package, World};

const DEPLOY: &str = "20261120T100000Z-a1b2c3";

/// A world with v1 current and v2 on trial until `lasts` from now, begun that long `ago`.
pub fn world(lasts: Duration, ago: Option<Duration>) -> World {
    let world = World::with_small_app();
    let current = world.get("releases/current.json").expect("v1 is current");
    world.publish("v2", &Package::small_app());
    let candidate = world.get("releases/current.json").expect("v2 is published");
    let mut candidate: serde_json::Value = serde_json::from_slice(&candidate).expect("it is JSON");
    let now = OffsetDateTime::now_utc();
    let text = |at: OffsetDateTime| at.format(&Rfc3339).expect("a time of ours");
    candidate["deploy"] = DEPLOY.into();
    candidate["expires"] = text(now + lasts).into();
    if let Some(ago) = ago {
        candidate["since"] = text(now - ago).into();
    }
    world.put("releases/candidate.json", candidate.to_string());
    world.put("releases/current.json", current);
    world
}

fn assert_serves(machine: &Machine<'_>, release: &str, deploy: Option<&str>) {
    let running = machine.up();
    let body = machine.visitor().get("/").body;
    assert!(body.contains(&format!("release {release}")), "{body}");
    let report = machine
        .world
        .report(machine.id())
        .expect("the instance reports");
    assert_eq!(
        (report["release"].as_str(), report["deploy"].as_str()),
        (Some(release), deploy),
        "{report}\n{}",
        running.log()
    );
    let shown = machine.shown_chain();
    assert_eq!(report["chain"].as_str(), Some(shown.as_str()));
}

#[test]
fn an_instance_boots_the_candidate_of_a_deploy_that_lives() {
    let world = world(Duration::minutes(2), Some(Duration::minutes(1)));
    let machine = Machine::launched(&world, "i-0trial", OffsetDateTime::now_utc());
    let told = machine
        .run(&[
            "up",
            "--dry-run",
            "--config",
            machine.write_site().to_str().unwrap(),
        ])
        .stdout;
    assert!(
        told.contains(&format!("v2, on trial by deploy {DEPLOY}")),
        "{told}"
    );
    assert_serves(&machine, "v2", Some(DEPLOY));
}

#[test]
fn the_first_deploy_has_a_candidate_and_no_current_release() {
    let world = world(Duration::minutes(2), None);
    world.delete("releases/current.json");
    assert_serves(&world.machine("i-0first"), "v2", Some(DEPLOY));
}

#[test]
fn a_candidate_whose_deploy_is_gone_is_left_alone() {
    let world = world(-Duration::SECOND, None);
    let machine = world.machine("i-0late");
    let told = machine
        .run(&[
            "up",
            "--dry-run",
            "--config",
            machine.write_site().to_str().unwrap(),
        ])
        .stdout;
    assert!(told.contains("v1, current"), "{told}");
    assert_serves(&machine, "v1", None);
}

#[test]
fn an_instance_that_served_before_the_trial_restarts_with_its_release() {
    let world = world(Duration::minutes(2), Some(Duration::minutes(1)));
    let machine = Machine::launched(
        &world,
        "i-0older",
        OffsetDateTime::now_utc() - Duration::minutes(5),
    );
    assert_serves(&machine, "v1", None);
}

#[test]
fn a_broken_candidate_stops_no_boot() {
    let world = world(Duration::minutes(2), None);
    world.put("releases/candidate.json", "{\"version\": \"v2\", \"key\"");
    assert_serves(&world.machine("i-0broken"), "v1", None);
}

#[test]
fn a_candidate_that_fails_says_whose_it_was() {
    let world = world(Duration::minutes(2), None);
    world.delete("packages/v2.zip");
    let machine = world.machine("i-0failing");
    machine.up_to_end().assert_error(1, &["packages/v2.zip"]);
    let report = world.report("i-0failing").expect("the instance reports");
    assert_eq!(
        (report["phase"].as_str(), report["deploy"].as_str()),
        (Some("failed"), Some(DEPLOY)),
        "{report}"
    );
}
