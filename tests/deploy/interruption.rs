//! AWS takes an instance away, or may: another has the names before it ends, and the fleet is as it
//! was.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use region::load::{Load, LoadSpec};
use region::{Fault, FleetKind, Match, Recorded, Service};
use time::OffsetDateTime;

use crate::common::eventually;
use crate::common::{DOMAIN, Package, ZONE, signal};
use crate::site::{Made, Site, app};

/// Short, so that a test is; a boot here takes seconds on a quick machine.
const NOTICE: Duration = Duration::from_secs(40);
/// From the notice to the request for a replacement; half of it where the machine has nothing else
/// to do. Tests without visitors, who would have measured what the machine can do, allow three
/// times as much.
const ASKED_WITHIN: Duration = Duration::from_secs(10);

/// What raises or lowers a target.
fn changes_target(request: &Recorded) -> bool {
    [
        "ModifyFleet",
        "ModifySpotFleetRequest",
        "SetDesiredCapacity",
        "DetachInstances",
    ]
    .contains(&request.operation.as_str())
}

/// Requests that change the fleet's target, in their order.
fn changes(site: &Site) -> Vec<Recorded> {
    let fleet = |request: &Recorded| {
        matches!(request.service, Service::Ec2 | Service::AutoScaling) && changes_target(request)
    };
    site.world
        .region
        .requests()
        .into_iter()
        .filter(fleet)
        .collect()
}

/// Visitors of every kind, whose longest requests end before an instance does.
fn visitors(site: &Site, rate: u32) -> Load {
    let spec = LoadSpec::new(&site.world.region, DOMAIN, 443).expect("pebble names its roots");
    let lasts = Duration::from_secs(3);
    Load::start(LoadSpec {
        rate,
        slow_takes: lasts,
        upload_takes: lasts,
        ..spec
    })
    .expect("the visitors come")
}

/// Who has the names; empty where nobody does.
fn owner(site: &Site) -> String {
    let text = site
        .world
        .record(&format!("_spotboot.{DOMAIN}"), "TXT")
        .concat();
    text.split("owner=")
        .nth(1)
        .and_then(|rest| rest.split(',').next())
        .unwrap_or_default()
        .to_owned()
}

/// Since a notice of now, how long it took until the target was changed.
fn assert_asked(site: &Site, noticed: OffsetDateTime, within: Duration) {
    eventually("a replacement is asked for", || !changes(site).is_empty());
    let asked = changes(site)[0].at - noticed;
    println!("asked for after {asked}");
    assert!(
        asked < within,
        "the replacement was asked for after {asked}\n{}",
        site.logs()
    );
}

/// One instance is left, it has the names, and the target is that.
fn assert_alone(site: &Site, new: &str) {
    assert_eq!(site.living(), [new], "{}", site.logs());
    assert_eq!(site.fleet.target(), 1);
    assert_eq!(owner(site), new);
    assert_eq!(
        site.phase(new).as_deref(),
        Some("serving"),
        "{}",
        site.logs()
    );
}

/// A site where no test says another kind of fleet.
fn on_ec2_fleet() -> Made {
    Made {
        kind: FleetKind::Ec2Fleet,
        ..Made::default()
    }
}

fn another_takes_over(made: Made) {
    let Some(site) = Site::serving(made) else {
        return;
    };
    let old = site.living().remove(0);
    let load = visitors(&site, 100);
    site.world.region.forget_requests();
    let (noticed, begun, notice) = (
        OffsetDateTime::now_utc(),
        Instant::now(),
        load.pace().stretch(NOTICE),
    );
    site.fleet.interrupt(&old, notice);
    eventually("another has the names", || owner(&site) != old);
    let new = owner(&site);
    assert!(
        begun.elapsed() < notice,
        "nobody took over before the end\n{}",
        site.logs()
    );
    assert_asked(&site, noticed, load.pace().stretch(ASKED_WITHIN));
    site.fleet
        .wait_for_end(&old, notice + Duration::from_secs(30))
        .expect("it ends");
    let report = load.stop();
    report.assert_no_failures();

    assert_alone(&site, &new);
    let last = site.world.report(&old).expect("it reported");
    assert_eq!(
        (last["phase"].as_str(), last["note"].is_null()),
        (Some("stopped"), true),
        "{last:#}"
    );
    assert!(
        site.fleet
            .log(&old)
            .contains("AWS ends this instance in a moment; stopping"),
        "{}",
        site.fleet.log(&old)
    );
    site.assert_never_out_of_bounds(1);
    assert_eq!(
        site.fleet.instances().len(),
        2,
        "one replacement: {:?}",
        site.fleet.instances()
    );
}

