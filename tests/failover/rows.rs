//! Each row of the table in docs/failover.md, "What goes with what", that works and has a mirror: an
//! instance boots, and a person leads its names to the mirror and back. What `check` says of every
//! row is the suite `init`'s.

use std::path::PathBuf;

use region::{DistributionSpec, RecordSet, Service, Website};

use crate::common::{BUCKET, DOMAIN, Machine, World, ZONE};
use crate::desk::{CLOUDFRONT, Desk, FRONT, MIRROR, app};
use crate::failover_table::Row;
use crate::live::LiveSite;

const INSTANCE: &str = "i-0row";
const WEBSITE_ENDPOINT: &str = "s3-website-ap-southeast-2.amazonaws.com";
/// What no visitor by IPv6 reaches, so that visitors take the other address.
const NOBODY: &str = "100::1";

#[test]
fn each_row_with_simple_routing_leads_to_its_mirror_and_back() {
    show_rows("simple");
}

#[test]
fn each_row_with_multivalue_routing_leads_to_its_mirror_and_back() {
    show_rows("multivalue");
}

#[test]
fn each_row_with_failover_routing_leads_to_its_mirror_and_back() {
    show_rows("failover");
}

fn show_rows(routing: &str) {
    let has_mirror = |row: &Row| row.check == "works" && row.mirror != "none";
    let all = Row::all().into_iter();
    let rows: Vec<Row> = all
        .filter(|row| row.routing == routing && has_mirror(row))
        .collect();
    assert!(!rows.is_empty(), "no row with {routing}");
    for row in &rows {
        // A wait or an assertion of the suite's own that fails stands below its row.
        println!("{}", row.line);
        show(row);
    }
}

/// Boots an instance of the row's site, and leads its names to the mirror and back.
fn show(row: &Row) {
    let site = RowSite::of(row);
    let elastic = site.elastic_address();
    let machine = site.machine();
    let config = machine.write_site();
    let url = site.desk.live.url();
    site.spotboot(&config, &["mirror", "--url", &url], 0, &[]);
    let _running = machine.up();
    site.assert_booted(&addresses(&machine, elastic));
    let booted = site.standing();
    if row.records == "none" {
        site.assert_on_is_refused(&config);
    } else {
        let led = ["the names lead to the mirror"];
        site.spotboot(&config, &["failover", "on"], 0, &led);
        site.assert_at_mirror();
        let led = format!("the names lead to {INSTANCE}");
        site.spotboot(&config, &["failover", "off"], 0, &[&led]);
    }
    assert_eq!(site.standing(), booted, "after `off`: {}", row.line);
}

/// The addresses that the names lead to, by their kinds: the Elastic IP, or the instance's own.
fn addresses(machine: &Machine<'_>, elastic: Option<String>) -> Vec<(&'static str, String)> {
    match elastic {
        Some(address) => vec![("A", address)],
        None => vec![
            ("A", machine.address.to_string()),
            ("AAAA", machine.address.to_ipv6_mapped().to_string()),
        ],
    }
}

/// A record set in a line: `A PRIMARY → 127.20.0.1, checked at 127.20.0.1`.
fn told(set: &RecordSet) -> String {
    let role = match (&set.failover, &set.set_identifier) {
        (Some(role), _) => role.clone(),
        (None, Some(id)) if set.multivalue => format!("multivalue {id}"),
        (None, Some(id)) => format!("other {id}"),
        (None, None) => "simple".to_owned(),
    };
    let target = match &set.alias {
        Some(alias) => alias.name.trim_end_matches('.').to_owned(),
        None => set.values.join(" "),
    };
    let check = match &set.health_check {
        Some(address) => format!(", checked at {address}"),
        None => String::new(),
    };
    format!("{} {role} → {target}{check}", set.kind)
}

/// A row's site, in a region of its own.
struct RowSite<'r> {
    row: &'r Row,
    names: Vec<String>,
    desk: Desk,
}

impl<'r> RowSite<'r> {
    /// With the release `v1`, and with the row's mirror, which is not published yet.
    fn of(row: &'r Row) -> Self {
        let names = row.names(DOMAIN);
        let world = World::new();
        world.publish("v1", &app());
        let region = &world.region;
        if row.mirror == "website" {
            let hosted = region.host_website(Website::new(DOMAIN));
            hosted.expect("the bucket is made");
            region.publish_bucket(DOMAIN);
        } else {
            assert_eq!(row.mirror, "CloudFront", "{}", row.line);
            let spec = DistributionSpec::new(CLOUDFRONT, MIRROR);
            let spec = names.iter().fold(spec, |spec, name| spec.alias(name));
            let made = region.create_distribution(spec);
            made.expect("the distribution is made");
        }
        let live = LiveSite::with_pages(1);
        let desk = Desk { world, live };
        Self { row, names, desk }
    }

    fn is_website(&self) -> bool {
        self.row.mirror == "website"
    }

