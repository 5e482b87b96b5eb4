//! One notice, or two, and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use fastrand::Rng;
use region::load::{Failure, Report};
use region::{Action, Batch, FleetInstance, State};
use time::OffsetDateTime;

use super::faults;
use crate::common::{DOMAIN, Running, millis};
use crate::upset::Upset;

const LOOK_EVERY: Duration = Duration::from_millis(50);
/// From the last notice to where all is as it was: two boots, a deploy and its way back, on a busy
/// machine.
const SETTLED_WITHIN: Duration = Duration::from_secs(150);
/// An instance stops so long before its end, at the earliest, where somebody may still come to it.
const LAST: Duration = Duration::from_secs(7);
/// From when an instance could take over to when all visitors find it: a run that keeps the names
/// for another comes to its next step, the instance sees that it is needed and proves itself, and
/// resolvers forget.
const TAKES_OVER_WITHIN: Duration = Duration::from_secs(25);
/// Where an instance that nobody has relieved leads its names in its last seconds.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const LOOK_AT_REPORTS_EVERY: Duration = Duration::from_millis(500);
/// A second.
const VISITORS: u32 = 4;

/// What goes on when the notice comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    Quiet,
    Deploy,
    BrokenDeploy,
    Rotation,
}

/// One notice.
struct Given {
    id: String,
    at: Instant,
    ends: OffsetDateTime,
    /// From the notice to the request for a replacement, of whoever asked.
    asked: Option<Duration>,
}

pub struct Told {
    pub moment: Moment,
    /// None: it ended before anybody had asked.
    pub asked: Vec<Option<Duration>>,
    pub violations: Vec<String>,
    /// The logs, where there are any.
    pub explained: String,
}

pub struct Round<'u> {
    upset: &'u mut Upset,
    chance: Rng,
    began: OffsetDateTime,
    batches: usize,
    given: Vec<Given>,
    /// When instances were first seen to be gone.
    gone: BTreeMap<String, OffsetDateTime>,
    /// When instances were first seen to serve what is current.
    ready: BTreeMap<String, OffsetDateTime>,
    addresses: BTreeMap<IpAddr, String>,
    looked: Instant,
    faulted: bool,
    /// What CI's runs have said.
    runs: String,
}

impl<'u> Round<'u> {
    pub fn new(upset: &'u mut Upset, seed: u64) -> Self {
        let region = &upset.site.world.region;
        region.forget_requests();
        let batches = region.route53().history().len();
        Self {
            upset,
            chance: Rng::with_seed(seed),
            began: OffsetDateTime::now_utc(),
            batches,
            given: Vec::new(),
            gone: BTreeMap::new(),
            ready: BTreeMap::new(),
            addresses: BTreeMap::new(),
            looked: Instant::now(),
            faulted: false,
            runs: String::new(),
        }
    }

    pub fn play(mut self) -> Told {
        let visitors = self.upset.visitors(VISITORS);
        let moment = [
            Moment::Quiet,
            Moment::Deploy,
            Moment::Deploy,
            Moment::BrokenDeploy,
            Moment::Rotation,
        ][self.chance.usize(..5)];
        let run = self.begin(moment);
        let wait = if run.is_some() {
            millis(&mut self.chance, 0, 9000)
        } else {
            millis(&mut self.chance, 0, 500)
        };
        self.look_on_for(wait);
        let faults = faults::some(&mut self.chance, self.upset.site.fleet.kind());
        self.faulted = !faults.is_empty();
        for (scope, fault) in faults {
            self.upset.site.world.region.fault(scope, fault);
        }
        self.give_notice();
        if self.chance.usize(..5) == 0 {
            let wait = millis(&mut self.chance, 0, 8000);
            self.look_on_for(wait);
            self.give_notice();
        }
        let settled = self.settle(run);
        self.upset.site.world.region.lift_all();
        let mut violations = self.violations();
        violations.extend(self.failed(&visitors.stop()));
        violations.extend(settled.err());
        let explained = if violations.is_empty() {
            String::new()
        } else {
            self.upset.site.logs() + "--- CI\n" + &self.runs
        };
        Told {
            moment,
            asked: self.given.iter().map(|given| given.asked).collect(),
            violations,
            explained,
        }
    }

