//! On, off, and what they say.

use region::{Fault, Match, Service};
use serde_json::Value;

use crate::common::DOMAIN;
use crate::desk::{CLOUDFRONT, Desk, FRONT, desk_id};

#[test]
fn on_leads_the_names_to_the_mirror_by_one_batch_and_off_leads_them_back() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    let before = desk.ownership();
    desk.world.region.forget_requests();
    desk.failover(
        &config,
        &["on", "--why", "the app is down"],
        0,
        &[
            "emergency mode is on since",
            "by ada on",
            "the app is down",
            "the names lead to the mirror",
            "within 1m more",
        ],
    );
    assert_eq!(desk.batches(), 1);
    desk.assert_on(&config, false);
    let generation = |text: &str| text.split("generation=").nth(1).unwrap().to_owned();
    assert!(desk.ownership().contains("owner=i-0app"));
    assert_ne!(generation(&desk.ownership()), generation(&before));
    let (status, body) = desk.visit("/");
    assert_eq!(status, "200");
    assert!(body.contains(FRONT), "{body}");

    desk.failover(
        &config,
        &["on"],
        0,
        &["on already, since", "by ada on", "the app is down"],
    );
    assert_eq!(desk.batches(), 1, "nothing is done twice");

    desk.failover(
        &config,
        &["off"],
        0,
        &["the names lead to i-0app", "emergency mode is off"],
    );
    desk.assert_off(&config, &machine);
    desk.failover(&config, &["off"], 0, &["off already"]);
    assert_eq!(desk.batches(), 2);
}

#[test]
fn a_dry_run_shows_the_batch_and_changes_nothing() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    desk.world.region.forget_requests();
    let told = desk.failover(
        &config,
        &["on", "--page", "--dry-run"],
        0,
        &[
            "emergency mode would be on since",
            "would put /emergency/ at the mirror's front",
            "would lead the names to the mirror",
            "delete A example.test",
            "create A example.test → alias d111.cloudfront.net",
            "names=mirror",
        ],
    );
    assert!(!told.stdout.contains("visitors feel it"), "{}", told.stdout);
    let changing = desk
        .world
        .region
        .count_where(|request| request.is_by_ci() && request.is_changing());
    assert_eq!(changing, 0);
    desk.assert_off(&config, &machine);
    desk.failover(&config, &["on"], 0, &[]);
    desk.failover(
        &config,
        &["off", "--dry-run"],
        0,
        &["would be off", "would lead the names to their owner"],
    );
    desk.assert_on(&config, false);
}

#[test]
fn everybody_tells_the_same() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    let on = desk.failover(&config, &["on", "--json", "--why", "drill"], 0, &[]);
    let on: Value = serde_json::from_str(&on.stdout).expect("it is JSON");
    assert_eq!(on["word"]["why"], "drill", "{on}");
    assert_eq!(on["felt_within"], 60, "{on}");
    let told = desk.failover(&config, &["status", "--json"], 0, &[]);
    let told: Value = serde_json::from_str(&told.stdout).expect("it is JSON");
    assert_eq!(told["on"], true);
    assert_eq!(told["names"], "mirror");
    assert_eq!(told["zones"][0]["owner"], "i-0app", "{told}");
    assert_eq!(told["instances"][0]["id"], "i-0app", "{told}");
    let whole = desk.ci(&config, &["status", "--json"]);
    let whole: Value = serde_json::from_str(&whole.stdout).expect("it is JSON");
    for same in ["on", "word", "names", "zones", "front"] {
        assert_eq!(whole["failover"][same], told[same], "{same}");
    }
    let line = desk.ci(&config, &["status"]).stdout;
    assert!(
        line.lines()
            .any(|line| line.starts_with("failover") && line.contains("drill")),
        "{line}"
    );
}

#[test]
fn off_leads_nobody_to_an_instance_that_does_not_serve() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let running = machine.up();
    let config = machine.write_site();
    desk.failover(&config, &["on"], 0, &[]);
    running.kill9();
    desk.failover(
        &config,
        &["off"],
        1,
        &["the names stay at the mirror: i-0app", "--force"],
    );
    desk.assert_on(&config, false);
    desk.failover(
        &config,
        &["off", "--force"],
        0,
        &["the names lead to i-0app"],
    );
    assert_eq!(
        desk.world.record(DOMAIN, "A"),
        [machine.address.to_string()]
    );
}

#[test]
fn where_the_owner_is_gone_the_next_boot_is_led_to() {
    let desk = Desk::with_mirror();
    let first = desk.machine("i-0first");
    let running = first.up();
    let config = first.write_site();
    desk.failover(&config, &["on"], 0, &[]);
    running.stop();
    first.instance.set_state(region::State::Terminated);
    desk.failover(
        &config,
        &["off"],
        1,
        &[
            "i-0first is gone",
            "the next instance that boots",
            "--force",
        ],
    );
    desk.assert_on(&config, false);
    let second = desk.machine("i-0second");
    let _second = second.up();
    // On one machine each instance has ports of its own.
    let config = second.write_site();
    assert_eq!(desk.alias().as_deref(), Some(CLOUDFRONT), "it stands by");
    assert!(
        desk.ownership().contains("owner=i-0second"),
        "{}",
        desk.ownership()
    );
    desk.failover(&config, &["off"], 0, &["the names lead to i-0second"]);
    desk.assert_off(&config, &second);
}

#[test]
fn redirects_leave_the_names_where_they_are() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    desk.failover(
        &config,
        &["on", "--redirect"],
        0,
        &["on, by redirects, since"],
    );
    assert_eq!(
        desk.world.record(DOMAIN, "A"),
        [machine.address.to_string()]
    );
    assert_eq!(desk.word()["redirect"], true);
    desk.failover(
        &config,
        &["status"],
        0,
        &["on, by redirects", "at the instances"],
    );
    desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    desk.assert_on(&config, false);
    desk.failover(
        &config,
        &["on", "--redirect"],
        2,
        &["run `spotboot failover off` first"],
    );
    desk.failover(&config, &["off"], 0, &[]);
    desk.assert_off(&config, &machine);
}

/// CI's role has no rights for a mirror of spotboot's making there.
#[test]
fn a_site_of_kind_s3_is_led_to_its_bucket_and_nobody_asks_what_stands_at_its_front() {
    let desk = Desk::new();
    let machine = desk
        .world
        .machine(&desk_id())
        .section("app", "kind = \"s3\"\n")
        .section(
            "failover",
            "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\n",
        );
    let config = machine.write_site();
    let front = Match::service(Service::S3).path("mirror/front.json");
    desk.world.region.fault(front, Fault::access_denied());
    desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    desk.failover(&config, &["status"], 0, &["on since", "at the mirror"]);
}
