//! `[dns] address = "elastic"`: the Elastic IP moves, and the records stay.

use std::time::Duration;

use region::{ElasticIp, Fault, Hold, Match, Principal, Recorded, Service, Stage, State};
use time::OffsetDateTime;

use crate::common::{DOMAIN, Machine, OLD_ADDRESS, Running, World, eventually};

const ELASTIC: &str = "address = \"elastic\"\n";
const SITE: [(&str, &str); 1] = [("spotboot:site", "example")];

fn world() -> (World, ElasticIp) {
    let world = World::with_small_app();
    let elastic = world
        .region
        .allocate_address(&SITE)
        .expect("an address is free");
    (world, elastic)
}

fn machine<'w>(world: &'w World, id: &str, minutes_ago: i64) -> Machine<'w> {
    let launched = OffsetDateTime::now_utc() - time::Duration::minutes(minutes_ago);
    Machine::launched(world, id, launched).section("dns", ELASTIC)
}

fn holder(world: &World, elastic: &ElasticIp) -> String {
    world
        .region
        .holder_of(elastic)
        .unwrap_or_else(|| "nobody".to_owned())
}

fn owner(world: &World) -> String {
    world.record(&format!("_spotboot.{DOMAIN}"), "TXT").concat()
}

fn body(request: &Recorded) -> String {
    String::from_utf8_lossy(&request.body).into_owned()
}

/// Associations that were asked for in earnest.
fn associations(world: &World) -> Vec<Recorded> {
    let all = world.region.requests().into_iter();
    all.filter(|request| {
        request.operation == "AssociateAddress" && !body(request).contains("DryRun=true")
    })
    .collect()
}

/// What an instance asks in earnest comes after its rehearsal.
fn in_earnest(id: &str) -> Match {
    Match::service(Service::Ec2)
        .operation("AssociateAddress")
        .instance(id)
        .nth(2)
}

/// What visitors get, wherever the name leads.
fn seen(world: &World, machine: &Machine<'_>) -> u16 {
    let address = world
        .record(DOMAIN, "A")
        .concat()
        .parse()
        .expect("the name leads to an address");
    world.visitor(address, machine.https_port).get("/").status
}

fn public_ipv4(world: &World, id: &str) -> Option<String> {
    world.report(id)?["public_ipv4"].as_str().map(str::to_owned)
}

#[test]
fn a_second_boot_moves_the_address_and_changes_no_record_but_the_owners() {
    let (world, elastic) = world();
    let first = machine(&world, "i-0first", 60);
    let _old = first.up();
    assert_eq!(
        (world.record(DOMAIN, "A"), holder(&world, &elastic)),
        (vec![elastic.address.to_string()], "i-0first".to_owned())
    );
    assert_eq!(
        (public_ipv4(&world, "i-0first"), seen(&world, &first)),
        (Some(elastic.address.to_string()), 200)
    );
    let requests = world.region.requests();
    let at = |wanted: &dyn Fn(&Recorded) -> bool| {
        requests.iter().position(wanted).expect("it was asked")
    };
    let batch = at(&|request| {
        request.operation == "ChangeResourceRecordSets" && body(request).contains(OLD_ADDRESS)
    });
    let moved = at(&|request| {
        request.operation == "AssociateAddress" && !body(request).contains("DryRun=true")
    });
    assert!(
        batch < moved,
        "the address was moved before the names were ours"
    );

    world.region.forget_requests();
    let second = machine(&world, "i-0second", 30);
    let _new = second.up();
    assert_eq!(
        (holder(&world, &elastic), seen(&world, &second)),
        ("i-0second".to_owned(), 200)
    );
    assert_eq!(
        public_ipv4(&world, "i-0second"),
        Some(elastic.address.to_string())
    );
    let changes: Vec<String> = world
        .region
        .requests()
        .iter()
        .filter(|request| request.operation == "ChangeResourceRecordSets")
        .map(body)
        .collect();
    let types = |batch: &String| {
        batch.matches("<Type>").count() == batch.matches("<Type>TXT</Type>").count()
    };
    assert!(
        changes.len() == 1 && changes.iter().all(types),
        "{changes:?}"
    );
    assert_eq!(
        world.region.count(Service::Route53, "GetChange"),
        0,
        "nothing that resolvers hear of was waited for"
    );
    assert!(owner(&world).contains("owner=i-0second"));
    // It finds out by itself, once it has a way to AWS again.
    eventually("the first one tells its new address", || {
        public_ipv4(&world, "i-0first").is_some_and(|address| {
            address != elastic.address.to_string() && address.starts_with("127.21.")
        })
    });
    assert_eq!(associations(&world).len(), 1);
}

#[test]
fn an_older_instance_never_takes_the_address() {
    let (world, elastic) = world();
    let (older, later) = (
        machine(&world, "i-0older", 60),
        machine(&world, "i-0later", 30),
    );
    drop(older.up());
    let _owner = later.up();
    let before = associations(&world).len();
    eventually("it has a public address again", || {
        older.instance.public_ipv4().is_some()
    });
    let mut again = older.start();
    again.wait_for("standing by");
    assert_eq!(
        (holder(&world, &elastic), associations(&world).len()),
        ("i-0later".to_owned(), before)
    );
    assert_eq!(world.report("i-0older").unwrap()["phase"], "stand_by");
}

