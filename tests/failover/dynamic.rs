//! `[failover] dynamic`: forms, search and login lead to the owner of the names, also while a person
//! has led these to the mirror.

use std::collections::BTreeSet;

use region::{Batch, RecordSet};

use crate::common::{DOMAIN, Machine, ZONE};
use crate::desk::{CLOUDFRONT, Desk, FAILOVER};

const OWNERSHIP: &str = "_spotboot.example.test";
const DYNAMIC: &str = "app.example.test";
/// A name in another zone than the site's domain.
const ELSEWHERE: &str = "app.example.org";
const ITS_ZONE: &str = "Z0OTHER";

fn machine<'d>(desk: &'d Desk, id: &str, dns: &str, dynamic: &str) -> Machine<'d> {
    let failover = format!("{FAILOVER}dynamic = \"{dynamic}\"\n");
    desk.machine_with(id, dns).section("failover", &failover)
}

/// The batches that have changed whose the names are, or where they lead.
fn owned_batches(desk: &Desk) -> Vec<Batch> {
    let of_names = |batch: &Batch| names(batch).contains(OWNERSHIP);
    let batches = desk.world.region.route53().history().into_iter();
    batches.filter(of_names).collect()
}

/// The names that a batch changes.
fn names(batch: &Batch) -> BTreeSet<String> {
    let sets = batch.changes.iter().map(|change| &change.set);
    sets.map(|set| set.name.trim_end_matches('.').to_owned())
        .collect()
}

fn set_of<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

#[test]
fn it_leads_to_the_owner_at_any_time_by_the_batches_that_lead_the_names() {
    let desk = Desk::with_mirror();
    let first = machine(&desk, "i-0first", "", DYNAMIC);
    let _first = first.up();
    let config = first.write_site();
    let leads_to = || desk.world.record(DYNAMIC, "A");
    assert_eq!(leads_to(), [first.address.to_string()]);

    let before = owned_batches(&desk).len();
    desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    desk.assert_on(&config, false);
    assert_eq!(leads_to(), [first.address.to_string()]);
    let seen = first.visitor().get_as(DYNAMIC, "/");
    assert_eq!(seen.status, 200, "the instance answers there: {seen:?}");

    // The next owner takes that name, and leaves the others where the person has led them.
    let second = machine(&desk, "i-0second", "", DYNAMIC);
    let _second = second.up();
    let config = second.write_site();
    assert_eq!(leads_to(), [second.address.to_string()]);
    assert_eq!(desk.alias().as_deref(), Some(CLOUDFRONT));

    // Somebody has deleted its record by hand.
    let dns = desk.world.region.route53();
    dns.remove(ZONE, DYNAMIC, "A").expect("the zone is there");
    desk.failover(&config, &["off"], 0, &["the names lead to i-0second"]);
    desk.assert_off(&config, &second);
    assert_eq!(leads_to(), [second.address.to_string()]);

    let since = &owned_batches(&desk)[before..];
    let changed: Vec<BTreeSet<String>> = since.iter().map(names).collect();
    let expected = [
        set_of([OWNERSHIP, DOMAIN]),
        set_of([OWNERSHIP, DYNAMIC]),
        set_of([OWNERSHIP, DOMAIN, DYNAMIC]),
    ];
    assert_eq!(changed, expected, "{since:#?}");
    let by: Vec<Option<&str>> = since
        .iter()
        .map(|batch| batch.instance.as_deref())
        .collect();
    assert_eq!(by, [None, Some("i-0second"), None]);
}

#[test]
fn in_a_zone_of_its_own_it_stays_with_the_instances_and_so_does_the_health_check_of_its_record() {
    let desk = Desk::with_mirror();
    let machine = machine(&desk, "i-0app", "routing = \"multivalue\"\n", ELSEWHERE);
    let _running = machine.up();
    let config = machine.write_site();
    let dns = desk.world.region.route53();
    let answers = || dns.find(ITS_ZONE, ELSEWHERE, "A");
    let checks = || -> Vec<String> {
        let checks = dns.health_checks().into_iter();
        checks.map(|check| check.id).collect()
    };
    let (booted, made) = (answers(), checks());
    let check_of = |set: &RecordSet| set.health_check.clone();
    assert_eq!(booted.iter().filter_map(check_of).collect::<Vec<_>>(), made);
    assert_eq!(made.len(), 1, "all its records name one check");

    desk.world.region.forget_requests();
    desk.failover(&config, &["on"], 0, &["the names lead to the mirror"]);
    desk.assert_on(&config, false);
    let lead = [
        "example.test: at the mirror",
        "example.org: at the instances",
    ];
    desk.failover(&config, &["status"], 0, &lead);
    assert_eq!((answers(), checks()), (booted.clone(), made.clone()));

    desk.failover(&config, &["off"], 0, &["the names lead to i-0app"]);
    desk.assert_off(&config, &machine);
    let back: Vec<Option<String>> = dns.find(ZONE, DOMAIN, "A").iter().map(check_of).collect();
    assert_eq!(back, [Some(made[0].clone())]);
    assert_eq!((answers(), checks()), (booted, made));
    assert_eq!(desk.batches(), 2, "each is one batch, in one zone");
}
