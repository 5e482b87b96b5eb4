//! The fleet and AWS make trouble in the middle of a deploy; and people do.

use std::time::Duration;

use region::{FleetKind, Match, Service, Stage};

use crate::common::eventually;
use crate::common::{Ended, Running, signal};
use crate::site::{Made, PATIENCE, Site, app};
use crate::unmoved::{Unmoved, crowd};

/// Begins a deploy of `v2` that bakes for so long and a second.
fn begin(site: &Site, drain: &str) -> Running {
    site.ci_begin(&["deploy", &site.zip(&app("v2")), "--drain", drain])
}

/// The new instance, once there is one.
fn newcomer(site: &Site, old: &[String]) -> String {
    let mut found = None;
    eventually("a new instance comes", || {
        found = site
            .living()
            .into_iter()
            .find(|id| !old.contains(id) && site.phase(id).is_some());
        found.is_some()
    });
    found.expect("it came")
}

/// `v2` serves, on one instance that is none of these.
fn assert_went_forward(site: &Site, ended: &Ended, gone: &[String]) {
    ended.assert_success();
    assert_eq!(site.seen(), "v2", "{}", ended.stderr);
    let living = site.living();
    assert!(
        living.len() == 1 && !gone.contains(&living[0]),
        "{living:?} {gone:?}"
    );
    assert_eq!(site.fleet.target(), 1);
    assert!(
        site.world.get("releases/candidate.json").is_none()
            && site.world.get("locks/deploy.json").is_none()
    );
    assert_eq!(site.history()[0]["end"]["outcome"], "promoted");
}

#[test]
fn without_capacity_it_is_rolled_back_in_time_and_says_so_in_the_fleets_own_words() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let before = Unmoved::from(&site);
    site.fleet.set_capacity(Some(1));
    let starved = site.ci(&["deploy", &site.zip(&app("v2")), "--timeout", "8s"]);
    starved.assert_error(
        1,
        &[
            "rolled back",
            "not done within 8s (--timeout)",
            "There is no Spot capacity available that matches your request",
        ],
    );
    before.assert();
    site.fleet.set_capacity(None);
    std::thread::sleep(Duration::from_secs(3));
    before.assert();
}

#[test]
fn where_the_account_may_have_no_more_instances_it_is_rolled_back_and_says_so() {
    let Some(site) = Site::serving(Made {
        kind: FleetKind::AutoScalingGroup,
        ..Made::default()
    }) else {
        return;
    };
    let before = Unmoved::from(&site);
    site.fleet.set_quota(Some(3));
    let refused = site.ci(&["deploy", &site.zip(&app("v2")), "--timeout", "8s"]);
    refused.assert_error(
        1,
        &[
            "rolled back",
            "not done within 8s (--timeout)",
            "Max spot instance count exceeded",
        ],
    );
    before.assert();
}

#[test]
fn a_new_instance_that_is_lost_in_its_boot_is_replaced_and_the_replacement_used() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let old = site.living();
    let visitors = crowd(&site);
    let deploying = site.ci_begin(&["deploy", &site.zip(&app("v2"))]);
    let lost = newcomer(&site, &old);
    site.fleet.lose(&lost);
    let ended = deploying.end();
    visitors.stop().assert_no_failures();
    assert_went_forward(&site, &ended, &[old[0].clone(), lost]);
    site.assert_never_out_of_bounds(1);
}

#[test]
fn a_new_instance_that_is_interrupted_while_it_bakes_is_no_home_for_the_site() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let before = Unmoved::from(&site);
    let old = site.living();
    let visitors = crowd(&site);
    let mut deploying = begin(&site, "8s");
    deploying.wait_for("baking");
    site.fleet
        .interrupt(&newcomer(&site, &old), Duration::from_secs(120));
    let ended = deploying.end();
    ended.assert_error(1, &["rolled back", "while baking", "AWS takes i-"]);
    before.assert();
    visitors.stop().assert_no_failures();
}

#[test]
fn an_old_instance_that_is_lost_while_the_new_one_bakes_takes_nothing_with_it() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let old = site.living();
    let mut deploying = begin(&site, "3s");
    deploying.wait_for("baking");
    site.fleet.lose(&old[0]);
    let visitors = crowd(&site);
    let ended = deploying.end();
    visitors.stop().assert_no_failures();
    assert_went_forward(&site, &ended, &old);
    site.assert_never_out_of_bounds(1);
}

