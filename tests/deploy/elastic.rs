//! `[dns] address = "elastic"`: rotations move one address forth and back, and no resolver has to
//! hear of it.

use std::time::{Duration, Instant};

use region::load::{Failure, Load, LoadSpec};
use region::{FleetKind, Match, Service, Stage};
use time::OffsetDateTime;

use crate::common::eventually;
use crate::common::{DOMAIN, Ended, signal};
use crate::site::{Made, PATIENCE, Site, app};

/// Three times that would be longer than a test may take.
const MADE: &str = "address = \"elastic\"\nttl = 600\n";

/// A boot here takes seconds on a quick machine.
const NOTICE: Duration = Duration::from_secs(40);

/// From the call to when the address is the other instance's.
const MOVES_WITHIN: Duration = Duration::from_secs(1);

fn serving() -> Option<Site> {
    Site::serving(Made {
        kind: FleetKind::Ec2Fleet,
        dns: MADE,
        ..Made::default()
    })
}

fn holder(site: &Site) -> Option<String> {
    site.world
        .region
        .holder_of(site.elastic.as_ref().expect("it has one"))
}

/// Each comes by a connection of its own: those that were open end when their address goes to
/// another instance.
fn newcomers(site: &Site) -> Load {
    let spec = LoadSpec::new(&site.world.region, DOMAIN, 443).expect("pebble names its roots");
    let none = LoadSpec {
        keep_alive_clients: 0,
        http2_clients: 0,
        stale_clients: 0,
        slow_clients: 0,
        upload_clients: 0,
        ..spec
    };
    Load::start(LoadSpec { rate: 50, ..none }).expect("the visitors come")
}

/// A visitor that was being served at a move is failed by it, and nobody else is.
fn assert_only_moves_are_felt(site: &Site, visitors: Load, moves: usize) {
    let report = visitors.stop();
    println!("{report}");
    let moved = site
        .world
        .region
        .requests()
        .into_iter()
        .filter(|request| request.operation == "AssociateAddress");
    let moved: Vec<OffsetDateTime> = moved
        .filter(|request| request.status == Some(200))
        .map(|request| request.at)
        .collect();
    assert_eq!(moved.len(), moves, "{moved:?}");
    let spared = |failure: &&Failure| {
        !moved
            .iter()
            .any(|at| failure.at >= *at && failure.at - failure.took <= *at + MOVES_WITHIN)
    };
    let wrong: Vec<&Failure> = report.failures.iter().filter(spared).collect();
    assert!(
        wrong.is_empty(),
        "failed though no move cut them off, at {moved:?}: {wrong:#?}\n{report}"
    );
    report.assert_not_held_up();
}

fn assert_at(site: &Site, instance: &str, release: &str) {
    let elastic = site.elastic.as_ref().expect("it has one");
    assert_eq!(
        (holder(site).as_deref(), site.seen().as_str()),
        (Some(instance), release),
        "{}",
        site.logs()
    );
    assert_eq!(
        site.world.record(DOMAIN, "A"),
        [elastic.address.to_string()]
    );
    let owner = site
        .world
        .record(&format!("_spotboot.{DOMAIN}"), "TXT")
        .concat();
    assert!(owner.contains(&format!("owner={instance},")), "{owner}");
}

/// The batches so far that changed where the name leads.
fn address_changes(site: &Site) -> usize {
    let batches = site
        .world
        .region
        .requests()
        .into_iter()
        .filter(|request| request.operation == "ChangeResourceRecordSets");
    batches
        .filter(|request| String::from_utf8_lossy(&request.body).contains("<Type>A</Type>"))
        .count()
}

#[test]
fn a_deploy_moves_the_address_and_waits_for_no_resolver() {
    let Some(site) = serving() else { return };
    let old = site.living().remove(0);
    assert_at(&site, &old, "v1");
    site.world.region.forget_requests();
    let visitors = newcomers(&site);
    let began = Instant::now();
    site.deploy(&app("v2")).assert_success();
    assert!(
        began.elapsed() < PATIENCE,
        "it took {:?}: a TTL is 600 s",
        began.elapsed()
    );
    assert_only_moves_are_felt(&site, visitors, 1);
    let new = site.living().remove(0);
    assert!(new != old && site.living().len() == 1);
    assert_at(&site, &new, "v2");
    assert_eq!(address_changes(&site), 0);
    site.assert_never_out_of_bounds(1);

    let told = site.ci(&["status"]);
    told.assert_success();
    assert!(
        told.stdout.contains(&format!("leads to {new}")),
        "{}",
        told.stdout
    );
}

