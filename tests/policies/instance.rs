//! The instance's policy: enough for every kind of boot, and nothing beside.

use region::Principal;

use crate::ablation::{Row, assert_each_is_missed};
use crate::common::{DOMAIN, Machine, World};
use crate::documents::{Site, instance_policy};
use crate::stories::{self, KMS_KEY};

const SIMPLE: Site = Site {
    routing: None,
    kms_key_arn: None,
    hosted_zone_id: None,
    packages_bucket: None,
    packages_prefix: None,
    elastic_ip_arn: None,
    secrets: [&[], &[]],
    fleet: None,
    failover: false,
};

const WITH_SECRETS: Site = Site {
    secrets: [&[stories::PARAMETER], &[stories::SECRET]],
    ..SIMPLE
};

const ANY_ELASTIC_IP: &str = "arn:aws:ec2:ap-southeast-2:123456789012:elastic-ip/*";

#[test]
fn every_kind_of_boot_gets_by_with_it_and_together_they_need_all_of_it() {
    let world = World::new();
    let policy = instance_policy(SIMPLE);
    world.put(
        "site.toml",
        std::fs::read(world.machine("i-0site").write_site()).unwrap(),
    );
    let first = stories::first_boot(&world, &policy);
    assert!(first.contains("serving https://"), "{first}");
    world
        .machine("i-0dry")
        .run(&["up", "--dry-run", "--config", "s3://example-site/site.toml"]);
    let second = Machine::launched(&world, "i-0second", time::OffsetDateTime::now_utc());
    let _serving = second.up();
    assert_eq!(
        world.record(DOMAIN, "A"),
        [second.address.to_string()],
        "the second one takes over"
    );
    let older = stories::boots(
        &Machine::launched(&world, "i-0older", stories::minutes_ago(60)),
        &["standing by"],
    );
    assert!(older.contains("standing by"), "{older}");
    stories::failing_release_command(&world, &policy);
    stories::upload_that_breaks(&world, &policy);
    let denied: Vec<String> = world
        .region
        .requests()
        .into_iter()
        .filter_map(|request| request.denied)
        .collect();
    assert!(denied.is_empty(), "{denied:#?}");
    let unused: Vec<String> = world
        .region
        .unused_grants(Principal::Instances)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(unused.is_empty(), "nothing needs {unused:#?}");
}

#[test]
fn secrets_under_a_customers_key_are_read_with_it_and_no_other_is() {
    let world = World::new();
    let policy = instance_policy(WITH_SECRETS);
    let log = stories::secrets_under_keys(&world, &policy);
    assert!(log.contains("serving https://"), "{log}");
    let unused: Vec<String> = world
        .region
        .unused_grants(Principal::Instances)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert!(
        !unused
            .iter()
            .any(|grant| ["ssm:", "secretsmanager:", "kms:"]
                .iter()
                .any(|service| grant.contains(service))),
        "{unused:#?}"
    );
    world.region.vault().put_parameter("/example/other", "x");
    let other = world.machine("i-0other").section(
        "app",
        "kind = \"command\"\nsecrets = { OTHER = \"ssm:/example/other\" }\n",
    );
    other.up_to_end().assert_error(
        1,
        &[
            "OTHER: reading the parameter /example/other",
            "allow ssm:GetParameters on",
            "parameter/example/other",
        ],
    );
}

#[test]
fn without_any_one_of_its_actions_a_boot_says_which_one_it_misses() {
    let rows = [
        Row::new(
            "ReadTheSiteAndItsReleases",
            "s3:GetObject",
            stories::first_boot,
        )
        .on("arn:aws:s3:::example-site/releases/"),
        Row::new("ReadAndWriteItsState", "s3:GetObject", stories::first_boot)
            .on("arn:aws:s3:::example-site/locks/certificate-"),
        Row::new("ReadAndWriteItsState", "s3:PutObject", stories::first_boot)
            .on("arn:aws:s3:::example-site/locks/certificate-"),
        Row::new("SayHowItFares", "s3:PutObject", stories::first_boot)
            .on("arn:aws:s3:::example-site/instances/i-0first")
            .serves(),
        Row::new(
            "HearHowOthersFare",
            "s3:GetObject",
            stories::older_beside_later,
        )
        .on("arn:aws:s3:::example-site/instances/i-0later")
        .serves(),
        Row::new(
            "EndLeasesAndOldCertificates",
            "s3:DeleteObject",
            stories::first_boot,
        )
        .on("arn:aws:s3:::example-site/")
        .serves(),
        Row::new(
            "EndUploads",
            "s3:AbortMultipartUpload",
            stories::upload_that_breaks,
        )
        .on("arn:aws:s3:::example-site/cache/")
        .serves(),
        Row::new(
            "ListAndTellWhatIsMissing",
            "s3:ListBucket",
            stories::first_boot,
        )
        .on(""),
        Row::new(
            "FindTheZone",
            "route53:ListHostedZonesByName",
            stories::first_boot,
        )
        .on("*"),
        Row::new(
            "ReadRecords",
            "route53:ListResourceRecordSets",
            stories::first_boot,
        )
        .on("arn:aws:route53:::hostedzone/Z0EXAMPLE"),
        Row::new(
            "TakeTheNamesOver",
            "route53:ChangeResourceRecordSets",
            stories::first_boot,
        )
        .on("arn:aws:route53:::hostedzone/Z0EXAMPLE"),
        Row::new(
            "AnswerTheCA",
            "route53:ChangeResourceRecordSets",
            stories::first_boot,
        )
        .on("arn:aws:route53:::hostedzone/Z0EXAMPLE"),
        Row::new("WaitForChanges", "route53:GetChange", stories::first_boot)
            .on("arn:aws:route53:::change/"),
        Row::new(
            "SeeWhichInstancesLive",
            "ec2:DescribeInstances",
            stories::older_beside_later,
        )
        .on("*"),
    ];
    assert_each_is_missed(&instance_policy(SIMPLE), &rows, &[]);
}

