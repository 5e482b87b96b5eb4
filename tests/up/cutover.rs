//! Whose name it is, and when the outside world hears of it.

use region::{InstanceSpec, Recorded, State};
use time::{Duration, OffsetDateTime};

use crate::common::{DOMAIN, Machine, OLD_ADDRESS, Package, World, ZONE};

fn is_address_change(request: &Recorded) -> bool {
    request.operation == "ChangeResourceRecordSets"
        && String::from_utf8_lossy(&request.body).contains("<Type>A</Type>")
}

fn minutes_ago(minutes: i64) -> OffsetDateTime {
    OffsetDateTime::now_utc() - Duration::minutes(minutes)
}

#[test]
fn the_record_changes_in_one_batch_and_only_after_the_proof() {
    let world = World::with_small_app();
    let machine = world.machine("i-0order");
    let running = machine.up();
    let changes: Vec<Recorded> = world
        .region
        .requests()
        .into_iter()
        .filter(is_address_change)
        .collect();
    assert_eq!(changes.len(), 1, "{changes:?}");
    let batch = String::from_utf8_lossy(&changes[0].body).into_owned();
    assert!(
        batch.contains("_spotboot.example.test")
            && batch.contains(OLD_ADDRESS)
            && batch.contains(&machine.address.to_string()),
        "{batch}"
    );

    let report = world.report("i-0order").expect("it reports");
    let end = |name: &str| {
        report["steps"]
            .as_array()
            .unwrap()
            .iter()
            .find(|step| step["name"] == name)
            .and_then(|step| step["end_ms"].as_u64())
            .unwrap()
    };
    let start = |name: &str| {
        report["steps"]
            .as_array()
            .unwrap()
            .iter()
            .find(|step| step["name"] == name)
            .and_then(|step| step["start_ms"].as_u64())
            .unwrap()
    };
    assert!(end("proof") <= start("cutover"));
    drop(running);
    let requests = crate::logs::read(&machine, &["--kind", "access", "--json"]).stdout;
    assert!(
        requests.contains("\"agent\":\"spotboot\""),
        "nobody proved this listener:\n{requests}"
    );
}

#[test]
fn a_later_instance_takes_over_and_an_older_one_never_takes_the_name_back() {
    let world = World::with_small_app();
    let older = Machine::launched(&world, "i-0older", minutes_ago(60));
    let later = Machine::launched(&world, "i-0later", minutes_ago(30));
    let first = older.up();
    let second = later.up();
    assert_eq!(world.record(DOMAIN, "A"), [later.address.to_string()]);
    drop(first);

    let written = world.region.route53().history().len();
    let mut again = older.start();
    again.wait_for("standing by for example.test");
    assert_eq!(world.record(DOMAIN, "A"), [later.address.to_string()]);
    assert_eq!(
        world.region.route53().history().len(),
        written,
        "the older instance wrote something"
    );
    assert_eq!(world.report("i-0older").unwrap()["phase"], "stand_by");
    drop(second);
}

#[test]
fn an_older_instance_takes_the_name_when_its_owner_is_gone() {
    let world = World::with_small_app();
    let later = Machine::launched(&world, "i-0later", minutes_ago(30));
    drop(later.up());
    later.instance.set_state(State::Terminated);
    let older = Machine::launched(&world, "i-0older", minutes_ago(60));
    let _running = older.up();
    assert_eq!(world.record(DOMAIN, "A"), [older.address.to_string()]);
}

#[test]
fn a_stale_writers_batch_is_refused() {
    let world = World::with_small_app();
    drop(Machine::launched(&world, "i-0first", minutes_ago(90)).up());
    let older = Machine::launched(&world, "i-0older", minutes_ago(60));
    let later = Machine::launched(&world, "i-0later", minutes_ago(30));
    // The older one has read the records and decided; before its batch arrives, the later one takes
    // over.
    let stale = region::Match::service(region::Service::Route53)
        .operation("ChangeResourceRecordSets")
        .instance("i-0older");
    let hold = world.region.hold(stale, region::Stage::BeforeActing);
    let mut slow = older.start();
    hold.wait(std::time::Duration::from_secs(300))
        .expect("the older one submits its batch");
    let _owner = later.up();
    hold.release();
    slow.wait_for("standing by");
    assert_eq!(world.record(DOMAIN, "A"), [later.address.to_string()]);
}

