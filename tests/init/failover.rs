//! The mirror that takes the site's place: each row of the table in docs/failover.md as `check`
//! judges it, and what `init --failover` renders.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use region::{Caching, DistributionSpec, ErrorResponse};
use serde_json::Value;

use crate::desk::{Desk, HASH, SITE, is_there, tool};
use crate::failover_table::Row;

const FAILOVER: &[&str] = &[
    "--failover",
    "--mirror-region",
    "eu-west-1",
    "--mirror-name",
    "static.example.com",
];

impl Row {
    /// A site.toml of the row, line by line as a person would write it.
    fn site_toml(&self) -> String {
        let (routing, address) = (self.routing, self.address);
        let domains = self.names("example.com");
        let (own, serve) = (
            "[failover]\nbucket = \"example.com\"\n",
            "http = \"serve\"\n",
        );
        let (failover, web) = match self.mirror {
            "none" => ("", ""),
            "CloudFront" | "any" => (
                "[failover]\nbucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\n",
                "hsts = \"1y\"\n",
            ),
            "website" => (own, serve),
            "website by https" => (own, "http = \"redirect\"\n"),
            "website with HSTS" => (own, "hsts = \"1d\"\n"),
            "website, another bucket" => ("[failover]\nbucket = \"mirror\"\n", serve),
            other => panic!("{other:?} in {}", self.line),
        };
        format!(
            "[site]\nname = \"example\"\ndomains = {domains:?}\nbucket = \"example-site\"\n[dns]\nrouting = \"{routing}\"\naddress = \"{address}\"\n[app]\nkind = \"static\"\n[web]\n{web}{failover}"
        )
    }

    /// The words of `check` that the row quotes.
    fn quoted(&self) -> &'static str {
        self.why.split('`').nth(1).expect(self.line)
    }
}

/// Exit code and the checks of a site.toml.
fn checked(desk: &Desk, site_toml: &str) -> (Option<i32>, Value) {
    std::fs::write(desk.path("site.toml"), site_toml).expect("it is written");
    let output = Command::new(env!("CARGO_BIN_EXE_spotboot"))
        .args(["check", "--json"])
        .env_clear()
        .current_dir(desk.path(""))
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let checks = serde_json::from_str(&said).unwrap_or_else(|why| panic!("{why}: {said}"));
    (output.status.code(), checks)
}

#[test]
fn each_row_of_the_table_works_or_is_refused_by_check_with_its_reason_and_line() {
    let (desk, rows) = (Desk::new(), Row::all());
    let mut refused = 0;
    for row in &rows {
        let site_toml = row.site_toml();
        let (code, checks) = checked(&desk, &site_toml);
        match row.check {
            "works" => assert_eq!(code, Some(0), "{}: {checks}", row.line),
            "refused" => {
                refused += 1;
                assert_eq!(code, Some(2), "{}", row.line);
                let checks = checks.as_array().expect("a list");
                let told = checks.iter().find(|check| {
                    let problem = check["seen"]["problem"].as_str();
                    problem.is_some_and(|words| words.contains(row.quoted()))
                });
                let told = told.unwrap_or_else(|| panic!("{}: {checks:#?}", row.line));
                let about = told["id"].as_str().expect("an id");
                let key = about.strip_prefix("dns.").expect("a key of [dns]");
                let line = site_toml.lines().position(|line| line.starts_with(key));
                let place = format!("site.toml:{}", line.expect("the key's line") + 1);
                assert_eq!(told["what"], place, "{}", row.line);
                assert!(told["remedy"].is_string(), "{told}");
            }
            other => panic!("{other:?} in {}", row.line),
        }
    }
    assert!(rows.len() > 20 && refused > 7, "{} rows", rows.len());
}

