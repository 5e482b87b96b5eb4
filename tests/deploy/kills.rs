//! kill -9 of CI at every change that it makes; then the next run, whose first work is to end that
//! one.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use region::{Fault, FleetKind, Match, Recorded, Service, Stage};

use crate::common::eventually;
use crate::common::{Running, signal};
use crate::upset::{Content, Upset};

/// Sites at once in each test, as far as it is their turn.
const LANES: usize = 3;

/// Nobody is sent to an instance any more whose names have led elsewhere for three times the TTL.
const NOBODY_REMEMBERS: Duration = Duration::from_secs(4);

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
        let next = match nth % 7 {
            3 => Next::Rotate,
            6 => Next::SameAgain,
            _ => Next::Settle,
        };
        Self {
            course,
            at: change(nth),
            stage: Stage::BeforeActing,
            again: None,
            next,
        }
    }

    /// The run that comes after it is killed at its nth change.
    fn again(self, nth: usize) -> Self {
        Self {
            again: Some(change(nth)),
            next: Next::Settle,
            ..self
        }
    }

    fn after(course: Course, at: Match) -> Self {
        Self {
            course,
            at,
            stage: Stage::AfterActing,
            again: None,
            next: Next::Settle,
        }
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
            let settling = if Some(self.decided()) == before {
                &old
            } else {
                &new
            };
            self.kill_at(
                again.clone(),
                Stage::BeforeActing,
                || self.deploy(settling),
                |_| (),
            )
            .expect("settling makes that change");
        }
        self.lapse();
        let decided = self.decided();
        let what = held.as_ref().map_or("nothing".to_owned(), name);
        let context = format!("killed at {what}, {kill:?}");
        self.serves = if Some(&decided) == before.as_ref() {
            old
        } else {
            new.clone()
        };
        let said = self.run_next(kill, &new, &context);
        self.assert_converged(&format!("{context}\n{said}"));
        held
    }

    /// What it said.
    fn run_next(&mut self, kill: &Kill, new: &Content, context: &str) -> String {
        let ended = match kill.next {
            Next::Settle => self.deploy(&self.serves).end(),
            Next::Rotate => self.rotate().end(),
            Next::SameAgain => self.deploy(new).end(),
        };
        if matches!(kill.next, Next::SameAgain) && kill.course == Course::Fails {
            ended.assert_error(1, &["the app gives up: no database"]);
        } else {
            assert!(
                ended.status.success(),
                "{context}:\n{}\n{}",
                ended.stderr,
                self.site.logs()
            );
        }
        if matches!(kill.next, Next::SameAgain) && kill.course != Course::Fails {
            self.serves = new.clone();
        }
        ended.stderr
    }
}

/// The operation and what it is about, without the names that each run makes up.
fn name(request: &Recorded) -> String {
    let key = request
        .path
        .split('?')
        .next()
        .unwrap_or_default()
        .trim_start_matches('/');
    let key = key.split_once('/').map_or("", |(_, key)| key);
    let key = if request.service == Service::S3 {
        key
    } else {
        ""
    };
    let folder = key
        .split_once('/')
        .filter(|(folder, _)| ["deploys", "packages"].contains(folder))
        .map_or(key, |(folder, _)| folder);
    format!("{} {folder}", request.operation)
}

/// Survives all of them, on several sites at once; what was killed.
fn survive_all(kind: FleetKind, kills: Vec<Kill>) -> Option<Vec<Recorded>> {
    let (queue, held) = (Mutex::new(kills.into_iter()), Mutex::new(Vec::new()));
    let next = || queue.lock().ok()?.next();
    let lane = || {
        let Some(mut kill) = next() else { return true };
        let Some(mut upset) = Upset::new(kind) else {
            return false;
        };
        let visitors = upset.visitors(8);
        loop {
            held.lock()
                .expect("no other lane panicked")
                .push(upset.survive(&kill));
            match next() {
                Some(following) => kill = following,
                None => break,
            }
        }
        visitors.stop().assert_no_failures();
        true
    };
    let tested = thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
        lanes.into_iter().all(|lane| {
            lane.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    });
    tested.then(|| {
        held.into_inner()
            .expect("no lane panicked")
            .into_iter()
            .flatten()
            .collect()
    })
}

fn names(killed: &[Recorded]) -> BTreeSet<String> {
    killed.iter().map(name).collect()
}

/// CI's changes in a deploy that is promoted.
const FORWARD: usize = 17;

