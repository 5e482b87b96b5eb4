//! What `init` asks for, and what it leaves alone.

use serde_json::Value;

use crate::desk::{Desk, HASH, SITE, is_there};

#[test]
fn everything_that_is_missing_is_named_at_once_and_nothing_is_written() {
    let desk = Desk::new();
    let (code, said) = desk.init(&["--domain", "example.com"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--name, --bucket, --zone, --region, --kind") && !said.contains("--domain,"), "{said}");

    std::fs::write(
        desk.path("site.toml"),
        "[site]\nname = \"a\"\ndomains = [\"a.example\"]\nbucket = \"bucket\"\n[app]\nkind = \"static\"\n",
    )
    .unwrap();
    let (code, said) = desk.init(&["--binary", "ftp://a", "--sha256", "12", "--account", "1", "--github", "me"]);
    assert_eq!(code, 2, "{said}");
    for flag in ["--region is missing", "--zone is missing", "--sha256 12", "--account \"1\"", "--github \"me\""] {
        assert!(said.contains(flag), "no {flag} in:\n{said}");
    }
    assert!(!is_there(&desk.path("spotboot-init")));
}

#[test]
fn a_new_site_toml_is_one_that_spotboot_takes() {
    for kind in ["python", "command", "static"] {
        let desk = Desk::new();
        let flags: Vec<&str> = SITE.iter().map(|&flag| if flag == "python" { kind } else { flag }).collect();
        desk.made(&flags);
        let text = desk.read("site.toml");
        assert!(text.contains(&format!("kind = \"{kind}\"")) && text.ends_with("]\n"), "{text}");
        assert!(text.contains("\n[web]\nhsts = \"1d\" "), "{text}");
        let said = desk.made(&[]);
        assert!(said.contains("aws cloudformation deploy --region ap-southeast-2 --stack-name spotboot-example"), "{said}");
    }
}

#[test]
fn the_last_words_are_three_commands_that_name_the_same_binary_as_the_user_data() {
    let desk = Desk::new();
    let said = desk.made(&[SITE, &["--json"]].concat());
    let said: Value = serde_json::from_str(&said).expect("JSON and nothing else");
    let next: Vec<&str> = said["next"].as_array().unwrap().iter().map(|command| command.as_str().unwrap()).collect();
    assert_eq!(next.len(), 3);
    let (_, key) = next[1].rsplit_once("s3://example-site/").expect("the binary is uploaded");
    assert!(desk.read("spotboot-init/user-data.py").contains(&format!("p=\"/example-site/{key}\"")), "{key}");
    assert!(next[1].contains("site.toml s3://example-site/site.toml && ") && next[2].starts_with("spotboot deploy "), "{next:?}");
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
    assert!(said.contains("would stop: spotboot-init/stack.yaml") && said.contains("would write spotboot-init/user-data.py"), "{said}");
    let (code, said) = desk.init(&[]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("spotboot-init/stack.yaml; --force"), "{said}");
    assert_eq!(desk.read("spotboot-init/stack.yaml"), "mine");
    assert!(!is_there(&desk.path("spotboot-init/user-data.py")), "a part was written");

    desk.made(&["--force", "--dry-run"]);
    assert_eq!(desk.read("spotboot-init/stack.yaml"), "mine");
    desk.made(&["--force"]);
    assert!(desk.read("spotboot-init/stack.yaml").contains("AWSTemplateFormatVersion"));
}

#[test]
fn a_site_toml_that_is_there_holds_and_flags_against_it_are_refused() {
    let desk = Desk::new();
    desk.made(SITE);
    let before = desk.read("site.toml");
    let (code, said) = desk.init(&["--force", "--bucket", "other-bucket", "--domain", "example.org", "--zone", "Z0OTHER"]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("--domain, --bucket, --zone contradict it"), "{said}");
    assert_eq!(desk.read("site.toml"), before);
}

#[test]
fn an_elastic_ip_is_asked_for_once_and_then_stands_in_site_toml() {
    let desk = Desk::new();
    desk.made(&[SITE, &["--elastic-ip"]].concat());
    assert!(desk.read("site.toml").contains("address = \"elastic\""));
    let policies = || ["ci-policy", "instance-policy"].map(|name| desk.read(&format!("spotboot-init/{name}.json")));
    assert!(policies().iter().all(|policy| policy.contains(":elastic-ip/*\"") && policy.contains("ec2:DescribeAddresses")));
    let stack = desk.read("spotboot-init/stack.yaml");
    let (_, address) = stack.split_once("    Type: AWS::EC2::EIP\n").expect("the stack has it");
    // Instances know it by that, which moto does not put on it.
    assert!(address.lines().nth(3).is_some_and(|tags| tags.contains("{ Key: \"spotboot:site\", Value: example }")), "{address}");

    let named = desk.read("site.toml").replace("address = \"elastic\"", "elastic_ip = \"eipalloc-0ab1\"\naddress = \"elastic\"");
    std::fs::write(desk.path("site.toml"), named).unwrap();
    desk.made(&["--force"]);
    assert!(policies().iter().all(|policy| policy.contains(":elastic-ip/eipalloc-0ab1\"")));
    assert!(!desk.read("spotboot-init/stack.yaml").contains("AWS::EC2::EIP"), "it has one already");

    let plain = Desk::new();
    plain.made(SITE);
    assert!(!plain.read("spotboot-init/instance-policy.json").contains("AssociateAddress"));
    let (code, said) = plain.init(&["--elastic-ip", "--force"]);
    assert!(code == 2 && said.contains("--elastic-ip contradict it"), "{said}");
}

#[test]
fn the_launch_template_keeps_credentials_close_and_the_disk_sealed() {
    let desk = Desk::new();
    desk.made(&[SITE, &["--arch", "aarch64", "--sha256", &format!("aarch64={HASH}")]].concat());
    let template: Value = serde_json::from_str(&desk.read("spotboot-init/launch-template.json")).expect("it is JSON");
    assert_eq!(template["MetadataOptions"]["HttpTokens"], "required");
    assert_eq!(template["MetadataOptions"]["HttpPutResponseHopLimit"], 1);
    assert_eq!(template["MetadataOptions"]["InstanceMetadataTags"], "enabled");
    assert_eq!(template["BlockDeviceMappings"][0]["Ebs"]["Encrypted"], true);
    assert_eq!(template["NetworkInterfaces"][0]["Ipv6AddressCount"], 1);
    assert!(template["ImageId"].as_str().unwrap().ends_with("-arm64"), "{}", template["ImageId"]);
    assert!(template["InstanceType"].as_str().unwrap().starts_with("t4g."));
}

#[test]
fn the_policies_name_the_site_and_nothing_is_left_open() {
    let desk = Desk::new();
    desk.made(&[SITE, &["--github", "me/site", "--account", "123456789012"]].concat());
    for name in ["instance-policy", "ci-policy", "ci-trust"] {
        let text = desk.read(&format!("spotboot-init/{name}.json"));
        serde_json::from_str::<Value>(&text).expect("it is JSON");
        assert!(!text.contains("{{") && !text.contains("${") && !text.contains("ACCOUNT_ID"), "{text}");
    }
    assert!(desk.read("spotboot-init/ci-trust.json").contains("\"repo:me/site:ref:refs/heads/main\""));
    assert!(desk.read("spotboot-init/instance-policy.json").contains("\"arn:aws:s3:::example-site/bin/*\""));
}