    /// What an alias record of the mirror leads to.
    fn target(&self) -> &'static str {
        if self.is_website() {
            WEBSITE_ENDPOINT
        } else {
            CLOUDFRONT
        }
    }

    /// The Elastic IP of a row that has one, allocated for the site.
    fn elastic_address(&self) -> Option<String> {
        if self.row.address != "elastic" {
            return None;
        }
        let region = &self.desk.world.region;
        let elastic = region.allocate_address(&[("spotboot:site", "example")]);
        Some(elastic.expect("an address is free").address.to_string())
    }

    /// The instance, which has an IPv6 address, too.
    fn machine(&self) -> Machine<'_> {
        let row = self.row;
        let machine = Machine::relaunched(&self.desk.world, INSTANCE, |spec| {
            spec.public_ipv6 = Machine::ipv6_of(spec);
        });
        let site = format!(
            "name = \"example\"\ndomains = {:?}\nbucket = \"{BUCKET}\"\n",
            self.names
        );
        let dns = format!(
            "routing = \"{}\"\naddress = \"{}\"\n",
            row.routing, row.address
        );
        let (mirror, http) = if self.is_website() {
            (format!("bucket = \"{DOMAIN}\"\n"), "serve")
        } else {
            let mirror = format!("bucket = \"{MIRROR}\"\ncloudfront = \"{CLOUDFRONT}\"\n");
            (mirror, "redirect")
        };
        let web = format!(
            "http = \"{http}\"\nhttp_port = {}\nhttps_port = {}\nmetrics_port = {}\n",
            machine.http_port, machine.https_port, machine.metrics_port
        );
        machine
            .section("app", "kind = \"static\"\n")
            .section("site", &site)
            .section("dns", &dns)
            .section("web", &web)
            .section("failover", &format!("{mirror}refresh = \"0s\"\n"))
    }

    /// Runs a command with CI's credentials, which ends with this code and says each of these.
    fn spotboot(&self, config: &PathBuf, args: &[&str], code: i32, says: &[&str]) {
        let ended = self.desk.ci(config, args);
        let all = format!("{}{}", ended.stdout, ended.stderr);
        let line = self.row.line;
        assert_eq!(ended.code(), code, "{args:?} for {line}: {all}");
        for words in says {
            assert!(all.contains(words), "no {words:?} for {line}: {all}");
        }
    }

    /// The record sets of addresses of every name, where the id of a health check is replaced by
    /// the address that the check asks.
    fn standing(&self) -> Vec<RecordSet> {
        let names = self.names.iter();
        names.flat_map(|name| self.standing_of(name)).collect()
    }

    fn standing_of(&self, name: &str) -> Vec<RecordSet> {
        let dns = self.desk.world.region.route53();
        let checks = dns.health_checks();
        let asked = |id: String| {
            let check = checks.iter().find(|check| check.id == id);
            let address = check.and_then(|check| check.config.ip_address.clone());
            address.unwrap_or_else(|| panic!("no health check {id} for {}", self.row.line))
        };
        let kinds = ["A", "AAAA"].into_iter();
        kinds
            .flat_map(|kind| dns.find(ZONE, name, kind))
            .map(|set| RecordSet {
                health_check: set.health_check.map(asked),
                ..set
            })
            .collect()
    }

    /// Every name leads to the instance by each of these addresses, as the row's routing has it.
    fn assert_booted(&self, addresses: &[(&str, String)]) {
        let line = self.row.line;
        let expected: Vec<String> = addresses
            .iter()
            .flat_map(|(kind, address)| self.booted(kind, address))
            .collect();
        for name in &self.names {
            let sets = self.standing_of(name);
            let seen: Vec<String> = sets.iter().map(told).collect();
            assert_eq!(seen, expected, "{name} after the boot: {line}");
            if self.row.routing == "failover" {
                let failing_over = sets.iter().filter(|set| set.alias.is_some());
                let kinds: Vec<&str> = failing_over.map(|set| set.kind.as_str()).collect();
                assert_eq!(kinds.join(", "), self.row.records, "{name}: {line}");
            }
        }
    }

    fn booted(&self, kind: &str, address: &str) -> Vec<String> {
        match self.row.routing {
            "simple" => vec![format!("{kind} simple → {address}")],
            "multivalue" => vec![format!(
                "{kind} multivalue {INSTANCE} → {address}, checked at {address}"
            )],
            "failover" => {
                let has_mirror = kind == "A" || !self.is_website();
                let secondary = if has_mirror { self.target() } else { NOBODY };
                vec![
                    format!("{kind} PRIMARY → {address}, checked at {address}"),
                    format!("{kind} SECONDARY → {secondary}"),
                ]
            }
            other => panic!("{other:?} in {}", self.row.line),
        }
    }

    /// The kinds of the records that lead to the mirror by a person's word. With failover routing
    /// the row has the kinds that fail over by themselves, which with an Elastic IP are fewer.
    fn led_by_word(&self) -> &'static str {
        match self.row.routing {
            "failover" if self.is_website() => "A",
            "failover" => "A, AAAA",
            _ => self.row.records,
        }
    }

    /// Every name has aliases of the mirror and nothing else, and visitors find the mirror there.
    fn assert_at_mirror(&self) {
        let (line, target) = (self.row.line, self.target());
        let kinds = self.led_by_word().split(", ");
        let expected: Vec<String> = kinds
            .map(|kind| format!("{kind} simple → {target}"))
            .collect();
        let service = if self.is_website() {
            Service::Website
        } else {
            Service::CloudFront
        };
        for name in &self.names {
            let sets = self.standing_of(name);
            let seen: Vec<String> = sets.iter().map(told).collect();
            assert_eq!(seen, expected, "{name} after `on`: {line}");
            let host = name.replace('*', "any");
            let (status, body) = self.desk.visit_as(service, &host, "/");
            assert_eq!(status, "200", "{host}: {line}: {body}");
            assert!(body.contains(FRONT), "{host}: {line}: {body}");
        }
    }

    /// The website answers to the bucket's name alone: `on` says so, and changes nothing.
    fn assert_on_is_refused(&self, config: &PathBuf) {
        let region = &self.desk.world.region;
        region.forget_requests();
        let words = [
            "the names cannot lead to the mirror",
            "answers to the bucket's own name only",
            &self.names[1],
        ];
        self.spotboot(config, &["failover", "on"], 2, &words);
        let changes = region.count_where(|request| request.is_by_ci() && request.is_changing());
        let word = self.desk.word();
        assert!(
            changes == 0 && word.is_null(),
            "{changes} changes, and the word {word}: {}",
            self.row.line
        );
    }
}
