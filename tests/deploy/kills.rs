//! kill -9 of CI at every change that it makes; then the next run, whose first work is to end that one.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;

use region::{FleetKind, Match, Recorded, Stage};

use crate::common::{Running, signal};
use crate::upset::{Content, Upset};

/// Sites at once in each test.
const LANES: usize = 3;

/// How the deploy would end that is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Course {
    Promoted,
    /// Its release does not start.
    Fails,
    /// SIGTERM while its release bakes, when the new instance has the names already.
    Stopped,
}

/// What is run after the kill.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// A deploy of what is current then: it only ends the killed run.
    Settle,
    Rotate,
    SameAgain,
}

#[derive(Clone, Debug)]
struct Kill {
    course: Course,
    at: Match,
    stage: Stage,
    /// Where the run is killed that comes first after it.
    again: Option<Match>,
    next: Next,
}

/// CI's nth request that changes something.
fn change(nth: usize) -> Match {
    Match::any().by_ci().changing().nth(nth)
}

/// CI's nth call of an operation.
fn call(operation: &str, nth: usize) -> Match {
    Match::any().by_ci().operation(operation).nth(nth)
}

impl Kill {
    fn before(course: Course, nth: usize) -> Self {
        let next = [Next::Settle, Next::Rotate, Next::Settle, Next::SameAgain][nth % 4];
        Self { course, at: change(nth), stage: Stage::BeforeActing, again: None, next }
    }

    fn after(course: Course, at: Match) -> Self {
        Self { course, at, stage: Stage::AfterActing, again: None, next: Next::Settle }
    }
}

impl Upset {
    /// What was killed; none where there is no such request.
    fn survive(&mut self, kill: &Kill) -> Option<Recorded> {
        self.wait_until_quiet();
        let old = self.serves.clone();
        let new = self.content((kill.course == Course::Fails).then_some("exit"));
        let stop = |running: &Running| {
            if kill.course == Course::Stopped && running.log().contains("baking") {
                signal(running.pid(), "TERM");
            }
        };
        let before = self.site.current();
        let held = self.kill_at(kill.at.clone(), kill.stage, || self.deploy(&new), stop);
        if let (Some(_), Some(again)) = (&held, &kill.again) {
            self.lapse();
            let settling = if Some(self.decided()) == before { &old } else { &new };
            self.kill_at(again.clone(), Stage::BeforeActing, || self.deploy(settling), |_| ()).expect("settling makes that change");
        }
        self.lapse();
        let decided = self.decided();
        let what = held.as_ref().map_or("nothing".to_owned(), name);
        let context = format!("killed at {what}, {kill:?}");
        eprintln!("{context}");
        self.serves = if Some(&decided) == before.as_ref() { old } else { new.clone() };
        self.run_next(kill, &new, &context);
        self.assert_converged(&context);
        held
    }

    fn run_next(&mut self, kill: &Kill, new: &Content, context: &str) {
        let ended = match kill.next {
            Next::Settle => self.deploy(&self.serves).end(),
            Next::Rotate => self.rotate().end(),
            Next::SameAgain => self.deploy(new).end(),
        };
        if matches!(kill.next, Next::SameAgain) && kill.course == Course::Fails {
            ended.assert_error(1, &["the app gives up: no database"]);
        } else {
            assert!(ended.status.success(), "{context}:\n{}\n{}", ended.stderr, self.site.logs());
        }
        if matches!(kill.next, Next::SameAgain) && kill.course != Course::Fails {
            self.serves = new.clone();
        }
    }
}

/// The operation and what it is about, without the names that each run makes up.
fn name(request: &Recorded) -> String {
    let key = request.path.split('?').next().unwrap_or_default().trim_start_matches('/');
    let key = key.split_once('/').map_or("", |(_, key)| key);
    let folder = key.split_once('/').filter(|(folder, _)| ["deploys", "packages"].contains(folder)).map_or(key, |(folder, _)| folder);
    format!("{} {folder}", request.operation)
}

/// Survives all of them, on several sites at once; what was killed.
fn survive_all(kind: FleetKind, kills: Vec<Kill>) -> Option<Vec<Recorded>> {
    let (queue, held) = (Mutex::new(kills.into_iter()), Mutex::new(Vec::new()));
    let next = || queue.lock().ok()?.next();
    let lane = || {
        let Some(mut upset) = Upset::new(kind) else { return false };
        let visitors = upset.visitors();
        while let Some(kill) = next() {
            held.lock().expect("no other lane panicked").push(upset.survive(&kill));
        }
        visitors.stop().assert_no_failures();
        true
    };
    let tested = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().map(|lane| lane.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).all(|tested| tested)
    });
    tested.then(|| held.into_inner().expect("no lane panicked").into_iter().flatten().collect())
}

fn names(killed: &[Recorded]) -> BTreeSet<String> {
    killed.iter().map(name).collect()
}

const FORWARD: usize = 16;

#[test]
fn a_good_deploy_converges_wherever_it_is_killed() {
    let before = (1..=FORWARD + 1).map(|nth| Kill::before(Course::Promoted, nth));
    let after = ["ModifyFleet", "TerminateInstances"].map(|operation| Kill::after(Course::Promoted, call(operation, 1)));
    let kills: Vec<Kill> = before.chain(after).collect();
    let Some(killed) = survive_all(FleetKind::Ec2Fleet, kills) else { return };
    let names = names(&killed);
    assert_eq!(killed.len(), FORWARD + 2, "a deploy makes other changes than before: {names:#?}");
    let all = [
        "PutObject locks/deploy.json",
        "PutObject packages",
        "PutObject deploys",
        "PutObject releases/candidate.json",
        "ModifyFleet ",
        "PutObject releases/current.json",
        "DeleteObject releases/candidate.json",
        "TerminateInstances ",
        "DeleteObject locks/deploy.json",
    ];
    assert_eq!(names, all.map(str::to_owned).into());
}
