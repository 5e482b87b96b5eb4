//! What visitors, apps and instances wrote is hostile: nothing of it acts on a terminal, or on the
//! CI system that keeps what is printed.

use std::time::Duration;

use region::{Fault, Match, Service};
use serde_json::json;

use crate::common::{Ended, Package, Running, spotboot};
use crate::site::{Made, Site, app};

/// C0, DEL, C1, bidirectional controls, and workflow commands at the beginning of a line, after
/// blanks, and within one.
const HOSTILE: &str = "\u{9b}31mred\u{1b}]0;title\u{7}\u{7f}\u{202e}txt\u{2066}\n::error::owned\n \t::stop-commands::x\na ##[error]owned\r\n##\u{1b}[group]";

fn of(words: &str) -> String {
    format!("{words} {HOSTILE}")
}

/// The text outside of what GitHub's runner does not look into.
fn unfenced(text: &str) -> String {
    let (mut kept, mut end) = (String::new(), None);
    for line in text.split('\n') {
        match (&end, line.strip_prefix("::stop-commands::")) {
            (None, Some(token)) => {
                assert!(token.len() > 16, "anybody guesses {token:?}");
                end = Some(format!("::{token}::"));
            }
            (Some(wanted), _) if line == wanted.as_str() => end = None,
            (Some(_), _) => {}
            (None, None) => kept.extend([line, "\n"]),
        }
    }
    assert_eq!(end, None, "a fence stays open in {text:?}");
    kept
}

fn assert_harmless(what: &str, text: &str) {
    let acts = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert!(!text.contains(acts), "{what}: {text:?}");
    for line in unfenced(text).lines() {
        assert!(
            !line.trim_start().starts_with("::") && !line.contains("##["),
            "{what}: {line:?}"
        );
    }
}

impl Site {
    /// One of CI's commands, as GitHub's runner runs it.
    fn on_runner(&self, args: &[&str]) -> Ended {
        let mut command = spotboot(&self.world);
        command
            .args(args)
            .arg("--config")
            .arg(self.config())
            .envs(self.world.region.env());
        command
            .env("GITHUB_ACTIONS", "true")
            .env("GITHUB_ACTOR", of("mona"));
        let ended = Running::spawn(command).end();
        assert_harmless(&format!("{args:?}, stdout"), &ended.stdout);
        assert_harmless(&format!("{args:?}, stderr"), &ended.stderr);
        ended
    }

    /// Everything in the bucket that a command prints says what is hostile, from here on.
    fn poison(&self) {
        let (id, world) = (self.living().remove(0), &self.world);
        let mut report = world.report(&id).expect("it serves");
        for field in ["release", "spotboot", "error", "trouble"] {
            report[field] = of(field).into();
        }
        report["phase"] = "failed".into();
        report["build"] =
            json!({ "commit": of("commit"), "date": of("date"), "target": of("target") });
        world.put(&format!("instances/{id}.json"), report.to_string());
        let release = |version: &str| json!({ "version": of(version), "key": "packages/x.zip", "sha256": "ab", "size": 1 });
        let record = json!({
            "id": "29990101T000000Z-000000", "writer": "w", "verb": "deploy", "started": "2026-11-21T12:00:00Z", "stage": "back",
            "by": { "who": of("who"), "from": of("from"), "commit": HOSTILE, "branch": of("branch") },
            "release": release("after"), "previous": release("before"), "rotation": null,
            "in_place": { "instances": [of("i-1")] },
            "steps": [{ "name": of("step"), "start_ms": 1, "end_ms": 2, "error": of("error") }],
            "end": { "outcome": "rolled_back", "at": "2026-11-21T12:01:00Z", "error": HOSTILE },
        });
        world.put("deploys/29990101T000000Z-000000.json", record.to_string());
        for log in ["boot.log", "trial.log"] {
            world.put(&format!("logs/i-0bad/{log}"), HOSTILE.repeat(3));
            world.put(
                &format!("logs/i-{}/{log}", "\u{9b}31m\u{202e}##[x]"),
                HOSTILE,
            );
        }
        let now = time::OffsetDateTime::now_utc() - Duration::from_secs(60);
        let time = now
            .format(&time::format_description::well_known::Rfc3339)
            .expect("a time");
        let line = json!({ "time": time, "kind": of("app"), "line": HOSTILE }).to_string();
        let request =
            json!({ "msec": now.unix_timestamp(), "client": "203.0.113.9", "method": of("GET"), "host": of("host"), "uri": of("/"),
            "status": 200, "bytes": 1, "seconds": 0.1, "agent": HOSTILE })
            .to_string();
        // As nginx logs it: the bytes of a C1 control raw.
        for (stream, text) in [("output", line), ("access", request)] {
            let packed = zstd::encode_all(format!("{text}\n").as_bytes(), 3).expect("it is packed");
            world.put(
                &format!("logs/i-0bad/29990101T000000000Z-20261121T000000000Z-{stream}.zst"),
                packed,
            );
        }
    }