#[test]
fn of_an_ec2_fleet_another_instance_takes_over_before_the_end() {
    another_takes_over(on_ec2_fleet());
}

#[test]
fn of_a_spot_fleet_another_instance_takes_over_before_the_end() {
    another_takes_over(Made {
        kind: FleetKind::SpotFleet,
        ..Made::default()
    });
}

#[test]
fn of_a_group_another_instance_takes_over_before_the_end() {
    another_takes_over(Made {
        kind: FleetKind::AutoScalingGroup,
        ..Made::default()
    });
}

#[test]
fn of_a_group_that_protects_its_instances_another_instance_takes_over_before_the_end() {
    another_takes_over(Made {
        kind: FleetKind::AutoScalingGroup,
        protects_new: true,
        ..Made::default()
    });
}

#[test]
fn names_that_were_kept_for_one_that_ends_are_open_to_its_replacement() {
    let Some(site) = Site::serving(on_ec2_fleet()) else {
        return;
    };
    let old = site.living().remove(0);
    let (dns, record) = (site.world.region.route53(), format!("_spotboot.{DOMAIN}"));
    // As a run leaves them that gave them back: whoever is launched next finds a later owner.
    let mut kept = dns.find(ZONE, &record, "TXT").remove(0);
    let launched = kept.values[0]
        .split("launched=")
        .nth(1)
        .expect("it says when")
        .split(',')
        .next()
        .expect("a time")
        .to_owned();
    kept.values[0] = kept.values[0].replace(&launched, "2099-01-01T00:00:00Z");
    dns.seed(ZONE, kept).expect("it is a record");
    let load = visitors(&site, 50);
    let (begun, notice) = (Instant::now(), load.pace().stretch(NOTICE));
    site.fleet.interrupt(&old, notice);
    eventually("another has the names", || owner(&site) != old);
    assert!(
        begun.elapsed() < notice - Duration::from_secs(7),
        "after {:?}\n{}",
        begun.elapsed(),
        site.logs()
    );
    site.fleet
        .wait_for_end(&old, notice + Duration::from_secs(30))
        .expect("it ends");
    load.stop().assert_no_failures();
    assert_alone(&site, &owner(&site));
}

#[test]
fn one_that_ends_and_is_told_to_stop_before_finishes_what_it_has_begun() {
    let Some(site) = Site::serving(on_ec2_fleet()) else {
        return;
    };
    let old = site.living().remove(0);
    let load = visitors(&site, 50);
    // So short that it leaves as soon as another has the names, with requests under way.
    let notice = load.pace().stretch(Duration::from_secs(25));
    site.fleet.interrupt(&old, notice);
    eventually("it leaves", || {
        site.fleet
            .log(&old)
            .contains("AWS ends this instance in a moment; stopping")
    });
    site.fleet.terminate(&old);
    site.fleet
        .wait_for_end(&old, notice + NOTICE)
        .expect("it ends");
    load.stop().assert_no_failures();
    assert!(
        site.fleet.log(&old).contains("stopping before its end"),
        "{}",
        site.fleet.log(&old)
    );
}

#[test]
fn a_recommendation_alone_leads_to_one_spare_which_changes_nothing_and_goes_again() {
    let Some(site) = Site::serving(Made {
        spare_for: "25s",
        ..on_ec2_fleet()
    }) else {
        return;
    };
    let old = site.living().remove(0);
    let batches = site.world.region.route53().history().len();
    site.fleet.rebalance(&old);
    eventually("a spare stands by", || {
        site.living()
            .iter()
            .any(|id| *id != old && site.phase(id).as_deref() == Some("stand_by"))
    });
    let seen = site.seen();
    assert_eq!(
        (owner(&site), site.world.region.route53().history().len()),
        (old.clone(), batches),
        "the names were touched"
    );
    eventually("the spare goes", || {
        site.living() == [old.clone()] && site.fleet.target() == 1
    });
    eventually("nothing is noted", || {
        site.world
            .report(&old)
            .is_some_and(|report| report["note"].is_null())
    });
    assert_eq!(
        (owner(&site), site.seen(), site.fleet.instances().len()),
        (old.clone(), seen, 2),
        "{}",
        site.logs()
    );
    assert_eq!(site.phase(&old).as_deref(), Some("serving"));
    site.assert_never_out_of_bounds(1);
}

