//! Services that throttle, fail, reset and hang: the boot succeeds, or ends within its deadline
//! with a clear error.

use std::time::{Duration, Instant};

use region::{Fault, Match, Service};

use crate::common::World;

const SERVICES: [Service; 4] = [Service::S3, Service::Route53, Service::Imds, Service::Acme];

/// Boots with a fault on the first requests to each of the services, and expects a site.
fn survives(services: &[Service], fault: impl Fn(Service) -> Fault, times: usize) {
    for &service in services {
        let world = World::with_small_app();
        let struck = world
            .region
            .fault(Match::service(service).times(times), fault(service));
        let machine = world.machine("i-0fault");
        let _running = machine.up();
        assert_eq!(machine.visitor().get("/").status, 200, "{service:?}");
        assert!(
            world.region.hits(struck) > 0,
            "the fault on {service:?} struck nothing"
        );
    }
}

#[test]
fn a_burst_of_throttling_is_survived() {
    survives(&SERVICES[..3], |_| Fault::Throttle, 2);
}

#[test]
fn a_ca_that_limits_the_rate_is_obeyed() {
    let world = World::with_small_app();
    world.region.fault(
        Match::service(Service::Acme).operation("newOrder"),
        Fault::Throttle,
    );
    world
        .machine("i-0limited")
        .up_to_end()
        .assert_error(1, &["429", "the CA limits the rate"]);
    assert_eq!(
        world.region.count(Service::Acme, "newOrder"),
        1,
        "the CA was asked again though it said no"
    );
    world.assert_record_untouched();
}

#[test]
fn a_burst_of_503_is_survived() {
    survives(
        &SERVICES,
        |_| Fault::respond(503, "ServiceUnavailable", "try again"),
        2,
    );
}

#[test]
fn resets_are_survived() {
    survives(&SERVICES, |_| Fault::Reset, 2);
}

#[test]
fn an_answer_that_is_lost_after_the_deed_is_survived() {
    survives(&SERVICES, |_| Fault::LoseAnswer, 1);
}

#[test]
fn a_hang_of_ten_seconds_is_survived() {
    survives(&SERVICES, |_| Fault::Hang(Duration::from_secs(10)), 1);
}

#[test]
fn a_package_whose_body_breaks_off_is_taken_up_again() {
    let world = World::with_small_app();
    let package = Match::service(Service::S3)
        .operation("GetObject")
        .path("packages/")
        .times(1);
    world.region.fault(package, Fault::Truncate(100));
    let machine = world.machine("i-0torn");
    let _running = machine.up();
    assert_eq!(machine.visitor().get("/").status, 200);
}

#[test]
fn a_service_that_never_recovers_ends_the_boot_within_its_deadline() {
    let services = [
        (Service::S3, "GetObject", "s3://example-site/"),
        (
            Service::Route53,
            "ListHostedZonesByName",
            "the hosted zone of example.test",
        ),
        (Service::Acme, "newOrder", "ordering a certificate"),
    ];
    for (service, operation, doing) in services {
        let world = World::with_small_app();
        world.region.fault(
            Match::service(service).operation(operation),
            Fault::respond(503, "ServiceUnavailable", "try again"),
        );
        let started = Instant::now();
        let ended = world.machine("i-0never").up_to_end();
        ended.assert_error(1, &[doing, "try again"]);
        assert!(
            started.elapsed() < Duration::from_secs(300),
            "{service:?} took {:?}",
            started.elapsed()
        );
        world.assert_record_untouched();
    }
}

#[test]
fn another_clock_than_the_machines_own_is_no_trouble() {
    let world = World::with_small_app();
    world.region.fault(
        Match::service(Service::S3),
        Fault::ClockSkew(time::Duration::minutes(4)),
    );
    let machine = world.machine("i-0skew");
    let _running = machine.up();
    assert_eq!(machine.visitor().get("/").status, 200);
}

#[test]
fn five_requests_a_second_to_route_53_are_enough() {
    let world = World::with_small_app();
    world.region.route53().set_rate(Some(5));
    let machines = ["i-0a", "i-0b", "i-0c"].map(|id| world.machine(id));
    let mut running: Vec<_> = machines.iter().map(|machine| machine.start()).collect();
    for boot in &mut running {
        boot.wait_for_any(&["serving https://", "standing by"]);
    }
    assert_eq!(world.region.count(Service::Acme, "newOrder"), 1);
}
