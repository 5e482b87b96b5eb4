//! A machine whose kernel says that it enforces an SELinux policy.

use std::process::{Command, Stdio};

use crate::common::{PATH, Running, World, is_root};

/// In a mount namespace of its own: the file that selinuxfs would have, then the program.
const ENFORCING: &str = "mount -t tmpfs none /sys/fs && mkdir /sys/fs/selinux && echo 1 >/sys/fs/selinux/enforce || exit 99; exec \"$@\"";

#[test]
fn a_dry_run_says_that_selinux_is_in_the_way() {
    if !is_root() {
        return println!("NOT TESTED: only root gives a program another /sys");
    }
    let world = World::with_small_app();
    let machine = world.machine("i-0enforcing");
    let site = machine.write_site();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ENFORCING, "sh"]);
    command
        .arg(env!("CARGO_BIN_EXE_spotboot"))
        .args(["up", "--dry-run", "--config"])
        .arg(site)
        .arg("--state-dir")
        .arg(machine.state())
        .arg("--runtime-dir")
        .arg(machine.disk().join("run"))
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", machine.disk())
        .envs(&machine.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let told = Running::spawn(command).end();
    if told.code() == 99 || told.stderr.contains("unshare failed") {
        return println!(
            "NOT TESTED: no file system can be mounted here: {}",
            told.stderr
        );
    }
    assert_eq!(told.code(), 0, "{}", told.stderr);
    let line = told
        .stdout
        .lines()
        .find(|line| line.starts_with("SELinux"))
        .expect("a line about it");
    assert!(
        line.contains("WARNING: SELinux enforces its policy") && line.contains("permissive"),
        "{line}"
    );
    let plain = machine.flag("--dry-run").up_to_end();
    assert!(!plain.stdout.contains("SELinux"), "{}", plain.stdout);
}
