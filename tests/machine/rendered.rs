//! What `init` renders, as it is, on machines that have nothing else of spotboot.

use std::process::Command;

use crate::cloud::{APP, Cloud};
use crate::common::eventually;
use crate::common::{Package, ZONE};
use crate::computer::Computer;

const PROGRAM: &str = "/usr/local/bin/spotboot";
const KEY: &str = "bin/spotboot";

/// `init` for this site with these flags; the user data that it wrote.
fn rendered(cloud: &Cloud, site: &str, flags: &[&str]) -> Vec<u8> {
    let (config, out) = (cloud.world.path("site.toml"), cloud.world.path("init"));
    std::fs::write(&config, site).expect("a site.toml");
    let region = &cloud.world.region.options().region;
    let output = Command::new(env!("CARGO_BIN_EXE_spotboot"))
        .args(["init", "--zone", ZONE, "--region", region, "--config"])
        .arg(&config)
        .arg("--out")
        .arg(&out)
        .args(flags)
        .output()
        .expect("init runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::read(out.join("user-data")).expect("init writes user data")
}

/// What user data says, as cloud-init keeps it.
fn words(computer: &Computer) -> String {
    computer
        .try_run("cat /var/log/cloud-init-output.log")
        .stdout
}

/// In the order of `init`'s last words, and slowly: the stack, then the binary, then site.toml,
/// then a release.
#[test]
fn rendered_user_data_alone_makes_the_site() {
    let Some(cloud) = Cloud::empty() else { return };
    let site = cloud.site(APP, "");
    let binary = std::fs::read(env!("CARGO_BIN_EXE_spotboot")).expect("the binary");
    let user_data = rendered(&cloud, &site, &[]);
    assert!(user_data.len() <= 1024);
    let computer = cloud.boot_blank(cloud.instance("i-0000000000000aa01"), &user_data);

    eventually("it waits for the binary", || {
        words(&computer).contains("HTTP Error 404")
    });
    let wanted = words(&computer);
    let key = wanted
        .split_whitespace()
        .find_map(|word| word.strip_prefix("/example-site/"))
        .expect("it names what it waits for");
    assert!(key.starts_with("bin/spotboot-"), "{key}");
    assert!(!computer.try_run(&format!("test -e {PROGRAM}")).success());

    cloud.world.put(key, binary);
    eventually("it is installed, and looks for site.toml", || {
        computer.log().contains("site.toml does not exist")
    });
    cloud.world.put("site.toml", site);
    eventually("it looks for a release", || {
        computer.log().contains("releases/current.json")
    });
    cloud.world.publish("v1", &Package::small_app());
    computer.wait_until_active("spotboot");

    assert!(computer.visitor().get("/").body.contains("release v1"));
    assert_eq!(computer.report()["phase"], "serving");
    assert_eq!(
        computer.world.record("example.test", "A"),
        [computer.machine.address().to_string()]
    );
    assert_eq!(
        computer.run(&format!(
            "stat --format=%a:%U {PROGRAM}; systemctl is-enabled spotboot"
        )),
        "755:root\nenabled"
    );
    let told = words(&computer);
    assert!(
        cloud
            .world
            .region
            .secrets()
            .iter()
            .all(|secret| !told.contains(secret)),
        "{told}"
    );
}

#[test]
fn a_binary_of_another_hash_is_not_installed() {
    let Some(cloud) = Cloud::with_small_app() else {
        return;
    };
    let site = cloud.site(APP, "");
    cloud.world.put("site.toml", site.clone());
    cloud.world.put(KEY, "#!/bin/sh\ntouch /ran\n");
    let user_data = rendered(
        &cloud,
        &site,
        &[
            "--binary",
            &format!("s3://example-site/{KEY}"),
            "--sha256",
            &"0".repeat(64),
        ],
    );
    let computer = cloud.boot_blank(cloud.instance("i-0000000000000ab01"), &user_data);

    eventually("user data has ended", || {
        computer
            .try_run("test -e /run/cloud-init/result.json")
            .success()
    });
    assert!(
        words(&computer).contains("spotboot: wrong SHA-256"),
        "{}",
        words(&computer)
    );
    assert!(
        computer
            .run("cat /run/cloud-init/result.json")
            .contains("scripts"),
        "cloud-init took it well"
    );
    assert!(
        !computer
            .try_run(&format!(
                "test -e {PROGRAM} || test -e /ran || test -e /etc/systemd/system/spotboot.service"
            ))
            .success()
    );
    cloud.world.assert_record_untouched();
}
