//! A fleet of three with multivalue answers, replaced one or two at a time.

use region::{Action, FleetKind};

use crate::common::{DOMAIN, Ended, ZONE, signal};
use crate::site::{Made, Site, app, broken};
use crate::unmoved::crowd;

const TARGET: usize = 3;

fn three() -> Option<Site> {
    Site::serving(Made {
        kind: FleetKind::Ec2Fleet,
        target: 3,
        routing: "multivalue",
        ..Made::default()
    })
}

/// The instances that DNS answers with, in order.
fn answered(site: &Site) -> Vec<String> {
    let sets = site.world.region.route53().find(ZONE, DOMAIN, "A");
    let mut ids: Vec<String> = sets
        .into_iter()
        .filter_map(|set| set.set_identifier)
        .collect();
    ids.sort();
    ids
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

/// Between the target and one batch more lived, and never fewer than the target served.
fn assert_bounds(site: &Site, batch: usize) {
    let census = site.world.region.census();
    let most = census
        .iter()
        .map(|count| count.living)
        .max()
        .unwrap_or_default();
    assert!(most <= TARGET + batch, "{most} at once: {census:#?}");
    let mut after = census.iter().skip_while(|count| count.serving < TARGET);
    assert!(
        after.all(|count| count.serving >= TARGET),
        "fewer than {TARGET} served: {census:#?}"
    );
}

/// Each old instance had left the answers before anybody asked for its end.
fn assert_out_of_answers_before_they_went(site: &Site, old: &[String]) {
    let terminations: Vec<_> = site
        .world
        .region
        .requests()
        .into_iter()
        .filter(|request| request.operation == "TerminateInstances")
        .collect();
    for id in old {
        let history = site.world.region.route53().history();
        let withdrawn = |batch: &&region::Batch| {
            batch.changes.iter().any(|change| {
                change.action == Action::Delete && change.set.set_identifier.as_deref() == Some(id)
            })
        };
        let left = history
            .iter()
            .find(withdrawn)
            .unwrap_or_else(|| panic!("{id} never left the answers"))
            .at;
        let ended = terminations
            .iter()
            .find(|request| request.text().contains(id.as_str()))
            .unwrap_or_else(|| panic!("{id} was not ended"))
            .at;
        assert!(
            left < ended,
            "{id} left the answers at {left}, and was ended at {ended}"
        );
    }
}

fn all_are_replaced(batch: usize) {
    let Some(site) = three() else { return };
    let old = sorted(site.living());
    assert_eq!(answered(&site), old);
    let visitors = crowd(&site);
    let ended = site.ci(&[
        "deploy",
        &site.zip(&app("v2")),
        "--batch",
        &batch.to_string(),
    ]);
    let report = visitors.stop();
    ended.assert_success();
    report.assert_no_failures();

    let new = sorted(site.living());
    assert!(
        new.len() == TARGET && new.iter().all(|id| !old.contains(id)),
        "{new:?} {old:?}"
    );
    assert_eq!(answered(&site), new);
    assert_eq!(site.fleet.target(), 3);
    for instance in site.fleet.living() {
        let address = instance.public_ipv4.expect("it has one");
        assert_eq!(
            site.world
                .visitor(address, 443)
                .get_as(DOMAIN, "/assets/version.txt")
                .body
                .trim(),
            "v2"
        );
    }
    assert_bounds(&site, batch);
    assert_out_of_answers_before_they_went(&site, &old);
    assert_eq!(
        site.history()[0]["rotation"]["new"]
            .as_array()
            .map(Vec::len),
        Some(TARGET)
    );
}

#[test]
fn three_are_replaced_one_at_a_time() {
    all_are_replaced(1);
}

#[test]
fn three_are_replaced_two_at_a_time() {
    all_are_replaced(2);
}

#[test]
fn a_first_batch_that_fails_takes_everything_back() {
    let Some(site) = three() else { return };
    let (old, current) = (sorted(site.living()), site.current());
    let visitors = crowd(&site);
    let assert_back = |ended: &Ended, cause: &str| {
        ended.assert_error(1, &["rolled back", cause]);
        assert_eq!(
            (sorted(site.living()), answered(&site), site.current()),
            (old.clone(), old.clone(), current.clone())
        );
        assert_eq!(site.fleet.target(), 3);
        assert!(site.world.get("releases/candidate.json").is_none());
        assert_bounds(&site, 2);
    };

    let broken = site.ci(&["deploy", &site.zip(&broken("v2", "exit")), "--batch", "2"]);
    assert_back(&broken, "did not come up");

    // Its instances are in the answers by then.
    let mut stopped = site.ci_begin(&[
        "deploy",
        &site.zip(&app("v3")),
        "--batch",
        "2",
        "--drain",
        "2s",
    ]);
    stopped.wait_for("baking");
    assert!(
        answered(&site).len() > TARGET,
        "no new instance is in the answers"
    );
    signal(stopped.pid(), "TERM");
    assert_back(&stopped.end(), "stopped by SIGTERM");
    visitors.stop().assert_no_failures();
}
