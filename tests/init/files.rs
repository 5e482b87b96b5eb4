//! What `init` asks for, and what it leaves alone.

use serde_json::Value;

use crate::desk::{Desk, HASH, SITE, is_there};

#[test]
fn everything_that_is_missing_is_named_at_once_and_nothing_is_written() {
    let desk = Desk::new();
    let (code, said) = desk.init(&["--domain", "example.com"]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("--name, --bucket, --zone, --region, --kind") && !said.contains("--domain,"),
        "{said}"
    );

    std::fs::write(
        desk.path("site.toml"),
        "[site]\nname = \"a\"\ndomains = [\"a.example\"]\nbucket = \"bucket\"\n[app]\nkind = \"static\"\n",
    )
    .unwrap();
    let (code, said) = desk.init(&[
        "--binary",
        "ftp://a",
        "--sha256",
        "12",
        "--account",
        "1",
        "--github",
        "me",
    ]);
    assert_eq!(code, 2, "{said}");
    for flag in [
        "--region is missing",
        "--zone is missing",
        "--sha256 12",
        "--account \"1\"",
        "--github \"me\"",
    ] {
        assert!(said.contains(flag), "no {flag} in:\n{said}");
    }
    assert!(!is_there(&desk.path("spotboot-init")));
}

#[test]
fn a_new_site_toml_is_one_that_spotboot_takes() {
    for kind in ["python", "command", "static"] {
        let desk = Desk::new();
        let flags: Vec<&str> = SITE
            .iter()
            .map(|&flag| if flag == "python" { kind } else { flag })
            .collect();
        desk.made(&flags);
        let text = desk.read("site.toml");
        assert!(
            text.contains(&format!("kind = \"{kind}\"")) && text.ends_with("]\n"),
            "{text}"
        );
        assert!(text.contains("\n[web]\nhsts = \"1d\" "), "{text}");
        let said = desk.made(&[]);
        assert!(
            said.contains(
                "aws cloudformation deploy --region ap-southeast-2 --stack-name spotboot-example"
            ),
            "{said}"
        );
    }
}

#[test]
fn the_profiles_region_stands_in_for_the_flag_which_goes_before_it() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path(".aws")).unwrap();
    std::fs::write(
        desk.path(".aws/config"),
        "[default]\nregion = eu-central-1\n",
    )
    .unwrap();
    let sha256 = format!("{}={HASH}", std::env::consts::ARCH);
    let made_with = |flags: &[&str]| {
        desk.made(&[flags, &["--sha256", &sha256]].concat());
        let made = desk.read("site.toml");
        std::fs::remove_file(desk.path("site.toml")).unwrap();
        std::fs::remove_dir_all(desk.path("spotboot-init")).unwrap();
        made
    };
    let without: Vec<&str> = SITE
        .iter()
        .copied()
        .filter(|flag| !["--region", "ap-southeast-2"].contains(flag))
        .collect();
    assert!(made_with(&without).contains("region  = \"eu-central-1\""));
    assert!(made_with(SITE).contains("region  = \"ap-southeast-2\""));
}

#[test]
fn the_last_words_are_three_commands_that_name_the_same_binary_as_the_user_data() {
    let desk = Desk::new();
    let said = desk.made(&[SITE, &["--json"]].concat());
    let said: Value = serde_json::from_str(&said).expect("JSON and nothing else");
    let next: Vec<&str> = said["next"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command.as_str().unwrap())
        .collect();
    assert_eq!(next.len(), 3);
    let (_, key) = next[1]
        .rsplit_once("s3://example-site/")
        .expect("the binary is uploaded");
    assert!(
        desk.read("spotboot-init/user-data.py")
            .contains(&format!("p=\"/example-site/{key}\"")),
        "{key}"
    );
    assert!(
        next[1].contains("site.toml s3://example-site/site.toml && ")
            && next[2].starts_with("spotboot deploy "),
        "{next:?}"
    );
}

