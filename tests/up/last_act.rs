//! AWS takes an instance away that nobody relieves: its address leaves DNS before the end, and the
//! next boot takes the names.

mod setups;

use std::time::{Duration, Instant};

use region::{Fault, Match, Service, State};
use time::OffsetDateTime;

use crate::common::{DOMAIN, Ended, Machine, Running, World, eventually, spotboot};

/// Short, so that a test is: the last act comes fifteen seconds before the end.
const NOTICE: Duration = Duration::from_secs(24);
const NOBODY: &str = "192.0.2.1";
const CLOUDFRONT: &str = "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\n";

fn launched<'w>(world: &'w World, id: &str, minutes_ago: i64) -> Machine<'w> {
    let at = OffsetDateTime::now_utc() - time::Duration::minutes(minutes_ago);
    Machine::launched(world, id, at)
}

/// Gives notice, and says when the instance ends.
fn interrupt(machine: &Machine<'_>, notice: Duration) -> Instant {
    machine
        .instance
        .interrupt(OffsetDateTime::now_utc() + notice);
    Instant::now() + notice
}

fn address(world: &World) -> String {
    world.record(DOMAIN, "A").concat()
}

fn owner(world: &World) -> String {
    world.record(&format!("_spotboot.{DOMAIN}"), "TXT").concat()
}

/// Waits until the address is out of DNS, which is to be before `end`.
fn assert_parts(machine: &Machine<'_>, running: &Running, end: Instant, led_to: impl Fn() -> bool) {
    eventually("the address leaves DNS, or the end comes", || {
        led_to() || Instant::now() > end
    });
    let left = end.saturating_duration_since(Instant::now());
    println!("{} had {left:?} left", machine.id());
    assert!(led_to() && !left.is_zero(), "{}", running.log());
    assert!(
        owner(machine.world).contains(machine.id()),
        "it stays the owner"
    );
}

/// What `status` tells a person at a desk.
fn status(world: &World, machine: &Machine<'_>) -> Ended {
    let mut command = spotboot(world);
    let config = machine.write_site();
    command
        .args(["status", "--config"])
        .arg(config)
        .envs(world.region.env());
    Running::spawn(command).end()
}

#[test]
fn its_address_leaves_dns_before_the_end_and_the_next_boot_takes_the_names() {
    let world = World::with_small_app();
    let last = launched(&world, "i-0last", 60);
    let running = last.up();
    let end = interrupt(&last, NOTICE);
    assert_parts(&last, &running, end, || address(&world) == NOBODY);
    let seen = last.visitor().get_as(DOMAIN, "/");
    assert_eq!(seen.status, 200, "it serves on");
    let ended = running.end();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert_eq!(address(&world), NOBODY);
    last.instance.set_state(State::Terminated);

    let told = status(&world, &last);
    assert_eq!(told.code(), 3, "{}", told.stderr);
    let words = format!("nobody serves {DOMAIN}: i-0last, the last instance, took its address");
    assert!(told.stdout.contains(&words), "{}", told.stdout);

    let next = launched(&world, "i-0next", 1);
    let _running = next.up();
    assert_eq!(address(&world), next.address.to_string());
    assert!(owner(&world).contains("i-0next"), "{}", owner(&world));
}

#[test]
fn where_a_published_mirror_stands_it_has_the_names() {
    let world = World::with_small_app();
    world.put("mirror/manifest.json", "{}");
    let last = launched(&world, "i-0last", 60).section("failover", CLOUDFRONT);
    let running = last.up();
    let end = interrupt(&last, NOTICE);
    let both = ["A d111.cloudfront.net", "AAAA d111.cloudfront.net"];
    assert_parts(&last, &running, end, || world.aliases(DOMAIN) == both);
    running.end().assert_success();
    last.instance.set_state(State::Terminated);
    assert!(
        !owner(&world).contains("names=mirror"),
        "it is no person's will"
    );
    let told = status(&world, &last);
    assert_eq!(told.code(), 3, "{}", told.stderr);
    let words = format!("nobody but the mirror serves {DOMAIN}: i-0last");
    assert!(told.stdout.contains(&words), "{}", told.stdout);

    let next = launched(&world, "i-0next", 1).section("failover", CLOUDFRONT);
    let _running = next.up();
    assert_eq!(address(&world), next.address.to_string());
    assert_eq!(world.aliases(DOMAIN), [""; 0]);
}

#[test]
fn without_a_published_mirror_its_names_lead_to_nobody_also_where_one_is_configured() {
    let world = World::with_small_app();
    let last = launched(&world, "i-0last", 60).section("failover", CLOUDFRONT);
    let running = last.up();
    let end = interrupt(&last, NOTICE);
    assert_parts(&last, &running, end, || address(&world) == NOBODY);
}