    fn begin(&mut self, moment: Moment) -> Option<Running> {
        match moment {
            Moment::Quiet => None,
            Moment::Rotation => Some(self.upset.rotate()),
            Moment::Deploy | Moment::BrokenDeploy => {
                let content = self
                    .upset
                    .content((moment == Moment::BrokenDeploy).then_some("exit"));
                Some(self.upset.deploy(&content))
            }
        }
    }

    fn give_notice(&mut self) {
        let known: BTreeSet<&str> = self.given.iter().map(|given| given.id.as_str()).collect();
        let fleet = &self.upset.site.fleet;
        let living: Vec<String> = fleet
            .living()
            .into_iter()
            .map(|one| one.id)
            .filter(|id| !known.contains(id.as_str()))
            .collect();
        let Some(id) = living.get(self.chance.usize(..living.len().max(1))) else {
            return;
        };
        let notice = millis(&mut self.chance, 30_000, 40_000);
        self.upset.site.fleet.interrupt(id, notice);
        let (at, ends) = (Instant::now(), OffsetDateTime::now_utc() + notice);
        self.given.push(Given {
            id: id.clone(),
            at,
            ends,
            asked: None,
        });
    }

    fn look_on_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.look();
            sleep(LOOK_EVERY);
        }
    }

    /// A replacement is asked for where somebody stays, or is to come.
    fn look(&mut self) {
        let fleet = &self.upset.site.fleet;
        let (target, instances) = (fleet.target() as usize, fleet.instances());
        let lives =
            |instance: &&FleetInstance| matches!(instance.state, State::Pending | State::Running);
        let living: Vec<String> = instances
            .iter()
            .filter(lives)
            .map(|instance| instance.id.clone())
            .collect();
        let going = living
            .iter()
            .filter(|id| self.given.iter().any(|given| given.id == **id))
            .count();
        let is_asked_for = living.len() > going || target > going;
        for given in self.given.iter_mut().filter(|given| given.asked.is_none()) {
            // One that a rotation ends needs nobody in its place.
            if is_asked_for && (living.contains(&given.id) || living.len() > going) {
                given.asked = Some(given.at.elapsed());
            }
        }
        for instance in instances {
            if let Some(address) = instance.public_ipv4 {
                self.addresses.insert(address.into(), instance.id.clone());
            }
            if !living.contains(&instance.id) {
                self.gone
                    .entry(instance.id)
                    .or_insert_with(OffsetDateTime::now_utc);
            }
        }
        if self.looked.elapsed() >= LOOK_AT_REPORTS_EVERY {
            self.looked = Instant::now();
            self.look_at_reports(&living);
        }
    }

    fn look_at_reports(&mut self, living: &[String]) {
        let site = &self.upset.site;
        let current = site.current();
        for id in living {
            let Some(report) = site.world.report(id) else {
                continue;
            };
            let is_ready =
                ["serving", "stand_by"].contains(&report["phase"].as_str().unwrap_or_default());
            if is_ready && report["release"].as_str() == current.as_deref() {
                self.ready
                    .entry(id.clone())
                    .or_insert_with(OffsetDateTime::now_utc);
            } else {
                self.ready.remove(id);
            }
        }
    }

    fn settle(&mut self, mut run: Option<Running>) -> Result<(), String> {
        let end = Instant::now() + SETTLED_WITHIN;
        while Instant::now() < end {
            self.look();
            sleep(LOOK_EVERY);
            if run.as_mut().is_some_and(|run| !run.has_ended()) {
                continue;
            }
            let ended = run.take();
            self.runs += &ended.as_ref().map(Running::log).unwrap_or_default();
            if ended.is_some()
                && self
                    .upset
                    .log()
                    .iter()
                    .any(|record| record["end"].is_null())
            {
                // It could not undo all, and has said so: the next run does.
                run = Some(self.upset.rotate());
                continue;
            }
            let nobody_ends = self
                .given
                .iter()
                .all(|given| self.gone.contains_key(&given.id));
            if nobody_ends && self.is_as_it_was() {
                return Ok(());
            }
        }
        self.runs += &run.map(|run| run.log()).unwrap_or_default();
        let site = &self.upset.site;
        let say = |id: &String| {
            site.world.report(id).map(|report| {
                format!(
                    "{id} {} {} {}",
                    report["phase"], report["release"], report["note"]
                )
            })
        };
        let living: Vec<_> = site.living().iter().map(say).collect();
        let log = self
            .upset
            .log()
            .pop()
            .map(|log| format!("{} {} {}", log["stage"], log["end"], log["rotation"]));
        Err(format!(
            "not as it was: the target is {}, {living:?} live; {log:?}",
            site.fleet.target()
        ))
    }

    fn is_as_it_was(&self) -> bool {
        let site = &self.upset.site;
        let living = site.living();
        let [one] = living.as_slice() else {
            return false;
        };
        let owner = site
            .world
            .record(&format!("_spotboot.{DOMAIN}"), "TXT")
            .concat();
        site.fleet.target() == 1
            && site.phase(one).as_deref() == Some("serving")
            && owner.contains(&format!("owner={one},"))
    }

    fn violations(&self) -> Vec<String> {
        let mut violations = self.census();
        let history = self.upset.site.world.region.route53().history();
        let mut owner: Option<Owner> = history[..self.batches].iter().rev().find_map(Owner::of);
        for batch in &history[self.batches..] {
            let Some(next) = Owner::of(batch) else {
                continue;
            };
            violations.extend(
                owner
                    .as_ref()
                    .and_then(|owner| self.is_wrong(owner, &next, batch)),
            );
            owner = Some(next);
        }
        violations
    }

    /// Never more than one beside each that ends; where calls fail, whoever asks may not know what
    /// others have asked for.
    fn census(&self) -> Vec<String> {
        let census = self.upset.site.world.region.census();
        let most = 2 + self.given.len() + usize::from(self.faulted);
        let round = census.iter().filter(|census| census.at >= self.began);
        round
            .filter(|census| census.living > most)
            .map(|census| format!("out of bounds: {census:?}"))
            .collect()
    }

    /// Whom nobody served though somebody could have: the instance that he came to, which AWS had
    /// not ended yet, or its replacement.
    fn failed(&self, report: &Report) -> Option<String> {
        let is_wrong = |failure: &&Failure| {
            let came = failure.at - failure.took;
            if failure.address == Some(NOBODY) {
                let served = |(id, since): (&String, &OffsetDateTime)| {
                    let stays = !self.given.iter().any(|given| given.id == *id);
                    stays && *since + TAKES_OVER_WITHIN < came
                };
                return self.ready.iter().any(served);
            }
            let Some(id) = failure
                .address
                .and_then(|address| self.addresses.get(&address))
            else {
                return true;
            };
            let ends = self
                .given
                .iter()
                .find(|given| given.id == *id)
                .map(|given| given.ends);
            let others = self.ready.iter().filter(|(other, _)| {
                *other != id && !self.given.iter().any(|given| given.id == **other)
            });
            ends.is_none_or(|ends| {
                came < ends - LAST
                    || others
                        .into_iter()
                        .any(|(_, since)| *since + TAKES_OVER_WITHIN < came)
            })
        };
        let mut wrong = report.failures.iter().filter(is_wrong);
        let first = wrong.next()?;
        Some(format!(
            "{} failed of {}, first {first:?}",
            1 + wrong.count(),
            report.answered()
        ))
    }

    fn is_wrong(&self, before: &Owner, after: &Owner, batch: &Batch) -> Option<String> {
        let lives = self
            .gone
            .get(&before.id)
            .is_none_or(|gone| *gone > batch.at);
        let overwritten = before.id != after.id && after.launched < before.launched && lives;
        let skipped = after.generation != before.generation + 1;
        (overwritten || skipped).then(|| {
            format!(
                "the owner {before:?}, who lives: {lives}, is followed by {after:?}: {}",
                batch.comment
            )
        })
    }
}

/// As a batch leaves it.
#[derive(Debug)]
struct Owner {
    id: String,
    launched: OffsetDateTime,
    generation: u64,
}

impl Owner {
    fn of(batch: &Batch) -> Option<Self> {
        let created = batch
            .changes
            .iter()
            .find(|change| change.action == Action::Create && change.set.kind == "TXT")?;
        let text = created.set.values.concat();
        let field = |name: &str| {
            text.split([',', '"'])
                .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
                .map(str::to_owned)
        };
        let launched = OffsetDateTime::parse(
            &field("launched")?,
            &time::format_description::well_known::Rfc3339,
        )
        .ok()?;
        Some(Self {
            id: field("owner")?,
            launched,
            generation: field("generation")?.parse().ok()?,
        })
    }
}
