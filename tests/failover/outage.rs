//! Emergency mode while AWS itself is in trouble.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use region::{Checkers, Fault, Match, Options, Service};

use crate::common::{World, eventually, within};
use crate::desk::{Desk, FRONT};
use crate::fleet::FleetSite;
use crate::site::{Made, app};

/// Of Route 53's checkers here; AWS has ten seconds.
const INTERVAL: Duration = Duration::from_millis(500);
/// Three requests in a row, on a busy machine.
const SWITCHED_WITHIN: Duration = Duration::from_secs(30);

fn refuse_changes(world: &World, fault: Fault) {
    let changes = Match::service(Service::Route53).operation("ChangeResourceRecordSets");
    world.region.fault(changes.by_ci(), fault);
}

#[test]
fn without_route_53_a_site_with_simple_routing_is_told_that_nothing_more_can_be_done() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    refuse_changes(&desk.world, Fault::access_denied());
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
fn without_route_53_the_health_checks_lead_visitors_by_the_word_that_every_instance_heeds() {
    let made = Made {
        target: 2,
        routing: "failover",
        options: Options {
            checkers: Checkers::Every(INTERVAL),
            ..Options::default()
        },
        ..Made::default()
    };
    let Some(site) = FleetSite::made(made, &app("v1")) else {
        return;
    };
    let region = &site.site.world.region;
    let (owner, ids) = (site.owner(), site.site.living());
    let (at_owner, at_mirror) = (owner.public_ipv4.map(IpAddr::V4), region.options().bind);
    let resolves_to = |wanted| site.resolved() == wanted;
    eventually("visitors are led to the owner", || resolves_to(at_owner));
    refuse_changes(&site.site.world, Fault::access_denied());
    region.forget_requests();

    let on = site.failover(&["on", "--why", "the app burns"]).stdout;
    assert_says(
        &on,
        &[
            "emergency mode is on since",
            "the app burns",
            "the word in the bucket says on",
            "NOTE: Route 53 takes no change now: ",
            "the health checks lead visitors to the mirror within 31 s; run `spotboot failover on` again once Route 53 answers",
        ],
    );
    for wrong in [
        "PROBLEM",
        "the names lead to the mirror",
        "visitors feel it",
        "/ping with",
    ] {
        assert!(!on.contains(wrong), "{wrong:?} in {on}");
    }
    assert_asked(&on, &ids);
    assert_eq!(site.pings(), [503, 503]);
    let what = "visitors are led to the mirror";
    within(SWITCHED_WITHIN, what, || resolves_to(Some(at_mirror)));
    let (status, page) = site.visit("/").expect("the mirror answers");
    assert!(status == 200 && page.contains(FRONT), "{status}: {page}");
    assert_eq!(site.owner().id, owner.id, "its records stand");
    let status = site.failover(&["status"]).stdout;
    assert_says(
        &status,
        &["the names lead to the instances: the health checks alone lead visitors to the mirror"],
    );
    assert_eq!(status.matches("answers /ping with 503").count(), 2);

    // Route 53 refuses still, and nothing has to be changed there.
    let off = site.failover(&["off"]).stdout;
    assert_says(
        &off,
        &[
            "emergency mode is off since",
            "the word in the bucket says off",
        ],
    );
    assert_asked(&off, &ids);
    assert_eq!(site.pings(), [200, 200]);
    let what = "visitors are led back";
    within(SWITCHED_WITHIN, what, || resolves_to(at_owner));

    // A second emergency, in which Route 53 answers again.
    site.failover(&["on"]);
    let changed = region.count_where(|request| {
        request.operation == "ChangeResourceRecordSets" && request.status == Some(200)
    });
    assert_eq!(changed, 0, "nobody has changed a record");
    region.lift_all();
    let on = site.failover(&["on"]).stdout;
    assert_says(&on, &["the names lead to the mirror"]);
    assert!(site.is_at_mirror());
    let off = site.failover(&["off"]).stdout;
    assert_says(&off, &[&format!("the names lead to {}", owner.id)]);
    within(SWITCHED_WITHIN, what, || resolves_to(at_owner));
    let status = site.failover(&["status"]).stdout;
    assert_says(&status, &["failover       off since"]);
}

fn assert_says(told: &str, words: &[&str]) {
    for words in words {
        assert!(told.contains(words), "no {words:?} in {told}");
    }
}

/// One sentence says of all these instances that they were asked to look.
fn assert_asked(told: &str, ids: &[String]) {
    let said = told
        .lines()
        .find(|line| line.ends_with(" were asked to look at the word at once"));
    let said = said.unwrap_or_else(|| panic!("nobody was asked: {told}"));
    assert!(ids.iter().all(|id| said.contains(id.as_str())), "{told}");
}

#[test]
fn a_route_53_that_throttles_is_given_ten_seconds() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    refuse_changes(&desk.world, Fault::Throttle);
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