    /// The CA's words, as an instance keeps them.
    fn poison_ledger(&self) {
        let keys = self.world.list("certs/");
        let key = keys
            .iter()
            .find(|key| key.ends_with("/ledger.json"))
            .expect("a certificate was ordered");
        let mut ledger: serde_json::Value =
            serde_json::from_slice(&self.world.get(key).expect("it is there")).expect("it is JSON");
        let names = ledger["issued"][0]["names"].clone();
        let until = (time::OffsetDateTime::now_utc() + Duration::from_secs(3600))
            .format(&time::format_description::well_known::Rfc3339);
        let until = until.expect("a time");
        ledger["trouble"] = json!({ "names": names, "since": "2026-11-21T12:00:00Z", "failures": 3, "until": until, "why": of("why") });
        self.world.put(key, ledger.to_string());
    }
}

#[test]
fn a_hostile_bucket_acts_on_nobody_who_reads_it() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let zip = site.zip(&app("v2"));
    site.poison();
    site.poison_ledger();
    let commands: [(&[&str], i32, &str); 9] = [
        (&["status"], 3, "error 31mred"),
        (&["history"], 0, "who 31mred"),
        (&["logs"], 0, "/ 31mred"),
        (&["logs", "i-0bad", "--kind", "access"], 0, "host 31mred"),
        (&["cert", "show"], 0, "why 31mred"),
        (&["cert", "renew", "--dry-run"], 3, "why 31mred"),
        (&["deploy", &zip, "--dry-run"], 0, "package"),
        (&["rotate", "--dry-run"], 0, "release"),
        (&["rollback", "--dry-run"], 2, ""),
    ];
    for (args, code, words) in commands {
        let plain = site.on_runner(args);
        assert_eq!(plain.code(), code, "{args:?}: {}", plain.stderr);
        assert!(
            plain.stdout.contains(words),
            "no {words:?} of {args:?} in {}",
            plain.stdout
        );
        let json = site.on_runner(&[args, &["--json"]].concat());
        assert_eq!(json.code(), code, "{args:?}: {}", json.stderr);
        for line in json.stderr.lines() {
            serde_json::from_str::<serde_json::Value>(line)
                .unwrap_or_else(|error| panic!("{args:?}: {error}: {line:?}"));
        }
        let values =
            serde_json::Deserializer::from_str(&json.stdout).into_iter::<serde_json::Value>();
        values.for_each(|value| {
            assert!(
                !decoded(&value.expect("it is JSON")).contains('\u{1b}'),
                "{args:?}: {}",
                json.stdout
            )
        });
    }
    let unknown = site.on_runner(&["logs", "i-0none"]);
    assert!(
        unknown.code() == 1 && unknown.stderr.contains("31m"),
        "the names that there are: {}",
        unknown.stderr
    );
    site.world.region.fault(
        Match::service(Service::S3),
        Fault::respond(403, "AccessDenied", "\u{9b}31mred\u{202e} ##[error]owned"),
    );
    let denied = site.on_runner(&["history"]);
    assert!(
        denied.code() == 1 && denied.stderr.contains("31mred"),
        "{}",
        denied.stderr
    );
}

/// All strings of a value.
fn decoded(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(items) => items.iter().map(decoded).collect(),
        serde_json::Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| format!("{name}{}", decoded(value)))
            .collect(),
        _ => String::new(),
    }
}

/// Fails at its release command, with hostile words.
fn failing() -> Package {
    app("v2").file("words", HOSTILE).file(
        "Procfile",
        "web: exec python3 app.py $SPOTBOOT_SOCKET\nrelease: cat words; cat words >&2; exit 3\n",
    )
}

#[test]
fn a_failed_releases_log_is_printed_with_a_prefix_and_out_of_the_runners_reach() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    // An instance's role may write there what it likes.
    site.world.region.fault(
        Match::service(Service::S3)
            .operation("GetObject")
            .path("boot.log")
            .by_ci(),
        Fault::Replace(HOSTILE.into()),
    );
    let zip = site.zip(&failing());
    let failed = site.on_runner(&["deploy", &zip, "--drain", "1s"]);
    assert_eq!(failed.code(), 1, "{}", failed.stderr);
    let fenced = failed
        .stderr
        .split("\n::stop-commands::")
        .nth(1)
        .unwrap_or_else(|| panic!("no fence in {}", failed.stderr));
    let (token, log) = fenced.split_once('\n').expect("a line");
    let log = log
        .split(&format!("::{token}::"))
        .next()
        .expect("the fence ends");
    assert!(
        log.lines().count() > 4
            && log
                .lines()
                .all(|line| line.starts_with("i-0") && line.contains(" | ")),
        "{log}"
    );
    assert!(log.contains("31mred"), "{log}");
    assert!(
        failed.stderr.contains("error: rolled back"),
        "{}",
        failed.stderr
    );

    let json = site.on_runner(&["rotate", "--json", "--drain", "1s"]);
    assert_eq!(json.code(), 0, "{}", json.stderr);
}