/// What a shell would run of these commands: their words.
fn words(desk: &Desk, commands: &[&str]) -> Vec<Vec<String>> {
    let say = "say() { for word; do printf '%s\\037' \"$word\"; done; echo; }\n";
    let functions = "aws() { if [ $1 = sts ]; then echo 123456789012; else say aws \"$@\"; fi; }\nspotboot() { say spotboot \"$@\"; }\n";
    let mut command = std::process::Command::new("sh");
    let output = command
        .args(["-euc", &format!("{say}{functions}{}", commands.join("\n"))])
        .current_dir(desk.path(""))
        .output()
        .expect("it runs");
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8(output.stdout).expect("text");
    said.lines()
        .map(|line| line.split_terminator('\u{1f}').map(str::to_owned).collect())
        .collect()
}

#[test]
fn a_shell_takes_the_commands_whatever_stands_in_names_and_paths() {
    let desk = Desk::new();
    let prefix = "it's(mine)!/";
    let site = format!(
        "[site]\nname = \"a\"\ndomains = [\"a.example\"]\nbucket = \"bucket\"\nprefix = \"{prefix}\"\n[app]\nkind = \"static\"\n"
    );
    std::fs::write(desk.path("my $site.toml"), site).unwrap();
    let flags = [
        "--config",
        "my $site.toml",
        "--zone",
        "Z0123ABC",
        "--region",
        "eu-west-1",
        "--out",
        "to do; or `not`",
        "--json",
    ];
    let said: Value = serde_json::from_str(
        &desk.made(
            &[
                &flags[..],
                &["--arch", "aarch64", "--sha256", &format!("aarch64={HASH}")],
            ]
            .concat(),
        ),
    )
    .unwrap();
    let next: Vec<&str> = said["next"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command.as_str().unwrap())
        .collect();
    let words = words(&desk, &next);
    assert_eq!(
        words[0][7..9],
        ["--template-file", "to do; or `not`/stack.yaml"]
    );
    assert_eq!(
        words[1],
        [
            "aws",
            "s3",
            "cp",
            "--region",
            "eu-west-1",
            "my $site.toml",
            &format!("s3://bucket/{prefix}site.toml")
        ]
    );
    assert_eq!(
        words[2][5..],
        [
            "spotboot-aarch64",
            &format!("s3://bucket/{prefix}bin/spotboot-aarch64-{}", &HASH[..8])
        ]
    );
    assert_eq!(
        words[3][..],
        [
            "spotboot",
            "deploy",
            "./build",
            "--no-rotate",
            "--config",
            "my $site.toml"
        ]
    );
}

/// AWS Budgets is one service for all regions, and most regions' CloudFormation does not know it.
#[test]
fn the_budget_is_a_command_of_its_own() {
    let desk = Desk::new();
    let sha256 = format!("aarch64={HASH}");
    let binary = ["--arch", "aarch64", "--sha256", &sha256];
    let said: Value =
        serde_json::from_str(&desk.made(&[SITE, &binary, &["--budget", "25", "--json"]].concat()))
            .unwrap();
    let words = words(&desk, &[said["budget"].as_str().expect("a command")]).remove(0);
    assert_eq!(
        words[..7],
        [
            "aws",
            "budgets",
            "create-budget",
            "--region",
            "us-east-1",
            "--account-id",
            "123456789012"
        ]
    );
    assert_eq!(
        (words[7].as_str(), words[9].as_str()),
        ("--budget", "--notifications-with-subscribers")
    );
    let (budget, notices): (Value, Value) = (
        serde_json::from_str(&words[8]).unwrap(),
        serde_json::from_str(&words[10]).unwrap(),
    );
    assert_eq!(
        budget["BudgetLimit"],
        serde_json::json!({ "Amount": "25", "Unit": "USD" })
    );
    assert_eq!(notices.as_array().map(Vec::len), Some(2));
    assert_eq!(notices[0]["Subscribers"][0]["Address"], "me@example.com");
    assert!(!desk.read("spotboot-init/stack.yaml").contains("Budget"));

    let told = desk.made(
        &[
            &binary[..],
            &[
                "--email",
                "boss@example.com",
                "--account",
                "210987654321",
                "--force",
            ],
        ]
        .concat(),
    );
    let line = told
        .lines()
        .find(|line| line.contains("create-budget"))
        .expect("it is told of");
    assert!(
        line.contains("--account-id 210987654321") && line.contains("boss@example.com"),
        "{line}"
    );
    let contact = SITE
        .iter()
        .position(|flag| *flag == "--contact")
        .expect("it is among them");
    let (without_contact, plain) = (
        [&SITE[..contact], &SITE[contact + 2..]].concat(),
        Desk::new(),
    );
    let none: Value =
        serde_json::from_str(&plain.made(&[&without_contact[..], &binary, &["--json"]].concat()))
            .unwrap();
    assert!(none["budget"].is_null(), "nobody to write to");
}

