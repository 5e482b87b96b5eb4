//! CI's policy: enough for deploys that go forward and back on each kind of fleet, and nothing beside.

use region::{Fault, FleetKind, Match, Principal, Service};
use serde_json::Value;

use crate::common::{BUCKET, signal, spotboot};
use crate::documents::{Site as Values, ci_policy, instance_policy};
use crate::site::{Made, Site, app, broken};

const ACCOUNT: &str = "ap-southeast-2:123456789012";

fn everything_that_ci_does(kind: FleetKind, named: &'static str, resource: &str) {
    let Some(site) = Site::serving(Made { kind, ..Made::default() }) else { return };
    let arn: &'static str = Box::leak(format!("arn:aws:{}", resource.replace("{}", ACCOUNT)).into_boxed_str());
    let values = Values { fleet: Some((named, arn)), ..Values::default() };
    enforce(&site, Principal::Instances, &instance_policy(values));
    enforce(&site, Principal::Ci, &ci_policy(values));
    an_old_package_goes_with_a_deploy(&site);
    names_go_back_from_a_deploy_that_is_stopped(&site);
    a_broken_release_shows_its_log(&site);
    an_upload_that_breaks_is_given_up(&site);
    status_by_the_buckets_own_file(&site);
    let denied: Vec<String> = site.world.region.requests().into_iter().filter_map(|request| request.denied).collect();
    assert!(denied.is_empty(), "{denied:#?}");
    let unused: Vec<String> = site.world.region.unused_grants(Principal::Ci).iter().map(ToString::to_string).collect();
    assert!(unused.is_empty(), "nothing needs {unused:#?}");
}

fn enforce(site: &Site, principal: Principal, policy: &Value) {
    site.world.region.enforce(principal, &policy.to_string()).expect("the policy is one");
}

fn an_old_package_goes_with_a_deploy(site: &Site) {
    let old = "packages/20250101T000000Z-00000000.zip";
    site.world.put(old, "old");
    site.ci(&["deploy", &site.zip(&app("v2")), "--keep", "1"]).assert_success();
    assert!(site.world.get(old).is_none(), "the old package stays");
    assert_eq!(site.history()[0]["end"]["outcome"], "promoted");
}

fn names_go_back_from_a_deploy_that_is_stopped(site: &Site) {
    let mut deploy = site.ci_begin(&["deploy", &site.zip(&app("v3")), "--drain", "10s"]);
    deploy.wait_for("done step=\"outside\"");
    signal(deploy.pid(), "TERM");
    let ended = deploy.end();
    assert_ne!(ended.code(), 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("the names go back"), "{}", ended.stderr);
}

fn a_broken_release_shows_its_log(site: &Site) {
    let ended = site.deploy(&broken("v4", "exit"));
    assert!(ended.code() == 1 && ended.stderr.contains("--- the log of "), "{}", ended.stderr);
}

fn an_upload_that_breaks_is_given_up(site: &Site) {
    let refused = Fault::Respond { status: 400, code: "InvalidPart".into(), message: "no".into(), retry_after: None };
    let fault = site.world.region.fault(Match::service(Service::S3).operation("UploadPart"), refused);
    let ended = site.deploy(&app("v5").file("noise.bin", crate::stories::noise(24 << 20)));
    assert_eq!(ended.code(), 1, "{}", ended.stderr);
    site.world.region.lift(fault);
}

fn status_by_the_buckets_own_file(site: &Site) {
    site.world.put("site.toml", std::fs::read(site.world.path("site.toml")).expect("it was written"));
    let mut command = spotboot(&site.world);
    command.args(["status", "--config", &format!("s3://{BUCKET}/site.toml")]).envs(site.world.region.env());
    crate::common::Running::spawn(command).end().assert_success();
}

#[test]
fn on_an_ec2_fleet() {
    everything_that_ci_does(FleetKind::Ec2Fleet, "ec2-fleet", "ec2:{}:fleet/fleet-12a34b55-67cd-8ef9-ba9b-9208dEXAMPLE");
}

#[test]
fn on_a_spot_fleet() {
    let resource = "ec2:{}:spot-fleet-request/sfr-73fbd2ce-aa30-494c-8788-1cee4EXAMPLE";
    everything_that_ci_does(FleetKind::SpotFleet, "spot-fleet", resource);
}

#[test]
fn on_an_auto_scaling_group() {
    let resource = "autoscaling:{}:autoScalingGroup:*:autoScalingGroupName/example-group";
    everything_that_ci_does(FleetKind::AutoScalingGroup, "auto-scaling-group", resource);
}
