//! A release goes live: published, tried on a new instance, made current; the old instance goes.

use std::time::Duration;

use region::FleetKind;

use crate::site::{Made, PATIENCE, Site, app};

/// From one release to the next on a fleet of one, which only its instances' tags tell of.
fn a_second_release_replaces_the_first(made: Made) {
    let (kind, protects_new) = (made.kind, made.protects_new);
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
    if kind == FleetKind::AutoScalingGroup {
        the_group_goes_with_its_stack(&site, protects_new);
    }
}

/// A rotation leaves no protection behind, with which CloudFormation could not delete the group. A
/// group that protects its instances itself goes by force alone.
fn the_group_goes_with_its_stack(site: &Site, protects_new: bool) {
    if protects_new {
        let stuck = site.fleet.delete_as_cloudformation(Duration::from_secs(5));
        stuck.expect_err("its instance is protected");
        let last = site.living().remove(0);
        assert!(site.fleet.delete(true));
        let gone = site.fleet.wait_for_end(&last, PATIENCE);
        gone.expect("it goes by force");
    } else {
        let gone = site.fleet.delete_as_cloudformation(PATIENCE);
        gone.expect("nothing keeps it");
    }
    assert!(site.living().is_empty(), "{}", site.logs());
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
