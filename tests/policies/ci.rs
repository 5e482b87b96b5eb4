//! CI's policy: enough for deploys that go forward and back on each kind of fleet, and nothing
//! beside.

use std::collections::BTreeSet;
use std::time::Duration;

use region::{Fault, FleetKind, Match, Principal, Service, Stage};
use serde_json::Value;

use crate::common::{BUCKET, Ended, Running, signal, spotboot};
use crate::documents::{Action, Site as Values, actions, ci_policy, instance_policy, without};
use crate::site::{Made, PATIENCE, Site, app, broken};
use crate::stories::noise;

/// As within the stack: any fleet that carries the site's tag.
const EC2_FLEET: &str = "arn:aws:ec2:ap-southeast-2:123456789012:fleet/*";
const SPOT_FLEET: &str = "arn:aws:ec2:ap-southeast-2:123456789012:spot-fleet-request/*";
const GROUP: &str =
    "arn:aws:autoscaling:ap-southeast-2:123456789012:autoScalingGroup:*:autoScalingGroupName/*";

pub const FLEETS: [(FleetKind, (&str, &str)); 3] = [
    (FleetKind::Ec2Fleet, ("ec2-fleet", EC2_FLEET)),
    (FleetKind::SpotFleet, ("spot-fleet", SPOT_FLEET)),
    (FleetKind::AutoScalingGroup, ("auto-scaling-group", GROUP)),
];

/// A site that serves, both of its roles under their policies, and CI's policy.
fn guarded(kind: FleetKind, fleet: (&'static str, &'static str)) -> Option<(Site, Value)> {
    guarded_with(
        Made {
            kind,
            ..Made::default()
        },
        Values {
            fleet: Some(fleet),
            ..Values::default()
        },
    )
}

fn guarded_with(made: Made, values: Values) -> Option<(Site, Value)> {
    let site = Site::serving(made)?;
    site.world
        .region
        .enforce(Principal::Instances, &instance_policy(values).to_string())
        .expect("the policy is one");
    let policy = ci_policy(values);
    enforce(&site, &policy);
    Some((site, policy))
}

fn enforce(site: &Site, policy: &Value) {
    site.world
        .region
        .enforce(Principal::Ci, &policy.to_string())
        .expect("the policy is one");
}

fn everything_that_ci_does(kind: FleetKind, fleet: (&'static str, &'static str)) {
    let Some((site, _)) = guarded(kind, fleet) else {
        return;
    };
    let forward = deploy_and_prune(&site);
    assert!(
        forward.code() == 0 && site.world.get(OLD).is_none(),
        "{}",
        forward.stderr
    );
    assert_eq!(site.history()[0]["end"]["outcome"], "promoted");
    if kind == FleetKind::AutoScalingGroup {
        deploy_whose_old_instance_leaves_its_group(&site).assert_success();
        assert_eq!(site.living().len(), 1, "{}", site.logs());
    }
    let back = deploy_that_is_stopped(&site);
    assert!(
        back.code() != 0 && back.stderr.contains("the names go back"),
        "{}",
        back.stderr
    );
    let failed = site.deploy(&broken("v4", "exit"));
    assert!(
        failed.code() == 1 && failed.stderr.contains("--- the log of "),
        "{}",
        failed.stderr
    );
    assert_eq!(upload_that_breaks(&site).code(), 1);
    assert_eq!(deploy_without_capacity(&site).code(), 1);
    status_by_the_buckets_own_file(&site).assert_success();
    site.ci(&["logs"]).assert_success();
    let denied: Vec<String> = site
        .world
        .region
        .requests()
        .into_iter()
        .filter_map(|request| request.denied)
        .collect();
    assert!(denied.is_empty(), "{denied:#?}");
    let unused: Vec<String> = site
        .world
        .region
        .unused_grants(Principal::Ci)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(unused.is_empty(), "nothing needs {unused:#?}");
}

const OLD: &str = "packages/20250101T000000Z-00000000.zip";

/// A package that no earlier deploy had.
fn another(site: &Site) -> String {
    let number = site.world.region.requests().len();
    site.zip(&app(&format!("v{number}")))
}

fn deploy(site: &Site) -> Ended {
    site.ci(&["deploy", &another(site)])
}

fn deploy_and_prune(site: &Site) -> Ended {
    site.world.put(OLD, "old");
    site.ci(&["deploy", &another(site), "--keep", "1"])
}

