//! An instance that does not hear a person's word, where its health check leads visitors.

use region::{Fault, Match, Service};

use crate::desk::{CLOUDFRONT, Desk};

/// The instance cannot read the word.
fn deafen(desk: &Desk) {
    let word = Match::service(Service::S3).path("failover.json");
    let region = &desk.world.region;
    region.fault(word.instance("i-0app"), Fault::access_denied());
}

/// With failover routing, visitors go where the health check leads them, which asks for `/ping`,
/// unless records lead them to the mirror.
#[test]
fn an_owner_that_does_not_heed_the_word_is_a_problem_while_its_health_check_leads_visitors() {
    let desk = Desk::with_mirror();
    let machine = desk.machine_with("i-0app", "routing = \"failover\"\n");
    let _running = machine.up();
    let config = machine.write_site();
    let until = "until then its health check leads visitors by what /ping says, not by the word";
    deafen(&desk);
    let changes = Match::service(Service::Route53).operation("ChangeResourceRecordSets");
    let refused = Fault::access_denied();
    desk.world.region.fault(changes.by_ci(), refused);
    let on = [
        "Route 53 takes no change now",
        "PROBLEM: i-0app answers /ping with 200 still",
        "it answers with 503; ",
        until,
    ];
    desk.failover(&config, &["on"], 1, &on);
    let status = [
        "the health checks alone lead visitors to the mirror",
        "i-0app answers /ping with 200",
    ];
    desk.failover(&config, &["status"], 0, &status);

    desk.world.region.lift_all();
    desk.failover(&config, &["off"], 0, &["emergency mode is off"]);
    let on = desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    assert!(
        !on.stdout.contains("/ping"),
        "it heeds the word: {}",
        on.stdout
    );
    assert_eq!(desk.alias().as_deref(), Some(CLOUDFRONT));

    // The records lead visitors back, and the health check leads them away again.
    deafen(&desk);
    let off = [
        "the names lead to i-0app",
        "PROBLEM: i-0app answers /ping with 503 still",
        "it answers with success, unless its app is unwell; ",
        until,
    ];
    desk.failover(&config, &["off"], 1, &off);
    desk.assert_off(&config, &machine);
}
