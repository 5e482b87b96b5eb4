//! One run at a time, and whoever comes second hears whom to wait for.

use std::time::Duration;

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::common::eventually;
use crate::site::{Made, Site, app};

const LOCK: &str = "locks/deploy.json";

impl Site {
    fn lock(&self) -> Option<Value> {
        Some(serde_json::from_slice(&self.world.get(LOCK)?).expect("it is JSON"))
    }

    /// Moves the lease's end, as its holder's extension would.
    fn lapse_in(&self, time: Duration) {
        let mut lock = self.lock().expect("somebody holds it");
        lock["expires"] = (OffsetDateTime::now_utc() + time)
            .format(&Rfc3339)
            .expect("a time of ours")
            .into();
        self.world.put(LOCK, lock.to_string());
    }
}

#[test]
fn of_two_deploys_at_once_one_wins_and_the_other_is_told_whose_turn_it_is() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    let both = [
        site.ci_begin(&["deploy", &site.zip(&app("v2"))]),
        site.ci_begin(&["deploy", &site.zip(&app("v3"))]),
    ];
    let mut both = both.map(crate::common::Running::end);
    both.sort_by_key(crate::common::Ended::code);
    let [won, lost] = both;
    won.assert_success();
    assert_eq!(lost.code(), 4, "{}", lost.stderr);
    let run = site.history()[0]["id"]
        .as_str()
        .expect("runs have names")
        .to_owned();
    for words in [
        "another deploy runs",
        &run,
        "somebody on",
        "holds the lock until 20",
    ] {
        assert!(
            lost.stderr.contains(words),
            "no {words:?} in {}",
            lost.stderr
        );
    }
    assert!(["v2", "v3"].contains(&site.seen().as_str()));
    assert_eq!(
        site.history().len(),
        2,
        "the one that lost left a run in the log"
    );
    site.assert_never_out_of_bounds(1);
}

#[test]
fn force_never_steals_from_the_living_and_waits_for_the_lock_of_the_dead_to_lapse() {
    let Some(site) = Site::serving(Made::default()) else {
        return;
    };
    // It would bake for longer than this test needs it on trial.
    let mut killed = site.ci_begin(&["deploy", &site.zip(&app("v2")), "--drain", "60s"]);
    killed.wait_for("a new instance");
    let at_work = site.lock();

    let mut forced = site.ci_begin(&["rotate", "--force"]);
    forced.wait_for("waiting for the lock to lapse");
    site.lapse_in(Duration::from_secs(240));
    let extended = site.lock();
    let forced = forced.end();
    assert_eq!(forced.code(), 4, "{}", forced.stderr);
    let holder = at_work.as_ref().expect("it was held")["holder"]
        .as_str()
        .expect("it has a holder");
    assert!(
        forced
            .stderr
            .contains(&format!("is alive: {holder} holds the lock until")),
        "{}",
        forced.stderr
    );
    assert_eq!(site.lock(), extended, "the lock was touched");

    killed.kill9();
    let refused = site.ci(&["rotate"]);
    assert_eq!(refused.code(), 4, "{}", refused.stderr);
    let status = site.ci(&["status"]);
    assert!(
        status.stdout.contains("under way") && status.stdout.contains("killed"),
        "{}",
        status.stdout
    );

    site.lapse_in(Duration::from_secs(5));
    let lapses = OffsetDateTime::parse(
        site.lock().expect("it is held")["expires"]
            .as_str()
            .expect("text"),
        &Rfc3339,
    )
    .expect("a time");
    let mut patient = site.ci_begin(&["deploy", &site.zip(&app("v3")), "--force"]);
    patient.wait_for("waiting for the lock to lapse");
    eventually("the lock changes hands", || {
        site.lock()
            .is_some_and(|lock| lock["holder"].as_str() != Some(holder))
    });
    assert!(
        OffsetDateTime::now_utc() >= lapses,
        "it was taken before it had lapsed"
    );
    let patient = patient.end();
    patient.assert_success();
    assert!(patient.stderr.contains("undoing it"), "{}", patient.stderr);

    let history = site.history();
    assert_eq!(
        (
            history[1]["end"]["outcome"].as_str(),
            &history[1]["end"]["ended_by"]
        ),
        (Some("rolled_back"), &history[0]["id"])
    );
    assert_eq!(site.seen(), "v3");
    site.assert_never_out_of_bounds(1);
}