#[test]
fn every_reason_is_told_at_once() {
    let desk = Desk::new();
    let site_toml = "[site]\nname = \"example\"\ndomains = [\"example.com\", \"*.example.com\"]\nbucket = \"example-site\"\n[dns]\nrouting = \"failover\"\n[app]\nkind = \"static\"\n[web]\nhttp = \"serve\"\nhsts = \"1d\"\n[failover]\nbucket = \"mirror\"\n";
    let (code, checks) = checked(&desk, site_toml);
    let told = checks.as_array().expect("a list").iter();
    let mut ids: Vec<&str> = told.filter_map(|check| check["id"].as_str()).collect();
    ids.sort_unstable();
    assert_eq!(
        (code, &ids[..]),
        (
            Some(2),
            &["dns.routing", "dns.routing", "dns.routing", "web.hsts"][..]
        ),
        "{checks:#}"
    );
}

/// A desk on which `init --failover` has run with these further flags.
fn rendered(further: &[&str]) -> (Desk, Value) {
    let desk = Desk::new();
    let sha256 = format!("aarch64={HASH}");
    let binary = ["--arch", "aarch64", "--sha256", &sha256, "--json"];
    let said = desk.made(&[SITE, FAILOVER, &binary, further].concat());
    (desk, serde_json::from_str(&said).expect("JSON"))
}

#[test]
fn the_mirrors_stack_makes_what_the_region_serves_a_mirror_by() {
    let (desk, _) = rendered(&[]);
    let stack = desk.read("spotboot-init/mirror.yaml");
    let spec = DistributionSpec::of_stack(&stack, "d111.cloudfront.net").expect("it serves");
    assert_eq!(
        spec.aliases,
        ["example.com", "*.example.com", "static.example.com"]
    );
    assert_eq!(
        (spec.bucket.as_str(), spec.lists),
        ("example-site-mirror", false)
    );
    assert_eq!(spec.default_root_object.as_deref(), Some("index.html"));
    let one_page = |error| ErrorResponse {
        error,
        page: "/404.html".to_owned(),
        status: 503,
        kept_for: Duration::from_secs(10),
    };
    assert_eq!(spec.error_responses, [403, 404].map(one_page));
    assert_eq!(spec.caching, Some(Caching::MIRROR));
    for line in [
        "DomainName: !If [WithBucket, !GetAtt Bucket.RegionalDomainName, example-site-mirror.s3.eu-west-1.amazonaws.com]",
        "ViewerProtocolPolicy: redirect-to-https",
        "IPV6Enabled: true",
        "RestrictPublicBuckets: true",
        "DeletionPolicy: RetainExceptOnCreate",
        "\"AWS:SourceArn\": !Sub \"arn:aws:cloudfront::${AWS::AccountId}:distribution/${Distribution}\"",
    ] {
        assert!(stack.contains(line), "no {line} in:\n{stack}");
    }
    let certificate = desk.read("spotboot-init/us-east-1.yaml");
    for line in [
        "DomainName: \"example.com\"\n",
        "SubjectAlternativeNames: [\"*.example.com\", \"static.example.com\"]",
        "- { DomainName: \"static.example.com\", HostedZoneId: Z0123ABC }",
        "FullyQualifiedDomainName: example.com\n",
        "Default: \"me@example.com\"",
        "MetricName: HealthCheckStatus",
        "Protocol: email",
    ] {
        assert!(certificate.contains(line), "no {line} in:\n{certificate}");
    }
    assert!(
        !certificate.contains("{ DomainName: \"*.example.com\""),
        "a wildcard is validated with its base: {certificate}"
    );
}

/// What `init --failover` writes for a site whose bucket is the site.
fn rendered_for_kind_s3() -> Desk {
    let desk = Desk::new();
    let site_toml = "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"example-site\"\nregion = \"eu-west-1\"\n[dns]\nhosted_zone_id = \"Z0123ABC\"\n[app]\nkind = \"s3\"\n[failover]\nbucket = \"example-pages\"\n";
    std::fs::write(desk.path("site.toml"), site_toml).expect("it is written");
    let sha256 = format!("aarch64={HASH}");
    desk.made(&["--failover", "--arch", "aarch64", "--sha256", &sha256]);
    desk
}

