//! Releases that are broken: each is rolled back with its cause and its instance's own words, and
//! no visitor notices.

use std::time::Duration;

use region::{Match, Service, Stage};

use crate::common::eventually;
use crate::common::{Ended, Package};
use crate::site::{Made, PATIENCE, Site, app, broken};
use crate::unmoved::{Unmoved, crowd};

/// Exit code 1 with the cause, and the log of the instance that failed.
fn assert_rolled_back(ended: &Ended, cause: &[&str], own_words: &str) {
    ended.assert_error(1, &["rolled back"]);
    ended.assert_error(1, cause);
    let log = ended
        .stderr
        .split("--- the log of i-")
        .nth(1)
        .unwrap_or_else(|| panic!("no log of an instance:\n{}", ended.stderr));
    assert!(
        log.contains(own_words),
        "no {own_words:?} in the instance's log:\n{log}"
    );
}

/// An interruption ends the instance; the one that the fleet brings instead boots what is current.
fn an_interruption_boots_the_last_good_release(site: &Site) {
    let (current, old) = (site.current(), site.living());
    site.fleet.interrupt(&old[0], Duration::from_secs(1));
    eventually("another instance serves", || {
        let living = site.living();
        living.len() == 1 && living != old && site.phase(&living[0]).as_deref() == Some("serving")
    });
    let served = site.world.report(&site.living()[0]).expect("it reports");
    assert_eq!(served["release"].as_str().map(str::to_owned), current);
    assert_eq!(site.seen(), "v1");
}

#[test]
fn a_release_that_dies_at_its_start_is_rolled_back_and_an_interruption_boots_the_last_good_one() {
    // Nobody waits for an app that has ended, so that this may be long; on a slow machine one takes
    // a while to eat its memory.
    let Some(site) = Site::serving(Made {
        health: "120s",
        ..Made::default()
    }) else {
        return;
    };
    let before = Unmoved::from(&site);
    let visitors = crowd(&site);

    let dead = site.deploy(&broken("v2", "exit"));
    assert_rolled_back(&dead, &["did not come up"], "the app gives up: no database");
    before.assert();

    let hungry = site.deploy(&broken("v3", "hungry"));
    assert_rolled_back(
        &hungry,
        &["did not come up", "SIGKILL"],
        "the app loads everything there is",
    );
    before.assert();

    let migrating = app("v4").file(
        "Procfile",
        "web: exec python3 app.py $SPOTBOOT_SOCKET\nrelease: echo no such column >&2; exit 3\n",
    );
    let failed = site.deploy(&migrating);
    assert_rolled_back(
        &failed,
        &["did not come up", "release command"],
        "no such column",
    );
    before.assert();

    let nothing = site.deploy(&Package::default().file("readme.txt", "nothing to run here"));
    assert_rolled_back(&nothing, &["did not come up", "Procfile"], "Procfile");
    before.assert();

    visitors.stop().assert_no_failures();
    an_interruption_boots_the_last_good_release(&site);
}

#[test]
fn a_release_that_never_answers_well_is_rolled_back_and_an_interruption_boots_the_last_good_one() {
    let Some(site) = Site::serving(Made {
        health: "8s",
        ..Made::default()
    }) else {
        return;
    };
    let before = Unmoved::from(&site);
    let visitors = crowd(&site);

    for (behaviour, cause) in [
        ("error", "500"),
        ("silent", "no answer"),
        ("hang", "found nobody"),
    ] {
        let failed = site.deploy(&broken(behaviour, behaviour));
        assert_rolled_back(&failed, &["did not come up", cause], "error");
        before.assert();
    }

    visitors.stop().assert_no_failures();
    an_interruption_boots_the_last_good_release(&site);
}

#[test]
fn a_package_that_is_damaged_in_the_bucket_is_rolled_back_and_a_torn_zip_is_not_even_uploaded() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let before = Unmoved::from(&site);
    let visitors = crowd(&site);

    let path = site.zip(&app("v2"));
    let whole = std::fs::read(&path).expect("the zip is there");
    std::fs::write(&path, &whole[..whole.len() / 2]).expect("the zip is torn");
    site.world.region.forget_requests();
    site.ci(&["deploy", &path])
        .assert_error(1, &[&path, "not a whole zip file"]);
    let asked = site
        .world
        .region
        .count_where(|request| request.instance.is_none() && request.service != Service::Imds);
    assert_eq!(asked, 0, "somebody was asked for the sake of a torn zip");

    let tried = Match::service(Service::S3)
        .operation("PutObject")
        .path("releases/candidate.json");
    let hold = site.world.region.hold(tried, Stage::BeforeActing);
    let deploying = site.ci_begin(&["deploy", &site.zip(&app("v3"))]);
    hold.wait(PATIENCE).expect("the release is put on trial");
    let package = site.world.list("packages/").pop().expect("it was uploaded");
    let mut bytes = site.world.get(&package).expect("it stands there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    site.world.put(&package, bytes);
    hold.release();
    let damaged = deploying.end();
    assert_rolled_back(&damaged, &["did not come up", &package], "SHA-256");
    before.assert();
    visitors.stop().assert_no_failures();
}

#[test]
fn a_release_that_turns_sour_while_it_bakes_is_rolled_back_and_fails_nobody_else() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let before = Unmoved::from(&site);
    let old = site.fleet.living()[0].public_ipv4;
    let visitors = crowd(&site);
    let failed = site.ci(&["deploy", &site.zip(&broken("v2", "sour")), "--drain", "5s"]);
    let report = visitors.stop();
    failed.assert_error(1, &["rolled back", "while baking", "500"]);
    before.assert();
    let at_the_old = report
        .failures
        .iter()
        .filter(|failure| failure.address == old.map(Into::into));
    assert_eq!(
        at_the_old.count(),
        0,
        "the old instance failed somebody\n{report}"
    );
}
