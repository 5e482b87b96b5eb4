//! Emergency mode while AWS itself is in trouble.

use std::time::{Duration, Instant};

use region::{Fault, Match, Service};

use crate::desk::Desk;

fn refuse_changes(desk: &Desk, fault: Fault) {
    let changes = Match::service(Service::Route53).operation("ChangeResourceRecordSets");
    desk.world.region.fault(changes.by_ci(), fault);
}

#[test]
fn without_route_53_a_site_with_simple_routing_is_told_that_nothing_more_can_be_done() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    refuse_changes(&desk, Fault::access_denied());
    desk.failover(
        &config,
        &["on"],
        1,
        &[
            "the names stay where they are",
            "nothing more can be done",
            "simple",
        ],
    );
    desk.failover(
        &config,
        &["status"],
        3,
        &["the word in the bucket says on, and the names lead to the instances"],
    );
    desk.world.region.lift_all();
    desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    desk.assert_on(&config, false);
}

#[test]
fn a_route_53_that_throttles_is_given_ten_seconds() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    refuse_changes(&desk, Fault::Throttle);
    let begun = Instant::now();
    desk.failover(&config, &["on"], 1, &["accepted nothing within 10s"]);
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(60), "it took {took:?}");
}

#[test]
fn a_bucket_that_does_not_answer_keeps_no_name_from_the_mirror() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    let bucket = Match::service(Service::S3).path("failover.json").by_ci();
    let fault = desk.world.region.fault(bucket, Fault::access_denied());
    desk.failover(
        &config,
        &["on"],
        1,
        &[
            "reading the word in the bucket",
            "the names lead to the mirror",
        ],
    );
    assert!(desk.alias().is_some());
    desk.world.region.lift(fault);
    desk.failover(
        &config,
        &["status"],
        3,
        &["the word in the bucket says off"],
    );
    desk.failover(&config, &["on"], 0, &["the word in the bucket says on"]);
    desk.assert_on(&config, false);
}

/// nginx answers the request to look whether or not spotboot hears it; what `/ping` says tells.
#[test]
fn an_instance_that_does_not_heed_the_word_is_told() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    let word = Match::service(Service::S3).path("failover.json");
    let fault = desk
        .world
        .region
        .fault(word.instance("i-0app"), Fault::access_denied());
    let note = "i-0app answers /ping with 2";
    desk.failover(
        &config,
        &["on"],
        0,
        &["i-0app was asked to look at the word at once", note],
    );
    desk.world.region.lift(fault);
    let off = desk.failover(&config, &["off"], 0, &["was asked to look"]);
    assert!(!off.stdout.contains("/ping"), "{}", off.stdout);
    desk.assert_off(&config, &machine);
}
