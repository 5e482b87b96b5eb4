//! User data that stays small. That it works is shown on machines.

use std::process::Command;

use crate::desk::{Desk, HASH, SITE};

fn site(bucket: &str, prefix: &str) -> String {
    format!(
        "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"{bucket}\"\nprefix = \"{prefix}\"\nregion = \"ap-southeast-2\"\n\
         [dns]\nhosted_zone_id = \"Z0123\"\n[app]\nkind = \"static\"\n"
    )
}

#[test]
fn the_longest_bucket_there_can_be_still_fits() {
    let desk = Desk::new();
    std::fs::write(desk.path("site.toml"), site("q7w3-e9r5t1y8u2i4o6p0-a3s7d1f9g5h2j8k4l6-z0x3c7v1b9n5m2-q8w4e6r", "")).unwrap();
    desk.made(&[
        "--sha256",
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "--binary",
        "s3://q7w3-e9r5t1y8u2i4o6p0-a3s7d1f9g5h2j8k4l6-z0x3c7v1b9n5m2-q8w4e6r/bin/spotboot-{arch}",
    ]);
    let bytes = std::fs::read(desk.path("spotboot-init/user-data")).unwrap();
    assert!(bytes.len() <= 1024, "{}", bytes.len());
    let unpacked = Command::new("gzip").args(["-dc", "spotboot-init/user-data"]).current_dir(desk.path("")).output().expect("gzip runs");
    assert_eq!(String::from_utf8_lossy(&unpacked.stdout), desk.read("spotboot-init/user-data.py"));
}

#[test]
fn what_does_not_fit_is_refused_with_what_to_shorten() {
    let desk = Desk::new();
    let prefix: String = (0..40).map(|n| format!("{:x}/", n * n * 7919)).collect();
    std::fs::write(desk.path("site.toml"), site("example-site", &prefix)).unwrap();
    let (code, said) = desk.init(&[]);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("too many: shorten --binary, [site] bucket or [site] prefix"), "{said}");
}

#[test]
fn from_an_https_address_it_needs_no_credentials_and_goes_out_as_it_is() {
    let desk = Desk::new();
    desk.made(&[SITE, &["--arch", "x86_64", "--sha256", HASH, "--binary", "https://downloads.example.com/1.0/spotboot-{arch}"]].concat());
    let text = desk.read("spotboot-init/user-data");
    assert!(text.starts_with("#!/usr/bin/python3\n") && text.contains("https://downloads.example.com/1.0/spotboot-x86_64"), "{text}");
    assert!(!text.contains("credentials") && text.contains(HASH), "{text}");
    assert!(!desk.read("spotboot-init/instance-policy.json").contains("bin/"), "the role may read a binary that nobody fetches");
}

#[test]
fn a_binary_that_the_role_may_not_read_is_refused() {
    for address in ["s3://other-bucket/spotboot", "http://downloads.example.com/spotboot", "https://", "https://a.example/\"+x"] {
        let desk = Desk::new();
        let (code, said) = desk.init(&[SITE, &["--sha256", HASH, "--binary", address]].concat());
        assert!(code == 2 && said.contains("--binary "), "{code} {said}");
    }
}
