//! A year of certificates that live for six days, or ninety, in virtual time: the decisions are the
//! product's own, around them stand a model of the CA with its windows and limits, a bucket, and a
//! fleet whose instances are replaced daily. All that is random comes from a seed.

mod ca;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use fastrand::Rng;
use time::ext::NumericalDuration;
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

use super::ledger::Terms;
use super::sealed::fixtures::certificate;
use super::{AGAIN, Certificate, Ledger, RenewalAction, View, next, pause};
use crate::cloud::acme::AcmeError;
use ca::{Ca, Outages, SimulatedOrder};

const BEGIN: OffsetDateTime = datetime!(2026-01-01 00:00 UTC);
const YEAR: Duration = Duration::days(365);
/// Let's Encrypt's `shortlived`, and what it gives else; valid from an hour before it is issued.
const SHORT: Duration = Duration::hours(160);
const LONG: Duration = Duration::days(90);
const BACKDATED: Duration = Duration::hours(1);
const WEEK: Duration = Duration::days(7);
const LEASE: Duration = Duration::seconds(60);
/// Others pick a renewal up within ten minutes; a look takes its time, and is repeated where S3
/// fails.
const PICKED_UP: Duration = Duration::minutes(11);

/// From a seed.
struct Chance(Rng);

impl Chance {
    fn within(&mut self, least: Duration, most: Duration) -> Duration {
        least
            + Duration::milliseconds(self.0.i64(
                0..=i64::try_from((most - least).whole_milliseconds()).expect("a span of days"),
            ))
    }

    fn one_in(&mut self, many: u32) -> bool {
        self.0.u32(..many) == 0
    }
}

struct SimulatedBucket {
    outages: Outages,
    stored: Vec<(Certificate, OffsetDateTime)>,
    ledgers: Vec<(String, Ledger)>,
    lease: Option<(u64, OffsetDateTime)>,
    pending: Option<(SimulatedOrder, Terms)>,
}

struct SimulatedInstance {
    id: u64,
    serving: Certificate,
    /// What its own clock is off by, and whether it has heard S3's.
    off: Duration,
    heard: bool,
}

impl SimulatedInstance {
    fn now(&self, at: OffsetDateTime) -> OffsetDateTime {
        if self.heard { at } else { at + self.off }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The instance of a slot looks after its certificate; one that is gone does not.
    Wake { slot: usize, id: u64 },
    /// The order that it has made is validated.
    Finish { slot: usize, id: u64 },
    /// It goes, and its successor has booted.
    Replace { slot: usize, id: u64 },
}

struct World {
    chance: Chance,
    ca: Ca,
    bucket: SimulatedBucket,
    fleet: Vec<SimulatedInstance>,
    events: BinaryHeap<Reverse<(OffsetDateTime, What)>>,
    names: Vec<String>,
    born: u64,
}

impl World {
    fn new(seed: u64, instances: usize, lifetime: Duration) -> Self {
        let mut chance = Chance(Rng::with_seed(seed));
        let ca = Outages::every(3.days(), 40.minutes(), &mut chance);
        let s3 = Outages::every(4.days(), 10.minutes(), &mut chance);
        let ahead = chance.within(-30.seconds(), 30.seconds());
        let mut ca = Ca {
            lifetime,
            outages: ca,
            ahead,
            issued: Vec::new(),
            orders: 1,
            asked: 0,
        };
        let order = SimulatedOrder {
            at: BEGIN,
            replaces: None,
            exempt: false,
        };
        let first = certificate(
            &format!("{:016X}", chance.0.u64(..)),
            BEGIN - BACKDATED,
            lifetime,
        );
        ca.issued.push((first.clone(), order));
        let (mut ledger, names) = (Ledger::default(), vec!["example.com".to_owned()]);
        ledger.has_issued(&first, &names, false, BEGIN);
        let bucket = SimulatedBucket {
            outages: s3,
            stored: vec![(first, BEGIN)],
            ledgers: vec![("ca".to_owned(), ledger)],
            lease: None,
            pending: None,
        };
        let mut world = Self {
            chance,
            ca,
            bucket,
            fleet: Vec::new(),
            events: BinaryHeap::new(),
            names,
            born: 0,
        };
        for slot in 0..instances {
            let instance = world.boot();
            world.fleet.push(instance);
            world.settle(slot, BEGIN);
        }
        world
    }

