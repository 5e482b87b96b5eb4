//! kill -9 at every step boundary, then run again: it converges, with at most one order in all.

use std::time::Duration;

use region::{Match, Recorded, Service, Stage};

use crate::common::{DOMAIN, World};

/// Kills a boot at its n-th request to S3, Route 53 or the CA, at the given moment of it; `None`:
/// it had no n-th request.
fn killed_at(n: usize, stage: Stage) -> Option<Recorded> {
    let world = World::with_small_app();
    let machine = world.machine("i-0killed");
    let hold = world
        .region
        .hold(Match::any().except(Service::Imds).nth(n), stage);
    let mut running = machine.start();
    let held = loop {
        if let Ok(request) = hold.wait(Duration::from_millis(200)) {
            break request;
        }
        if running.log().contains("serving https://") {
            return None;
        }
        running.assert_alive();
    };
    running.kill9();
    match stage {
        Stage::BeforeActing => hold.discard(),
        Stage::AfterActing => hold.release(),
    }

    let _again = machine.up();
    let visitor = machine.visitor();
    assert_eq!(visitor.get("/").status, 200, "after a kill at {held:?}");
    assert_eq!(world.record(DOMAIN, "A"), [machine.address.to_string()]);
    let count = |operation: &str| {
        world.region.count_where(|request| {
            request.operation == operation && request.status.is_some_and(|status| status < 300)
        })
    };
    let issued = count("finalize");
    assert!(
        issued <= 1,
        "{issued} certificates were issued after a kill at {held:?}"
    );
    // RFC 8555 has no way to find an order again whose URL died with us; it is never issued.
    let unrecorded = held.operation == "newOrder"
        || held.path.contains("pending.json") && stage == Stage::BeforeActing;
    let orders = count("newOrder");
    assert!(
        orders <= 1 + usize::from(unrecorded),
        "{orders} orders after a kill at {held:?}"
    );
    assert_eq!(world.certificates().len(), 1, "after a kill at {held:?}");
    assert!(
        world
            .record(&format!("_acme-challenge.{DOMAIN}"), "TXT")
            .is_empty(),
        "a validation value stays after a kill at {held:?}"
    );
    Some(held)
}

#[test]
fn a_boot_killed_before_any_of_its_requests_converges() {
    let killed = (1..100)
        .map_while(|n| killed_at(n, Stage::BeforeActing))
        .count();
    assert!(killed >= 15, "only {killed} boundaries were tried");
}

#[test]
fn a_boot_killed_after_any_of_its_requests_converges() {
    let killed = (1..100)
        .map_while(|n| killed_at(n, Stage::AfterActing))
        .count();
    assert!(killed >= 15, "only {killed} boundaries were tried");
}