#[test]
fn a_notice_after_a_recommendation_finds_the_spare_ready() {
    let Some(site) = Site::serving(on_ec2_fleet()) else {
        return;
    };
    let old = site.living().remove(0);
    site.fleet.rebalance(&old);
    let spare = || site.living().into_iter().find(|id| *id != old);
    eventually("a spare stands by", || {
        spare().is_some_and(|id| site.phase(&id).as_deref() == Some("stand_by"))
    });
    let (spare, load) = (spare().expect("it stands by"), visitors(&site, 50));
    let (begun, notice) = (Instant::now(), load.pace().stretch(NOTICE));
    site.fleet.interrupt(&old, notice);
    eventually("the spare has the names", || owner(&site) == spare);
    println!("the spare had the names after {:?}", begun.elapsed());
    assert!(
        begun.elapsed() < notice / 2,
        "after {:?}\n{}",
        begun.elapsed(),
        site.logs()
    );
    site.fleet
        .wait_for_end(&old, notice + Duration::from_secs(30))
        .expect("it ends");
    load.stop().assert_no_failures();
    assert_alone(&site, &spare);
    assert_eq!(
        site.fleet.instances().len(),
        2,
        "{:?}",
        site.fleet.instances()
    );
}

/// An app that takes so long until it answers.
fn slow(version: &str, seconds: u32) -> Package {
    app(version).file(
        "Procfile",
        format!("web: sleep {seconds}; exec python3 app.py $SPOTBOOT_SOCKET\n"),
    )
}

#[test]
fn in_a_trial_the_last_old_instance_that_is_taken_away_sends_the_run_back_and_is_replaced_by_what_is_current()
 {
    let Some(site) = Site::serving(Made {
        health: "60s",
        ..on_ec2_fleet()
    }) else {
        return;
    };
    let (old, current) = (site.living().remove(0), site.current());
    let load = visitors(&site, 50);
    let mut deploying = site.ci_begin(&["deploy", &site.zip(&slow("v2", 40))]);
    deploying.wait_for("a new instance");
    site.fleet.interrupt(&old, Duration::from_secs(60));
    let ended = deploying.end();
    ended.assert_error(1, &["rolled back", &format!("AWS takes {old} away")]);
    site.fleet
        .wait_for_end(&old, Duration::from_secs(90))
        .expect("it ends");
    eventually("one instance is left", || {
        site.living().len() == 1 && site.fleet.target() == 1
    });
    load.stop().assert_no_failures();
    let left = site.living().remove(0);
    assert_alone(&site, &left);
    assert_eq!(
        (site.seen().as_str(), site.current()),
        ("v1", current),
        "{}\n{}",
        ended.stderr,
        site.logs()
    );
    assert!(site.world.get("releases/candidate.json").is_none());
    let most = site
        .world
        .region
        .census()
        .iter()
        .map(|count| count.living)
        .max();
    assert_eq!(
        most,
        Some(3),
        "the one that ends, the one on trial, and the replacement"
    );
}

#[test]
fn an_old_instance_that_is_taken_away_while_the_new_one_bakes_holds_nothing_up() {
    let Some(site) = Site::serving(on_ec2_fleet()) else {
        return;
    };
    let old = site.living().remove(0);
    let load = visitors(&site, 50);
    let mut deploying = site.ci_begin(&["deploy", &site.zip(&app("v2")), "--drain", "8s"]);
    deploying.wait_for("baking");
    site.fleet.interrupt(&old, Duration::from_secs(60));
    let ended = deploying.end();
    ended.assert_success();
    site.fleet
        .wait_for_end(&old, Duration::from_secs(90))
        .expect("it ends");
    load.stop().assert_no_failures();
    let left = site.living().remove(0);
    assert_alone(&site, &left);
    assert_eq!(site.seen(), "v2");
    site.assert_never_out_of_bounds(1);
}

