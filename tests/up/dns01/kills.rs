//! Orders that are killed at random instants, again and again, while those of other sites go on
//! beside them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use region::{Options, later_pebble};
use serde_json::json;

use super::history::History;
use super::{Site, record};
use crate::common::{World, millis, number, seed};

/// The variables KILLS, and LANES for how many orders at once, say otherwise.
const USUAL: usize = 12;
const USUAL_LANES: usize = 4;
/// So many in one region, whose log of requests grows with each.
const IN_ONE_REGION: usize = 100;
/// From so many on, each phase has its share.
const MANY: usize = 300;
const MOST_IN_A_ROW: usize = 3;
/// How long an order is thought to take until one was seen.
const TAKES: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What was sent before the kill has arrived by then.
const IN_FLIGHT: Duration = Duration::from_millis(100);

/// How far an order had come when it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    NotRecorded,
    Recorded,
    ValueStanding,
    ValueRemoved,
    Stored,
}

#[derive(Debug, Default)]
struct Figures {
    struck: BTreeMap<Phase, usize>,
    /// Kills that fell between the CA's order and its record.
    lost: usize,
    sites: usize,
    /// Values that stood at the same time.
    most: usize,
}

impl Figures {
    fn kills(&self) -> usize {
        self.struck.values().sum()
    }

    /// What comes next is an order as a whole.
    fn is_at_the_start(&self) -> bool {
        self.struck.keys().all(|phase| *phase == Phase::NotRecorded)
    }

    fn add(&mut self, other: Self) {
        for (phase, kills) in other.struck {
            *self.struck.entry(phase).or_default() += kills;
        }
        self.lost += other.lost;
        self.sites += other.sites;
        self.most = self.most.max(other.most);
    }
}

#[test]
fn orders_killed_at_random_instants_leave_no_value_and_touch_none_of_the_others() {
    let Some(pebble) = later_pebble() else { return };
    let (kills, lanes, seed) = (number("KILLS", USUAL), number("LANES", USUAL_LANES), seed());
    println!("{kills} kills in {lanes} lanes from SEED={seed}");
    let (started, mut figures) = (Instant::now(), Figures::default());
    while figures.kills() < kills {
        let world = World::with(Options {
            pebble: Some(pebble.clone()),
            ..Options::default()
        });
        let left = (kills - figures.kills()).min(IN_ONE_REGION);
        figures.add(in_one_region(
            &world,
            left,
            lanes,
            seed.wrapping_add(figures.kills() as u64),
        ));
        println!("{} s: {figures:?}", started.elapsed().as_secs());
    }
    assert!(
        kills < MANY || figures.struck.len() == 5,
        "some phase was never struck"
    );
    assert!(
        kills < USUAL || lanes == 1 || figures.most > 1,
        "no two values stood at the same time"
    );
}

fn in_one_region(world: &World, kills: usize, lanes: usize, seed: u64) -> Figures {
    let left = AtomicUsize::new(kills);
    let mut figures = Figures::default();
    thread::scope(|scope| {
        let begin = |number| {
            scope.spawn({
                let left = &left;
                move || {
                    Lane {
                        world,
                        number,
                        left,
                        chance: Rng::with_seed(seed.wrapping_add((number as u64) << 32)),
                        takes: TAKES,
                    }
                    .run()
                }
            })
        };
        let lanes: Vec<_> = (0..lanes).map(begin).collect();
        for lane in lanes {
            figures.add(
                lane.join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            );
        }
    });
    let history = History::of(world, &record());
    assert!(
        world.record(&record(), "TXT").is_empty(),
        "a value stays: {history:#?}"
    );
    assert!(
        history.values.iter().all(|value| value.removed),
        "{history:#?}"
    );
    figures.most = history.most;
    figures
}

/// One site after another.
struct Lane<'w> {
    world: &'w World,
    number: usize,
    /// The kills that are still to be done, by any lane.
    left: &'w AtomicUsize,
    chance: Rng,
    /// How long an order took that nobody killed.
    takes: Duration,
}

