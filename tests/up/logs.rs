//! What is logged outlives the instance: all of it is in the bucket, once.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use region::{Fault, Match, Service};
use serde_json::Value;

use crate::common::{DOMAIN, Ended, Machine, Package, Running, World, eventually, spotboot};
use crate::metrics::{metrics, value};

/// What makes a piece, as docs/logs-and-metrics.md has it.
const PIECE: u64 = 2 << 20;

/// `spotboot logs` from somebody's desk.
pub fn read(machine: &Machine<'_>, args: &[&str]) -> Ended {
    let mut command = spotboot(machine.world);
    command
        .arg("logs")
        .args(args)
        .arg("--config")
        .arg(machine.write_site())
        .envs(machine.world.region.env());
    Running::spawn(command).end()
}

/// All that the bucket has of it, as values.
fn all(machine: &Machine<'_>) -> Vec<Value> {
    let ended = read(machine, &[machine.id(), "--json", "--since", "1d"]);
    ended.assert_success();
    assert_eq!(ended.stderr, "", "something cannot be read");
    ended
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

/// How many of these lines hold the words.
fn count(lines: &[Value], kind: &str, words: &str) -> usize {
    let said = |line: &Value| {
        line["line"]
            .as_str()
            .map_or_else(|| line["request"].to_string(), str::to_owned)
    };
    lines
        .iter()
        .filter(|line| line["kind"] == kind && said(line).contains(words))
        .count()
}

fn ask(machine: &Machine<'_>, paths: impl Iterator<Item = String>) {
    let visitor = machine.visitor();
    for path in paths {
        assert_eq!(
            visitor
                .curl(
                    &format!("https://{DOMAIN}:{}{path}", machine.https_port),
                    &[]
                )
                .expect("it answers")
                .status,
            200
        );
    }
}

fn access_log(machine: &Machine<'_>) -> std::path::PathBuf {
    machine.state().join("nginx/logs/access.log")
}

fn outbox(machine: &Machine<'_>) -> Vec<String> {
    let folder = fs::read_dir(machine.state().join("logs/outbox")).expect("it is there");
    folder
        .flatten()
        .map(|entry| entry.file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".zst"))
        .collect()
}

#[test]
fn after_a_stop_the_bucket_has_every_line_to_the_last_in_order() {
    let world = World::with_small_app();
    let machine = world.machine("i-0logs");
    let running = machine.up();
    ask(&machine, (0..5).map(|n| format!("/asked/{n}")));
    assert_eq!(running.stop().code(), 0);

    let lines = all(&machine);
    for n in 0..5 {
        let path = format!("/asked/{n}");
        assert_eq!(
            [count(&lines, "access", &path), count(&lines, "app", &path)],
            [1, 1],
            "{path} in {lines:#?}"
        );
    }
    // From before there was a file to keep it in, to the last words.
    for words in ["identity", "serving https://", "stopping", "drained"] {
        assert!(
            count(&lines, "spotboot", words) >= 1,
            "no {words:?} in {lines:#?}"
        );
    }
    let times: Vec<&str> = lines
        .iter()
        .map(|line| line["time"].as_str().unwrap())
        .collect();
    let time = |text: &&str| {
        time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
            .expect("a time")
    };
    assert!(times.iter().map(time).is_sorted(), "{times:?}");
    assert!(lines.iter().all(|line| line["instance"] == "i-0logs"));

    assert_eq!(
        outbox(&machine),
        Vec::<String>::new(),
        "nothing waits any more"
    );
    let mode = |path: &str| {
        fs::metadata(machine.state().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("logs"), mode("logs/outbox")), (0o700, 0o700));
    let people = read(&machine, &["i-0logs", "--kind", "access"]).stdout;
    assert!(
        people.lines().all(|line| line.contains(" access | "))
            && people.contains(&format!("GET {DOMAIN}/asked/0 200 ")),
        "{people}"
    );
}

#[test]
fn a_run_that_is_killed_takes_no_line_along_and_the_next_one_repeats_none() {
    let world = World::with_small_app();
    let machine = world.machine("i-0killed");
    let running = machine.up();
    ask(&machine, (0..5).map(|n| format!("/before/{n}")));
    eventually("nginx has written its log", || {
        fs::read_to_string(access_log(&machine))
            .is_ok_and(|log| log.matches("/before/").count() == 5)
    });
    running.kill9();
    let running = machine.up();
    ask(&machine, (0..5).map(|n| format!("/after/{n}")));
    running.stop().assert_success();

    let lines = all(&machine);
    for n in 0..5 {
        for path in [format!("/before/{n}"), format!("/after/{n}")] {
            assert_eq!(
                [count(&lines, "access", &path), count(&lines, "app", &path)],
                [1, 1],
                "{path} in {lines:#?}"
            );
        }
    }
    assert_eq!(count(&lines, "spotboot", "serving https://"), 2);
}

