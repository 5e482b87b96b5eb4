//! Instances in a network that is there already.

use region::{FleetKind, FleetSpec};
use serde_json::Value;

use crate::desk::{Desk, HASH, SITE, is_there};

/// A network with a subnet in each of three zones.
pub const EXISTING: &[&str] = &[
    "--existing-vpc",
    "vpc-0a1b2c3d",
    "--subnet",
    "subnet-0aaaaaaa",
    "--subnet",
    "subnet-0bbbbbbb",
    "--subnet",
    "subnet-0ccccccc",
];

/// The stack in that network, with further flags.
fn stack(desk: &Desk, flags: &[&str]) -> String {
    let sha256 = format!("aarch64={HASH}");
    let binary = ["--force", "--arch", "aarch64", "--sha256", &sha256];
    desk.made(&[SITE, &binary, EXISTING, flags].concat());
    desk.read("spotboot-init/stack.yaml")
}

#[test]
fn the_stack_makes_no_network_where_one_is_named() {
    let desk = Desk::new();
    for (fleet, kind, wanted) in [
        (
            "auto-scaling-group",
            FleetKind::AutoScalingGroup,
            "VPCZoneIdentifier: [subnet-0aaaaaaa, subnet-0bbbbbbb, subnet-0ccccccc]\n",
        ),
        (
            "ec2-fleet",
            FleetKind::Ec2Fleet,
            "            - { InstanceType: t4g.micro, SubnetId: subnet-0bbbbbbb }\n",
        ),
        (
            "spot-fleet",
            FleetKind::SpotFleet,
            "              - { InstanceType: t4g.micro, SubnetId: subnet-0ccccccc }\n",
        ),
    ] {
        let stack = stack(&desk, &["--fleet", fleet]);
        let spec = FleetSpec::of_stack(&stack, "web").expect("the stack has a fleet");
        assert_eq!((spec.kind, spec.target), (kind, 1));
        for line in [
            wanted,
            "\"AssociatePublicIpAddress\": true, \"Groups\": [{ \"Ref\": \"SecurityGroup\" }]",
            "      VpcId: vpc-0a1b2c3d\n      SecurityGroupIngress:\n",
        ] {
            assert!(stack.contains(line), "no {line} in {stack}");
        }
        for of_an_own_network in [
            "AWS::EC2::VPC",
            "AWS::EC2::Subnet",
            "AWS::EC2::Route",
            "AWS::EC2::InternetGateway",
            "InternetAttachment",
            "Ref Subnet",
            "Zones",
            "WithThirdZone",
            "Ref Vpc",
        ] {
            assert!(
                !stack.contains(of_an_own_network),
                "{of_an_own_network} in {stack}"
            );
        }
    }
}

#[test]
fn a_security_group_that_is_named_is_taken_in_the_stack_and_without_it() {
    let desk = Desk::new();
    let stack = stack(&desk, &["--security-group", "sg-0a1b2c3d"]);
    assert!(
        stack.contains("\"Groups\": [\"sg-0a1b2c3d\"]")
            && !stack.contains("AWS::EC2::SecurityGroup\n")
            && !stack.contains("SecurityGroupIngress"),
        "{stack}"
    );
    let alone: Value =
        serde_json::from_str(&desk.read("spotboot-init/launch-template.json")).expect("JSON");
    assert_eq!(
        alone["NetworkInterfaces"][0]["Groups"],
        serde_json::json!(["sg-0a1b2c3d"])
    );

    let plain = Desk::new();
    plain.made(&[SITE, &["--sha256", HASH]].concat());
    let alone = plain.read("spotboot-init/launch-template.json");
    assert!(alone.contains("\"Groups\": [\"sg-REPLACE\"]"), "{alone}");
}

/// CI's role and the address are made before a fleet that somebody's network holds, too.
#[test]
fn the_fleet_still_waits_for_all_that_may_fail() {
    let desk = Desk::new();
    let waits = |stack: &str| {
        let (_, fleet) = stack.split_once("\n  Fleet:\n").expect("there is a fleet");
        let line = fleet.lines().find(|line| line.contains("DependsOn"));
        line.map(|line| line.trim().to_owned())
    };
    assert_eq!(waits(&stack(&desk, &[])), None);
    let github = stack(&desk, &["--github", "me/site"]);
    assert_eq!(waits(&github).as_deref(), Some("DependsOn: [CiRole]"));
    let elastic = Desk::new();
    let both = stack(&elastic, &["--elastic-ip", "--github", "me/site"]);
    assert_eq!(
        waits(&both).as_deref(),
        Some("DependsOn: [CiRole, ElasticIp]")
    );
    let address = stack(&elastic, &["--elastic-ip"]);
    assert_eq!(waits(&address).as_deref(), Some("DependsOn: [ElasticIp]"));
}

#[test]
fn flags_of_a_network_that_are_no_ids_or_lack_another_are_refused() {
    let desk = Desk::new();
    let site = [SITE, &["--sha256", HASH]].concat();
    for (flags, words) in [
        (
            &["--existing-vpc", "vpc-0a1b2c3d"][..],
            &["--subnet <SUBNET>"][..],
        ),
        (&["--subnet", "subnet-0aaaaaaa"], &["--existing-vpc <VPC>"]),
        (
            &["--security-group", "sg-0a1b2c3d"],
            &["--existing-vpc <VPC>"],
        ),
        (
            &[
                "--existing-vpc",
                "main",
                "--subnet",
                "subnet-0aaaaaaa, subnet-0bbbbbbb",
            ],
            &[
                "--existing-vpc \"main\" is not a network's id",
                "--subnet \"subnet-0aaaaaaa, subnet-0bbbbbbb\" is not a subnet's id",
            ],
        ),
    ] {
        let (code, said) = desk.init(&[&site[..], flags].concat());
        assert_eq!(code, 2, "{said}");
        for words in words {
            assert!(said.contains(words), "no {words} in {said}");
        }
    }
    assert!(!is_there(&desk.path("spotboot-init")));
}