#[test]
fn killed_after_the_notice_and_stuck_in_its_next_boot_it_parts_in_time_all_the_same() {
    let world = World::with_small_app();
    let last = launched(&world, "i-0last", 60);
    let mut running = last.up();
    let end = interrupt(&last, NOTICE + Duration::from_secs(10));
    running.wait_for("AWS takes this instance away");
    running.kill9();
    assert_eq!(address(&world), last.address.to_string());
    let stuck = Match::service(Service::S3).path("releases/current.json");
    world
        .region
        .fault(stuck, Fault::Hang(Duration::from_secs(120)));
    let again = last.start();
    assert_parts(&last, &again, end, || address(&world) == NOBODY);
    assert!(!again.log().contains("serving https://"), "{}", again.log());
}

#[test]
fn while_route_53_refuses_it_tries_until_the_end() {
    let world = World::with_small_app();
    let last = launched(&world, "i-0last", 60);
    let mut running = last.up();
    let changes = Match::service(Service::Route53).operation("ChangeResourceRecordSets");
    let refused = world.region.fault(changes, Fault::access_denied());
    let end = interrupt(&last, NOTICE);
    running.wait_for("stopping");
    assert_eq!(address(&world), last.address.to_string());
    world.region.lift(refused);
    assert_parts(&last, &running, end, || address(&world) == NOBODY);
    let ended = running.end();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("trying again"), "{}", ended.stderr);
}

#[test]
fn names_that_another_has_taken_over_are_left_with_it() {
    let world = World::with_small_app();
    let (last, other) = (
        launched(&world, "i-0last", 60),
        launched(&world, "i-0other", 30),
    );
    let running = last.up();
    let _others = other.up();
    let batches = world.region.route53().history().len();
    let end = interrupt(&last, NOTICE);
    running.end().assert_success();
    assert!(Instant::now() < end, "it stops before its end");
    assert_eq!(address(&world), other.address.to_string());
    assert_eq!(
        world.region.route53().history().len(),
        batches,
        "nothing was written"
    );
}

#[test]
fn an_instance_that_is_only_told_to_stop_leaves_dns_alone() {
    let world = World::with_small_app();
    let stopped = launched(&world, "i-0stopped", 60);
    let running = stopped.up();
    running.stop().assert_success();
    assert_eq!(address(&world), stopped.address.to_string());
}

#[test]
fn an_instance_that_is_stopped_between_notice_and_end_parts_with_its_names() {
    let world = World::with_small_app();
    let stopped = launched(&world, "i-0stopped", 60);
    let mut running = stopped.up();
    interrupt(&stopped, Duration::from_secs(110));
    running.wait_for("AWS takes this instance away");
    running.stop().assert_success();
    assert_eq!(
        address(&world),
        NOBODY,
        "nobody else would take the address out"
    );
}

#[test]
fn an_instance_that_aws_does_not_take_away_after_all_has_its_names_again() {
    let world = World::with_small_app();
    let last = launched(&world, "i-0last", 60);
    let mut running = last.up();
    let end = interrupt(&last, NOTICE);
    assert_parts(&last, &running, end, || address(&world) == NOBODY);
    last.instance.withdraw_interruption();
    running.wait_for("does not take this instance away after all");
    eventually("it has the names again", || {
        address(&world) == last.address.to_string()
    });
    running.assert_alive();
}

#[test]
fn of_two_that_answer_together_the_first_leaves_the_answer_and_the_last_leaves_it_to_nobody() {
    let world = World::with_small_app();
    let together = "routing = \"multivalue\"\nttl = 60\n";
    let both = ["i-0one", "i-0two"].map(|id| launched(&world, id, 60).section("dns", together));
    let [one, two] = [both[0].up(), both[1].up()];
    let first = interrupt(&both[0], NOTICE);
    eventually("one leaves the answer", || {
        world.record(DOMAIN, "A") == [both[1].address.to_string()] || Instant::now() > first
    });
    assert!(Instant::now() < first, "{}", one.log());
    one.end().assert_success();
    both[0].instance.set_state(State::Terminated);
    let end = interrupt(&both[1], NOTICE);
    eventually("the answer is nobody's", || {
        world.record(DOMAIN, "A") == [NOBODY] || Instant::now() > end
    });
    assert!(Instant::now() < end, "{}", two.log());
    two.end().assert_success();
    both[1].instance.set_state(State::Terminated);
    let next = launched(&world, "i-0next", 1).section("dns", together);
    let _running = next.up();
    assert_eq!(
        world.record(DOMAIN, "A"),
        [next.address.to_string()],
        "it is swept"
    );
}

#[test]
fn the_name_of_forms_and_logins_leads_to_the_owner_and_to_nobody_after_it() {
    let world = World::with_small_app();
    let mirror = format!("{CLOUDFRONT}dynamic = \"app.{DOMAIN}\"\n");
    let last = launched(&world, "i-0last", 60).section("failover", &mirror);
    let running = last.up();
    let dynamic = || world.record(&format!("app.{DOMAIN}"), "A").concat();
    assert_eq!(dynamic(), last.address.to_string());
    let seen = last.visitor().get_as(&format!("app.{DOMAIN}"), "/");
    assert_eq!(
        seen.status, 200,
        "its certificate and its web server know the name"
    );
    let end = interrupt(&last, NOTICE);
    assert_parts(&last, &running, end, || dynamic() == NOBODY);
}