    fn boot(&mut self) -> SimulatedInstance {
        self.born += 1;
        let serving = self
            .bucket
            .stored
            .last()
            .expect("there is always one")
            .0
            .clone();
        let off = self.chance.within((-1).hours(), 1.hours());
        SimulatedInstance {
            id: self.born,
            serving,
            off,
            heard: false,
        }
    }

    fn settle(&mut self, slot: usize, at: OffsetDateTime) {
        let id = self.fleet[slot].id;
        self.plan(at, What::Wake { slot, id });
        let lives = self.chance.within(4.hours(), 44.hours());
        self.plan(at + lives, What::Replace { slot, id });
    }

    fn plan(&mut self, at: OffsetDateTime, what: What) {
        self.events.push(Reverse((at, what)));
    }

    fn live(&mut self, until: OffsetDateTime, mut look: impl FnMut(&Self, OffsetDateTime)) {
        while self
            .events
            .peek()
            .is_some_and(|Reverse((at, _))| *at < until)
        {
            let Some(Reverse((at, what))) = self.events.pop() else {
                break;
            };
            match what {
                What::Replace { slot, id }
                    if self.fleet[slot].id == id && self.bucket.outages.strike(at) =>
                {
                    self.plan(at + 1.minutes(), what)
                }
                What::Replace { slot, id } if self.fleet[slot].id == id => {
                    self.fleet[slot] = self.boot();
                    self.settle(slot, at);
                }
                What::Wake { slot, id } if self.fleet[slot].id == id => self.wake(slot, at),
                What::Finish { slot, id } if self.fleet[slot].id == id => self.finish(slot, at),
                What::Wake { .. } | What::Finish { .. } | What::Replace { .. } => {}
            }
            look(self, at);
        }
    }

    /// As the resident tends its certificate.
    fn wake(&mut self, slot: usize, at: OffsetDateTime) {
        let id = self.fleet[slot].id;
        let again = What::Wake { slot, id };
        if self.bucket.outages.strike(at) {
            return self.plan(at + AGAIN, again);
        }
        self.fleet[slot].heard = true;
        loop {
            let (now, newest) = (
                self.fleet[slot].now(at),
                self.bucket
                    .stored
                    .last()
                    .map(|(certificate, _)| certificate.clone()),
            );
            let serving = self.fleet[slot].serving.clone();
            let (ledgers, names) = (&self.bucket.ledgers, &self.names);
            let view = View {
                now,
                serving: &serving,
                stored: newest.as_ref(),
                unfit: None,
                ledgers,
                names,
            };
            match next(&view) {
                RenewalAction::Wait(until) => return self.plan(at + pause(until, now), again),
                RenewalAction::Show => self.fleet[slot].serving = newest.expect("it is shown"),
                RenewalAction::AskWindow { .. } => {
                    let answer = self.ca.renewal_info(&serving, at);
                    self.bucket.ledgers[0].1.heard(
                        &serving,
                        answer.as_ref().map(Option::as_ref),
                        now,
                    );
                }
                RenewalAction::Renew => return self.order(slot, at, &serving),
            }
        }
    }

    /// As `commands::certificates` orders: under the lease, on the ledger's terms, and by an order
    /// that another has left if there is one.
    fn order(&mut self, slot: usize, at: OffsetDateTime, replaced: &Certificate) {
        let id = self.fleet[slot].id;
        if self
            .bucket
            .lease
            .is_some_and(|(holder, until)| holder != id && at < until)
        {
            return self.plan(at + AGAIN, What::Wake { slot, id });
        }
        if self.bucket.pending.is_none() {
            let now = self.fleet[slot].now(at);
            let terms = self.bucket.ledgers[0]
                .1
                .terms(Some(replaced), &self.names, now)
                .expect("the decision was to renew");
            match self
                .ca
                .new_order(Some(replaced).filter(|_| terms.replaces), at)
            {
                Ok(order) => self.bucket.pending = Some((order, terms)),
                Err(error) => return self.failed(slot, at, &error),
            }
        }
        let takes = self.chance.within(2.seconds(), 40.seconds());
        self.bucket.lease = Some((id, at + takes + LEASE));
        // Its machine may go half-way.
        if self.chance.one_in(10) {
            self.plan(at + takes / 2, What::Replace { slot, id });
        }
        self.plan(at + takes, What::Finish { slot, id });
    }