impl Lane<'_> {
    fn run(mut self) -> Figures {
        let mut figures = Figures::default();
        while self.takes_one() {
            let site = Site::new(
                self.world,
                &format!("i-0lane{}site{}", self.number, figures.sites),
            );
            figures.add(self.kill_in_a_row(&site));
        }
        figures
    }

    fn takes_one(&self) -> bool {
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                left.checked_sub(1)
            })
            .is_ok()
    }

    /// One kill at least, which is taken already; then the order may run to its end.
    fn kill_in_a_row(&mut self, site: &Site<'_>) -> Figures {
        let mut figures = Figures {
            sites: 1,
            ..Figures::default()
        };
        let mut more = self.chance.usize(..MOST_IN_A_ROW);
        loop {
            let orders = site.orders();
            if !self.kill(site, figures.is_at_the_start()) {
                self.left.fetch_add(1, Ordering::Relaxed);
                break;
            }
            thread::sleep(IN_FLIGHT);
            lapse_lease(site);
            let phase = phase(site);
            *figures.struck.entry(phase).or_default() += 1;
            figures.lost += usize::from(phase == Phase::NotRecorded && site.orders() > orders);
            if more == 0 || is_done(site) || !self.takes_one() {
                break;
            }
            more -= 1;
        }
        if !is_done(site) {
            self.order(site, figures.is_at_the_start());
        }
        assert_is_done(site, figures.lost);
        figures
    }

    /// False where the order had ended before its time had come.
    fn kill(&mut self, site: &Site<'_>, whole: bool) -> bool {
        let after = millis(
            &mut self.chance,
            0,
            self.takes.as_millis().try_into().expect("it is short"),
        );
        let (started, mut running) = (Instant::now(), site.order());
        while started.elapsed() < after && !running.has_ended() {
            thread::sleep(LOOK_EVERY);
        }
        if running.has_ended() {
            self.has_taken(started, whole);
            running.end().assert_success();
            return false;
        }
        running.kill9();
        true
    }

    fn order(&mut self, site: &Site<'_>, whole: bool) {
        let started = Instant::now();
        site.order().end().assert_success();
        self.has_taken(started, whole);
    }

    fn has_taken(&mut self, started: Instant, whole: bool) {
        if whole {
            self.takes = started.elapsed();
        }
    }
}

/// Its certificate is stored and its order forgotten: another run would be another order's.
fn is_done(site: &Site<'_>) -> bool {
    !site.serials().is_empty() && site.object("pending.json").is_none()
}

fn assert_is_done(site: &Site<'_>, lost: usize) {
    let (history, standing) = (
        History::of(site.world(), &record()),
        site.world().record(&record(), "TXT"),
    );
    let left: Vec<_> = history
        .of_writer(site.name())
        .filter(|value| standing.contains(&value.value))
        .collect();
    assert!(
        left.is_empty(),
        "{} is done and leaves {left:#?}",
        site.name()
    );
    assert!(
        is_done(site),
        "{} has no certificate, or keeps its order",
        site.name()
    );
    // RFC 8555 has no way to find an order again whose URL died with us; it is never issued.
    assert_eq!(site.orders(), 1 + lost, "orders of {}", site.name());
    assert!(
        site.issued() <= 1 && site.serials().len() == 1,
        "{} were issued to {}",
        site.issued(),
        site.name()
    );
}

fn phase(site: &Site<'_>) -> Phase {
    if !site.serials().is_empty() {
        return Phase::Stored;
    }
    let Some(pending) = site.object("pending.json") else {
        return Phase::NotRecorded;
    };
    let values: Vec<String> = pending["values"]
        .as_array()
        .expect("an array")
        .iter()
        .map(|value| value["value"].to_string())
        .collect();
    let standing = site.world().record(&record(), "TXT");
    let has_stood = || {
        History::of(site.world(), &record())
            .of_writer(site.name())
            .any(|stood| values.contains(&stood.value))
    };
    match values.iter().any(|value| standing.contains(value)) {
        true => Phase::ValueStanding,
        false if has_stood() => Phase::ValueRemoved,
        false => Phase::Recorded,
    }
}

/// Passes the minute that a lease outlasts its holder.
fn lapse_lease(site: &Site<'_>) {
    for (key, mut lease) in site.objects("locks") {
        lease["expires"] = json!("2026-01-01T00:00:00Z");
        site.world().put(&key, lease.to_string());
    }
}
