//! The thread that keeps a fleet at its target, and what the APIs and tests ask of it. It never
//! waits for the region's own threads, nor for an instance, while it holds the lock: those wait for
//! it.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::Result;
use time::OffsetDateTime;

use super::decide::{Act, RETRY, decide, wakes};
use super::event::{Event, What};
use super::launcher::{Launcher, Running};
use super::state::{Aim, Dials, Now, Phase, Seat, Sizes};
use super::template::{LaunchTemplate, Versions};
use super::view::{Past, View};
use super::{FleetKind, FleetSpec, Ledger, zones};
use crate::instance::{Instance, State};
use crate::launchpad::Launchpad;
use crate::locked;
use crate::registry::{Machine, unique};

/// Nothing is due before somebody says so; this only bounds a mistake.
const IDLE: Duration = Duration::from_secs(5);

pub(crate) struct Keeper {
    pub(crate) spec: FleetSpec,
    pub(crate) created: OffsetDateTime,
    pub(super) launcher: Arc<dyn Launcher>,
    pub(super) launchpad: Arc<Launchpad>,
    ledger: Arc<Ledger>,
    inner: Mutex<Inner>,
    changed: Condvar,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

pub(super) struct Inner {
    pub(super) now: Now,
    pub(super) versions: Versions,
    past: Past,
    pub(super) bodies: BTreeMap<String, Body>,
}

/// What there is of an instance beside its seat.
pub(super) struct Body {
    pub(super) machine: Arc<Machine>,
    /// Until it is terminated.
    pub(super) instance: Option<Arc<Instance>>,
    pub(super) running: Option<Arc<dyn Running>>,
    /// What it said to its end.
    pub(super) log: String,
}

impl Keeper {
    pub(super) fn start(
        spec: FleetSpec,
        launcher: Arc<dyn Launcher>,
        launchpad: Arc<Launchpad>,
        ledger: Arc<Ledger>,
    ) -> Result<Arc<Keeper>> {
        let aim = Aim {
            target: spec.target,
            keeps_excess: spec.keeps_excess,
        };
        let mut now = Now::new(
            aim,
            spec.capacity_rebalance,
            spec.kind == FleetKind::AutoScalingGroup,
        );
        now.zones = vec![true; spec.zones.max(1)];
        now.health_grace = Duration::from_secs(spec.health_grace.into());
        if now.is_group {
            now.sizes = Sizes {
                min: spec.min,
                max: spec.max,
            };
        }
        now.events = vec![Event::now(What::Submitted), Event::now(What::Active)];
        let versions = Versions::new(spec.template.clone(), spec.template_version);
        let inner = Mutex::new(Inner {
            now,
            versions,
            past: Past::default(),
            bodies: BTreeMap::new(),
        });
        let (created, changed, threads) =
            (OffsetDateTime::now_utc(), Condvar::new(), Mutex::default());
        let keeper = Arc::new(Keeper {
            spec,
            created,
            launcher,
            launchpad,
            ledger,
            inner,
            changed,
            threads,
        });
        keeper.note(&mut keeper.lock());
        keeper.spawn(Keeper::run)?;
        Ok(keeper)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        locked(&self.inner)
    }

    pub(super) fn spawn(
        self: &Arc<Self>,
        work: impl FnOnce(&Arc<Keeper>) + Send + 'static,
    ) -> Result<()> {
        let keeper = self.clone();
        let thread = thread::Builder::new()
            .name(format!("fleet {}", self.spec.id))
            .spawn(move || work(&keeper))?;
        locked(&self.threads).push(thread);
        Ok(())
    }

    fn run(self: &Arc<Self>) {
        while let Some(launches) = self.step() {
            launches.iter().for_each(|id| self.launch(id));
        }
    }

    /// Does what is due, or waits for it; gives the instances to launch. None: the region ends.
    fn step(self: &Arc<Self>) -> Option<Vec<String>> {
        let mut inner = self.lock();
        if inner.now.ended {
            return None;
        }
        let at = Instant::now();
        let acts = decide(&inner.now, at);
        let launches: Vec<String> = acts
            .iter()
            .filter_map(|act| self.perform(&mut inner, act, at))
            .collect();
        self.note(&mut inner);
        if acts.is_empty() {
            let wait = wakes(&inner.now, at)
                .map_or(IDLE, |then| then.saturating_duration_since(at).min(IDLE));
            drop(self.changed.wait_timeout(inner, wait));
        }
        Some(launches)
    }

    fn perform(self: &Arc<Self>, inner: &mut Inner, act: &Act, at: Instant) -> Option<String> {
        match act {
            Act::Settle => {
                (inner.now.aim, inner.now.modifying_until) = (inner.now.asked, None);
                inner.now.events.push(Event::now(What::Modified));
            }
            Act::Boot(id) => self.boot(inner, id),
            Act::Leave(id, why) => self.leave(inner, id, *why),
            Act::Launch | Act::LaunchForBalance => {
                let known = at + inner.now.dials.order_delay;
                let seat = Seat::ordered(format!("i-0{}", unique(16)), known);
                let zone = zones::emptiest(&inner.now).unwrap_or_default();
                inner.now.retry = None;
                inner.now.seats.push(Seat {
                    protected: self.spec.protects_new,
                    zone,
                    balances: *act == Act::LaunchForBalance,
                    ..seat
                });
            }
            Act::Count(id) => {
                let seat = inner.now.seat(id);
                seat.into_iter().for_each(|seat| seat.balances = false);
            }
            Act::Condemn(id) => {
                let seat = inner.now.seat(id);
                seat.into_iter().for_each(|seat| seat.unhealthy = true);
            }
            Act::Admit(id) => return Some(id.clone()),
            Act::TellAllProtected => {
                inner.now.told_all_protected = true;
                inner.now.events.push(Event::now(What::AllProtected));
            }
            Act::Starve(lack) => {
                inner.now.retry = Some(at + RETRY);
                inner.now.events.push(Event::now(What::Lacks(*lack)));
            }
        }
        None
    }