    fn finish(&mut self, slot: usize, at: OffsetDateTime) {
        let (order, terms) = self
            .bucket
            .pending
            .clone()
            .expect("an order stands until it is finished");
        match self.ca.finalize(&order, at, &mut self.chance) {
            Err(error) => self.failed(slot, at, &error),
            Ok(issued) => {
                let now = self.fleet[slot].now(at);
                self.bucket.ledgers[0]
                    .1
                    .has_issued(&issued, &self.names, terms.exempt, now);
                self.bucket.stored.push((issued.clone(), at));
                (self.bucket.pending, self.bucket.lease) = (None, None);
                let id = self.fleet[slot].id;
                self.fleet[slot].serving = issued;
                self.plan(at, What::Wake { slot, id });
            }
        }
    }

    fn failed(&mut self, slot: usize, at: OffsetDateTime, error: &AcmeError) {
        let (id, now) = (self.fleet[slot].id, self.fleet[slot].now(at));
        assert!(
            !matches!(
                error,
                AcmeError::RateLimited { .. } | AcmeError::AlreadyReplaced { .. }
            ),
            "at {at}: {error:?}"
        );
        self.bucket.ledgers[0].1.has_failed(&self.names, error, now);
        self.bucket.lease = None;
        self.plan(at + AGAIN, What::Wake { slot, id });
    }

    /// Nobody serves what has ended, nor for long what another has replaced.
    fn assert_served(&self, at: OffsetDateTime) {
        let (newest, since) = self.bucket.stored.last().expect("there is always one");
        for instance in &self.fleet {
            assert!(
                at < instance.serving.not_after,
                "at {at} an instance serves what ended at {}",
                instance.serving.not_after
            );
            let disturbed = self.bucket.outages.strike(at)
                || self.bucket.outages.strike(at - PICKED_UP)
                || self.bucket.outages.strike(at - 5.minutes());
            assert!(
                instance.serving.serial == newest.serial
                    || at - *since < PICKED_UP * 2
                    || disturbed,
                "at {at} an instance has not picked up what was stored at {since}"
            );
        }
    }
}

fn seeds() -> Range<u64> {
    0..std::env::var("SEEDS")
        .ok()
        .map_or(4, |seeds| seeds.parse().expect("SEEDS is a number"))
}

#[test]
fn a_year_of_six_day_certificates_is_one_order_within_the_window_for_each() {
    for seed in seeds() {
        let mut world = World::new(
            seed,
            1 + usize::try_from(seed % 3).expect("a small number"),
            SHORT,
        );
        world.live(BEGIN + YEAR, |world, at| world.assert_served(at));
        let issued = &world.ca.issued;
        assert_eq!(
            world.ca.orders,
            issued.len() + usize::from(world.bucket.pending.is_some()),
            "seed {seed}: an order gave no certificate"
        );
        assert!(
            (105..=118).contains(&issued.len()),
            "seed {seed}: {} certificates in a year",
            issued.len()
        );
        for pair in issued.windows(2) {
            let ((former, _), (_, order)) = (&pair[0], &pair[1]);
            let window = Ca::window(former);
            assert!(
                (window.start..=window.end).contains(&order.at),
                "seed {seed}: ordered at {}, the window is {window:?}",
                order.at
            );
            assert_eq!(
                order.replaces.as_ref(),
                Some(&former.serial),
                "seed {seed}: the order names another certificate"
            );
            assert!(order.exempt, "seed {seed}");
        }
    }
}

/// Nothing lapses, and the CA is asked seldom.
fn with_the_ca_down(lifetime: Duration, days: i64) {
    for seed in seeds() {
        let mut world = World::new(seed, 2, lifetime);
        let down = BEGIN + 40.days() + world.chance.within(Duration::ZERO, lifetime);
        let back = down + days.days();
        world.ca.outages = Outages(vec![down..back]);
        world.live(down, |world, at| world.assert_served(at));
        let asked = world.ca.asked;
        world.live(back, |world, at| world.assert_served(at));
        let asked = i64::try_from(world.ca.asked - asked).expect("it is small");
        assert!(
            asked < 40 * days,
            "seed {seed}: the CA was asked {asked} times while it was down"
        );
        world.live(back + lifetime, |world, at| world.assert_served(at));
        let (renewed, _) = world.bucket.stored.last().expect("there is always one");
        assert!(
            renewed.not_before > down,
            "seed {seed}: nothing was renewed after the CA was back"
        );
    }
}

#[test]
fn certificates_of_six_days_outlast_a_ca_that_is_down_for_three() {
    with_the_ca_down(SHORT, 3);
}

#[test]
fn certificates_of_ninety_days_outlast_a_ca_that_is_down_for_a_week() {
    with_the_ca_down(LONG, 7);
}
