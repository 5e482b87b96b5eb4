//! The systems that instances may run, and the regions that spotboot is not for.

use serde_json::Value;

use crate::desk::{Desk, HASH, SITE, is_there};

/// What `--os` is, and what the files then say: image, root device, packages of a Python site. The
/// images are those of ARM.
const SYSTEMS: [(&str, &str, &str, &str); 4] = [
    (
        "amazon-linux-2023",
        "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
        "/dev/xvda",
        r#"["nginx", "python3.11"]"#,
    ),
    (
        "debian-12",
        "/aws/service/debian/release/12/latest/arm64",
        "/dev/xvda",
        r#"["nginx", "python3", "python3-venv"]"#,
    ),
    (
        "debian-13",
        "/aws/service/debian/release/13/latest/arm64",
        "/dev/xvda",
        r#"["nginx", "python3", "python3-venv"]"#,
    ),
    (
        "ubuntu-24.04",
        "/aws/service/canonical/ubuntu/server/24.04/stable/current/arm64/hvm/ebs-gp3/ami-id",
        "/dev/sda1",
        r#"["nginx", "python3", "python3-venv"]"#,
    ),
];

/// `init` for ARM with these flags: exit code, and all that it says.
fn init(desk: &Desk, flags: &[&str]) -> (i32, String) {
    let sha256 = format!("aarch64={HASH}");
    let binary = ["--arch", "aarch64", "--sha256", &sha256];
    desk.init(&[&binary[..], flags].concat())
}

fn made(desk: &Desk, flags: &[&str]) {
    let (code, said) = init(desk, flags);
    assert_eq!(code, 0, "{said}");
}

/// The image and the name of the disk in the launch template that stands alone.
fn booted(desk: &Desk) -> (String, String) {
    let text = desk.read("spotboot-init/launch-template.json");
    let template: Value = serde_json::from_str(&text).expect("it is JSON");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let disks = template["BlockDeviceMappings"].as_array().expect("a list");
    assert_eq!(disks.len(), 1, "{template}");
    (text(&template["ImageId"]), text(&disks[0]["DeviceName"]))
}

#[test]
fn a_system_sets_the_image_the_root_device_and_the_packages() {
    for (os, image, device, packages) in SYSTEMS {
        let desk = Desk::new();
        made(&desk, &[SITE, &["--os", os]].concat());
        assert_eq!(
            booted(&desk),
            (format!("resolve:ssm:{image}"), device.to_owned())
        );
        let stack = desk.read("spotboot-init/stack.yaml");
        for line in [
            format!("    Default: {image}\n"),
            format!("\"DeviceName\": \"{device}\""),
        ] {
            assert!(stack.contains(&line), "no {line} in {stack}");
        }
        let site_toml = desk.read("site.toml");
        assert!(
            site_toml.ends_with(&format!("\npackages = {packages}\n")),
            "{site_toml}"
        );
    }
}

#[test]
fn without_a_word_it_is_amazon_linux_and_a_site_of_pages_needs_no_python() {
    let desk = Desk::new();
    let pages: Vec<&str> = SITE
        .iter()
        .map(|&flag| if flag == "python" { "static" } else { flag })
        .collect();
    made(&desk, &pages);
    assert_eq!(booted(&desk).0, format!("resolve:ssm:{}", SYSTEMS[0].1));
    let site_toml = desk.read("site.toml");
    assert!(
        site_toml.ends_with(
            "# Installed where missing, by the names that Amazon Linux 2023 has for them.\npackages = [\"nginx\"]\n"
        ),
        "{site_toml}"
    );
}

#[test]
fn an_image_and_a_root_device_of_ones_own_go_before_those_of_the_system() {
    let desk = Desk::new();
    let own = [
        "--os",
        "ubuntu-24.04",
        "--image",
        "ami-0a1b2c3d",
        "--root-device",
        "/dev/nvme0n1",
    ];
    made(&desk, &[SITE, &own].concat());
    let own = ("ami-0a1b2c3d".to_owned(), "/dev/nvme0n1".to_owned());
    assert_eq!(booted(&desk), own);
    assert!(desk.read("site.toml").contains("\"python3-venv\""));
}

/// The files are made again for each new spotboot, and site.toml does not name the system.
#[test]
fn packages_that_the_system_has_not_are_told_before_an_instance_misses_them() {
    let desk = Desk::new();
    made(&desk, &[SITE, &["--os", "debian-13"]].concat());
    let (code, said) = init(&desk, &["--force"]);
    assert!(
        code == 2
            && said.contains(
                "[host] packages has python3-venv, and Amazon Linux 2023 has no such package"
            )
            && said.contains("--os"),
        "{code}: {said}"
    );
    assert!(booted(&desk).0.contains("/debian/release/13/"));
    made(&desk, &["--force", "--os", "debian-12"]);
    made(&desk, &["--force", "--image", "ami-0a1b2c3d"]);

    let amazon = Desk::new();
    made(&amazon, SITE);
    let (code, said) = init(&amazon, &["--force", "--os", "debian-13"]);
    assert!(
        code == 2
            && said.contains("[host] packages has python3.11, and Debian 13 has no such package"),
        "{code}: {said}"
    );
}

#[test]
fn china_govcloud_and_the_sovereign_cloud_are_refused_in_plain_words() {
    for (region, place) in [
        ("cn-north-1", "China"),
        ("us-gov-east-1", "GovCloud"),
        ("eusc-de-east-1", "the European Sovereign Cloud"),
    ] {
        let desk = Desk::new();
        let flags: Vec<&str> = SITE
            .iter()
            .map(|&flag| {
                if flag == "ap-southeast-2" {
                    region
                } else {
                    flag
                }
            })
            .collect();
        let (code, said) = init(&desk, &flags);
        assert!(
            code == 2
                && said.contains(&format!("the region {region} is in {place}"))
                && said.contains("another partition of AWS")
                && said.contains("the main partition only"),
            "{code}: {said}"
        );
        assert!(!is_there(&desk.path("spotboot-init")) && !is_there(&desk.path("site.toml")));
    }
}