#[test]
fn two_at_once_end_with_one_owner_and_one_order() {
    let world = World::with_small_app();
    let older = Machine::launched(&world, "i-0older", minutes_ago(60));
    let later = Machine::launched(&world, "i-0later", minutes_ago(30));
    let (mut first, second) = (older.start(), later.start());
    let mut second = second;
    second.wait_for("serving https://");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(300);
    while !first.log().contains("serving https://") && !first.log().contains("standing by") {
        assert!(std::time::Instant::now() < deadline, "{}", first.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(world.record(DOMAIN, "A"), [later.address.to_string()]);
    assert_eq!(world.region.count(region::Service::Acme, "newOrder"), 1);
    let owners = world.record("_spotboot.example.test", "TXT");
    assert!(
        owners.len() == 1 && owners[0].contains("owner=i-0later"),
        "{owners:?}"
    );
    first.wait_for("s");
}

#[test]
fn ipv6_records_come_and_go_with_the_instance() {
    let world = World::with_small_app();
    let both = Machine::relaunched(&world, "i-0both", |spec: &mut InstanceSpec| {
        spec.launched = minutes_ago(60);
        spec.public_ipv6 = Machine::ipv6_of(spec);
    });
    drop(both.up());
    let ipv6 = both.address.to_ipv6_mapped().to_string();
    assert_eq!(world.record(DOMAIN, "AAAA"), [ipv6]);
    let plain = Machine::launched(&world, "i-0plain", minutes_ago(30));
    let _running = plain.up();
    assert!(
        world.record(DOMAIN, "AAAA").is_empty(),
        "visitors by IPv6 are sent to the old instance"
    );
}

#[test]
fn multivalue_keeps_one_record_an_instance_and_sweeps_the_gone() {
    let world = World::with_small_app();
    let dns = "routing = \"multivalue\"\nttl = 60\n";
    let machines = ["i-0a", "i-0b", "i-0c"].map(|id| world.machine(id).section("dns", dns));
    let _a = machines[0].up();
    let b = machines[1].up();
    let both: Vec<String> = world.record(DOMAIN, "A");
    assert_eq!(both.len(), 2, "{both:?}");
    drop(b);
    machines[1].instance.set_state(State::Terminated);
    let _c = machines[2].up();
    let mut left = world.record(DOMAIN, "A");
    left.sort();
    let mut expected = [
        machines[0].address.to_string(),
        machines[2].address.to_string(),
    ];
    expected.sort();
    assert_eq!(left, expected);
    assert_eq!(
        world.region.route53().health_checks().len(),
        2,
        "the gone instance's health check stays"
    );
}

#[test]
fn failover_keeps_a_primary_with_its_health_check_and_the_mirror_behind_it() {
    let world = World::with_small_app();
    let machine = world
        .machine("i-0pair")
        .section("dns", "routing = \"failover\"\n");
    let machine = machine.section(
        "failover",
        "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\n",
    );
    let _running = machine.up();
    let sets = world.region.route53().find(ZONE, DOMAIN, "A");
    assert_eq!(sets.len(), 2, "{sets:?}");
    let primary = sets
        .iter()
        .find(|set| set.failover.as_deref() == Some("PRIMARY"))
        .expect("a primary");
    assert_eq!(primary.values, [machine.address.to_string()]);
    assert!(primary.health_check.is_some());
    assert!(
        sets.iter()
            .any(|set| set.failover.as_deref() == Some("SECONDARY") && set.alias.is_some())
    );
}

#[test]
fn once_the_names_are_ours_nothing_ends_the_boot() {
    let world = World::with_small_app();
    drop(world.machine("i-0first").up());
    let denied = region::Match::service(region::Service::Route53).operation("GetChange");
    world.region.fault(denied, region::Fault::access_denied());
    let later = Machine::launched(
        &world,
        "i-0later",
        OffsetDateTime::now_utc() + Duration::minutes(1),
    );
    let running = later.up();
    assert_eq!(later.visitor().get("/").status, 200);
    assert!(
        running.log().contains("route53:GetChange"),
        "{}",
        running.log()
    );
}

#[test]
fn a_name_of_another_site_is_left_alone() {
    let world = World::with_small_app();
    drop(world.machine("i-0mine").up());
    let site = "name = \"shop\"\ndomains = [\"example.test\"]\nbucket = \"example-site\"\nprefix = \"shop/\"\npackages = \"s3://example-site/packages/\"\n";
    world.publish("v1", &Package::small_app());
    let pointer = world.get("releases/current.json").unwrap();
    world.put("shop/releases/current.json", pointer);
    let thief = world.machine("i-0thief").section("site", site);
    let before = world.record(DOMAIN, "A");
    thief
        .up_to_end()
        .assert_error(1, &["belongs to the site", "delete that TXT record"]);
    assert_eq!(world.record(DOMAIN, "A"), before);
}

#[test]
fn names_in_several_zones_move_together_each_zone_in_one_batch() {
    let world = World::with_small_app();
    let site = "name = \"example\"\ndomains = [\"example.test\", \"www.example.test\", \"example.org\"]\nbucket = \"example-site\"\n";
    let machine = world.machine("i-0zones").section("site", site);
    let _running = machine.up();
    let address = machine.address.to_string();
    let visitor = machine.visitor();
    for name in ["example.test", "www.example.test", "example.org"] {
        assert_eq!(visitor.resolve(name, "A"), [address.as_str()], "{name}");
        assert_eq!(visitor.get_as(name, "/").status, 200, "{name}");
    }
    let owner = world
        .region
        .route53()
        .find("Z0OTHER", "_spotboot.example.org", "TXT");
    assert!(
        owner.len() == 1 && owner[0].values[0].contains("owner=i-0zones"),
        "{owner:?}"
    );
    let changes = world
        .region
        .requests()
        .into_iter()
        .filter(is_address_change)
        .count();
    assert_eq!(changes, 2, "one batch a zone");
}

#[test]
fn records_that_spotboot_does_not_manage_are_never_deleted() {
    let world = World::with_small_app();
    let mut weighted = region::RecordSet::simple("www.example.test", "A", 60, ["203.0.113.9"]);
    weighted.set_identifier = Some("blue".to_owned());
    weighted.weight = Some(10);
    world
        .region
        .route53()
        .seed(ZONE, weighted)
        .expect("the zone takes it");
    let mail = region::RecordSet::simple(DOMAIN, "MX", 60, ["10 mail.example.test."]);
    world
        .region
        .route53()
        .seed(ZONE, mail)
        .expect("the zone takes it");
    let site = "name = \"example\"\ndomains = [\"example.test\", \"www.example.test\"]\nbucket = \"example-site\"\n";
    world
        .machine("i-0weight")
        .section("site", site)
        .up_to_end()
        .assert_error(1, &["www.example.test", "delete the record set"]);
    world.assert_record_untouched();
    let _running = world.machine("i-0mail").up();
    assert_eq!(world.record(DOMAIN, "MX"), ["10 mail.example.test."]);
}

#[test]
fn an_older_primary_takes_the_names_back_with_a_new_health_check() {
    let world = World::with_small_app();
    let pair = |id: &str, minutes: i64| {
        let machine = Machine::launched(&world, id, minutes_ago(minutes))
            .section("dns", "routing = \"failover\"\n");
        machine.section(
            "failover",
            "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\n",
        )
    };
    let (older, later) = (pair("i-0older", 60), pair("i-0later", 30));
    let first = older.up();
    let second = later.up();
    drop(first);
    let mut again = older.start();
    again.wait_for("standing by");
    drop(second);
    later.instance.set_state(State::Terminated);
    // Its own check was deleted when it lost the names, and Route 53 takes no caller reference
    // twice.
    again.wait_for("took the names over");
    let primary = world
        .region
        .route53()
        .find(ZONE, DOMAIN, "A")
        .into_iter()
        .find(|set| set.failover.as_deref() == Some("PRIMARY"));
    assert_eq!(
        primary.map(|set| set.values),
        Some(vec![older.address.to_string()])
    );
    assert_eq!(world.region.route53().health_checks().len(), 1);
}

#[test]
fn without_a_distribution_the_website_of_the_sites_own_name_stands_behind_the_primary() {
    let world = World::with_small_app();
    let machine = Machine::relaunched(&world, "i-0pair", |spec: &mut InstanceSpec| {
        spec.public_ipv6 = Machine::ipv6_of(spec);
    });
    let web = format!(
        "http = \"serve\"\nhttp_port = {}\nhttps_port = {}\nmetrics_port = {}\n",
        machine.http_port, machine.https_port, machine.metrics_port
    );
    let machine = machine
        .section("dns", "routing = \"failover\"\n")
        .section("failover", &format!("bucket = \"{DOMAIN}\"\n"))
        .section("web", &web);
    let _running = machine.up();
    let behind = |kind: &str| {
        let sets = world.region.route53().find(ZONE, DOMAIN, kind);
        let secondary = |set: &region::RecordSet| set.failover.as_deref() == Some("SECONDARY");
        sets.into_iter().find(secondary).expect("a secondary")
    };
    let website = behind("A").alias.expect("it is an alias");
    assert_eq!(
        (website.name.as_str(), website.zone_id.as_str()),
        ("s3-website-ap-southeast-2.amazonaws.com.", "Z1WCIGYICN2BYD")
    );
    assert_eq!(
        behind("AAAA").values,
        ["100::1"],
        "a website endpoint has no IPv6 address, and visitors are to try the other kind"
    );
}

#[test]
fn names_that_a_person_has_led_to_the_mirror_stay_there_while_their_ownership_moves() {
    let world = World::with_small_app();
    let dynamic = format!("app.{DOMAIN}");
    let mirror = format!(
        "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\ndynamic = \"{dynamic}\"\n"
    );
    let machine = |id: &str, minutes: i64| {
        Machine::launched(&world, id, minutes_ago(minutes)).section("failover", &mirror)
    };
    let first = machine("i-0first", 60);
    let _first = first.up();
    assert_eq!(world.record(&dynamic, "A"), [first.address.to_string()]);

    let (dns, ownership) = (world.region.route53(), format!("_spotboot.{DOMAIN}"));
    let mut text = dns.find(ZONE, &ownership, "TXT").remove(0);
    text.values[0] = format!("{},names=mirror\"", text.values[0].trim_end_matches('"'));
    dns.seed(ZONE, text).expect("it is a record");
    let alias = region::RecordSet {
        name: format!("{DOMAIN}."),
        kind: "A".into(),
        alias: Some(region::Alias {
            zone_id: "Z2FDTNDATAQYW2".into(),
            name: "d111.cloudfront.net.".into(),
            evaluates_health: false,
        }),
        ..region::RecordSet::default()
    };
    dns.seed(ZONE, alias.clone()).expect("it is a record");

    let told = machine("i-0dry", 30).flag("--dry-run").up_to_end();
    assert_eq!(told.code(), 0, "{}", told.stderr);
    assert!(
        told.stdout.contains("names=mirror") && !told.stdout.contains("alias"),
        "{}",
        told.stdout
    );
    let second = machine("i-0second", 30);
    let _second = second.up();
    let owner = world.record(&ownership, "TXT").concat();
    assert!(
        owner.contains("owner=i-0second") && owner.contains("names=mirror"),
        "{owner}"
    );
    assert_eq!(dns.find(ZONE, DOMAIN, "A"), [alias]);
    assert_eq!(world.record(&dynamic, "A"), [second.address.to_string()]);
}