/// Its names have gone to the new instance by then.
fn deploy_that_is_stopped(site: &Site) -> Ended {
    let mut deploy = site.ci_begin(&["deploy", &another(site), "--drain", "10s"]);
    deploy.wait_for_any_or_end(&["done step=\"outside\""]);
    // Past the instant in which that is noted in the deploy log.
    std::thread::sleep(Duration::from_millis(500));
    signal(deploy.pid(), "TERM");
    deploy.end()
}

/// By the time that the group is to end the old instance, that is no instance of the group's any
/// more, and lives: only EC2 can end it.
fn deploy_whose_old_instance_leaves_its_group(site: &Site) -> Ended {
    let old = site.living().remove(0);
    let end = Match::service(Service::AutoScaling)
        .by_ci()
        .operation("TerminateInstanceInAutoScalingGroup");
    let held = site.world.region.hold(end, Stage::BeforeActing);
    let deploy = site.ci_begin(&["deploy", &another(site)]);
    held.wait(PATIENCE).expect("the old instance is to go");
    assert!(site.fleet.detach(&old), "{}", site.logs());
    held.release();
    deploy.end()
}

fn upload_that_breaks(site: &Site) -> Ended {
    let refused = Fault::Respond {
        status: 400,
        code: "InvalidPart".into(),
        message: "no".into(),
        retry_after: None,
    };
    let fault = site
        .world
        .region
        .fault(Match::service(Service::S3).operation("UploadPart"), refused);
    let ended = site.deploy(&app("large").file("noise.bin", noise(24 << 20)));
    site.world.region.lift(fault);
    ended
}

/// Long enough to ask the fleet why.
fn deploy_without_capacity(site: &Site) -> Ended {
    site.fleet.set_capacity(Some(1));
    let ended = site.ci(&["deploy", &another(site), "--timeout", "23s"]);
    site.fleet.set_capacity(None);
    ended
}

fn status_by_the_buckets_own_file(site: &Site) -> Ended {
    site.world.put(
        "site.toml",
        std::fs::read(site.world.path("site.toml")).expect("it was written"),
    );
    let mut command = spotboot(&site.world);
    command
        .args(["status", "--config", &format!("s3://{BUCKET}/site.toml")])
        .envs(site.world.region.env());
    Running::spawn(command).end()
}

fn status(site: &Site) -> Ended {
    site.ci(&["status"])
}

fn history(site: &Site) -> Ended {
    site.ci(&["history"])
}

#[test]
fn it_suffices_on_an_ec2_fleet() {
    everything_that_ci_does(FleetKind::Ec2Fleet, ("ec2-fleet", EC2_FLEET));
}

#[test]
fn it_suffices_on_a_spot_fleet() {
    everything_that_ci_does(FleetKind::SpotFleet, ("spot-fleet", SPOT_FLEET));
}

#[test]
fn it_suffices_on_an_auto_scaling_group() {
    everything_that_ci_does(FleetKind::AutoScalingGroup, ("auto-scaling-group", GROUP));
}

#[test]
fn an_elastic_ip_goes_back_with_it_and_without_it_the_run_says_what_it_misses() {
    let elastic_ip_arn = Some("arn:aws:ec2:ap-southeast-2:123456789012:elastic-ip/*");
    let made = Made {
        kind: FleetKind::Ec2Fleet,
        dns: "address = \"elastic\"\n",
        ..Made::default()
    };
    let values = Values {
        fleet: Some(("ec2-fleet", EC2_FLEET)),
        elastic_ip_arn,
        ..Values::default()
    };
    let Some((site, policy)) = guarded_with(made, values) else {
        return;
    };
    let back = deploy_that_is_stopped(&site);
    assert!(
        back.code() != 0 && back.stderr.contains("the Elastic IP leads there"),
        "{}",
        back.stderr
    );
    let denied: Vec<String> = site
        .world
        .region
        .requests()
        .into_iter()
        .filter_map(|request| request.denied)
        .collect();
    assert!(denied.is_empty(), "{denied:#?}");
    let unused = site.world.region.unused_grants(Principal::Ci);
    let unused: Vec<_> = unused
        .iter()
        .filter(|grant| grant.action.ends_with("Address") || grant.action.ends_with("Addresses"))
        .collect();
    assert!(unused.is_empty(), "nothing needs {unused:#?}");

    enforce(
        &site,
        &without(&policy, "MoveTheElasticIp", "ec2:AssociateAddress"),
    );
    let stuck = deploy_that_is_stopped(&site);
    assert!(
        stuck
            .stderr
            .contains("allow ec2:AssociateAddress on arn:aws:ec2:*:*:elastic-ip/eipalloc-"),
        "{}",
        stuck.stderr
    );
    enforce(&site, &policy);
    let next = deploy(&site);
    assert_eq!(next.code(), 0, "{}", next.stderr);
}

