//! A machine that is terminated while others still hold connections to it.

use std::time::Duration;

use region::load::{Load, LoadSpec, Population};
use time::OffsetDateTime;

use crate::cloud::{APP, Cloud};
use crate::common::DOMAIN;

const TTL: &str = "[dns]\nttl = 1\n";
/// Until those who keep an address for three TTLs have let go of it.
const LET_GO: Duration = Duration::from_secs(5);
/// The drain, requests that run, and the rest of the machine.
const DOWN: Duration = Duration::from_secs(90);

#[test]
fn a_machine_that_is_terminated_after_another_took_over_fails_nobody() {
    let Some(cloud) = Cloud::with_small_app() else {
        return;
    };
    let user_data = cloud.installing(&cloud.site(APP, TTL));
    let launched = |id, minutes_ago| {
        cloud
            .instance(id)
            .launched(OffsetDateTime::now_utc() - time::Duration::minutes(minutes_ago))
    };
    let first = cloud.boot(launched("i-00000000000000b01", 60), &user_data);
    let spec = LoadSpec::new(&cloud.world.region, DOMAIN, 443).expect("the region's CA answers");
    let load = Load::start(LoadSpec { rate: 100, ..spec }).expect("visitors come");
    let second = cloud.boot(launched("i-00000000000000b02", 30), &user_data);
    std::thread::sleep(LET_GO);

    let begun = load.report().lasted;
    first.machine.stop(DOWN).expect("it can be stopped");
    let ended = load.report().lasted;
    std::thread::sleep(Duration::from_secs(1));
    let report = load.stop();
    let console = first.machine.console();
    println!("the machine was down after {:?}\n{report}", ended - begun);
    assert_eq!(report.failed(), 0, "{report}\n{console}");
    assert!(ended - begun < DOWN, "it had to be killed\n{console}");
    let seen = |address: std::net::Ipv4Addr| &report.seen[&(address.into(), "v1".to_owned())];
    assert!(
        seen(first.machine.address()).last > begun + Duration::from_secs(1),
        "what was under way was answered\n{report}"
    );
    assert!(seen(second.machine.address()).last > ended, "{report}");
    assert!(
        report.totals[&Population::KeepAlive].connections >= u64::from(report.meant) * 2 / 5,
        "keep-alive clients moved\n{report}"
    );
    assert_eq!(
        report.totals[&Population::KeepAlive].moved,
        0,
        "each was told, none found its connection closed\n{report}"
    );
    let down = ["spotboot-web.service", "spotboot-app.service"]
        .map(|unit| console.rfind(&format!("Stopped {unit}")));
    let drained = console.rfind("drained");
    assert!(
        drained.is_some() && drained < down[0] && down[0] < down[1],
        "first the drain, then nginx, then the app: {down:?}\n{console}"
    );
    assert_eq!(first.report()["phase"], "stopped");
}