#[test]
fn an_owner_that_is_taken_away_and_not_replaced_leads_the_names_to_an_older_one_that_serves() {
    let made = Made {
        target: 2,
        ..on_ec2_fleet()
    };
    let Some(site) = Site::new(made, Some(&app("v1"))) else {
        return;
    };
    eventually("one serves, and the other stands by", || {
        let phases = site.living().into_iter().filter_map(|id| site.phase(&id));
        phases.collect::<BTreeSet<_>>() == BTreeSet::from(["serving".into(), "stand_by".into()])
    });
    let load = visitors(&site, 50);
    site.fleet.set_capacity(Some(2));
    let first = owner(&site);
    let older = site.living().into_iter().find(|id| *id != first);
    let older = older.expect("there are two");
    site.fleet
        .interrupt(&first, load.pace().stretch(Duration::from_secs(50)));
    eventually("the older one has the names", || owner(&site) == older);
    assert!(
        site.living().contains(&first),
        "it hands over in its lifetime"
    );
    site.fleet
        .wait_for_end(&first, Duration::from_secs(90))
        .expect("it ends");
    assert_eq!(owner(&site), older);
    site.fleet.set_capacity(None);
    eventually("a replacement has them", || {
        ![older.as_str(), first.as_str(), ""].contains(&owner(&site).as_str())
    });
    eventually("the target is as it was", || site.fleet.target() == 2);
    load.stop().assert_no_failures();
}

#[test]
fn what_an_instance_asked_for_before_the_bucket_heard_of_it_is_not_taken_for_usual() {
    let Some(site) = Site::serving(on_ec2_fleet()) else {
        return;
    };
    let old = site.living().remove(0);
    let its_word = Match::service(Service::S3)
        .operation("PutObject")
        .path("instances/")
        .instance(&old);
    let untold = site.world.region.fault(its_word, Fault::Hang(LONG));
    // So that no replacement is there, and the target lowered, before the run begins.
    site.fleet.set_capacity(Some(1));
    site.fleet.interrupt(&old, Duration::from_secs(90));
    eventually("the target is raised", || site.fleet.target() == 2);
    let mut deploying = site.ci_begin(&["deploy", &site.zip(&app("v2")), "--drain", "8s"]);
    let taken_for_usual = || {
        site.history()
            .first()
            .map(|run| run["rotation"]["target"].clone())
    };
    eventually("the run takes that to be usual", || {
        taken_for_usual() == Some(2.into())
    });
    site.fleet.set_capacity(None);
    deploying.wait_for("baking");
    site.world.region.lift(untold);
    deploying.end().assert_success();
    site.fleet
        .wait_for_end(&old, Duration::from_secs(120))
        .expect("it ends");
    eventually("one instance is left", || {
        site.living().len() == 1 && site.fleet.target() == 1
    });
    assert_eq!(
        (taken_for_usual(), site.seen().as_str()),
        (Some(1.into()), "v2"),
        "{}",
        site.logs()
    );
}

#[test]
fn a_notice_during_the_boot_asks_for_a_replacement_and_the_boot_goes_on() {
    let Some(site) = Site::new(
        Made {
            health: "60s",
            ..on_ec2_fleet()
        },
        Some(&slow("v1", 10)),
    ) else {
        return;
    };
    let first = || {
        site.living()
            .into_iter()
            .next()
            .filter(|id| site.phase(id).as_deref() == Some("booting"))
    };
    eventually("the first one boots", || first().is_some());
    let (first, noticed) = (first().expect("it boots"), OffsetDateTime::now_utc());
    site.fleet.interrupt(&first, Duration::from_secs(60));
    assert_asked(&site, noticed, ASKED_WITHIN * 3);
    eventually("it comes up all the same", || {
        site.phase(&first).as_deref() == Some("interrupted")
    });
    eventually("the replacement has the names", || {
        ![first.as_str(), ""].contains(&owner(&site).as_str())
    });
    eventually("the target is as it was", || site.fleet.target() == 1);
    site.fleet
        .wait_for_end(&first, Duration::from_secs(90))
        .expect("it ends");
    let new = owner(&site);
    eventually("it serves", || {
        site.phase(&new).as_deref() == Some("serving")
    });
    assert_alone(&site, &new);
}

