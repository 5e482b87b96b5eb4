//! site.toml, flags and dry runs.

use crate::common::{DOMAIN, World};

#[test]
fn every_problem_of_the_file_is_reported_at_once_and_ends_with_2() {
    let world = World::with_small_app();
    let site = "name = \"example\"\ndomains = [\"example.test\"]\nbuckett = \"example-site\"\n";
    let ended = world.machine("i-0bad").section("site", site).section("dns", "ttl = \"long\"\n").up_to_end();
    ended.assert_error(2, &["buckett", "did you mean bucket?", "dns.ttl", "site.bucket is missing"]);
    assert!(world.region.requests().is_empty(), "something was asked before the file was read");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let world = World::with_small_app();
    let machine = world.machine("i-0nofile");
    let ended = machine.run(&["up", "--services", "foreground", "--config", "/no/such/site.toml"]);
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
    assert!(ended.stdout.contains("order one for example.test"), "{}", ended.stdout);
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
    for words in ["i-0dry", "v1", "order one for example.test", "create A example.test", "delete A example.test", "_spotboot.example.test"]
    {
        assert!(ended.stdout.contains(words), "no {words:?} in:\n{}", ended.stdout);
    }
    world.assert_record_untouched();
    assert_eq!(world.list(""), before);
    assert!(!machine.state().exists(), "something was written to the disk");
    let writes = world.region.count_where(|request| request.service == region::Service::S3 && request.method != "GET");
    assert_eq!((writes, world.region.count(region::Service::Acme, "")), (0, 0));
}

#[test]
fn a_dry_run_that_finds_a_problem_ends_with_3_and_goes_on_to_the_others() {
    let world = World::new();
    let ended = world.machine("i-0dry").flag("--dry-run").up_to_end();
    assert_eq!(ended.code(), 3, "{}", ended.stderr);
    assert!(ended.stdout.contains("PROBLEM") && ended.stdout.contains("order one for example.test"), "{}", ended.stdout);
}

#[test]
fn json_gives_the_report_as_one_line() {
    let world = World::with_small_app();
    let machine = world.machine("i-0json").flag("--json");
    let running = machine.up();
    let ended = running.stop();
    let report: serde_json::Value = serde_json::from_str(ended.stdout.lines().next().expect("a line")).expect("it is JSON");
    assert_eq!((&report["phase"], &report["spotboot"]), (&"serving".into(), &env!("CARGO_PKG_VERSION").into()));
    assert!(report["build"]["target"].as_str().is_some_and(|target| target.contains(std::env::consts::ARCH)), "{report}");
    assert!(ended.stderr.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{}", ended.stderr);
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
