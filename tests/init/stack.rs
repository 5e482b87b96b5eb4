//! The CloudFormation stack, by two judges that are not ours: cfn-lint, and moto, which makes what
//! it knows of it.

use std::path::Path;
use std::process::Command;

use region::{Options, Stack};
use serde_json::Value;

use crate::desk::{Desk, HASH, SITE, tool};
use crate::network::EXISTING;

const FLEETS: [&str; 3] = ["auto-scaling-group", "ec2-fleet", "spot-fleet"];
/// Each system once, with every architecture and with GitHub's role or without.
const SYSTEMS: [(&str, &str, &[&str]); 4] = [
    ("amazon-linux-2023", "x86_64", &[]),
    ("debian-12", "x86_64", GITHUB),
    ("debian-13", "aarch64", &[]),
    ("ubuntu-24.04", "aarch64", GITHUB),
];
const GITHUB: &[&str] = &["--github", "me/site"];

/// One stack.yaml of each variety; their paths.
fn stacks(desk: &Desk) -> Vec<String> {
    let mut paths = Vec::new();
    for fleet in FLEETS {
        for (os, arch, github) in SYSTEMS {
            let out = if github.is_empty() {
                format!("{fleet}-{os}")
            } else {
                format!("{fleet}-{os}-github")
            };
            let (config, sha256) = (format!("{out}.toml"), format!("{arch}={HASH}"));
            let kind = ["--fleet", fleet, "--os", os, "--arch", arch];
            let files = ["--sha256", &sha256, "--config", &config, "--out", &out];
            desk.made(&[SITE, &kind, &files, github].concat());
            paths.push(format!("{out}/stack.yaml"));
        }
    }
    let sha256 = format!("aarch64={HASH}");
    for fleet in FLEETS {
        let out = format!("{fleet}-existing");
        let kind = ["--fleet", fleet, "--arch", "aarch64", "--sha256", &sha256];
        desk.made(&[SITE, &kind, EXISTING, &["--out", &out]].concat());
        paths.push(format!("{out}/stack.yaml"));
    }
    let further = [
        "--arch", "aarch64", "--sha256", &sha256, "--github", "me/site", "--out", ELASTIC,
    ];
    desk.made(
        &[
            SITE,
            &["--config", "elastic.toml", "--elastic-ip"],
            &further,
        ]
        .concat(),
    );
    paths.push(format!("{ELASTIC}/stack.yaml"));
    paths
}

/// A stack that makes neither a network nor a security group.
fn with_a_security_group(desk: &Desk) -> String {
    let sha256 = format!("aarch64={HASH}");
    let binary = ["--arch", "aarch64", "--sha256", &sha256, "--out", "group"];
    let group = [
        "--config",
        "elastic.toml",
        "--security-group",
        "sg-0a1b2c3d",
    ];
    desk.made(&[&binary[..], &group, EXISTING].concat());
    "group/stack.yaml".to_owned()
}

const ELASTIC: &str = "auto-scaling-group-aarch64-github-elastic";

#[test]
fn cfn_lint_finds_nothing_in_any_variety_in_any_region() {
    let Some(lint) = tool("cfn-lint") else { return };
    let desk = Desk::new();
    let mut paths = stacks(&desk);
    paths.push(with_a_security_group(&desk));
    let judged = |paths: &[String]| {
        let mut command = Command::new(&lint);
        let output = command
            .args(["--regions", "ALL_REGIONS", "--"])
            .args(paths)
            .current_dir(desk.path(""))
            .output()
            .expect("it runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned()
                + &String::from_utf8_lossy(&output.stderr),
        )
    };
    let (code, said) = judged(&paths);
    assert_eq!((code, said.as_str()), (Some(0), ""));

    // It does look: a property that there is not is found.
    let broken = desk.read(&paths[0]).replace("MaxSize:", "LargestSize:");
    std::fs::write(desk.path("broken.yaml"), broken).unwrap();
    let (code, said) = judged(&["broken.yaml".to_owned()]);
    assert!(code != Some(0) && said.contains("LargestSize"), "{said}");
}

#[test]
fn the_fleet_is_made_after_all_else_so_that_a_stack_that_fails_launches_no_instance() {
    let desk = Desk::new();
    for path in stacks(&desk) {
        let stack = Stack::read(&desk.read(&path), &Options::default()).expect("it is a stack");
        let mut others = stack.names();
        assert!(others.remove("Fleet"), "{path}");
        assert_eq!(stack.made_before("Fleet"), others, "{path}");
    }
}

#[test]
fn a_stack_is_taken_without_an_upload_of_its_template_first() {
    let desk = Desk::new();
    for path in stacks(&desk) {
        let size = desk.read(&path).len();
        // CloudFormation's limit for a template in the request itself.
        assert!(size <= 51_200, "{path}: {size}");
    }
}

/// Which moto keeps to itself.
#[test]
fn the_bucket_is_private_and_versioned_and_outlives_its_stack() {
    let desk = Desk::new();
    desk.made(SITE);
    let stack = desk.read("spotboot-init/stack.yaml");
    let (_, bucket) = stack
        .split_once("\n  Bucket:\n")
        .expect("there is a bucket");
    let (bucket, _) = bucket
        .split_once("\n  BucketPolicy:\n")
        .expect("and its policy after it");
    for line in [
        "DeletionPolicy: RetainExceptOnCreate",
        "UpdateReplacePolicy: Retain",
        "VersioningConfiguration: { Status: Enabled }",
        "BlockPublicAcls: true",
        "BlockPublicPolicy: true",
        "IgnorePublicAcls: true",
        "RestrictPublicBuckets: true",
        "AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }",
        "NoncurrentVersionExpiration: { NoncurrentDays: 30 }",
        "Prefix: logs/\n            ExpirationInDays: 30",
        "Prefix: instances/\n            ExpirationInDays: 90",
    ] {
        assert!(bucket.contains(line), "no {line:?} in:\n{bucket}");
    }
    assert!(stack.contains("\"aws:SecureTransport\": \"false\""));
}