#[test]
fn two_that_are_taken_away_at_once_leave_the_answers_to_their_replacements() {
    let Some(site) = Site::serving(Made {
        target: 2,
        routing: "multivalue",
        ..on_ec2_fleet()
    }) else {
        return;
    };
    let old = site.living();
    let load = visitors(&site, 50);
    let notice = load.pace().stretch(Duration::from_secs(60));
    old.iter().for_each(|id| site.fleet.interrupt(id, notice));
    let answered = || {
        let sets = site.world.region.route53().find(ZONE, DOMAIN, "A");
        sets.into_iter()
            .filter_map(|set| set.set_identifier)
            .collect::<BTreeSet<String>>()
    };
    eventually("the replacements are in the answers", || {
        answered().iter().filter(|id| !old.contains(id)).count() == 2
    });
    eventually("and the others are not", || answered().len() == 2);
    eventually("the target is as it was", || site.fleet.target() == 2);
    old.iter().for_each(|id| {
        site.fleet
            .wait_for_end(id, notice + Duration::from_secs(30))
            .expect("it ends")
    });
    load.stop().assert_no_failures();
    assert_eq!(
        site.living().into_iter().collect::<BTreeSet<_>>(),
        answered(),
        "{}",
        site.logs()
    );
    assert_eq!((site.fleet.instances().len(), site.fleet.target()), (4, 2));
    let census = site.world.region.census();
    assert!(
        census
            .iter()
            .skip_while(|count| count.serving < 2)
            .all(|count| count.serving >= 2),
        "{census:#?}"
    );
}

/// Whatever hinders the request, it comes, and everything else once the hindrance is gone.
fn asked_under(kind: FleetKind, faults: &[(Match, Fault)]) {
    let Some(site) = Site::serving(Made {
        kind,
        ..Made::default()
    }) else {
        return;
    };
    let old = site.living().remove(0);
    let set: Vec<_> = faults
        .iter()
        .map(|(at, fault)| {
            site.world
                .region
                .fault(at.clone().instance(&old), fault.clone())
        })
        .collect();
    site.world.region.forget_requests();
    let noticed = OffsetDateTime::now_utc();
    site.fleet.interrupt(&old, Duration::from_secs(90));
    eventually("the target is raised", || site.fleet.target() == 2);
    assert_asked(&site, noticed, ASKED_WITHIN * 3);
    set.into_iter()
        .for_each(|fault| site.world.region.lift(fault));
    eventually("another has the names, and the target is as it was", || {
        owner(&site) != old && site.fleet.target() == 1
    });
    assert_eq!(
        site.fleet.instances().len(),
        2,
        "{:?}",
        site.fleet.instances()
    );
}

const LONG: Duration = Duration::from_secs(60);

#[test]
fn a_bucket_that_is_down_does_not_hold_up_the_request_for_a_replacement() {
    asked_under(
        FleetKind::Ec2Fleet,
        &[(Match::service(Service::S3), Fault::Hang(LONG))],
    );
}

#[test]
fn a_fleet_whose_api_breaks_throttles_and_hangs_is_asked_again() {
    let call = |operation: &str, nth| Match::any().operation(operation).nth(nth);
    let faults = [
        (call("DescribeAutoScalingGroups", 1), Fault::unavailable()),
        (call("DescribeAutoScalingGroups", 2), Fault::Throttle),
        (call("SetDesiredCapacity", 1), Fault::Hang(LONG)),
    ];
    asked_under(FleetKind::AutoScalingGroup, &faults);
}

#[test]
fn a_bucket_whose_clock_is_off_by_an_hour_does_not_hold_it_up_either() {
    let hour = time::Duration::HOUR;
    asked_under(
        FleetKind::SpotFleet,
        &[(Match::service(Service::S3), Fault::ClockSkew(hour))],
    );
}

