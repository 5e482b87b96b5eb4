//! A run that is killed at any change, before it is made or before its answer is heard: the next run
//! ends what that one began.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use region::{Match, Stage};

use crate::desk::Desk;

const WITHIN: Duration = Duration::from_secs(120);

/// Kills a run at its nth change; false where it has fewer.
fn killed_at(desk: &Desk, config: &PathBuf, args: &[&str], nth: usize, stage: Stage) -> bool {
    let scope = Match::any().by_ci().changing().nth(nth);
    let hold = desk.world.region.hold(scope, stage);
    let mut running = desk.begin(config, args);
    let deadline = Instant::now() + WITHIN;
    let held = loop {
        if hold.wait(Duration::from_millis(50)).is_ok() {
            break true;
        }
        if running.has_ended() || Instant::now() > deadline {
            break false;
        }
    };
    if held {
        running.kill9();
    }
    hold.discard();
    held
}

#[test]
fn on_and_off_converge_wherever_they_are_killed() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    let (mut kills, on, off) = (0, ["failover", "on", "--page"], ["failover", "off"]);
    for stage in [Stage::BeforeActing, Stage::AfterActing] {
        for nth in 1..=6 {
            kills += usize::from(killed_at(&desk, &config, &on, nth, stage));
            // Every other time the person changes her mind.
            if nth % 2 == 0 {
                desk.failover(&config, &["off"], 0, &[]);
                desk.assert_off(&config, &machine);
            }
            desk.failover(&config, &["on", "--page"], 0, &[]);
            desk.assert_on(&config, true);
            kills += usize::from(killed_at(&desk, &config, &off, nth, stage));
            if nth % 2 == 0 {
                desk.failover(&config, &["on", "--page"], 0, &[]);
                desk.assert_on(&config, true);
            }
            desk.failover(&config, &["off"], 0, &[]);
            desk.assert_off(&config, &machine);
        }
    }
    assert!(kills >= 20, "only {kills} runs were killed");
}
