//! A release goes live: published, tried on a new instance, made current; the old instance goes.

use region::FleetKind;

use crate::site::{Made, Site, app};

/// From one release to the next on a fleet of one, which only its instances' tags tell of.
fn a_second_release_replaces_the_first(made: Made) {
    let Some(site) = Site::serving(Made {
        named: false,
        ..made
    }) else {
        return;
    };
    let (first, old) = (site.current(), site.living());
    assert_eq!(site.seen(), "v1");

    let visitors = site.visitors(20);
    let deployed = site.deploy(&app("v2"));
    let report = visitors.stop();
    deployed.assert_success();
    assert_eq!(
        report.failed(),
        0,
        "{report}\n{}\n{}",
        deployed.stderr,
        site.logs()
    );

    assert_eq!(site.seen(), "v2", "{}", deployed.stderr);
    assert_ne!(site.current(), first);
    let new = site.living();
    assert!(new.len() == 1 && new != old, "{new:?} {old:?}");
    assert_eq!(site.fleet.target(), 1);
    assert!(
        site.world.get("releases/candidate.json").is_none(),
        "the candidate stays"
    );
    site.assert_never_out_of_bounds(1);

    let history = site.history();
    assert_eq!(history.len(), 2);
    assert_eq!(history[0]["end"]["outcome"], "promoted");
    assert_eq!(history[0]["rotation"]["old"][0]["id"], old[0].as_str());
    assert_eq!(history[0]["rotation"]["new"][0], new[0].as_str());
    assert_eq!(history[1]["verb"], "publish");
    let status = site.ci(&["status"]);
    status.assert_success();
    assert!(
        status.stdout.contains(&format!("{} owns them", new[0])),
        "{}",
        status.stdout
    );
}

#[test]
fn on_an_ec2_fleet() {
    a_second_release_replaces_the_first(Made {
        kind: FleetKind::Ec2Fleet,
        ..Made::default()
    });
}

#[test]
fn on_a_spot_fleet() {
    a_second_release_replaces_the_first(Made {
        kind: FleetKind::SpotFleet,
        ..Made::default()
    });
}

#[test]
fn on_an_auto_scaling_group() {
    a_second_release_replaces_the_first(Made {
        kind: FleetKind::AutoScalingGroup,
        ..Made::default()
    });
}

#[test]
fn on_an_auto_scaling_group_that_protects_its_instances() {
    a_second_release_replaces_the_first(Made {
        kind: FleetKind::AutoScalingGroup,
        protects_new: true,
        ..Made::default()
    });
}
