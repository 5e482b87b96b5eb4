//! `install` where the site cannot come up: what it says, what it leaves, and that it is mended
//! without another word from anybody.

use crate::cloud::{APP, Cloud, PROGRAM, SITE};
use crate::common::{BUCKET, Package};
use crate::computer::Computer;

/// Runs `install` in the machine's own shell; it must fail with these words and leave the world as
/// it was.
fn assert_fails(cloud: &Cloud, computer: &Computer, install: &str, words: &[&str]) {
    let outcome = computer.try_run(install);
    assert_eq!(outcome.code, Some(1), "{}", outcome.stderr);
    for word in words {
        assert!(
            outcome.stderr.contains(word),
            "no {word:?} in what install says:\n{}\nand the log:\n{}",
            outcome.stderr,
            computer.log()
        );
    }
    assert!(!computer.is_active("spotboot"));
    assert_eq!(computer.property("spotboot", "Result"), "exit-code");
    assert_eq!(computer.report()["phase"], "failed");
    cloud.world.assert_record_untouched();
}

#[test]
fn an_install_that_cannot_work_ends_with_the_reason_and_one_that_is_mended_serves() {
    let Some(cloud) = Cloud::empty() else { return };
    let stub = cloud.stub(&cloud.site(APP, ""));
    let computer = cloud.boot(cloud.instance("i-00000000000000c01"), &stub);
    let exports: String = stub
        .lines()
        .filter(|line| line.starts_with("export "))
        .map(|line| format!("{line}; "))
        .collect();
    let install = format!("{exports}{PROGRAM} install --config {SITE}");

    assert_fails(
        &cloud,
        &computer,
        &install,
        &["releases/current.json", BUCKET],
    );

    cloud.world.publish("v1", &Package::small_app());
    computer.run(&format!(
        "printf '[host]\\npackages = [\"spotboot-no-such-package\"]\\n' >>{SITE}"
    ));
    assert_fails(&cloud, &computer, &install, &["spotboot-no-such-package"]);
    computer.run(&format!("sed -i '/host/d; /no-such-package/d' {SITE}"));

    cloud.world.publish("v2", &Package::misbehaving("exit"));
    assert_fails(
        &cloud,
        &computer,
        &install,
        &["the app gives up: no database", "exit status 1"],
    );

    // Nobody asks again: systemd does.
    cloud.world.publish("v3", &Package::small_app());
    computer.wait_until_active("spotboot");
    assert!(computer.visitor().get("/").body.contains("release v3"));
    assert_eq!(computer.report()["phase"], "serving");
}
