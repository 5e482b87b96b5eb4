//! `routing = "failover"`, and what Route 53's checkers find at an instance that lives or has an IPv6
//! address, too.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Duration;

use region::Service;

use crate::common::{DOMAIN, eventually, signal, within};
use crate::routing::{
    INTERVAL, PAGE, SLOWEST, THRESHOLD, cloudfront, leads_to, leads_to_mirror, lose, machine,
    machine_at, page_of_mirror, page_of_mirror_by, world,
};

/// Three requests in a row to an endpoint that hangs, on a busy machine.
const SWITCHED_WITHIN: Duration = Duration::from_secs(30);

#[test]
fn while_the_app_of_a_living_instance_fails_hangs_or_is_down_the_name_leads_to_the_mirror() {
    let world = world();
    let machine = machine(&world, "i-0app", 60);
    let mut running = machine.up();
    let leads_to_instance = || leads_to(&world) == [machine.address.to_string()];
    eventually("the name leads to the instance", leads_to_instance);
    world.region.forget_requests();
    let mood = machine.state().join("data/mood");
    for befalls in ["error", "hang", "exit"] {
        fs::write(&mood, befalls).expect("the app has a data folder");
        if befalls == "exit" {
            for pid in running.processes("app.py") {
                signal(pid, "KILL");
            }
        }
        let what = format!("{befalls}: the name leads to the mirror");
        within(SWITCHED_WITHIN, &what, || leads_to_mirror(&world));
        assert_eq!(page_of_mirror(&world), PAGE);
        if befalls != "hang" {
            let ping = machine.visitor().get_as(DOMAIN, "/ping");
            assert_eq!(
                (ping.status, ping.body.as_str()),
                (503, "the site does not answer\n"),
                "{befalls}"
            );
        }

        fs::remove_file(&mood).expect("it was written");
        let what = format!("after {befalls}: the name leads to the instance");
        within(SWITCHED_WITHIN, &what, leads_to_instance);
        assert_eq!(machine.visitor().get("/").status, 200);
    }
    running.assert_alive();
    let changes = world
        .region
        .count(Service::Route53, "ChangeResourceRecordSets");
    assert_eq!(changes, 0, "the health checks do it alone");
}

/// No checker gets through to the second instance's IPv6 address, and its IPv4 address is well.
#[test]
fn each_address_of_an_instance_has_a_check_of_its_own_that_leads_its_name_to_the_mirror() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return println!("NOT TESTED: this machine has no IPv6");
    }
    let world = world();
    let names = world.visitor(Ipv4Addr::LOCALHOST, 443);
    let lead = || ["A", "AAAA"].map(|kind| names.resolve(DOMAIN, kind).join(" "));
    let (address, port) = cloudfront(&world);
    let mirror = [address.to_string(), address.to_ipv6_mapped().to_string()];

    let first = machine_at(&world, "i-0first", 60, Some(Ipv6Addr::LOCALHOST));
    let running = first.up();
    let at_first = [first.address.to_string(), Ipv6Addr::LOCALHOST.to_string()];
    eventually("both names lead to the instance", || lead() == at_first);
    std::thread::sleep(2 * THRESHOLD * INTERVAL);
    assert_eq!(lead(), at_first, "both checks find it well");

    lose(&first, running);
    let what = "both names lead to the mirror";
    within(SWITCHED_WITHIN, what, || lead() == mirror);
    let by_ipv6 = format!("{DOMAIN}:{port}:[{}]:{port}", mirror[1]);
    let page = page_of_mirror_by(&world, &["--connect-to", &by_ipv6]);
    assert_eq!(page, PAGE);

    let unreached = Ipv4Addr::new(127, 21, 0, 7).to_ipv6_mapped();
    world.region.route53().cut_off(unreached.into());
    let second = machine_at(&world, "i-0second", 30, Some(unreached));
    let _running = second.up();
    let what = "the check of the IPv6 address has found out";
    within(SWITCHED_WITHIN, what, || {
        let checks = world.region.route53().health_checks();
        let asked = Some(unreached.to_string());
        checks
            .iter()
            .any(|check| check.config.ip_address == asked && !check.healthy)
    });
    let divided = [second.address.to_string(), mirror[1].clone()];
    within(SLOWEST, "each name leads where its check says", || {
        lead() == divided
    });
}
