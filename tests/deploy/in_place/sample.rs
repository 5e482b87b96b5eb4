//! The Django site of tests/sample, as a user has it: it brings its database up to date and
//! collects its static files beside the release that serves.

use region::load::{Load, LoadSpec};

use super::Lone;
use crate::common::{DOMAIN, Package, World, number};

const SHEET: &str = "/static/notes/site.css";
const NEW: &str = "body { color: teal }\n";

/// RATE: as many visitors a second as one wants to measure with; beside other tests they are few.
#[test]
fn the_sample_site_goes_live_in_place_and_nobody_is_failed() {
    let world = World::new();
    let lone = Lone::with(
        &world,
        |machine| machine.section("app", Package::sample_app()),
        &Package::sample_site(),
    );
    let page = |path: &str| lone.machine.visitor().get_as(DOMAIN, path).body;
    assert!(page("/").contains(&lone.current()) && page(SHEET) != NEW);
    let spec = LoadSpec::new(&world.region, DOMAIN, lone.machine.https_port)
        .expect("the region's CA answers");
    let rate = number("RATE", 50).try_into().expect("it is small");
    let visitors = Load::start(LoadSpec {
        rate,
        slow_clients: 0,
        upload_clients: 0,
        ..spec
    })
    .expect("visitors come");

    lone.deploy(&Package::sample_site().file("notes/static/notes/site.css", NEW))
        .assert_success();
    assert!(page("/").contains(&lone.current()), "{}", lone.log());
    assert_eq!(page(SHEET), NEW);
    let report = visitors.stop();
    lone.print_times();
    println!("{report}");
    report.assert_no_failures();
    report.assert_not_held_up();
}
