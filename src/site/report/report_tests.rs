//! Reports of other versions, and changes to them.

use serde_json::json;
use time::macros::datetime;

use super::*;
use crate::site::handover::Mark;

/// Every field, as spotboot 0.1.0 at commit 995bafa wrote it.
const WHOLE: &str = r#"{
  "instance": "i-1",
  "phase": "interrupted",
  "spotboot": "0.1.0",
  "build": {
    "commit": "995bafa9f",
    "date": "2026-11-30",
    "target": "x86_64-unknown-linux-gnu"
  },
  "release": "20261120T100000Z-0a1b2c3d",
  "deploy": "20261120T100000Z-a1b2c3",
  "tried": {
    "deploy": "20261120T100000Z-a1b2c3",
    "release": "20261120T100000Z-0a1b2c3d",
    "attempt": "kept",
    "error": null
  },
  "release_command": {
    "release": "20261120T100000Z-0a1b2c3d",
    "became": "seen_by_folder"
  },
  "public_ipv4": "203.0.113.7",
  "public_ipv6": null,
  "launched": "2026-11-20T12:00:00Z",
  "updated": "2026-11-20T12:01:00.123456789Z",
  "chain": "-----BEGIN CERTIFICATE-----\n",
  "note": {
    "mark": "notice",
    "target": 1,
    "since": "2026-11-20T12:00:59Z"
  },
  "settled": {
    "mark": "rebalance",
    "target": 2,
    "since": "2026-11-20T12:00:58Z"
  },
  "until": "2026-11-20T12:02:59Z",
  "steps": [
    {
      "name": "identity",
      "after": [],
      "start_ms": 0,
      "end_ms": 10
    },
    {
      "name": "release",
      "after": [
        "identity"
      ],
      "start_ms": 10,
      "end_ms": null,
      "error": "no such release"
    }
  ],
  "critical_path": [
    "identity",
    "release"
  ],
  "trouble": "the app ended 5 times within 60 s",
  "error": null
}"#;

/// As little as there is: what is left out where there is nothing to say.
const SCANT: &str = r#"{
  "instance": "i-1",
  "phase": "booting",
  "spotboot": "0.1.0",
  "build": {
    "commit": null,
    "date": null,
    "target": null
  },
  "release": null,
  "public_ipv4": null,
  "public_ipv6": null,
  "launched": "2026-11-20T12:00:00Z",
  "updated": "2026-11-20T12:01:00Z",
  "steps": [],
  "critical_path": [],
  "error": "finding the release"
}"#;

fn read(text: &str) -> InstanceReport {
    serde_json::from_str(text).unwrap()
}

fn stop(report: &mut InstanceReport) {
    report.phase = Phase::Stopped;
    report.note = None;
}

#[test]
fn a_report_is_read_and_written_as_before_byte_for_byte() {
    for text in [WHOLE, SCANT] {
        assert_eq!(String::from_utf8(read(text).to_json()).unwrap(), text);
    }
    let whole = read(WHOLE);
    assert!(whole.is_going() && whole.serves());
    assert_eq!(whole.launched, Some(datetime!(2026-11-20 12:00 UTC)));
    assert_eq!(whole.note.map(|note| note.mark), Some(Mark::Notice));
    assert_eq!(whole.steps[1].after, ["identity"]);
    assert_eq!(
        whole.release_command.map(|command| command.became),
        Some(Became::SeenByFolder)
    );
}

#[test]
fn a_report_of_an_earlier_spotboot_is_read_too() {
    let text = r#"{"instance":"i-1","phase":"stand_by","spotboot":"0.1.0","release":"v1","public_ipv4":"203.0.113.7","public_ipv6":null,
        "launched":"2026-11-20T12:00:00Z","updated":"2026-11-20T12:01:00Z","steps":[],"critical_path":[],"error":null}"#;
    let report = read(text);
    assert!(
        report.serves()
            && report.chain.is_none()
            && report.address() == Some(Ipv4Addr::new(203, 0, 113, 7).into())
    );
    let least = read(r#"{"phase":"failed","updated":"2026-11-20T12:01:00Z"}"#);
    assert!(!least.serves() && least.launched.is_none() && least.spotboot.is_none());
}

#[test]
fn what_a_later_spotboot_says_beyond_makes_no_report_unreadable() {
    let mut later: Value = serde_json::from_str(WHOLE).unwrap();
    later["visitors"] = 7.into();
    later["release_command"]["became"] = "left_to_another".into();
    later["steps"] = json!([{ "id": 1 }]);
    later["critical_path"] = json!({ "of": "boot" });
    let report = read(&later.to_string());
    assert_eq!(report.release.as_deref(), Some("20261120T100000Z-0a1b2c3d"));
    assert!(report.release_command.is_none() && report.steps.is_empty());
}

#[test]
fn a_change_leaves_all_else_as_it_was_written_also_what_is_not_known_here() {
    let mut later: Value = serde_json::from_str(WHOLE).unwrap();
    later["visitors"] = 7.into();
    later["build"]["features"] = json!(["brotli"]);
    later["tried"]["took_ms"] = 12.into();
    later["release_command"]["became"] = "left_to_another".into();
    later["steps"] = json!([{ "id": 1 }]);
    later["critical_path"] = json!({ "of": "boot" });
    let edited = InstanceReport::edit(later.to_string().as_bytes(), stop).unwrap();
    later["phase"] = "stopped".into();
    later.as_object_mut().unwrap().remove("note");
    assert_eq!(serde_json::from_slice::<Value>(&edited).unwrap(), later);
}

#[test]
fn a_change_adds_nothing_to_an_earlier_report_but_itself() {
    let earlier = r#"{"phase":"serving","updated":"2026-11-20T12:01:00Z","note":{"mark":"notice","target":1,"since":"2026-11-20T12:00:00Z"}}"#;
    let edited = InstanceReport::edit(earlier.as_bytes(), stop).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&edited).unwrap(),
        json!({ "phase": "stopped", "updated": "2026-11-20T12:01:00Z" })
    );
    assert!(InstanceReport::edit(b"{\"phase\":", stop).is_err());
}

#[test]
fn an_instance_that_stopped_is_over_only_if_aws_ends_it() {
    let now = datetime!(2026-11-20 12:00 UTC);
    let report = |phase, until| InstanceReport {
        until,
        ..InstanceReport::bare(phase, now)
    };
    assert!(report(Phase::Stopped, Some(now)).has_stopped());
    assert!(!report(Phase::Stopped, None).has_stopped());
    assert!(!report(Phase::Interrupted, Some(now)).has_stopped());
}

#[test]
fn a_run_goes_by_what_was_noted_and_by_what_was_settled_since_it_began() {
    let now = datetime!(2026-11-20 12:00 UTC);
    let note = |target| {
        Some(Note {
            mark: Mark::Notice,
            target,
            since: now,
        })
    };
    let target = |open, settled, began| {
        let report = InstanceReport {
            note: open,
            settled,
            ..InstanceReport::bare(Phase::Stopped, now)
        };
        report.note_since(began).map(|note| note.target)
    };
    let later = now + time::Duration::SECOND;
    assert_eq!(target(note(1), note(2), later), Some(1));
    assert_eq!(target(None, note(2), now), Some(2));
    assert_eq!(target(None, note(2), later), None, "an earlier run's");
}
