//! An article comes out, and its readers come at once: half of them in the first minute, each with
//! everything that the page shows. `cargo xtask show visitors` sends 19,000 within ten minutes; here
//! a few come within seconds.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use region::Service;
use region::load::{CrowdReport, CrowdSpec, send_crowd};

use crate::common::{DOMAIN, Machine, Package, Running, eventually, number, signal};
use crate::desk::{Desk, FAILOVER};

/// What a page shows: a style sheet, and pictures of some kilobytes.
const PICTURES: usize = 9;
const PICTURE: usize = 12_000;
/// The variables VISITORS, WITHIN and RUSH (both in seconds) say otherwise.
const USUAL: usize = 60;
const USUAL_WITHIN: usize = 4;
const USUAL_RUSH: usize = 2;
/// From so many on, the machine is a visitors' alone, and a time says something.
const MANY: usize = 1_000;
const P99: Duration = Duration::from_secs(1);

fn article(desk: &Desk) {
    let mut body = "<h1>The article</h1>".to_owned();
    for picture in 0..PICTURES {
        body += &format!("<img src=\"/img/article-{picture}.png\">");
        let pixels = format!("{picture}").repeat(PICTURE);
        desk.live.put(
            &format!("/img/article-{picture}.png"),
            200,
            "image/png",
            &pixels,
        );
    }
    desk.live.html("/", &body);
}

fn crowd(roots: String, address: SocketAddr) -> CrowdReport {
    let seconds = |name, usual| Duration::from_secs(number(name, usual) as u64);
    let assets = (0..PICTURES).map(|picture| format!("/img/article-{picture}.png"));
    let spec = CrowdSpec {
        roots,
        domain: DOMAIN.to_owned(),
        address,
        visitors: u32::try_from(number("VISITORS", USUAL)).expect("a number of people"),
        within: seconds("WITHIN", USUAL_WITHIN),
        rush: seconds("RUSH", USUAL_RUSH),
        page: "/".to_owned(),
        assets: assets.chain(["/style.css".to_owned()]).collect(),
    };
    send_crowd(spec).expect("the crowd comes")
}

/// Nobody is failed, and where many come, 99 of 100 requests are answered within a second.
fn assert_served(who: &str, report: &CrowdReport) {
    println!("{who}: {report}");
    assert_eq!(report.failed, 0, "{who}: {report}");
    if number("VISITORS", USUAL) >= MANY {
        assert!(report.within(0.99) <= P99, "{who}: {report}");
    }
}

#[test]
fn a_rush_is_answered_by_cloudfront() {
    let desk = Desk::new();
    article(&desk);
    desk.publish();
    let region = &desk.world.region;
    let endpoint = region.endpoint(Service::CloudFront);
    let port = endpoint
        .rsplit(':')
        .next()
        .and_then(|port| port.parse().ok());
    let address = SocketAddr::new(region.options().bind, port.expect("it has a port"));
    let roots = std::fs::read_to_string(region.acme_ca()).expect("the region's roots");
    assert_served("CloudFront's stand-in", &crowd(roots, address));
}

/// An instance whose app is the small one, and which keeps a copy of the mirror.
fn instance(desk: &Desk) -> Machine<'_> {
    desk.world.publish("v1", &Package::small_app());
    desk.world.machine("i-0rush").section("failover", FAILOVER)
}

fn at(machine: &Machine<'_>) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(machine.address), machine.https_port)
}

#[test]
fn what_the_app_alone_does_of_it_is_printed() {
    let desk = Desk::new();
    let machine = instance(&desk);
    let _running = machine.up();
    let roots = desk
        .world
        .region
        .acme_issuer_roots()
        .expect("pebble names its roots");
    let report = crowd(roots, at(&machine));
    println!("the app alone: {report}");
    assert!(report.requests > 0);
}

/// Kills the app whenever it is there, until what is to be done meanwhile is done.
fn while_the_app_falls<T>(running: &Running, meanwhile: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                for app in running.processes("app.py") {
                    signal(app, "KILL");
                }
                std::thread::sleep(Duration::from_millis(20));
            }
        });
        let came_of_it = meanwhile();
        done.store(true, Ordering::Relaxed);
        came_of_it
    })
}

#[test]
fn a_rush_is_answered_from_the_instances_own_disk_while_the_app_is_down() {
    let desk = Desk::new();
    article(&desk);
    desk.publish();
    let machine = instance(&desk);
    let running = machine.up();
    let visitor = machine.visitor();
    eventually("the mirror's copy is on the instance's disk", || {
        let report = desk.world.report("i-0rush").unwrap_or_default();
        report["disk_copy"]["made"].is_string()
    });
    let roots = desk
        .world
        .region
        .acme_issuer_roots()
        .expect("pebble names its roots");
    let report = while_the_app_falls(&running, || {
        eventually("the disk answers", || {
            let seen = visitor.get_as(DOMAIN, "/");
            seen.status == 200
                && seen
                    .headers
                    .to_ascii_lowercase()
                    .contains("x-spotboot-mirror")
        });
        crowd(roots, at(&machine))
    });
    assert_served("the instance's own disk", &report);
}
