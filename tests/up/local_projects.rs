//! Packages that install projects of their own, and the code that is served after a release, a
//! crash, or on another machine.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::common::eventually;
use crate::common::{Machine, Package, Running, World, is_root};

const APP: &str = "kind = \"python\"\nwsgi = \"web:application\"\n";
const WEB: &str = "import ourlib\n\ndef application(environ, start_response):\n    start_response('200 OK', [('Content-Type', 'text/plain')])\n    return [ourlib.WHO.encode()]\n";

/// Found only where it is installed: it lies in a folder below.
fn package(list: &str, who: &str, setup: &str) -> Package {
    let setup = format!(
        "{setup}from setuptools import setup\nsetup(name='ourlib', version='1.0', py_modules=['ourlib'], package_dir={{'': 'src'}})\n"
    );
    let module = format!("WHO = '{who}'\n");
    Package::default()
        .file("web.py", WEB)
        .file("requirements.txt", list)
        .file("setup.py", setup)
        .file("src/ourlib.py", module)
}

fn serves(machine: &Machine<'_>, who: &str) -> Running {
    let running = machine.up();
    assert_eq!(machine.visitor().get("/").body, who, "{}", running.log());
    running
}

fn owner(path: &Path) -> u32 {
    std::fs::metadata(path).expect("it is there").uid()
}

#[test]
fn a_project_installed_in_its_folder_is_each_releases_own_and_survives_a_kill() {
    let world = World::new();
    // The first run of the installer never ends, and has written by then.
    let stuck = "import os, time\nif not os.path.exists('begun'):\n    open('begun', 'w').close()\n    time.sleep(20)\n";
    world.publish("v1", &package("-e .\n", "release 1", stuck));
    let machine = world.machine("i-0local").section("app", APP);
    let release = machine.state().join("releases/v1");
    let running = machine.start();
    eventually("the installer has begun", || release.join("begun").exists());
    if is_root() {
        assert_ne!(owner(&release), 0, "the release is lent");
    }
    running.kill9();
    drop(serves(&machine, "release 1"));
    assert_eq!(
        (owner(&release), owner(&release.join("begun"))),
        (owner(&machine.state()), owner(&machine.state()))
    );

    world.publish("v2", &package("-e .\n", "release 2", ""));
    drop(serves(&machine, "release 2"));
    // The next restart finds what the installer wrote in the folder, and another machine installs
    // for itself.
    drop(serves(&machine, "release 2"));
    let other = world.machine("i-0other").section("app", APP);
    let _running = serves(&other, "release 2");
    eventually("all is done that waits until the site serves", || {
        other.state().join("releases/current").is_symlink()
    });
    assert_eq!(
        world.list("cache/"),
        Vec::<String>::new(),
        "what an installer wrote in the release is not in the cache"
    );
}

#[test]
fn another_wheel_in_the_package_is_another_key() {
    let world = World::new();
    let machine = world.machine("i-0wheel").section("app", APP);
    for (number, version, list) in [
        (1, "v1", "vendor/ourlib-1.0-py3-none-any.whl\n"),
        (
            2,
            "v2",
            "\u{feff}vendor/ourlib-1.0-py3-none-any.whl\t# ours\n",
        ),
        (3, "v3", "--no-index\n--find-links=vendor\nourlib\n"),
    ] {
        let wheel = wheel(&format!("WHO = '{version}'\n"));
        world.publish(
            version,
            &Package::default()
                .file("web.py", WEB)
                .file("requirements.txt", list)
                .file("vendor/ourlib-1.0-py3-none-any.whl", wheel),
        );
        let _running = serves(&machine, version);
        eventually("what a wheel brings is shared", || {
            world.list("cache/").len() == number
        });
    }
}

fn wheel(module: &str) -> Vec<u8> {
    let about = "ourlib-1.0.dist-info";
    Package::default()
        .file("ourlib.py", module)
        .file(
            &format!("{about}/METADATA"),
            "Metadata-Version: 2.1\nName: ourlib\nVersion: 1.0\n",
        )
        .file(
            &format!("{about}/WHEEL"),
            "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        .file(
            &format!("{about}/RECORD"),
            format!("ourlib.py,,\n{about}/METADATA,,\n{about}/WHEEL,,\n{about}/RECORD,,\n"),
        )
        .zip()
}
