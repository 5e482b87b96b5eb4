//! The visitors that other suites judge rotations by: they are content with a site that serves, and
//! notice one that does not.

use std::time::Duration;

use region::load::{Kind, Load, LoadSpec, Population};

use crate::common::{DOMAIN, Machine, World, signal};

fn spec(machine: &Machine<'_>) -> LoadSpec {
    let spec = LoadSpec::new(&machine.world.region, DOMAIN, machine.https_port)
        .expect("the region's CA answers");
    LoadSpec {
        slow_takes: Duration::from_secs(1),
        upload_takes: Duration::from_secs(1),
        ..spec
    }
}

#[test]
fn every_population_is_content_with_a_site_that_serves() {
    let world = World::with_small_app();
    let machine = world.machine("i-0content");
    let _running = machine.up();
    let load = Load::start(LoadSpec {
        rate: 100,
        ..spec(&machine)
    })
    .expect("visitors come");
    std::thread::sleep(Duration::from_secs(5));
    let report = load.stop();
    println!("{report}");
    report.assert_no_failures();
    report.assert_not_held_up();
    for population in [
        Population::Fresh,
        Population::KeepAlive,
        Population::Http2,
        Population::Stale,
        Population::Slow,
        Population::Upload,
    ] {
        assert!(
            report
                .totals
                .get(&population)
                .is_some_and(|total| total.answered > 3),
            "{population:?}\n{report}"
        );
    }
    assert!(
        report.totals[&Population::KeepAlive].connections <= 20,
        "connections are kept\n{report}"
    );
    let (address, release) = report.seen.keys().next().expect("somebody answered");
    assert_eq!(
        (address.to_string(), release.as_str(), report.seen.len()),
        (machine.address.to_string(), "v1", 1)
    );
}

#[test]
fn visitors_notice_a_web_server_that_is_killed_and_an_app_that_is() {
    let world = World::with_small_app();
    let machine = world.machine("i-0noticed");
    let running = machine.up();
    let load = Load::start(LoadSpec {
        rate: 100,
        ..spec(&machine)
    })
    .expect("visitors come");
    std::thread::sleep(Duration::from_secs(2));
    load.report().assert_no_failures();
    running
        .processes("app.py")
        .iter()
        .for_each(|pid| signal(*pid, "KILL"));
    std::thread::sleep(Duration::from_secs(2));
    let app_killed = load.report();
    assert!(
        app_killed.failures_of(Kind::Status) > 0,
        "no 502 was seen\n{app_killed}"
    );
    running
        .processes("nginx: ")
        .iter()
        .for_each(|pid| signal(*pid, "KILL"));
    std::thread::sleep(Duration::from_secs(2));
    let report = load.stop();
    println!("{report}");
    assert!(
        report.failures_of(Kind::Refused) > 0 && report.failures_of(Kind::Reset) > 0,
        "{report}"
    );
    let failed = |population| report.totals[&population].failed;
    assert!(
        failed(Population::KeepAlive) > 0 && failed(Population::Http2) > 0,
        "{report}"
    );
    assert!(
        failed(Population::Slow) > 0 && failed(Population::Upload) > 0,
        "{report}"
    );
}

#[test]
fn visitors_notice_a_certificate_that_they_have_no_reason_to_trust() {
    let world = World::with_small_app();
    let machine = world.machine("i-0wrongca");
    let _running = machine.up();
    // The CA of the directory's own TLS, which has issued nothing to the site.
    let roots = std::fs::read_to_string(world.region.acme_ca()).expect("it is a file");
    let load = Load::start(LoadSpec {
        roots,
        rate: 20,
        ..spec(&machine)
    })
    .expect("visitors come");
    std::thread::sleep(Duration::from_secs(1));
    let report = load.stop();
    assert_eq!(report.answered(), 0, "{report}");
    assert!(report.failures_of(Kind::Certificate) > 10, "{report}");
    assert_eq!(
        u64::try_from(report.failures_of(Kind::Certificate)).ok(),
        Some(report.failed()),
        "{report}"
    );
}
