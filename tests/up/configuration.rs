//! site.toml, flags and dry runs.

use crate::common::{DOMAIN, Machine, World};

#[test]
fn every_problem_of_the_file_is_reported_at_once_and_ends_with_2() {
    let world = World::with_small_app();
    let site = "name = \"example\"\ndomains = [\"example.test\"]\nbuckett = \"example-site\"\n";
    let ended = world
        .machine("i-0bad")
        .section("site", site)
        .section("dns", "ttl = \"long\"\n")
        .up_to_end();
    ended.assert_error(
        2,
        &[
            "buckett",
            "did you mean bucket?",
            "dns.ttl",
            "site.bucket is missing",
        ],
    );
    assert!(
        world.region.requests().is_empty(),
        "something was asked before the file was read"
    );
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let world = World::with_small_app();
    let machine = world.machine("i-0nofile");
    let ended = machine.run(&[
        "up",
        "--services",
        "foreground",
        "--config",
        "/no/such/site.toml",
    ]);
    ended.assert_error(2, &["/no/such/site.toml", "--config"]);
}

#[test]
fn the_file_may_stand_in_a_bucket() {
    let world = World::with_small_app();
    let machine = world.machine("i-0s3file");
    let text = std::fs::read(machine.write_site()).unwrap();
    world.put_in("mirror", "sites/site.toml", text);
    let (state, run) = (machine.state(), machine.disk().join("run"));
    let args = [
        "up",
        "--dry-run",
        "--config",
        "s3://mirror/sites/site.toml",
        "--state-dir",
        state.to_str().unwrap(),
        "--runtime-dir",
        run.to_str().unwrap(),
    ];
    let ended = machine.run(&args);
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("order one for example.test"),
        "{}",
        ended.stdout
    );
    machine
        .run(&["up", "--dry-run", "--config", "s3://mirror/sites/none.toml"])
        .assert_error(1, &["s3://mirror/sites/none.toml does not exist"]);
}

#[test]
fn a_dry_run_prints_each_decision_and_changes_nothing() {
    let world = World::with_small_app();
    let machine = world.machine("i-0dry").flag("--dry-run");
    let before = world.list("");
    let ended = machine.up_to_end();
    assert_eq!(ended.code(), 0, "{}", ended.stderr);
    for words in [
        "i-0dry",
        "v1",
        "order one for example.test",
        "create A example.test",
        "delete A example.test",
        "_spotboot.example.test",
    ] {
        assert!(
            ended.stdout.contains(words),
            "no {words:?} in:\n{}",
            ended.stdout
        );
    }
    world.assert_record_untouched();
    assert_eq!(world.list(""), before);
    assert!(
        !machine.state().exists(),
        "something was written to the disk"
    );
    let writes = world
        .region
        .count_where(|request| request.service == region::Service::S3 && request.method != "GET");
    assert_eq!(
        (writes, world.region.count(region::Service::Acme, "")),
        (0, 0)
    );
}

#[test]
fn a_dry_run_that_finds_a_problem_ends_with_3_and_goes_on_to_the_others() {
    let world = World::new();
    let ended = world.machine("i-0dry").flag("--dry-run").up_to_end();
    assert_eq!(ended.code(), 3, "{}", ended.stderr);
    assert!(
        ended.stdout.contains("PROBLEM") && ended.stdout.contains("order one for example.test"),
        "{}",
        ended.stdout
    );
}

/// An nginx that says what Ubuntu 22.04's says, first in the PATH.
fn with_old_nginx<'w>(world: &'w World, id: &str) -> Machine<'w> {
    use std::os::unix::fs::PermissionsExt;
    let folder = world.path("bin");
    std::fs::create_dir_all(&folder).expect("a folder for it");
    std::fs::write(
        folder.join("nginx"),
        "#!/bin/sh\necho 'nginx version: nginx/1.18.0 (Ubuntu)' >&2\n",
    )
    .expect("it is written");
    std::fs::set_permissions(folder.join("nginx"), std::fs::Permissions::from_mode(0o755))
        .expect("it is ours");
    let mut machine = world.machine(id);
    machine.env.insert(
        "PATH".to_owned(),
        format!("{}:{}", folder.display(), crate::common::PATH),
    );
    machine
}

const TOO_OLD: [&str; 5] = [
    "nginx is 1.18.0",
    "needs 1.19.5 or newer",
    "Amazon Linux 2023",
    "Debian 12",
    "Ubuntu 24.04",
];

#[test]
fn an_nginx_that_is_too_old_is_refused_before_anything_is_built() {
    let world = World::with_small_app();
    let app = "kind = \"command\"\nbuild = \"touch built\"\n";
    let machine = with_old_nginx(&world, "i-0old").section("app", app);
    machine.up_to_end().assert_error(1, &TOO_OLD);
    world.assert_record_untouched();
    let report = world.report("i-0old").expect("the instance reports");
    assert!(
        report["error"]
            .as_str()
            .is_some_and(|error| error.contains(TOO_OLD[1])),
        "{report}"
    );
    assert!(
        !machine.state().join("releases/v1/built").exists(),
        "the release was built"
    );
}

#[test]
fn a_dry_run_says_that_nginx_is_too_old_or_which_one_would_serve() {
    let world = World::with_small_app();
    let told = with_old_nginx(&world, "i-0old")
        .flag("--dry-run")
        .up_to_end();
    assert_eq!(told.code(), 3, "{}", told.stderr);
    let problem = told
        .stdout
        .lines()
        .find(|line| line.starts_with("web server"))
        .expect("a line about it");
    assert!(
        problem.contains("PROBLEM") && TOO_OLD.iter().all(|words| problem.contains(words)),
        "{problem}"
    );
    let told = world.machine("i-0new").flag("--dry-run").up_to_end();
    assert!(
        told.stdout
            .lines()
            .any(|line| line.starts_with("web server") && line.contains("nginx 1.")),
        "{}",
        told.stdout
    );
}

#[test]
fn json_gives_the_report_as_one_line() {
    let world = World::with_small_app();
    let machine = world.machine("i-0json").flag("--json");
    let running = machine.up();
    let ended = running.stop();
    let report: serde_json::Value =
        serde_json::from_str(ended.stdout.lines().next().expect("a line")).expect("it is JSON");
    assert_eq!(
        (&report["phase"], &report["spotboot"]),
        (&"serving".into(), &env!("CARGO_PKG_VERSION").into())
    );
    assert!(
        report["build"]["target"]
            .as_str()
            .is_some_and(|target| target.contains(std::env::consts::ARCH)),
        "{report}"
    );
    assert!(
        ended
            .stderr
            .lines()
            .all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()),
        "{}",
        ended.stderr
    );
}

#[test]
fn an_ordinary_user_with_high_ports_can_do_it_all() {
    let world = World::with_small_app();
    if !crate::common::is_root() {
        eprintln!("not root already: every other test shows it");
        return;
    }
    let machine = world.machine("i-0user").owned_by(65_534);
    let _running = machine.up();
    assert_eq!(machine.visitor().get("/").status, 200);
    assert_eq!(world.record(DOMAIN, "A"), [machine.address.to_string()]);
}
