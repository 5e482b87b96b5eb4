//! The last act of every kind of site: where its names lead then, and that the next boot has them
//! as the first had them.

use std::time::{Duration, Instant};

use region::{RecordSet, State, Website};
use time::OffsetDateTime;

use super::interrupt;
use crate::common::{BUCKET, DOMAIN, Machine, Package, World, ZONE, eventually};

/// So short that the last act comes three seconds after it.
const NOTICE: Duration = Duration::from_secs(18);
/// In seconds; not the one that a site has by default.
const TTL: u32 = 30;

const AT_NOBODY: [&str; 2] = [
    "A simple → 192.0.2.1 for 30 s",
    "AAAA simple → 100::1 for 30 s",
];
const AT_CLOUDFRONT: [&str; 2] = [
    "A simple → d111.cloudfront.net",
    "AAAA simple → d111.cloudfront.net",
];
/// A website endpoint has no IPv6 address.
const AT_WEBSITE: [&str; 1] = ["A simple → s3-website-ap-southeast-2.amazonaws.com"];

/// A kind of site, whose instance has an IPv6 address, too.
#[derive(Debug)]
struct Setup {
    routing: &'static str,
    /// What stands before the domain in each of the site's names.
    names: &'static [&'static str],
    mirror: Mirror,
    /// The records of each name after the last act.
    left: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mirror {
    None,
    CloudFront,
    /// The website endpoint of a bucket that has the domain's name.
    Website,
}

const SETUPS: [[Setup; 3]; 2] = [
    [
        Setup {
            routing: "simple",
            names: &["", "www.", "*."],
            mirror: Mirror::None,
            left: &AT_NOBODY,
        },
        Setup {
            routing: "failover",
            names: &["", "www.", "*."],
            mirror: Mirror::CloudFront,
            left: &AT_CLOUDFRONT,
        },
        Setup {
            routing: "simple",
            names: &[""],
            mirror: Mirror::Website,
            left: &AT_WEBSITE,
        },
    ],
    [
        Setup {
            routing: "failover",
            names: &[""],
            mirror: Mirror::Website,
            left: &AT_WEBSITE,
        },
        // The website answers to one name only.
        Setup {
            routing: "simple",
            names: &["", "www."],
            mirror: Mirror::Website,
            left: &AT_NOBODY,
        },
        Setup {
            routing: "multivalue",
            names: &["", "www."],
            mirror: Mirror::CloudFront,
            left: &AT_CLOUDFRONT,
        },
    ],
];

#[test]
fn every_kind_of_site_leaves_its_addresses_in_time_and_the_next_boot_has_its_names_as_before() {
    // No more than two at once: a boot takes a processor.
    std::thread::scope(|scope| {
        for setups in SETUPS {
            scope.spawn(move || setups.iter().for_each(show));
        }
    });
}

fn show(setup: &Setup) {
    // A wait or an assertion of the suite's own that fails stands below its setup.
    println!("{setup:?}");
    let world = setup.world();
    let first = setup.machine(&world, "i-0first", 60);
    let running = first.up();
    let booted = setup.standing(&first);
    let own = booted.iter().filter(|told| told.contains("its own"));
    assert_eq!(own.count(), 2 * setup.names.len(), "{booted:?}");

    let end = interrupt(&first, NOTICE);
    let left: Vec<&str> = vec![setup.left; setup.names.len()].concat();
    eventually("the addresses leave DNS, or the end comes", || {
        setup.standing(&first) == left || Instant::now() > end
    });
    let in_time = Instant::now() < end;
    let log = running.log();
    assert_eq!(setup.standing(&first), left, "{setup:?}\n{log}");
    assert!(in_time, "{setup:?}\n{log}");
    running.stop().assert_success();
    first.instance.set_state(State::Terminated);

    let next = setup.machine(&world, "i-0next", 1);
    let running = next.up();
    assert_eq!(
        setup.standing(&next),
        booted,
        "{setup:?}\n{}",
        running.log()
    );
}

impl Setup {
    /// A region where the site's release and its mirror, if it has one, are published.
    fn world(&self) -> World {
        let world = World::new();
        let page = Package::default().file("index.html", "<!doctype html><h1>the site</h1>");
        world.publish("v1", &page);
        if self.mirror != Mirror::None {
            world.put("mirror/manifest.json", "{}");
        }
        if self.mirror == Mirror::Website {
            let hosted = world.region.host_website(Website::new(DOMAIN));
            hosted.expect("the bucket is made");
        }
        world
    }

    fn names(&self) -> Vec<String> {
        let names = self.names.iter();
        names.map(|before| format!("{before}{DOMAIN}")).collect()
    }

    fn machine<'w>(&self, world: &'w World, id: &str, minutes_ago: u16) -> Machine<'w> {
        let machine = Machine::relaunched(world, id, |spec| {
            let before = time::Duration::minutes(minutes_ago.into());
            spec.launched = OffsetDateTime::now_utc() - before;
            spec.public_ipv6 = Machine::ipv6_of(spec);
        });
        let site = format!(
            "name = \"example\"\ndomains = {:?}\nbucket = \"{BUCKET}\"\n",
            self.names()
        );
        let dns = format!("routing = \"{}\"\nttl = {TTL}\n", self.routing);
        let http = match self.mirror {
            Mirror::Website => "serve",
            Mirror::None | Mirror::CloudFront => "redirect",
        };
        let web = format!(
            "http = \"{http}\"\nhttp_port = {}\nhttps_port = {}\nmetrics_port = {}\n",
            machine.http_port, machine.https_port, machine.metrics_port
        );
        let machine = machine
            .section("app", "kind = \"static\"\n")
            .section("site", &site)
            .section("dns", &dns)
            .section("web", &web);
        let mirror = match self.mirror {
            Mirror::None => return machine,
            Mirror::CloudFront => super::CLOUDFRONT.to_owned(),
            Mirror::Website => format!("bucket = \"{DOMAIN}\"\n"),
        };
        machine.section("failover", &format!("{mirror}refresh = \"0s\"\n"))
    }

    /// The record sets of addresses of every name, in words.
    fn standing(&self, machine: &Machine<'_>) -> Vec<String> {
        let dns = machine.world.region.route53();
        let of_name = |name: String| ["A", "AAAA"].map(|kind| dns.find(ZONE, &name, kind));
        let sets = self.names().into_iter().flat_map(of_name).flatten();
        sets.map(|set| told(&set, machine)).collect()
    }
}

/// A record set in a line, where the machine's addresses are its own:
/// `A PRIMARY → its own for 30 s, checked`.
fn told(set: &RecordSet, machine: &Machine<'_>) -> String {
    let spec = machine.instance.spec();
    let ipv4 = spec.public_ipv4.map(|address| address.to_string());
    let ipv6 = spec.public_ipv6.map(|address| address.to_string());
    let own = [ipv4, ipv6];
    let value = |value: &String| {
        if own.contains(&Some(value.clone())) {
            "its own".to_owned()
        } else {
            value.clone()
        }
    };
    let target = match &set.alias {
        Some(alias) => alias.name.trim_end_matches('.').to_owned(),
        None => {
            let values: Vec<String> = set.values.iter().map(value).collect();
            let ttl = set.ttl.unwrap_or_default();
            format!("{} for {ttl} s", values.join(" "))
        }
    };
    let role = match (&set.failover, set.multivalue) {
        (Some(role), _) => role.as_str(),
        (None, true) => "multivalue",
        (None, false) => "simple",
    };
    let checked = match set.health_check {
        Some(_) => ", checked",
        None => "",
    };
    format!("{} {role} → {target}{checked}", set.kind)
}