#[test]
fn an_older_instance_takes_names_and_address_once_their_owner_is_gone() {
    let (world, elastic) = world();
    let later = machine(&world, "i-0later", 30);
    let owner = later.up();
    let older = machine(&world, "i-0older", 60);
    let mut stands_by = older.start();
    stands_by.wait_for("standing by");
    drop(owner);
    later.instance.set_state(State::Terminated);
    stands_by.wait_for("took the names over");
    assert_eq!(
        (holder(&world, &elastic), seen(&world, &older)),
        ("i-0older".to_owned(), 200)
    );
}

/// One that owns the names already and has not moved the address yet.
fn held_before_the_move(world: &World, machine: &Machine<'_>) -> (Hold, Running) {
    let hold = world
        .region
        .hold(in_earnest(machine.id()), Stage::BeforeActing);
    let running = machine.start();
    hold.wait(Duration::from_secs(300))
        .expect("it moves the address");
    (hold, running)
}

#[test]
fn a_crash_between_the_record_and_the_address_leaves_the_old_one_serving_and_is_made_good_by_the_next_boot()
 {
    let (world, elastic) = world();
    let first = machine(&world, "i-0first", 60);
    let _old = first.up();
    let second = machine(&world, "i-0second", 30);
    let (hold, running) = held_before_the_move(&world, &second);
    running.kill9();
    hold.discard();
    assert!(owner(&world).contains("owner=i-0second"));
    assert_eq!(
        (holder(&world, &elastic), seen(&world, &first)),
        ("i-0first".to_owned(), 200)
    );

    let _new = second.up();
    assert_eq!(
        (holder(&world, &elastic), seen(&world, &second)),
        ("i-0second".to_owned(), 200)
    );
}

#[test]
fn one_that_is_overtaken_on_its_way_leads_the_address_on_to_the_owner() {
    let (world, elastic) = world();
    let older = machine(&world, "i-0older", 60);
    let (hold, mut slow) = held_before_the_move(&world, &older);
    let later = machine(&world, "i-0later", 30);
    let _owner = later.up();
    assert_eq!(holder(&world, &elastic), "i-0later");
    hold.release();
    slow.wait_for("standing by");
    assert_eq!(
        (holder(&world, &elastic), seen(&world, &later)),
        ("i-0later".to_owned(), 200)
    );
    let late = |request: &Recorded| {
        request.instance.as_deref() == Some("i-0older") && request.status == Some(200)
    };
    assert_eq!(
        associations(&world).into_iter().filter(late).count(),
        2,
        "to itself, and on to the owner"
    );
}

#[test]
fn where_the_overtaken_one_dies_too_the_owner_takes_the_address_back() {
    let (world, elastic) = world();
    let older = machine(&world, "i-0older", 60);
    let (hold, slow) = held_before_the_move(&world, &older);
    let later = machine(&world, "i-0later", 30);
    let _owner = later.up();
    // It was asked for, and takes effect: nobody is left who would look whose the names are.
    slow.kill9();
    hold.release();
    eventually("the late association is acted on", || {
        holder(&world, &elastic) == "i-0older"
    });
    eventually("the owner has the address again", || {
        holder(&world, &elastic) == "i-0later"
    });
    assert_eq!(seen(&world, &later), 200);
}

#[test]
fn an_address_that_cannot_be_told_or_is_somebody_elses_stops_the_boot_before_anything_is_changed() {
    let refused = |prepare: &dyn Fn(&World) -> String, words: &[&str]| {
        let world = World::with_small_app();
        let dns = format!("{ELASTIC}{}", prepare(&world));
        machine(&world, "i-0stuck", 0)
            .section("dns", &dns)
            .up_to_end()
            .assert_error(1, words);
        world.assert_record_untouched();
        assert!(associations(&world).is_empty());
    };
    let nothing = |_: &World| String::new();
    refused(
        &nothing,
        &[
            "no Elastic IP",
            "spotboot:site = example",
            "allocate-address",
            "dns.elastic_ip",
        ],
    );
    let two = |world: &World| {
        let all = [(); 2].map(|()| world.region.allocate_address(&SITE).unwrap());
        assert_ne!(all[0], all[1]);
        String::new()
    };
    refused(
        &two,
        &[
            "several Elastic IPs",
            "set dns.elastic_ip to one of eipalloc-",
        ],
    );
    refused(
        &|_| "elastic_ip = \"eipalloc-0none\"\n".to_owned(),
        &[
            "eipalloc-0none is no Elastic IP of this account",
            "describe-addresses",
        ],
    );
    let by_id = |elastic: ElasticIp| format!("elastic_ip = \"{}\"\n", elastic.allocation);
    let foreign = |world: &World| {
        by_id(
            world
                .region
                .allocate_address(&[("spotboot:site", "shop")])
                .unwrap(),
        )
    };
    refused(&foreign, &["is tagged spotboot:site = shop", "that site's"]);
    let gateway = |world: &World| {
        by_id(
            world
                .region
                .allocate_address_of_interface(&[], "eni-0nat")
                .unwrap(),
        )
    };
    refused(&gateway, &["eni-0nat", "no instance's"]);
}

