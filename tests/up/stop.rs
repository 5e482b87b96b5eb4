//! The end of an instance: whoever it serves is served to the end, and then goes elsewhere.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use region::load::{Load, LoadSpec, Population};
use time::OffsetDateTime;

use crate::common::{DOMAIN, Machine, World, signal};

const TTL: u32 = 1;
/// Until those who keep an address for three TTLs have let go of it.
const LET_GO: Duration = Duration::from_secs(5);

fn instance<'w>(world: &'w World, id: &str, minutes_ago: i64) -> Machine<'w> {
    let launched = OffsetDateTime::now_utc() - time::Duration::minutes(minutes_ago);
    Machine::launched(world, id, launched).section("dns", &format!("ttl = {TTL}\n"))
}

#[test]
fn an_instance_that_stops_after_another_took_over_fails_nobody() {
    let world = World::with_small_app();
    let (first, second) = (
        instance(&world, "i-0first", 60),
        instance(&world, "i-0second", 30),
    );
    let old = first.up();
    let ports = BTreeMap::from(
        [&first, &second].map(|machine| (IpAddr::V4(machine.address), machine.https_port)),
    );
    let spec = LoadSpec::new(&world.region, DOMAIN, 0)
        .expect("the region's CA answers")
        .ports(move |address| ports[&address]);
    let load = Load::start(LoadSpec {
        rate: 100,
        slow_takes: Duration::from_secs(8),
        ..spec
    })
    .expect("visitors come");
    std::thread::sleep(Duration::from_secs(1));
    let _new = second.up();
    std::thread::sleep(LET_GO);

    let begun = load.report().lasted;
    assert_eq!(old.stop().code(), 0);
    let ended = load.report().lasted;
    std::thread::sleep(Duration::from_secs(1));
    let report = load.stop();
    println!("the stop took {:?}\n{report}", ended - begun);
    report.assert_no_failures();
    let [seen_first, seen_second] =
        [&first, &second].map(|machine| &report.seen[&(machine.address.into(), "v1".to_owned())]);
    assert!(
        seen_first.last > begun + Duration::from_secs(1),
        "requests under way were answered during the stop\n{report}"
    );
    assert!(seen_second.last > ended, "the second serves on\n{report}");
    let connections = |population| report.totals[&population].connections;
    assert!(
        connections(Population::KeepAlive) >= 40 && connections(Population::Http2) >= 8,
        "all moved to the second\n{report}"
    );
    assert_eq!(
        report.totals[&Population::KeepAlive].moved,
        0,
        "each was told, none found its connection closed\n{report}"
    );
}

#[test]
fn a_stopping_instance_says_so_ends_connections_and_answers_what_it_began() {
    let world = World::with_small_app();
    let machine = world.machine("i-0leaving");
    let running = machine.up();
    let visitor = machine.visitor();
    let url = |path: &str| format!("https://{DOMAIN}:{}{path}", machine.https_port);
    let get = |path: &str| {
        visitor
            .curl(&url(path), &["--http1.1"])
            .expect("it answers")
    };
    let before = get("/");
    assert!(
        before.headers.contains("Connection: keep-alive") && !before.headers.contains("close"),
        "{before:?}"
    );
    assert_eq!(get("/ping").status, 200);

    std::thread::scope(|scope| {
        let slow = scope.spawn(|| get("/slow?seconds=6"));
        std::thread::sleep(Duration::from_secs(1));
        signal(running.pid(), "TERM");
        let start = Instant::now();
        while world.report(machine.id()).expect("it reports")["phase"] != "stopped" {
            assert!(
                start.elapsed() < Duration::from_secs(5),
                "the bucket hears nothing"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        for path in [
            "/",
            "/a%2Fb%3Fc%0A?x=%2F",
            "/assets/style.css",
            "/assets/none",
            "/.well-known/spotboot",
        ] {
            let answer = get(path);
            let expected = if path == "/assets/none" { 404 } else { 200 };
            assert_eq!(answer.status, expected, "{path}: {answer:?}");
            assert!(
                answer.headers.contains("Connection: close")
                    && !answer.headers.contains("keep-alive"),
                "{path}: {answer:?}"
            );
            assert!(
                !answer.body.starts_with("release")
                    || answer.body.contains(&format!("path {path}\n")),
                "{path}: {answer:?}"
            );
        }
        let ping = get("/ping");
        assert!(
            ping.status == 503 && ping.body.contains("about to stop"),
            "{ping:?}"
        );
        let posted = visitor
            .curl(&url("/post"), &["--data", "abc"])
            .expect("it answers");
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(
            posted.version == "2"
                && posted.body.contains(sha256)
                && !posted.headers.contains("connection"),
            "{posted:?}"
        );
        let slow = slow.join().expect("it was asked");
        assert_eq!(
            (slow.status, slow.body.contains("release v1 path /slow")),
            (200, true),
            "{slow:?}"
        );
    });
    assert_eq!(running.end().code(), 0);
}

#[test]
fn without_visitors_a_stop_takes_no_time_and_a_second_signal_waits_for_nobody() {
    let world = World::with_small_app();
    let machine = world.machine("i-0quick");
    let running = machine.up();
    let start = Instant::now();
    assert_eq!(running.stop().code(), 0);
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "a stop without visitors took {:?}",
        start.elapsed()
    );

    let running = machine.up();
    assert_eq!(
        machine.visitor().get("/ping").status,
        200,
        "the drain of the last run is over"
    );
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            machine.visitor().curl(
                &format!("https://{DOMAIN}:{}/slow?seconds=15", machine.https_port),
                &[],
            )
        });
        std::thread::sleep(Duration::from_secs(1));
        let start = Instant::now();
        signal(running.pid(), "TERM");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(running.stop().code(), 0);
        assert!(
            start.elapsed() < Duration::from_secs(3),
            "it waited {:?}",
            start.elapsed()
        );
        let answer = slow.join().expect("it was asked");
        assert!(
            !answer.as_ref().is_ok_and(|answer| answer.status == 200),
            "{answer:?}"
        );
    });
}
