//! `spotboot logs`: whatever stands in the bucket, whole or broken.

use serde_json::{Value, json};
use time::macros::{datetime, format_description};
use time::{Duration, OffsetDateTime};

use crate::common::{Machine, World};
use crate::logs::read;

const NOON: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

fn key(instance: &str, stream: &str, start: i64, end: i64) -> String {
    let form =
        format_description!("[year][month][day]T[hour][minute][second][subsecond digits:3]Z");
    let at = |second| {
        (NOON + Duration::seconds(second))
            .format(&form)
            .expect("a time")
    };
    format!("logs/{instance}/{}-{}-{stream}.zst", at(end), at(start))
}

fn time(second: i64) -> String {
    (NOON + Duration::seconds(second))
        .format(&time::format_description::well_known::Rfc3339)
        .expect("a time")
}

fn output(lines: &[(i64, &str, &str)]) -> Vec<u8> {
    let line = |(second, kind, text): &(i64, &str, &str)| {
        format!(
            "{}\n",
            json!({ "time": time(*second), "kind": kind, "line": text })
        )
    };
    zstd::encode_all(lines.iter().map(line).collect::<String>().as_bytes(), 3)
        .expect("memory takes it")
}

fn access(requests: &[(i64, &str)]) -> Vec<u8> {
    let line = |(second, uri): &(i64, &str)| {
        let msec = (NOON + Duration::seconds(*second)).unix_timestamp() as f64 + 0.5;
        format!(
            "{}\n",
            json!({ "msec": msec, "client": "203.0.113.9", "method": "GET", "host": "example.test", "uri": uri, "status": 200, "bytes": 3, "seconds": 0.001 })
        )
    };
    zstd::encode_all(requests.iter().map(line).collect::<String>().as_bytes(), 3)
        .expect("memory takes it")
}

/// Two instances whose lines come by turns, in pieces that overlap.
fn filled(world: &World) -> Machine<'_> {
    world.put(
        &key("i-1", "output", 0, 60),
        output(&[
            (0, "spotboot", "first"),
            (30, "app", "third"),
            (60, "app", "seventh"),
        ]),
    );
    world.put(
        &key("i-1", "output", 70, 80),
        output(&[(80, "app-2", "ninth"), (70, "app", "eighth")]),
    );
    world.put(
        &key("i-1", "access", 40, 50),
        access(&[(40, "/fourth"), (50, "/sixth")]),
    );
    world.put(
        &key("i-2", "output", 10, 45),
        output(&[(10, "web", "second"), (45, "app", "fifth")]),
    );
    world.machine("i-0desk")
}

const SINCE: &str = "2026-01-01T12:00:00Z";

fn words(text: &str) -> Vec<String> {
    let all = [
        "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth",
    ];
    text.lines()
        .map(|line| {
            all.iter()
                .find(|word| line.contains(*word))
                .unwrap_or_else(|| panic!("none in {line}"))
                .to_string()
        })
        .collect()
}

#[test]
fn the_lines_of_all_instances_come_in_the_order_of_time_with_their_instance() {
    let world = World::new();
    let desk = filled(&world);
    let ended = read(&desk, &["--since", SINCE]);
    ended.assert_success();
    assert_eq!(
        words(&ended.stdout),
        [
            "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"
        ]
    );
    assert!(
        ended.stdout.starts_with("i-1 2026-01-01T12:00:00.000Z spotboot | first\ni-2 2026-01-01T12:00:10.000Z web | second\n"),
        "{}",
        ended.stdout
    );
    assert_eq!(
        words(&read(&desk, &["--since", "2026-01-01T12:00:45Z"]).stdout),
        ["fifth", "sixth", "seventh", "eighth", "ninth"]
    );
    assert_eq!(
        words(&read(&desk, &["--since", "2026-01-01T12:01:05Z"]).stdout),
        ["eighth", "ninth"]
    );
    assert_eq!(
        words(&read(&desk, &["i-2", "--since", SINCE]).stdout),
        ["second", "fifth"]
    );
    assert_eq!(
        words(&read(&desk, &["--since", SINCE, "--kind", "app"]).stdout),
        ["third", "fifth", "seventh", "eighth", "ninth"]
    );
    assert_eq!(
        words(&read(&desk, &["--since", SINCE, "--kind", "access"]).stdout),
        ["fourth", "sixth"]
    );
    let json = read(&desk, &["i-1", "--since", SINCE, "--json"]).stdout;
    let lines: Vec<Value> = json
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        (&lines[2]["request"]["uri"], &lines[1]["line"]),
        (&"/fourth".into(), &"third".into())
    );
}

#[test]
fn what_is_broken_is_told_and_passed_over_and_what_there_is_none_of_is_said() {
    let world = World::new();
    let desk = filled(&world);
    let whole = output(&[(20, "app", "never shown")]);
    let (cut, noise, torn) = (
        key("i-1", "output", 20, 25),
        key("i-2", "output", 20, 25),
        key("i-3", "output", 0, 1),
    );
    world.put(&cut, &whole[..whole.len() - 3]);
    world.put(&noise, "no zstd at all");
    world.put(
        &torn,
        zstd::encode_all(&b"{\"time\":\"2026-01-0"[..], 3).expect("memory takes it"),
    );
    let ended = read(&desk, &["--since", SINCE]);
    ended.assert_success();
    assert_eq!(words(&ended.stdout).len(), 9, "{}", ended.stdout);
    for broken in [&cut, &noise, &torn] {
        assert!(
            ended.stderr.contains(broken.as_str()) && ended.stderr.contains("passed over"),
            "no {broken} in {}",
            ended.stderr
        );
    }

    let recent = read(&desk, &[]);
    recent.assert_success();
    assert!(
        recent.stdout.is_empty() && recent.stderr.contains("nothing was logged since"),
        "{}",
        recent.stderr
    );
    read(&desk, &["i-9"]).assert_error(1, &["no logs of i-9", "i-1, i-2"]);
    assert_eq!(read(&desk, &["--since", "yesterday"]).code(), 2);
}
