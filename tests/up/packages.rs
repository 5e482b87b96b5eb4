//! The distribution's packages, by an apt that stands in for the real one: another run of it, as of
//! its timers, holds a lock for a while.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common::{Machine, PATH, World, is_root};

const PACKAGE: &str = "liblock-example";

/// It knows a package after `update` only. The lock of the lists is held at the first two updates,
/// and that of the archives at the first installation after them.
const APT_GET: &str = r#"#!/bin/sh
echo "$*" >>"$here/calls"
case "$*" in
*update*)
    if [ "$(grep -c update "$here/calls")" -le 2 ]; then
        echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 712 (apt-get)" >&2
        echo "E: Unable to lock directory /var/lib/apt/lists/" >&2
        exit 100
    fi
    touch "$here/known" ;;
*install*)
    if [ ! -e "$here/known" ]; then
        echo "E: Unable to locate package liblock-example" >&2
        exit 100
    fi
    if [ ! -e "$here/archives" ]; then
        touch "$here/archives"
        echo "E: Could not get lock /var/cache/apt/archives/lock. It is held by process 713 (apt-get)" >&2
        exit 100
    fi
    touch "$here/installed" ;;
esac
"#;

const DPKG_QUERY: &str = r#"#!/bin/sh
[ -e "$here/installed" ] || exit 1
echo "liblock-example installed"
"#;

#[test]
fn locks_that_apt_does_not_wait_for_itself_are_waited_for() {
    let world = World::with_small_app();
    let Some((machine, here)) = machine(&world, "i-0apt") else {
        return;
    };
    let running = machine.up();
    let verbs: Vec<&str> = calls(&here)
        .iter()
        .map(|call| {
            if call.contains("update") {
                "update"
            } else {
                "install"
            }
        })
        .collect();
    assert_eq!(
        verbs,
        [
            "install", "update", "update", "update", "install", "install"
        ]
    );
    assert_eq!(
        running
            .log()
            .matches("waiting for another run of the package tool to end")
            .count(),
        2,
        "{}",
        running.log()
    );
    assert!(running.log().contains("/var/lib/apt/lists/lock"));
}

/// A machine that lacks a package, with the folder in which its package tools note what they do.
/// `None`, said: the packages of a machine are root's.
fn machine<'w>(world: &'w World, id: &str) -> Option<(Machine<'w>, PathBuf)> {
    if !is_root() {
        eprintln!("NOT TESTED: only root installs packages");
        return None;
    }
    let here = world.path("tools");
    fs::create_dir_all(&here).expect("a folder for the tools");
    let folder = here.to_str().expect("text").to_owned();
    for (name, script) in [("apt-get", APT_GET), ("dpkg-query", DPKG_QUERY)] {
        let program = here.join(name);
        fs::write(&program, script.replace("$here", &folder)).expect("the program is written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    }
    let host = format!("packages = [\"{PACKAGE}\"]\n");
    let mut machine = world.machine(id).section("host", &host);
    machine
        .env
        .insert("PATH".to_owned(), format!("{folder}:{PATH}"));
    Some((machine, here))
}

fn calls(here: &Path) -> Vec<String> {
    let text = fs::read_to_string(here.join("calls")).expect("the tools were called");
    text.lines().map(str::to_owned).collect()
}