#[test]
fn files_that_somebody_edited_stay_unless_forced() {
    let desk = Desk::new();
    desk.made(SITE);
    desk.made(SITE);
    std::fs::write(desk.path("spotboot-init/stack.yaml"), "mine").unwrap();
    std::fs::remove_file(desk.path("spotboot-init/user-data.py")).unwrap();

    let (code, said) = desk.init(&["--dry-run"]);
    assert_eq!(code, 3, "{said}");
    assert!(
        said.contains("would stop: spotboot-init/stack.yaml")
            && said.contains("would write spotboot-init/user-data.py"),
        "{said}"
    );
    let (code, said) = desk.init(&[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("spotboot-init/stack.yaml; --force"), "{said}");
    assert_eq!(desk.read("spotboot-init/stack.yaml"), "mine");
    assert!(
        !is_there(&desk.path("spotboot-init/user-data.py")),
        "a part was written"
    );

    desk.made(&["--force", "--dry-run"]);
    assert_eq!(desk.read("spotboot-init/stack.yaml"), "mine");
    desk.made(&["--force"]);
    assert!(
        desk.read("spotboot-init/stack.yaml")
            .contains("AWSTemplateFormatVersion")
    );
}

#[test]
fn a_site_toml_that_is_there_holds_and_flags_against_it_are_refused() {
    let desk = Desk::new();
    desk.made(SITE);
    let before = desk.read("site.toml");
    let (code, said) = desk.init(&[
        "--force",
        "--bucket",
        "other-bucket",
        "--domain",
        "example.org",
        "--zone",
        "Z0OTHER",
    ]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("--domain, --bucket, --zone contradict it"),
        "{said}"
    );
    assert_eq!(desk.read("site.toml"), before);
}

#[test]
fn an_elastic_ip_is_asked_for_once_and_then_stands_in_site_toml() {
    let desk = Desk::new();
    desk.made(&[SITE, &["--elastic-ip"]].concat());
    assert!(desk.read("site.toml").contains("address = \"elastic\""));
    let policies = || {
        ["ci-policy", "instance-policy"]
            .map(|name| desk.read(&format!("spotboot-init/{name}.json")))
    };
    assert!(policies().iter().all(
        |policy| policy.contains(":elastic-ip/*\"") && policy.contains("ec2:DescribeAddresses")
    ));
    let stack = desk.read("spotboot-init/stack.yaml");
    let (_, address) = stack
        .split_once("    Type: AWS::EC2::EIP\n")
        .expect("the stack has it");
    // Instances know it by that, which moto does not put on it.
    assert!(
        address
            .lines()
            .nth(3)
            .is_some_and(|tags| tags.contains("{ Key: \"spotboot:site\", Value: example }")),
        "{address}"
    );

    let named = desk.read("site.toml").replace(
        "address = \"elastic\"",
        "elastic_ip = \"eipalloc-0ab1\"\naddress = \"elastic\"",
    );
    std::fs::write(desk.path("site.toml"), named).unwrap();
    desk.made(&["--force"]);
    assert!(
        policies()
            .iter()
            .all(|policy| policy.contains(":elastic-ip/eipalloc-0ab1\""))
    );
    assert!(
        !desk
            .read("spotboot-init/stack.yaml")
            .contains("AWS::EC2::EIP"),
        "it has one already"
    );

    let plain = Desk::new();
    plain.made(SITE);
    assert!(
        !plain
            .read("spotboot-init/instance-policy.json")
            .contains("AssociateAddress")
    );
    let (code, said) = plain.init(&["--elastic-ip", "--force"]);
    assert!(
        code == 2 && said.contains("--elastic-ip contradict it"),
        "{said}"
    );
}

#[test]
fn where_the_data_are_is_asked_for_on_a_terminal_and_else_the_folder_is_said() {
    let hash = format!("{}={HASH}", std::env::consts::ARCH);
    // Without the flag that these flags end with; and with a hash, as this binary's own takes its
    // time.
    let unsaid = &[&SITE[..SITE.len() - 2], &["--sha256", &hash]].concat()[..];
    let desk = Desk::new();
    let said = desk.made(unsaid);
    assert!(
        said.contains("site.toml gets release_on = \"folder\"")
            && said.contains("--release-on fleet"),
        "{said}"
    );
    assert!(
        desk.read("site.toml")
            .contains("\nrelease_on = \"folder\" "),
        "{}",
        desk.read("site.toml")
    );
    let (code, said) = desk.init(&["--release-on", "fleet", "--force"]);
    assert!(
        code == 2 && said.contains("--release-on contradict it"),
        "{said}"
    );

    let flagged = Desk::new();
    let said = flagged.made(&[unsaid, &["--release-on", "fleet"]].concat());
    assert!(
        flagged
            .read("site.toml")
            .contains("\nrelease_on = \"fleet\" ")
            && !said.contains("release_on"),
        "{said}"
    );

    let asked = Desk::new();
    let (code, said) = asked.init_at_a_terminal(unsaid, "what\nfleet\n");
    assert!(
        code == 0 && said.matches("Where does the site keep its data").count() == 2,
        "{said}"
    );
    assert!(
        asked
            .read("site.toml")
            .contains("\nrelease_on = \"fleet\" "),
        "{}",
        asked.read("site.toml")
    );

    let pages = Desk::new();
    let flags: Vec<&str> = unsaid
        .iter()
        .map(|&flag| if flag == "python" { "static" } else { flag })
        .collect();
    let said = pages.made(&flags);
    assert!(
        !said.contains("release_on") && !pages.read("site.toml").contains("release_on"),
        "{said}"
    );
}

#[test]
fn the_launch_template_keeps_credentials_close_and_the_disk_sealed() {
    let desk = Desk::new();
    desk.made(
        &[
            SITE,
            &["--arch", "aarch64", "--sha256", &format!("aarch64={HASH}")],
        ]
        .concat(),
    );
    let template: Value =
        serde_json::from_str(&desk.read("spotboot-init/launch-template.json")).expect("it is JSON");
    assert_eq!(template["MetadataOptions"]["HttpTokens"], "required");
    assert_eq!(template["MetadataOptions"]["HttpPutResponseHopLimit"], 1);
    assert_eq!(
        template["MetadataOptions"]["InstanceMetadataTags"],
        "enabled"
    );
    assert_eq!(template["BlockDeviceMappings"][0]["Ebs"]["Encrypted"], true);
    // A default VPC's subnets have none, and EC2 refuses the launch there; a subnet that has some
    // gives one unasked.
    assert!(
        template["NetworkInterfaces"][0]
            .get("Ipv6AddressCount")
            .is_none(),
        "{template}"
    );
    assert!(
        template["ImageId"].as_str().unwrap().ends_with("-arm64"),
        "{}",
        template["ImageId"]
    );
    assert!(
        template["InstanceType"]
            .as_str()
            .unwrap()
            .starts_with("t4g.")
    );
}

#[test]
fn the_policies_name_the_site_and_nothing_is_left_open() {
    let desk = Desk::new();
    desk.made(&[SITE, &["--github", "me/site", "--account", "123456789012"]].concat());
    for name in ["instance-policy", "ci-policy", "ci-trust"] {
        let text = desk.read(&format!("spotboot-init/{name}.json"));
        serde_json::from_str::<Value>(&text).expect("it is JSON");
        assert!(
            !text.contains("{{") && !text.contains("${") && !text.contains("ACCOUNT_ID"),
            "{text}"
        );
    }
    assert!(
        desk.read("spotboot-init/ci-trust.json")
            .contains("\"repo:me/site:ref:refs/heads/main\"")
    );
    assert!(
        desk.read("spotboot-init/instance-policy.json")
            .contains("\"arn:aws:s3:::example-site/bin/*\"")
    );
}