#[test]
fn a_slow_fleet_that_tells_late_what_it_does_is_waited_for() {
    let Some(site) = Site::serving(Made {
        kind: FleetKind::Ec2Fleet,
        ..Made::default()
    }) else {
        return;
    };
    let old = site.living();
    site.fleet.set_launch_delay(Duration::from_secs(3));
    site.fleet.set_lag(Duration::from_secs(3));
    site.fleet.set_modifying(Duration::from_secs(4));
    let visitors = crowd(&site);
    let ended = site.deploy(&app("v2"));
    visitors.stop().assert_no_failures();
    assert_went_forward(&site, &ended, &old);
    site.assert_never_out_of_bounds(1);
}

#[test]
fn a_slow_fleet_that_tells_late_what_it_does_is_also_brought_back() {
    let Some(site) = Site::serving(Made {
        kind: FleetKind::Ec2Fleet,
        ..Made::default()
    }) else {
        return;
    };
    let before = Unmoved::from(&site);
    site.fleet.set_launch_delay(Duration::from_secs(6));
    site.fleet.set_lag(Duration::from_secs(3));
    site.fleet.set_modifying(Duration::from_secs(4));
    // The launch is under way, and is told of only when it is undone already.
    let ended = site.ci(&["deploy", &site.zip(&app("v2")), "--timeout", "6s"]);
    ended.assert_error(1, &["rolled back", "not done within 6s"]);
    before.assert();
    std::thread::sleep(Duration::from_secs(4));
    before.assert();
}

/// AWS has decided on the launch when the deploy is given up, and nobody knows of the instance yet.
fn an_instance_that_comes_too_late_is_not_one_too_many(protects_new: bool) {
    let Some(site) = Site::serving(Made {
        kind: FleetKind::AutoScalingGroup,
        protects_new,
        ..Made::default()
    }) else {
        return;
    };
    let current = site.current();
    site.fleet.set_order_delay(Duration::from_secs(12));
    let ended = site.ci(&["deploy", &site.zip(&app("v2")), "--timeout", "5s"]);
    ended.assert_error(1, &["rolled back", "not done within 5s"]);
    std::thread::sleep(Duration::from_secs(10));
    // Where it was quick enough to take the names over, the old one has gone: both serve what is
    // current.
    assert_eq!(
        (
            site.living().len(),
            site.fleet.instances().len(),
            site.fleet.target()
        ),
        (1, 2, 1),
        "{}",
        site.logs()
    );
    assert_eq!((site.current(), site.seen()), (current, "v1".to_owned()));
    site.assert_never_out_of_bounds(1);
}

#[test]
fn an_instance_that_comes_too_late_is_not_one_too_many_in_a_group() {
    an_instance_that_comes_too_late_is_not_one_too_many(false);
}

#[test]
fn an_instance_that_comes_too_late_is_not_one_too_many_in_a_group_that_protects_it() {
    an_instance_that_comes_too_late_is_not_one_too_many(true);
}

#[test]
fn a_run_that_is_told_to_stop_in_the_trial_rolls_back_first() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let before = Unmoved::from(&site);
    let visitors = crowd(&site);
    let assert_stopped = |deploying: Running, name: &str| {
        signal(deploying.pid(), name);
        deploying
            .end()
            .assert_error(1, &["rolled back", &format!("stopped by SIG{name}")]);
        before.assert();
    };
    for (name, moment) in [("TERM", "a new instance"), ("INT", "baking")] {
        let mut deploying = begin(&site, "2s");
        deploying.wait_for(moment);
        assert_stopped(deploying, name);
    }
    // In the middle of a write whose answer it never reads.
    let written = Match::service(Service::S3)
        .operation("PutObject")
        .path("deploys/")
        .nth(2);
    let hold = site.world.region.hold(written, Stage::AfterActing);
    let deploying = begin(&site, "2s");
    hold.wait(PATIENCE).expect("it writes its log");
    assert_stopped(deploying, "TERM");
    drop(hold);
    visitors.stop().assert_no_failures();
}

#[test]
fn once_the_trial_is_passed_a_run_that_is_told_to_stop_comes_to_its_end_first() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let old = site.living();
    let mut deploying = begin(&site, "1s");
    deploying.wait_for("promote");
    signal(deploying.pid(), "TERM");
    let ended = deploying.end();
    assert!(
        ended
            .stderr
            .contains("what is decided is carried out first"),
        "{}",
        ended.stderr
    );
    assert_went_forward(&site, &ended, &old);
}