#[test]
fn one_that_is_named_needs_no_tag() {
    let world = World::with_small_app();
    let elastic = world.region.allocate_address(&[]).unwrap();
    let _other = world.region.allocate_address(&SITE).unwrap();
    let dns = format!("{ELASTIC}elastic_ip = \"{}\"\n", elastic.allocation);
    let named = machine(&world, "i-0named", 0).section("dns", &dns);
    let _running = named.up();
    assert_eq!(
        (holder(&world, &elastic), seen(&world, &named)),
        ("i-0named".to_owned(), 200)
    );
}

#[test]
fn without_the_permission_nothing_is_begun() {
    let (world, elastic) = world();
    let policy = r#"{"Version": "2012-10-17", "Statement": [
        {"Sid": "ButThat", "Effect": "Allow", "Action": ["s3:*", "route53:*", "ec2:Describe*"], "Resource": "*"}]}"#;
    world
        .region
        .enforce(Principal::Instances, policy)
        .expect("the policy is one");
    let denied = machine(&world, "i-0denied", 0).up_to_end();
    denied.assert_error(
        1,
        &[
            "address: leading the Elastic IP",
            "allow ec2:AssociateAddress on",
            &elastic.allocation,
        ],
    );
    world.assert_record_untouched();
}

#[test]
fn an_answer_that_is_lost_refused_or_early_is_asked_for_again() {
    let (world, elastic) = world();
    let asked = |nth| {
        Match::service(Service::Ec2)
            .operation("AssociateAddress")
            .nth(nth)
    };
    world.region.fault(asked(2), Fault::Throttle);
    world.region.fault(asked(3), Fault::LoseAnswer);
    let first = machine(&world, "i-0first", 60);
    let _old = first.up();
    assert_eq!(
        (holder(&world, &elastic), seen(&world, &first)),
        ("i-0first".to_owned(), 200)
    );
    assert_eq!(
        associations(&world).len(),
        3,
        "throttled, lost, and told again"
    );

    // EC2 says pending for some seconds of a boot.
    let second = machine(&world, "i-0second", 30);
    second.instance.set_state(State::Pending);
    let mut new = second.start();
    new.wait_for("not in a valid state");
    second.instance.set_state(State::Running);
    new.wait_for("serving https://");
    assert_eq!(
        (holder(&world, &elastic), seen(&world, &second)),
        ("i-0second".to_owned(), 200)
    );
}

#[test]
fn a_primary_keeps_its_health_check_when_the_address_moves() {
    let (world, elastic) = world();
    let pair = |id: &str, minutes| {
        let machine = machine(&world, id, minutes)
            .section("dns", &format!("{ELASTIC}routing = \"failover\"\n"));
        machine.section(
            "failover",
            "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\n",
        )
    };
    let (first, mut second) = (pair("i-0first", 60), pair("i-0second", 30));
    drop(first.up());
    let sets = world
        .region
        .route53()
        .find(crate::common::ZONE, DOMAIN, "A");
    // The check is of a port, too.
    (second.http_port, second.https_port) = (first.http_port, first.https_port);
    let _new = second.up();
    assert_eq!(
        world
            .region
            .route53()
            .find(crate::common::ZONE, DOMAIN, "A"),
        sets,
        "a record was changed"
    );
    assert_eq!(
        (
            holder(&world, &elastic),
            world.region.route53().health_checks().len()
        ),
        ("i-0second".to_owned(), 1)
    );
}

#[test]
fn a_dry_run_says_where_the_address_is_and_leaves_it_there() {
    let (world, elastic) = world();
    let first = machine(&world, "i-0first", 60);
    let _old = first.up();
    let told = machine(&world, "i-0dry", 0).flag("--dry-run").up_to_end();
    assert_eq!(told.code(), 0, "{}", told.stderr);
    let expected = format!(
        "lead the Elastic IP here: {} ({}) leads to i-0first",
        elastic.address, elastic.allocation
    );
    assert!(
        told.stdout.contains(&expected),
        "no {expected:?} in\n{}",
        told.stdout
    );
    assert!(!told.stdout.contains("create A"), "{}", told.stdout);
    assert_eq!(holder(&world, &elastic), "i-0first");
}

#[test]
fn an_instance_that_ends_alone_leaves_the_record_as_the_address_stays_the_sites() {
    let (world, elastic) = world();
    let last = machine(&world, "i-0last", 60);
    let running = last.up();
    let batches = world.region.route53().history().len();
    let notice = Duration::from_secs(20);
    last.instance.interrupt(OffsetDateTime::now_utc() + notice);
    let ended = running.end();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("AWS ends this instance in a moment"));
    assert_eq!(world.record(DOMAIN, "A"), [elastic.address.to_string()]);
    assert_eq!(world.region.route53().history().len(), batches);
}