/// Requests of some 18 KB each in nginx's log.
fn ask_at_length(machine: &Machine<'_>, count: u64) {
    let long = "x".repeat(6000);
    let url = format!(
        "https://{DOMAIN}:{}/long/[1-{count}]/{long}",
        machine.https_port
    );
    let headers = [format!("Referer: {long}"), format!("User-Agent: {long}")];
    let args = [
        "--header",
        &headers[0],
        "--header",
        &headers[1],
        "--output",
        "/dev/null",
    ];
    machine
        .visitor()
        .curl(&url, &args)
        .expect("all are answered");
}

#[test]
fn many_lines_do_not_wait_and_a_bucket_that_takes_none_costs_nothing_but_time() {
    let world = World::with_small_app();
    let machine = world.machine("i-0many");
    let mut running = machine.up();
    let denied = world.region.fault(
        Match::service(Service::S3)
            .operation("PutObject")
            .path("logs/"),
        Fault::access_denied(),
    );
    ask_at_length(&machine, 130);
    running.wait_for("the logs wait on this instance");
    eventually("the log was set aside", || {
        fs::metadata(access_log(&machine)).is_ok_and(|meta| meta.len() < PIECE)
    });
    assert!(
        outbox(&machine)
            .iter()
            .any(|name| name.ends_with("-access.zst")),
        "{:?}",
        outbox(&machine)
    );
    assert!(world.region.hits(denied) >= 1 && world.list("logs/i-0many/").is_empty());
    for name in outbox(&machine) {
        let mode = fs::metadata(machine.state().join("logs/outbox").join(&name))
            .map_or(0o600, |meta| meta.permissions().mode());
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    ask(&machine, ["/meanwhile".to_owned()].into_iter());
    world.region.lift(denied);
    eventually("the bucket has them", || {
        outbox(&machine).is_empty()
            && world
                .list("logs/i-0many/")
                .iter()
                .any(|key| key.ends_with("-access.zst"))
    });
    ask(&machine, ["/later".to_owned()].into_iter());
    let counted = || {
        value(
            &metrics(&machine),
            "spotboot_requests_total{code=\"200\",method=\"GET\"}",
        )
    };
    eventually("the requests are counted on over the rotation", || {
        counted() >= 132.0
    });
    // And what the boot's own proof asked, if nginx wrote it late.
    assert!(counted() <= 133.0, "{}", counted());
    running.stop().assert_success();

    let lines = all(&machine);
    let counts = |words: &str| count(&lines, "access", words);
    assert_eq!(
        (counts("/long/"), counts("/meanwhile"), counts("/later")),
        (130, 1, 1)
    );
    assert_eq!(
        (1..=130)
            .filter(|n| counts(&format!("/long/{n}/")) == 1)
            .count(),
        130
    );
    assert_eq!(count(&lines, "app", "/long/"), 130);
}

#[test]
fn a_boot_that_fails_leaves_its_words_and_the_apps_once() {
    let world = World::new();
    world.publish("v1", &Package::misbehaving("exit"));
    let machine = world.machine("i-0failed");
    assert_eq!(machine.up_to_end().code(), 1);
    assert!(world.get("logs/i-0failed/boot.log").is_some());
    let lines = all(&machine);
    let said = count(&lines, "app", "the app gives up: no database");
    assert!(said >= 1, "{lines:#?}");
    assert_eq!(count(&lines, "spotboot", "error: app: "), 1, "{lines:#?}");
    assert_eq!(
        count(&lines, "spotboot", "done step=\"release\" "),
        1,
        "each line once: {lines:#?}"
    );

    // As where the machine was gone before it could ship anything but that.
    for key in world
        .list("logs/i-0failed/")
        .iter()
        .filter(|key| key.ends_with(".zst"))
    {
        world.delete(key);
    }
    let lines = all(&machine);
    assert_eq!(
        (
            count(&lines, "app", "the app gives up: no database"),
            count(&lines, "spotboot", "error: app: ")
        ),
        (said, 1),
        "{lines:#?}"
    );
}
