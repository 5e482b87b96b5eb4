//! A launch template that is newer than what the fleet launches by.

use region::{FleetKind, TemplateVersion};

use crate::site::{Made, Site};

#[test]
fn a_rotation_tells_when_its_new_instance_came_up_from_an_older_launch_template() {
    let Some(site) = Site::serving(Made {
        kind: FleetKind::Ec2Fleet,
        ..Made::default()
    }) else {
        return;
    };
    let template = site.fleet.template();
    site.fleet.publish_template(|_| {});
    let newest = site.ci(&["rotate"]);
    newest.assert_success();
    assert!(
        !newest.stderr.contains("came up from version"),
        "{}",
        newest.stderr
    );
    // As if `$Latest` had been looked up once, when the fleet was made.
    site.fleet.launch_by(TemplateVersion::Number(2));
    site.fleet.publish_template(|_| {});
    let older = site.ci(&["rotate"]);
    older.assert_success();
    let id = site.living().remove(0);
    for words in [
        format!(
            "{id} came up from version 2 of the launch template {template}, whose newest is version 3"
        ),
        "have the fleet launch by version 3 (`aws ec2 modify-fleet --launch-template-configs`)"
            .into(),
    ] {
        assert!(
            older.stderr.contains(&words),
            "no {words:?} in {}",
            older.stderr
        );
    }
}

#[test]
fn status_warns_of_an_older_launch_template_until_the_group_launches_by_the_newest() {
    let Some(site) = Site::serving(Made {
        kind: FleetKind::AutoScalingGroup,
        ..Made::default()
    }) else {
        return;
    };
    let id = site.living().remove(0);
    let newest = site.fleet.publish_template(|_| {});
    let older = site.ci(&["status", "--json"]);
    older.assert_success();
    let told: serde_json::Value = serde_json::from_str(&older.stdout).expect("it is JSON");
    let template = site.fleet.template();
    let seen = format!(
        "{id} came up from version 1 of the launch template {template}, whose newest is version 2"
    );
    assert_eq!(told["warnings"], serde_json::json!([seen]), "{told}");
    let checks = told["checks"].as_array().expect("a list");
    let check = checks
        .iter()
        .find(|check| check["id"] == "launch-template")
        .expect("it is checked");
    assert!(
        check["remedy"]
            .as_str()
            .is_some_and(|remedy| remedy.contains("`aws autoscaling update-auto-scaling-group`")),
        "{check}"
    );
    // As a deploy of the stack does.
    site.fleet.launch_by(TemplateVersion::Number(newest));
    let rotated = site.ci(&["rotate"]);
    rotated.assert_success();
    assert!(
        !rotated.stderr.contains("came up from version"),
        "{}",
        rotated.stderr
    );
    let well = site.ci(&["status"]);
    well.assert_success();
    assert!(!well.stdout.contains("WARNING"), "{}", well.stdout);
}