/// Such a site is whole in its bucket: what is not there is missing, and no app may have it.
#[test]
fn the_distribution_of_a_bucket_that_is_the_site_answers_what_is_missing_with_404() {
    let desk = rendered_for_kind_s3();
    let stack = desk.read("spotboot-init/mirror.yaml");
    let spec = DistributionSpec::of_stack(&stack, "d111.cloudfront.net").expect("it serves");
    let missing = |error| ErrorResponse {
        error,
        page: "/404.html".to_owned(),
        status: 404,
        kept_for: Duration::from_secs(10),
    };
    assert_eq!(spec.error_responses, [403, 404].map(missing));
    assert!(!stack.contains("503"), "{stack}");
}

#[test]
fn a_new_site_toml_has_the_mirrors_table_and_takes_the_distribution_in_its_place() {
    let (desk, _) = rendered(&[]);
    let new = desk.read("site.toml");
    assert!(
        new.contains("[failover]\nbucket = \"example-site-mirror\"\nregion = \"eu-west-1\"\n"),
        "{new}"
    );
    let edited = ["cloudfront = ", "name = \"static", "routing = "]
        .into_iter()
        .fold(new, |text, key| text.replace(&format!("# {key}"), key));
    let (code, checks) = checked(&desk, &edited);
    assert_eq!(code, Some(0), "{checks:#}\n{edited}");
    let sha256 = format!("aarch64={HASH}");
    let again = [
        "--failover",
        "--force",
        "--arch",
        "aarch64",
        "--sha256",
        &sha256,
    ];
    let before = desk.read("spotboot-init/mirror.yaml");
    desk.made(&again);
    assert_eq!(desk.read("spotboot-init/mirror.yaml"), before);
    let (code, said) = desk.init(&[&again[..], &["--mirror-region", "eu-west-2"]].concat());
    assert!(
        code == 2 && said.contains("--mirror-region contradict it"),
        "{said}"
    );
}

#[test]
fn a_site_toml_without_the_table_is_told_and_without_the_flag_nothing_of_it_is_rendered() {
    let desk = Desk::new();
    let sha256 = format!("aarch64={HASH}");
    let binary = ["--arch", "aarch64", "--sha256", &sha256];
    desk.made(&[SITE, &binary].concat());
    assert!(!is_there(&desk.path("spotboot-init/mirror.yaml")));
    let policy = desk.read("spotboot-init/instance-policy.json");
    assert!(!policy.contains("HealthCheck"), "{policy}");
    let (code, said) = desk.init(&[&binary[..], &["--failover"]].concat());
    assert!(
        code == 2 && said.contains("there is no [failover] table"),
        "{said}"
    );
}

/// With the flag both roles may keep health checks and publish, before `routing` says so.
#[test]
fn the_roles_are_ready_for_the_mirror_and_for_failover_routing() {
    let (desk, _) = rendered(&["--github", "me/site"]);
    for role in ["instance-policy", "ci-policy"] {
        let policy = desk.read(&format!("spotboot-init/{role}.json"));
        for words in [
            "\"arn:aws:s3:::example-site-mirror/*\"",
            "\"route53:CreateHealthCheck\"",
            "\"route53:DeleteHealthCheck\"",
        ] {
            assert!(policy.contains(words), "no {words} in {role}: {policy}");
        }
    }
}

/// The words that a shell would run for each command; what describes a stack says an ARN.
fn words(desk: &Desk, commands: &[&str]) -> Vec<Vec<String>> {
    let say = "say() { for word; do printf '%s\\037' \"$word\"; done; echo; }\n";
    let aws = "aws() { case $2 in describe-stacks) echo \"of $6 $8\";; *) say aws \"$@\";; esac; }\nspotboot() { :; }\n";
    let output = Command::new("sh")
        .args(["-euc", &format!("{say}{aws}{}", commands.join("\n"))])
        .current_dir(desk.path(""))
        .output()
        .expect("it runs");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines()
        .map(|line| line.split_terminator('\u{1f}').map(str::to_owned).collect())
        .collect()
}

