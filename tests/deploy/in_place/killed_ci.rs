//! kill -9 of CI at every change that it makes, and the next run.

use std::sync::Mutex;
use std::thread;

use region::{Match, Stage};
use serde_json::Value;

use super::Lone;
use crate::common::eventually;
use crate::common::{Package, World};
use crate::site::{PATIENCE, app};

const LANES: usize = 4;

#[derive(Clone, Copy, Debug)]
struct Kill {
    operation: &'static str,
    path: &'static str,
    nth: usize,
    stage: Stage,
    /// What was decided by then.
    forward: bool,
}

const fn kill(
    operation: &'static str,
    path: &'static str,
    nth: usize,
    stage: Stage,
    forward: bool,
) -> Kill {
    Kill {
        operation,
        path,
        nth,
        stage,
        forward,
    }
}

/// The log is written at the beginning, when the release is live, when it was seen, at the
/// decision, and at the end.
const KILLS: [Kill; 10] = [
    kill("PutObject", "deploys/", 1, Stage::AfterActing, false),
    kill(
        "PutObject",
        "releases/candidate.json",
        1,
        Stage::AfterActing,
        false,
    ),
    kill("PutObject", "deploys/", 2, Stage::BeforeActing, false),
    kill("PutObject", "deploys/", 4, Stage::BeforeActing, false),
    kill("PutObject", "deploys/", 4, Stage::AfterActing, true),
    kill(
        "PutObject",
        "releases/current.json",
        1,
        Stage::BeforeActing,
        true,
    ),
    kill(
        "PutObject",
        "releases/current.json",
        1,
        Stage::AfterActing,
        true,
    ),
    kill(
        "DeleteObject",
        "releases/candidate.json",
        1,
        Stage::AfterActing,
        true,
    ),
    kill("PutObject", "deploys/", 5, Stage::BeforeActing, true),
    kill(
        "DeleteObject",
        "locks/deploy.json",
        1,
        Stage::BeforeActing,
        true,
    ),
];

impl Lone<'_> {
    /// Ages what a killed run has left as if nobody had extended it for two minutes.
    fn lapse(&self) {
        let world = self.machine.world;
        for key in ["locks/deploy.json", "releases/candidate.json"] {
            let Some(body) = world.get(key) else { continue };
            let mut lease: Value = serde_json::from_slice(&body).expect("a lease is JSON");
            lease["expires"] = "2026-01-01T00:00:00Z".into();
            world.put(key, lease.to_string());
        }
    }

    /// What is to serve afterwards.
    fn survive(&self, kill: Kill, old: &Package, new: &Package, texts: [&str; 2]) -> bool {
        let world = self.machine.world;
        let before = self.current();
        let at = Match::any()
            .by_ci()
            .operation(kill.operation)
            .path(kill.path)
            .nth(kill.nth);
        let hold = world.region.hold(at, kill.stage);
        let running = self.begin(new);
        hold.wait(PATIENCE)
            .unwrap_or_else(|_| panic!("{kill:?} is not reached:\n{}", running.log()));
        running.kill9();
        match kill.stage {
            Stage::BeforeActing => hold.discard(),
            Stage::AfterActing => hold.release(),
        }
        if kill.path.starts_with("releases/candidate") {
            eventually("the instance took part", || self.seen() == texts[1]);
        }
        self.lapse();
        // By itself: without CI only what is current counts.
        eventually("the trial is over", || {
            self.report()["release"].as_str() == Some(&self.current())
        });
        let next = self.deploy(if kill.forward { new } else { old });
        assert_eq!(next.code(), 0, "{kill:?}\n{}\n{}", next.stderr, self.log());
        assert_eq!(
            self.current() != before,
            kill.forward,
            "{kill:?}\n{}",
            next.stderr
        );
        self.assert_settled(
            texts[usize::from(kill.forward)],
            &format!("{kill:?}\n{}", next.stderr),
        );
        kill.forward
    }
}

#[test]
fn a_deploy_in_place_converges_wherever_it_is_killed() {
    let queue = Mutex::new(KILLS.iter().enumerate());
    let next = || queue.lock().expect("no lane panicked").next();
    let lane = || {
        let world = World::new();
        let lone = Lone::serving(&world);
        let mut serves = ("v1".to_owned(), app("v1"));
        while let Some((number, kill)) = next() {
            let text = format!("after kill {number}");
            let new = app(&text);
            if lone.survive(*kill, &serves.1, &new, [&serves.0, &text]) {
                serves = (text, new);
            }
        }
    };
    thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().for_each(|lane| {
            lane.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
    });
}