/// moto knows no IPv6 blocks of a network, blocks of public access, bucket policies, OpenID
/// providers, EC2 fleets, nor Spot fleets from launch templates: those are cfn-lint's alone.
#[test]
fn moto_makes_the_stack_with_each_kind_of_fleet() {
    let Some(python) = tool("python") else { return };
    let desk = Desk::new();
    let paths = stacks(&desk);
    for (path, made) in
        paths
            .iter()
            .zip(&made_by_moto(&python, &desk, ("ap-southeast-2", 3), &paths))
    {
        assert_made(&desk, path, made);
    }
}

/// What moto makes of each stack in a region that shows so many zones.
fn made_by_moto(
    python: &Path,
    desk: &Desk,
    (region, zones): (&str, u8),
    paths: &[String],
) -> Vec<Value> {
    let mut command = Command::new(python);
    command
        .args([
            "-W",
            "ignore",
            "-c",
            include_str!("moto.py"),
            region,
            &zones.to_string(),
        ])
        .args(paths)
        .current_dir(desk.path(""));
    let output = command.output().expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let made: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(made.len(), paths.len());
    made
}

/// As us-west-1 shows to new accounts.
#[test]
fn two_zones_are_enough() {
    let Some(python) = tool("python") else { return };
    let desk = Desk::new();
    let site: Vec<&str> = SITE
        .iter()
        .map(|&flag| {
            if flag == "ap-southeast-2" {
                "us-west-1"
            } else {
                flag
            }
        })
        .collect();
    let sha256 = format!("aarch64={HASH}");
    desk.made(&[&site[..], &["--arch", "aarch64", "--sha256", &sha256]].concat());
    for made in made_by_moto(
        &python,
        &desk,
        ("us-west-1", 2),
        &["spotboot-init/stack.yaml".to_owned()],
    ) {
        assert_eq!(
            (made["status"].as_str(), made["subnets"].as_u64()),
            (Some("CREATE_COMPLETE"), Some(2)),
            "{made}"
        );
        assert_eq!(
            made["group"]["zones"],
            serde_json::json!(["us-west-1a", "us-west-1b"])
        );
    }
}

fn assert_made(desk: &Desk, path: &str, made: &Value) {
    assert_eq!(made["status"], "CREATE_COMPLETE", "{path}");
    assert_eq!(made["encryption"], "AES256");
    assert_eq!(made["subnets"], 3);
    assert_eq!(made["ports"], serde_json::json!([80, 443]));
    let interfaces = made["interfaces"].as_array().expect("a list");
    // The stack's own subnets give addresses; somebody else's may not.
    assert_eq!(
        interfaces.len(),
        usize::from(path.contains("existing")),
        "{path}: {interfaces:?}"
    );
    assert!(
        interfaces
            .iter()
            .all(|interface| interface["AssociatePublicIpAddress"] == true),
        "{path}: {interfaces:?}"
    );

    let encoded = made["user_data"]
        .as_str()
        .expect("the template has user data");
    let alone: Value =
        serde_json::from_str(&desk.read(&path.replace("stack.yaml", "launch-template.json")))
            .unwrap();
    assert_eq!(alone["UserData"], encoded, "{path}");
    assert_eq!(made["metadata"]["HttpTokens"], "required");
    assert_eq!(made["image"], "ami-0123456789abcdef0");
    let statements = made["instance_policy"]["Statement"]
        .as_array()
        .unwrap_or_else(|| panic!("{path}: no policy in {made}"));
    assert!(
        statements
            .iter()
            .any(|statement| statement["Sid"] == "ReadTheSiteAndItsReleases"),
        "{path}"
    );

    let elastic = made["elastic_ips"].as_array().expect("a list");
    assert_eq!(
        elastic.len(),
        usize::from(path.contains("elastic")),
        "{path}: {elastic:?}"
    );
    assert!(
        elastic
            .iter()
            .all(|address| *address == made["outputs"]["ElasticIp"]),
        "{made}"
    );

    let with_github = path.contains("github");
    assert_eq!(made["ci_policy"].is_object(), with_github, "{path}");
    if with_github {
        let trusted = &made["ci_trust"]["Statement"][0];
        assert_eq!(
            trusted["Principal"]["Federated"],
            "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
        );
    }
    if path.starts_with("auto-scaling-group") {
        assert_eq!(
            made["group"],
            serde_json::json!({
                "min": 1, "max": 3, "desired": 1, "protected": false, "strategy": "price-capacity-optimized",
                "zones": ["ap-southeast-2a", "ap-southeast-2b", "ap-southeast-2c"],
            })
        );
        // By its tag: a group that the policy named would have to be made before CI's role, and a
        // role that cannot be made would find an instance running.
        let policy = made["ci_policy"].to_string();
        assert!(
            !with_github
                || policy.contains("autoScalingGroupName/*\"")
                    && policy.contains("aws:ResourceTag/spotboot:site"),
            "{made}"
        );
    }
}