#[test]
fn the_commands_make_the_certificate_first_and_hand_it_to_the_mirrors_stack() {
    let (desk, said) = rendered(&[]);
    let next: Vec<&str> = said["next"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(next.len(), 5, "{next:#?}");
    let words = words(&desk, &next[1..3]);
    let [certificate, mirror] = &words[..] else {
        panic!("{words:#?}");
    };
    assert_eq!(
        certificate[3..],
        [
            "--region",
            "us-east-1",
            "--stack-name",
            "spotboot-example-certificate",
            "--template-file",
            "spotboot-init/us-east-1.yaml"
        ]
    );
    assert_eq!(
        mirror[3..],
        [
            "--region",
            "eu-west-1",
            "--stack-name",
            "spotboot-example-mirror",
            "--template-file",
            "spotboot-init/mirror.yaml",
            "--parameter-overrides",
            "CertificateArn=of spotboot-example-certificate Stacks[0].Outputs[?OutputKey=='Certificate'].OutputValue"
        ]
    );
    let after = said["distribution"].as_str().expect("a command");
    assert!(
        after.contains("spotboot-example-mirror") && after.contains("--region eu-west-1"),
        "{after}"
    );
}

/// Exit code and words of cfn-lint about a file, for these regions.
fn lint(lint: &Path, desk: &Desk, regions: &str, path: &str) -> (Option<i32>, String) {
    let output = Command::new(lint)
        .args(["--regions", regions, "--", path])
        .current_dir(desk.path(""))
        .output()
        .expect("it runs");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

/// CloudFormation has no distributions in AWS's partitions for China and GovCloud.
#[test]
fn cfn_lint_finds_nothing_in_the_mirrors_stacks_in_any_region_that_has_distributions() {
    let Some(program) = tool("cfn-lint") else {
        return;
    };
    let (desk, _) = rendered(&[]);
    for desk in [&desk, &rendered_for_kind_s3()] {
        let certificate = lint(&program, desk, "us-east-1", "spotboot-init/us-east-1.yaml");
        assert_eq!(certificate, (Some(0), String::new()));
        let (_, said) = lint(&program, desk, "ALL_REGIONS", "spotboot-init/mirror.yaml");
        assert_eq!(problems(&said), [""; 0], "{said}");
    }

    let broken = desk
        .read("spotboot-init/mirror.yaml")
        .replace("DefaultRootObject:", "RootObject:");
    std::fs::write(desk.path("broken.yaml"), broken).expect("it is written");
    let (code, said) = lint(&program, &desk, "eu-west-1", "broken.yaml");
    assert!(code != Some(0) && said.contains("RootObject"), "{said}");
}

/// What cfn-lint found, but for distributions where there are none.
fn problems(said: &str) -> Vec<&str> {
    let elsewhere = |line: &&str| {
        let no_such_type = line.starts_with("E3006 Resource type 'AWS::CloudFront::");
        let partition =
            line.ends_with("-1'") && OTHER_PARTITIONS.iter().any(|of| line.contains(of));
        !(no_such_type && partition)
    };
    said.lines()
        .filter(|line| line.starts_with(['E', 'W', 'I']))
        .filter(elsewhere)
        .collect()
}

const OTHER_PARTITIONS: [&str; 2] = ["'cn-", "'us-gov-"];

#[test]
fn a_mirror_where_there_are_no_distributions_is_refused() {
    for region in ["cn-north-1", "us-gov-west-1"] {
        let desk = Desk::new();
        let sha256 = format!("aarch64={HASH}");
        let flags = ["--arch", "aarch64", "--sha256", &sha256, "--failover"];
        let (code, said) = desk.init(&[SITE, &flags, &["--mirror-region", region]].concat());
        assert!(
            code == 2 && said.contains(&format!("no CloudFront distributions in {region}")),
            "{said}"
        );
    }
}
