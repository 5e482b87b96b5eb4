//! Notices at random instants, against random phases of boots and deploys, with faults: a
//! replacement is asked for in time, and then all is as it was.

mod faults;
mod round;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use region::FleetKind;

use crate::common::{number, seed};
use crate::site::Made;
use crate::upset::Upset;
use round::{Moment, Round, Told};

/// The variables NOTICES, and LANES for how many sites at once, say otherwise.
const USUAL: usize = 6;
const USUAL_LANES: usize = 3;
const KINDS: [FleetKind; 3] = [
    FleetKind::Ec2Fleet,
    FleetKind::SpotFleet,
    FleetKind::AutoScalingGroup,
];
const IN_TIME: Duration = Duration::from_secs(5);
/// A site's region keeps all that ever happened in it, and a look at that takes the longer.
const ON_ONE_SITE: usize = 20;
/// From so many on, the share of those in time says something.
const MANY: usize = 300;

#[derive(Default)]
struct Figures {
    asked: Vec<Option<Duration>>,
    moments: BTreeMap<Moment, usize>,
    violations: Vec<String>,
}

#[test]
fn a_replacement_is_asked_for_in_time_whenever_a_notice_comes_and_then_all_is_as_it_was() {
    let (count, lanes, seed) = (
        number("NOTICES", USUAL),
        number("LANES", USUAL_LANES),
        seed(),
    );
    println!("{count} notices on {lanes} sites from SEED={seed}");
    let (next, figures) = (AtomicUsize::new(0), Mutex::new(Figures::default()));
    let site = |kind: FleetKind| {
        Upset::of(Made {
            kind,
            restarts: true,
            ..Made::default()
        })
    };
    let lane = |kind: FleetKind| {
        let Some(mut upset) = site(kind) else {
            return false;
        };
        let mut rounds = 0;
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return true;
            }
            upset.wait_until_quiet();
            let seed = seed.wrapping_add((number as u64) << 32);
            let told = Round::new(&mut upset, seed).play();
            let left = !told.violations.is_empty();
            figures.lock().expect("no lane panicked").add(number, told);
            rounds += 1;
            // What is wrong once says nothing of the rounds after it.
            if left || rounds % ON_ONE_SITE == 0 {
                upset = match site(kind) {
                    Some(upset) => upset,
                    None => return false,
                };
            }
        }
    };
    let tested = thread::scope(|scope| {
        let kinds = KINDS.into_iter().cycle().take(lanes);
        let lanes: Vec<_> = kinds.map(|kind| scope.spawn(move || lane(kind))).collect();
        lanes.into_iter().all(|lane| {
            lane.join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    });
    if tested {
        figures.into_inner().expect("no lane panicked").conclude();
    }
}

impl Figures {
    fn add(&mut self, number: usize, told: Told) {
        *self.moments.entry(told.moment).or_default() += 1;
        for violation in &told.violations {
            println!("round {number}, {:?}: {violation}", told.moment);
        }
        if !told.explained.is_empty() {
            println!("{}", told.explained);
        }
        self.asked.extend(told.asked);
        self.violations.extend(told.violations);
        if self.asked.len().is_multiple_of(50) {
            println!(
                "{} notices, {} violations",
                self.asked.len(),
                self.violations.len()
            );
        }
    }

    fn conclude(mut self) {
        // One that nobody asked for comes last.
        self.asked
            .sort_by_key(|asked| asked.unwrap_or(Duration::MAX));
        let count = self.asked.len();
        let at = |share: usize| self.asked[(count * share).div_ceil(100).saturating_sub(1)];
        let in_time = self
            .asked
            .iter()
            .filter(|asked| asked.is_some_and(|asked| asked <= IN_TIME))
            .count();
        let Self {
            moments,
            violations,
            ..
        } = &self;
        println!(
            "{count} notices in {moments:?}: asked for within {IN_TIME:?} {in_time}, median {:?}, 99 % {:?}, worst {:?}",
            at(50),
            at(99),
            at(100)
        );
        println!("{} violations", violations.len());
        assert!(violations.is_empty(), "{violations:#?}");
        assert!(
            count < MANY || in_time * 100 >= count * 99,
            "too many were late"
        );
        assert!(
            self.asked.iter().all(Option::is_some),
            "one ended before anybody asked for its replacement"
        );
    }
}