/// Its address has gone to the new instance by then.
fn stopped_deploy(site: &Site) -> Ended {
    let zip = site.zip(&app("v2"));
    let mut deploy = site.ci_begin(&["deploy", &zip, "--drain", "30s"]);
    deploy.wait_for_any_or_end(&["done step=\"outside\""]);
    std::thread::sleep(Duration::from_millis(500));
    signal(deploy.pid(), "TERM");
    deploy.end()
}

#[test]
fn a_trial_that_fails_gives_the_address_back() {
    let Some(site) = serving() else { return };
    let old = site.living().remove(0);
    site.world.region.forget_requests();
    let visitors = newcomers(&site);
    let ended = stopped_deploy(&site);
    ended.assert_error(1, &["rolled back"]);
    assert_only_moves_are_felt(&site, visitors, 2);
    assert_at(&site, &old, "v1");
    assert_eq!(
        (site.living(), address_changes(&site)),
        (vec![old.clone()], 0),
        "{}",
        ended.stderr
    );
    site.assert_never_out_of_bounds(1);
    // It was cut off for a while, and is told of its address again.
    let elastic = site
        .elastic
        .as_ref()
        .expect("it has one")
        .address
        .to_string();
    eventually("the old one tells its address", || {
        site.world
            .report(&old)
            .is_some_and(|report| report["public_ipv4"] == elastic.as_str())
    });
}

#[test]
fn an_instance_that_aws_takes_away_loses_the_address_before_its_end_and_to_another_that_serves() {
    let Some(site) = serving() else { return };
    let old = site.living().remove(0);
    site.world.region.forget_requests();
    let visitors = newcomers(&site);
    let (begun, notice) = (Instant::now(), visitors.pace().stretch(NOTICE));
    site.fleet.interrupt(&old, notice);
    eventually("another has the address", || {
        holder(&site).is_some_and(|holder| holder != old)
    });
    assert!(
        begun.elapsed() < notice,
        "nobody took over before the end\n{}",
        site.logs()
    );
    site.fleet
        .wait_for_end(&old, notice + Duration::from_secs(60))
        .expect("it ends");
    assert_only_moves_are_felt(&site, visitors, 1);
    // The one that asked for a replacement has no way to AWS since: what it left, the owner sees
    // to.
    eventually("the fleet is as it was", || {
        site.fleet.target() == 1 && site.living().len() == 1
    });
    assert_at(&site, &site.living()[0], "v1");
    assert_eq!(
        (address_changes(&site), site.fleet.instances().len()),
        (0, 2),
        "{}",
        site.logs()
    );
}

/// Nobody is left of the run that moved the address; the next one gives it back, or finishes.
#[test]
fn a_run_that_is_killed_after_the_names_were_given_back_has_its_address_moved_by_the_heir() {
    let Some(site) = serving() else { return };
    let old = site.living().remove(0);
    let given = Match::service(Service::Ec2)
        .operation("AssociateAddress")
        .by_ci();
    let hold = site.world.region.hold(given, Stage::BeforeActing);
    let zip = site.zip(&app("v2"));
    let mut deploy = site.ci_begin(&["deploy", &zip, "--drain", "30s"]);
    deploy.wait_for_any_or_end(&["done step=\"outside\""]);
    signal(deploy.pid(), "TERM");
    hold.wait(PATIENCE).expect("it gives the address back");
    deploy.kill9();
    hold.discard();
    // By the record it is the old one's, which has had no way to AWS since it lost it.
    eventually("the heir has the address", || {
        holder(&site).as_deref() == Some(old.as_str())
    });
    assert_at(&site, &old, "v1");
}