/// A statement, its action, what misses it, and whether that leaves a deploy half done.
type Row = (&'static str, &'static str, fn(&Site) -> Ended, After);

#[derive(PartialEq)]
enum After {
    Same,
    HalfDone,
}

#[test]
fn without_any_one_of_its_actions_a_command_says_which_one_it_misses() {
    use After::{HalfDone, Same};
    let rows: [Row; 21] = [
        ("ReadTheSiteAndItsInstances", "s3:GetObject", status, Same),
        ("PublishPackages", "s3:PutObject", deploy, Same),
        (
            "PublishPackages",
            "s3:AbortMultipartUpload",
            upload_that_breaks,
            Same,
        ),
        ("PublishPackages", "s3:DeleteObject", deploy_and_prune, Same),
        ("KeepTheDeployLog", "s3:GetObject", history, Same),
        ("KeepTheDeployLog", "s3:PutObject", deploy, Same),
        ("TryReleasesOneAtATime", "s3:GetObject", deploy, Same),
        ("TryReleasesOneAtATime", "s3:PutObject", deploy, Same),
        ("ListAndTellWhatIsMissing", "s3:ListBucket", history, Same),
        ("FindTheZone", "route53:ListHostedZonesByName", status, Same),
        (
            "ReadRecords",
            "route53:ListResourceRecordSets",
            status,
            Same,
        ),
        (
            "SeeWhichInstancesLive",
            "ec2:DescribeInstances",
            status,
            Same,
        ),
        ("SeeTheFleet", "ec2:DescribeFleets", deploy, Same),
        (
            "SeeTheLaunchTemplate",
            "ec2:DescribeLaunchTemplates",
            deploy,
            Same,
        ),
        ("WorkTheFleet", "ec2:DescribeFleetInstances", deploy, Same),
        ("WorkTheFleet", "ec2:ModifyFleet", deploy, HalfDone),
        (
            "WorkTheFleet",
            "ec2:DescribeFleetHistory",
            deploy_without_capacity,
            HalfDone,
        ),
        ("TryReleasesOneAtATime", "s3:DeleteObject", deploy, HalfDone),
        (
            "EndInstancesOfTheSite",
            "ec2:TerminateInstances",
            deploy,
            HalfDone,
        ),
        (
            "WaitForChanges",
            "route53:GetChange",
            deploy_that_is_stopped,
            HalfDone,
        ),
        (
            "GiveTheNamesBack",
            "route53:ChangeResourceRecordSets",
            deploy_that_is_stopped,
            HalfDone,
        ),
    ];
    let Some((site, policy)) = guarded(FleetKind::Ec2Fleet, ("ec2-fleet", EC2_FLEET)) else {
        return;
    };
    let given: BTreeSet<Action> = rows
        .iter()
        .map(|(statement, action, ..)| ((*statement).to_owned(), (*action).to_owned()))
        .collect();
    assert_eq!(
        given,
        actions(&policy),
        "the table's rows are not the policy's actions"
    );
    let mut flaws = Vec::new();
    for (statement, action, command, after) in rows {
        enforce(&site, &without(&policy, statement, action));
        let ended = command(&site);
        if !ended.stderr.contains(&format!("allow {action} on ")) {
            flaws.push(format!(
                "without {action} in {statement} nothing says so ({}):\n{}",
                ended.code(),
                ended.stderr
            ));
        }
        enforce(&site, &policy);
        // As if it had lapsed: not every row gets to give it back.
        site.world.delete("locks/deploy.json");
        if after == HalfDone {
            let next = deploy(&site);
            assert!(
                next.code() == 0,
                "after a run without {action} in {statement} the next one fails:\n{}\n{}",
                next.stderr,
                ended.stderr
            );
        }
    }
    assert!(flaws.is_empty(), "{}", flaws.join("\n\n"));
}