#[test]
fn a_program_that_is_killed_between_raising_the_target_and_lowering_it_goes_on_where_it_was() {
    let Some(site) = Site::serving(Made {
        restarts: true,
        ..on_ec2_fleet()
    }) else {
        return;
    };
    let old = site.living().remove(0);
    site.fleet.set_capacity(Some(1));
    site.fleet.interrupt(&old, Duration::from_secs(100));
    eventually("the target is raised", || site.fleet.target() == 2);
    let shell = site.processes.process(&old).expect("it lives").pid();
    let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children"))
        .expect("it has a child");
    signal(
        children
            .split_whitespace()
            .next()
            .expect("it runs")
            .parse()
            .expect("a pid"),
        "KILL",
    );
    eventually("it is up again", || {
        site.fleet
            .log(&old)
            .matches("AWS takes this instance away")
            .count()
            == 2
    });
    site.fleet.set_capacity(None);
    eventually("another has the names, and the target is as it was", || {
        owner(&site) != old && site.fleet.target() == 1
    });
    assert_eq!(
        site.fleet.instances().len(),
        2,
        "{:?}",
        site.fleet.instances()
    );
}

#[test]
fn what_an_instance_had_raised_that_is_lost_is_lowered_by_the_next_owner() {
    for kind in [FleetKind::Ec2Fleet, FleetKind::AutoScalingGroup] {
        let Some(site) = Site::serving(Made {
            kind,
            ..Made::default()
        }) else {
            return;
        };
        let old = site.living().remove(0);
        site.fleet.set_capacity(Some(1));
        site.fleet.interrupt(&old, Duration::from_secs(100));
        eventually("the target is raised", || site.fleet.target() == 2);
        site.fleet.lose(&old);
        site.fleet.set_capacity(None);
        eventually("one instance is left, and has the names", || {
            let living = site.living();
            site.fleet.target() == 1 && living.len() == 1 && owner(&site) == living[0]
        });
        eventually("nothing is noted", || {
            site.world
                .report(&old)
                .is_some_and(|report| report["note"].is_null())
        });
        assert_eq!(
            site.fleet.instances().len(),
            3,
            "{:?}",
            site.fleet.instances()
        );
        assert_alone(&site, &site.living()[0]);
    }
}

/// What the fleet launches by itself is known to nobody yet when the instance asks for a
/// replacement, so that two come.
#[test]
fn of_two_replacements_where_the_fleet_launches_one_at_the_notice_by_itself_one_is_left() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let old = site.living().remove(0);
    site.fleet.replace_at_notice(true);
    site.fleet.set_order_delay(Duration::from_secs(20));
    site.fleet.interrupt(&old, Duration::from_secs(75));
    eventually("two replacements come", || {
        site.fleet.instances().len() == 3
    });
    site.fleet
        .wait_for_end(&old, Duration::from_secs(90))
        .expect("it ends");
    eventually("one instance is left, and has the names", || {
        let living = site.living();
        site.fleet.target() == 1 && living.len() == 1 && owner(&site) == living[0]
    });
    assert_eq!(
        site.fleet.instances().len(),
        3,
        "{:?}",
        site.fleet.instances()
    );
    assert_alone(&site, &site.living()[0]);
}

/// As AWS gives it at the worst, with a boot that takes most of a minute.
#[test]
fn a_notice_of_108_seconds_and_a_boot_of_one_minute_fail_nobody() {
    let Some(site) = Site::serving(Made {
        health: "90s",
        ..on_ec2_fleet()
    }) else {
        return;
    };
    let old = site.living().remove(0);
    site.ci(&["deploy", &site.zip(&slow("v2", 50)), "--no-rotate"])
        .assert_success();
    let load = visitors(&site, 100);
    let begun = Instant::now();
    site.fleet.interrupt(&old, Duration::from_secs(108));
    eventually("another has the names", || owner(&site) != old);
    let new = owner(&site);
    eventually("all name servers know", || {
        site.phase(&new).as_deref() == Some("serving")
    });
    println!(
        "INSYNC on the new instance {:?} after the notice",
        begun.elapsed()
    );
    assert!(begun.elapsed() < Duration::from_secs(103));
    site.fleet
        .wait_for_end(&old, Duration::from_secs(90))
        .expect("it ends");
    let report = load.stop();
    println!("{report}");
    report.assert_no_failures();
    assert_alone(&site, &new);
}