/// Those that only some sites need; the others' absence is shown above.
#[test]
fn without_an_action_that_only_some_sites_need_their_boots_say_so() {
    let multivalue = Site {
        routing: Some("multivalue"),
        ..SIMPLE
    };
    let rows = [
        Row::new(
            "MakeHealthChecks",
            "route53:CreateHealthCheck",
            stories::multivalue_sweep,
        )
        .on("*"),
        Row::new(
            "DeleteHealthChecks",
            "route53:DeleteHealthCheck",
            stories::multivalue_sweep,
        )
        .on("arn:aws:route53:::healthcheck/")
        .serves(),
        Row::new(
            "FindHealthChecksThatNobodyUses",
            "route53:ListHealthChecks",
            stories::health_checks_not_looked_for,
        )
        .on("*")
        .serves(),
    ];
    assert_each_is_missed(&instance_policy(multivalue), &rows, &[SIMPLE]);
    let by_id = Site {
        hosted_zone_id: Some("Z0EXAMPLE"),
        ..SIMPLE
    };
    let rows = [
        Row::new("FindTheZone", "route53:GetHostedZone", stories::zone_by_id)
            .on("arn:aws:route53:::hostedzone/Z0EXAMPLE"),
    ];
    assert_each_is_missed(&instance_policy(by_id), &rows, &[SIMPLE]);
    let sealed = Site {
        kms_key_arn: Some(KMS_KEY),
        ..SIMPLE
    };
    let rows = [
        Row::new(
            "SealCertificates",
            "kms:GenerateDataKey",
            stories::certificate_under_a_key,
        )
        .on(""),
        Row::new(
            "SealCertificates",
            "kms:Decrypt",
            stories::certificate_under_a_key,
        )
        .on(""),
    ];
    assert_each_is_missed(&instance_policy(sealed), &rows, &[SIMPLE]);
    let rows = [
        Row::new(
            "ReadParameters",
            "ssm:GetParameters",
            stories::secrets_under_keys,
        )
        .on("arn:aws:ssm:ap-southeast-2:*:parameter/example/token"),
        Row::new("OpenParameters", "kms:Decrypt", stories::secrets_under_keys)
            .on("its customer key, for use through ssm."),
        Row::new(
            "ReadSecrets",
            "secretsmanager:GetSecretValue",
            stories::secrets_under_keys,
        )
        .on("arn:aws:secretsmanager:"),
        Row::new("OpenSecrets", "kms:Decrypt", stories::secrets_under_keys)
            .on("its customer key, for use through secretsmanager."),
    ];
    assert_each_is_missed(&instance_policy(WITH_SECRETS), &rows, &[SIMPLE]);
    let elsewhere = Site {
        packages_bucket: Some("mirror"),
        ..SIMPLE
    };
    let rows = [
        Row::new("ListPackages", "s3:ListBucket", stories::packages_elsewhere)
            .on("arn:aws:s3:::mirror"),
    ];
    assert_each_is_missed(&instance_policy(elsewhere), &rows, &[SIMPLE]);
    let elastic = Site {
        elastic_ip_arn: Some(ANY_ELASTIC_IP),
        ..SIMPLE
    };
    let moves = "arn:aws:ec2:*:*:elastic-ip/eipalloc-";
    let rows = [
        Row::new(
            "FindTheElasticIp",
            "ec2:DescribeAddresses",
            stories::elastic_ip,
        )
        .on("*"),
        Row::new(
            "MoveTheElasticIp",
            "ec2:AssociateAddress",
            stories::elastic_ip,
        )
        .on(moves),
        Row::new(
            "MoveItToInstancesOfTheSite",
            "ec2:AssociateAddress",
            stories::elastic_ip,
        )
        .on(moves),
        Row::new(
            "MoveItToTheirInterfaces",
            "ec2:AssociateAddress",
            stories::elastic_ip,
        )
        .on(moves),
    ];
    assert_each_is_missed(&instance_policy(elastic), &rows, &[SIMPLE]);
}

#[test]
fn an_elastic_ip_is_moved_with_it_and_no_other_sites_is() {
    let world = World::new();
    let policy = instance_policy(Site {
        elastic_ip_arn: Some(ANY_ELASTIC_IP),
        ..SIMPLE
    });
    let log = stories::elastic_ip(&world, &policy);
    assert!(log.contains("serving https://"), "{log}");
    let denied: Vec<String> = world
        .region
        .requests()
        .into_iter()
        .filter_map(|request| request.denied)
        .collect();
    assert!(denied.is_empty(), "{denied:#?}");

    // Named in site.toml, where a tag would have kept it from that.
    let elastic = world
        .region
        .allocate_address(&[])
        .expect("an address is free");
    let dns = format!(
        "address = \"elastic\"\nelastic_ip = \"{}\"\n",
        elastic.allocation
    );
    let other = stories::tagged(&world, "i-0other")
        .section("dns", &dns)
        .up_to_end();
    other.assert_error(1, &["allow ec2:AssociateAddress on", &elastic.allocation]);
    assert_eq!(world.region.holder_of(&elastic), None);
}