#[test]
fn a_good_deploy_converges_wherever_it_is_killed() {
    let before = (1..=FORWARD + 1).map(|nth| Kill::before(Course::Promoted, nth));
    let after = ["ModifyFleet", "TerminateInstances"]
        .map(|operation| Kill::after(Course::Promoted, call(operation, 1)));
    let kills: Vec<Kill> = before.chain(after).collect();
    let Some(killed) = survive_all(FleetKind::Ec2Fleet, kills) else {
        return;
    };
    let names = names(&killed);
    assert_eq!(
        killed.len(),
        FORWARD + 2,
        "a deploy makes other changes than before: {names:#?}"
    );
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

/// CI's changes in a trial that fails, from the first that leads back.
const BACK: [&str; 8] = [
    "PutObject deploys",
    "DeleteObject releases/candidate.json",
    "ChangeResourceRecordSets ",
    "PutObject deploys",
    "ModifyFleet ",
    "TerminateInstances ",
    "PutObject deploys",
    "DeleteObject locks/deploy.json",
];
/// The lease, the package, the log, the candidate and the higher target come before.
const BEGINNING: usize = 5;
/// The lease and the killed run's log, which whoever ends that run takes over first.
const TAKEN: usize = 2;

#[test]
fn a_broken_deploy_converges_wherever_it_is_killed_on_its_way_back() {
    // All of them are tried where the names go back, too.
    let some = [1, 3, 5, 7].map(|nth| Kill::before(Course::Fails, BEGINNING + nth));
    let raised = Kill::after(Course::Fails, call("ModifyFleet", 1));
    let Some(killed) = survive_all(
        FleetKind::Ec2Fleet,
        some.into_iter().chain([raised]).collect(),
    ) else {
        return;
    };
    assert_eq!(killed.len(), 5, "{:#?}", names(&killed));
}

#[test]
fn a_deploy_that_gives_the_names_back_converges_wherever_it_is_killed() {
    // The log hears of the new instance first.
    let kills = (1..=BACK.len()).map(|nth| Kill::before(Course::Stopped, BEGINNING + 1 + nth));
    let given = Kill::after(Course::Stopped, call("ChangeResourceRecordSets", 1));
    let Some(killed) = survive_all(FleetKind::Ec2Fleet, kills.chain([given]).collect()) else {
        return;
    };
    assert_eq!(killed.len(), BACK.len() + 1);
    assert_eq!(names(&killed), BACK.map(str::to_owned).into());
}

#[test]
fn the_run_that_ends_a_killed_one_may_itself_be_killed() {
    // The first has the new instance serve, with the names. Its successor takes the lease and the
    // log, and then goes the way back.
    let undone = (2..=TAKEN + BACK.len())
        .map(|nth| Kill::before(Course::Promoted, BEGINNING + 1).again(nth));
    // The decision is written; current, candidate, log, target, instance and log are to follow.
    let finished =
        (2..=TAKEN + 6).map(|nth| Kill::before(Course::Promoted, BEGINNING + 4).again(nth));
    survive_all(FleetKind::Ec2Fleet, undone.chain(finished).collect());
}

/// A deploy to another kind of fleet, killed before and after each change of the fleet.
fn converges_on(kind: FleetKind, calls: &[(&str, usize)]) {
    let kills = calls.iter().flat_map(|&(operation, nth)| {
        let before = Kill {
            stage: Stage::BeforeActing,
            ..Kill::after(Course::Promoted, call(operation, nth))
        };
        [before, Kill::after(Course::Promoted, call(operation, nth))]
    });
    let back = calls
        .last()
        .map(|&(operation, nth)| Kill::after(Course::Fails, call(operation, nth)));
    let kills: Vec<Kill> = kills.chain(back).collect();
    let wanted = kills.len();
    let Some(killed) = survive_all(kind, kills) else {
        return;
    };
    assert_eq!(killed.len(), wanted, "{:#?}", names(&killed));
}

#[test]
fn a_deploy_to_a_spot_fleet_converges_wherever_it_is_killed_at_the_fleet() {
    converges_on(
        FleetKind::SpotFleet,
        &[
            ("ModifySpotFleetRequest", 1),
            ("ModifySpotFleetRequest", 2),
            ("TerminateInstances", 1),
        ],
    );
}

#[test]
fn a_deploy_to_an_auto_scaling_group_converges_wherever_it_is_killed_at_the_group() {
    let changes = [
        ("SetInstanceProtection", 1),
        ("SetDesiredCapacity", 1),
        ("TerminateInstanceInAutoScalingGroup", 1),
    ];
    converges_on(FleetKind::AutoScalingGroup, &changes);
}

/// Nobody runs anything after a kill in the trial; by S3's clock its lease lapses all the same.
#[test]
fn after_a_kill_in_the_trial_waiting_alone_ends_it_for_instances_that_boot_then() {
    let Some(mut upset) = Upset::new(FleetKind::Ec2Fleet) else {
        return;
    };
    let visitors = upset.visitors(8);
    let (old, new) = (upset.site.living(), upset.content(None));
    // The log hears of the new instance once it serves.
    let seen = change(BEGINNING + 1);
    upset
        .kill_at(seen, Stage::BeforeActing, || upset.deploy(&new), |_| ())
        .expect("the trial goes so far");
    assert_eq!(
        upset.site.seen(),
        new.text,
        "the names lead to the instance on trial"
    );
    let current = upset.site.current();

    // A run now is refused, and names whose lease it is.
    upset
        .rotate()
        .end()
        .assert_error(4, &["another deploy runs", "holds the lock until"]);
    let later = upset.site.world.region.fault(
        Match::service(Service::S3),
        Fault::ClockSkew(time::Duration::seconds(121)),
    );
    std::thread::sleep(NOBODY_REMEMBERS);
    upset.site.fleet.lose(&old[0]);
    upset.site.wait_until_serving(2);
    let living = upset.site.living();
    let versions: Vec<_> = living
        .iter()
        .map(|id| upset.site.world.report(id).expect("it reports")["release"].clone())
        .collect();
    assert_eq!(versions.len(), 2, "{living:?}");
    assert_eq!(
        versions[1].as_str(),
        current.as_deref(),
        "the one that booted later tries what nobody tries any more"
    );
    eventually("the names lead to the last good release", || {
        upset.site.seen() == upset.serves.text
    });
    assert_eq!(upset.site.current(), current);
    visitors.stop().assert_no_failures();

    // The times of an instance's launch are EC2's, which has not moved.
    upset.site.world.region.lift(later);
    upset.lapse();
    upset.deploy(&upset.serves).end().assert_success();
    upset.assert_serves_alone("after waiting");
}