    /// What has changed is told from now on.
    pub(super) fn note(&self, inner: &mut Inner) {
        let at = Instant::now();
        let states: Vec<(String, State)> = inner
            .now
            .seats
            .iter()
            .filter_map(|seat| Some((seat.id.clone(), seat.state()?)))
            .collect();
        for (id, state) in &states {
            if let Some(body) = inner.bodies.get(id) {
                locked(&body.machine.now).state = *state;
            }
        }
        self.ledger.states(states.into_iter());
        inner.past.push(View::of(&inner.now, at), at);
        self.changed.notify_all();
    }

    /// Changes something, and has the thread look at it.
    pub(super) fn change<T>(self: &Arc<Self>, change: impl FnOnce(&mut Inner) -> T) -> T {
        let mut inner = self.lock();
        let done = change(&mut inner);
        self.note(&mut inner);
        done
    }

    /// As Describe* tells it, which may be late.
    pub(crate) fn seen(&self) -> Arc<View> {
        let inner = self.lock();
        inner.past.before(inner.now.dials.lag, Instant::now())
    }

    /// As it is.
    pub(super) fn view(&self) -> View {
        View::of(&self.lock().now, Instant::now())
    }

    /// The events that a view knows.
    pub(crate) fn events(&self, view: &View) -> Vec<Event> {
        self.lock().now.events[..view.events].to_vec()
    }

    pub(crate) fn template_id(&self) -> String {
        self.lock().versions.id.clone()
    }

    /// The number of its launch template's newest version.
    pub(crate) fn newest_template(&self) -> u32 {
        self.lock().versions.newest()
    }

    /// The version that it launches by, as DescribeFleets tells it.
    pub(crate) fn template_word(&self) -> String {
        self.lock().versions.word()
    }

    /// What it launches by now.
    pub(crate) fn template(&self) -> LaunchTemplate {
        self.lock().versions.used().1.clone()
    }

    pub(crate) fn machine(&self, id: &str) -> Option<Arc<Machine>> {
        self.lock().bodies.get(id).map(|body| body.machine.clone())
    }

    /// A group's bounds, as they are.
    pub(crate) fn sizes(&self) -> Sizes {
        self.lock().now.sizes
    }

    /// It is no more, and only its instances are remembered.
    pub(crate) fn is_deleted(&self) -> bool {
        self.lock().now.is_deleted()
    }

    pub(crate) fn launched(&self, id: &str) -> bool {
        self.lock().bodies.contains_key(id)
    }

    pub(super) fn dial(self: &Arc<Self>, turn: impl FnOnce(&mut Dials)) {
        self.change(|inner| {
            turn(&mut inner.now.dials);
            inner.now.retry = None;
        });
    }

    /// Waits for a word that something changed.
    pub(super) fn wait<'a>(
        &self,
        inner: MutexGuard<'a, Inner>,
        time: Duration,
    ) -> MutexGuard<'a, Inner> {
        self.changed
            .wait_timeout(inner, time)
            .map_or_else(|poisoned| poisoned.into_inner().0, |(inner, _)| inner)
    }

    pub(super) fn tell_to_end(&self) {
        self.lock().now.ended = true;
        self.changed.notify_all();
    }

    pub(super) fn end(&self) {
        let running: Vec<_> = self
            .lock()
            .bodies
            .values()
            .filter_map(|body| body.running.clone())
            .collect();
        thread::scope(|scope| {
            running
                .iter()
                .for_each(|running| _ = scope.spawn(|| running.kill()))
        });
        drop(running);
        let threads = std::mem::take(&mut *locked(&self.threads));
        threads.into_iter().for_each(|thread| _ = thread.join());
        let bodies = std::mem::take(&mut self.lock().bodies);
        drop(bodies);
    }
}

impl Inner {
    pub(super) fn phase(&mut self, id: &str) -> Option<&mut Phase> {
        self.now.seat(id).map(|seat| &mut seat.phase)
    }

    pub(super) fn happened(&mut self, what: What) {
        self.now.events.push(Event::now(what));
    }

    /// A launch failed; another comes after a while.
    pub(super) fn failed(&mut self, error: &anyhow::Error) {
        self.now.retry = Some(Instant::now() + RETRY);
        self.happened(What::NotLaunched(format!("{error:#}")));
    }

    /// None where it is leaving, gone or nobody's.
    pub(super) fn living(&mut self, id: &str) -> Option<&mut Seat> {
        self.now.seat(id).filter(|seat| seat.is_living())
    }
}
