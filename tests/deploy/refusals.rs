//! What cannot be done is said before anything is changed, with what to do about it. No instance
//! runs here.

use std::time::Duration;

use region::Principal;

use crate::common::{Ended, Running, spotboot};
use crate::site::{Made, Site, app};

/// A site whose fleet is to have no instance, with `v1` published.
fn empty() -> Option<Site> {
    Site::new(
        Made {
            target: 0,
            ..Made::default()
        },
        Some(&app("v1")),
    )
}

impl Site {
    /// A command with another site.toml.
    fn with_site_toml(&self, args: &[&str], change: impl Fn(String) -> String) -> Ended {
        let text = std::fs::read_to_string(self.config()).expect("it is there");
        let path = self.world.path("changed.toml");
        std::fs::write(&path, change(text)).expect("it is written");
        let mut command = spotboot(&self.world);
        command
            .args(args)
            .arg("--config")
            .arg(path)
            .envs(self.world.region.env());
        Running::spawn(command).end()
    }

    fn versions(&self) -> Vec<String> {
        let keys = self.world.list("packages/");
        keys.iter()
            .map(|key| key["packages/".len()..key.len() - ".zip".len()].to_owned())
            .collect()
    }
}

#[test]
fn a_site_without_a_fleet_or_without_instances_cannot_be_rotated() {
    let Some(site) = empty() else { return };
    let (zip, current) = (site.zip(&app("v2")), site.current());
    for args in [&["deploy", &zip] as &[&str], &["rotate"]] {
        site.ci(args).assert_error(2, &["target capacity", "is 0"]);
        let none = site.with_site_toml(args, |text| {
            text[..text.find("[fleet]").expect("it has one")].to_owned()
        });
        none.assert_error(2, &["this site has no fleet", "--no-rotate"]);
    }
    assert_eq!(
        (site.current(), site.versions().len(), site.history().len()),
        (current, 1, 1)
    );

    let published = site.ci(&["deploy", &zip, "--no-rotate"]);
    published.assert_success();
    assert!(
        published.stderr.contains("current without a trial"),
        "{}",
        published.stderr
    );
    assert_eq!(site.current().as_ref(), site.versions().last());
}

#[test]
fn old_packages_go_but_never_the_current_one_or_the_one_before() {
    let Some(site) = empty() else { return };
    site.world.put("packages/by-hand.zip", "somebody's own");
    for version in ["v2", "v3", "v4"] {
        // A version's time is in seconds.
        std::thread::sleep(Duration::from_millis(1100));
        site.ci(&["deploy", &site.zip(&app(version)), "--no-rotate"])
            .assert_success();
    }
    let all = site.versions();
    assert_eq!(all.len(), 5);
    std::thread::sleep(Duration::from_millis(1100));
    site.ci(&[
        "deploy",
        &site.zip(&app("v5")),
        "--no-rotate",
        "--keep",
        "1",
    ])
    .assert_success();
    let kept = site.versions();
    assert_eq!(
        kept,
        [
            all[3].clone(),
            site.current().expect("v5"),
            "by-hand".to_owned()
        ]
    );
}

#[test]
fn a_wrong_configuration_bucket_permission_or_credential_is_named() {
    let Some(site) = empty() else { return };
    let zip = site.zip(&app("v2"));
    let mut command = spotboot(&site.world);
    command
        .args(["deploy", &zip, "--config", "/nowhere/site.toml"])
        .envs(site.world.region.env());
    Running::spawn(command)
        .end()
        .assert_error(2, &["/nowhere/site.toml"]);
    site.with_site_toml(&["deploy", &zip], |text| text.replace("domains", "domain"))
        .assert_error(2, &["domain", "domains"]);
    let missing = site.with_site_toml(&["deploy", &zip, "--no-rotate"], |text| {
        text.replace("example-site", "no-such-bucket")
    });
    missing.assert_error(1, &["no-such-bucket", "NoSuchBucket"]);
    site.ci(&["deploy", "/nowhere/build"])
        .assert_error(1, &["/nowhere/build"]);

    let mut command = spotboot(&site.world);
    command
        .args(["deploy", &zip, "--config"])
        .arg(site.config())
        .envs(site.world.region.env());
    command
        .env("AWS_ACCESS_KEY_ID", "AKIAWRONG")
        .env("AWS_SECRET_ACCESS_KEY", "wrong");
    let wrong = Running::spawn(command).end();
    assert_eq!(wrong.code(), 1, "{}", wrong.stderr);
    assert!(
        wrong.stderr.contains("InvalidClientTokenId") || wrong.stderr.contains("AuthFailure"),
        "{}",
        wrong.stderr
    );

    let allowed = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Allow", "Action": ["s3:GetObject", "s3:ListBucket"], "Resource": "*"}]}"#;
    site.world
        .region
        .enforce(Principal::Ci, allowed)
        .expect("it is a policy");
    let denied = site.ci(&["deploy", &zip, "--no-rotate"]);
    denied.assert_error(1, &["s3:PutObject", "locks/deploy.json"]);
    site.ci(&["deploy", &zip])
        .assert_error(1, &["autoscaling:DescribeAutoScalingGroups"]);
}
