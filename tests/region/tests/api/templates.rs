//! Launch templates: which version a fleet launches by, and what tells it.

use region::{Fleet, FleetKind, FleetSpec, Region, TemplateVersion};

use crate::client::{region, texts};
use crate::fleets::{PATIENCE, created, ec2, ids};

/// The version that its newest instance was launched by, as its tag says.
fn version(region: &Region, fleet: &Fleet) -> String {
    let newest = ids(fleet).pop().unwrap();
    let told = ec2(
        region,
        "DescribeInstances",
        &format!("InstanceId.1={newest}"),
    )
    .1;
    let mut tags = texts(&told, "key").into_iter().zip(texts(&told, "value"));
    tags.find(|(key, _)| key == "aws:ec2launchtemplate:version")
        .unwrap()
        .1
}

/// The next instance comes in place of one that is lost.
fn replace(fleet: &Fleet) {
    let old = ids(fleet).remove(0);
    fleet.lose(&old);
    fleet.wait_for_end(&old, PATIENCE).unwrap();
    fleet.wait_for(1, PATIENCE).unwrap();
}

#[test]
fn an_instance_comes_up_from_the_version_that_its_fleet_launches_by() {
    let region = region();
    let fleet = created(&region, FleetSpec::new(FleetKind::Ec2Fleet, "fleet-1", 1));
    let second = fleet.publish_template(|next| next.instance_type = Some("t3.large".to_owned()));
    assert_eq!((second, version(&region, &fleet)), (2, "1".to_owned()));
    replace(&fleet);
    assert_eq!(version(&region, &fleet), "2");
    let newest = ids(&fleet).remove(0);
    let told = ec2(
        &region,
        "DescribeInstances",
        &format!("InstanceId.1={newest}"),
    )
    .1;
    assert_eq!(texts(&told, "instanceType"), ["t3.large"]);
    let said = || texts(&ec2(&region, "DescribeFleets", "").1, "version");
    assert_eq!(said(), ["$Latest"]);
    // As if that had been looked up once, when the fleet was made.
    fleet.launch_by(TemplateVersion::Number(1));
    replace(&fleet);
    assert_eq!(
        (version(&region, &fleet), said()),
        ("1".to_owned(), vec!["1".to_owned()])
    );
}

#[test]
fn a_launch_template_tells_its_newest_version_and_an_unknown_one_is_an_error() {
    let region = region();
    let fleet = created(&region, FleetSpec::new(FleetKind::SpotFleet, "sfr-1", 0));
    fleet.publish_template(|_| {});
    let ask = |id: &str| {
        ec2(
            &region,
            "DescribeLaunchTemplates",
            &format!("LaunchTemplateId.1={id}"),
        )
    };
    let (status, told) = ask(&fleet.template());
    assert_eq!(
        (status, texts(&told, "latestVersionNumber")),
        (200, vec!["2".to_owned()])
    );
    let (status, refusal) = ask("lt-never");
    assert_eq!(
        (status, texts(&refusal, "Code")),
        (400, vec!["InvalidLaunchTemplateId.NotFound".to_owned()])
    );
}
