//! An instance's life in a fleet: launched, booted, stopped, gone. What takes time has a thread of
//! its own.

use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::event::{What, Why};
use super::keeper::{Body, Inner, Keeper};
use super::state::Phase;
use crate::instance::{Instance, InstanceSpec, State};

impl Keeper {
    /// EC2 and IMDS know it; it boots after the launch's delay.
    pub(super) fn launch(self: &Arc<Self>, id: &str) {
        let launched = self.known(id);
        self.change(|inner| match launched {
            Ok(instance) => {
                let (boots, launched) = (
                    Instant::now() + inner.now.dials.launch_delay,
                    instance.spec().launched,
                );
                let body = Body {
                    machine: instance.machine.clone(),
                    instance: Some(instance),
                    running: None,
                    log: String::new(),
                };
                inner.bodies.insert(id.to_owned(), body);
                if let Some(seat) = inner.now.seat(id) {
                    (seat.phase, seat.launched) = (Phase::Pending(boots), launched);
                }
                inner.happened(What::Launched(id.to_owned()));
            }
            Err(error) => {
                tracing::error!(fleet = self.spec.id, instance = id, "launching: {error:#}");
                inner.now.seats.retain(|seat| seat.id != id);
                inner.failed(&error);
            }
        });
    }

    fn known(&self, id: &str) -> Result<Arc<Instance>> {
        let (template, tags) = {
            let inner = self.lock();
            let tags = inner.versions.tags(self.spec.kind, &self.spec.id);
            (inner.versions.used().1.clone(), tags)
        };
        let mut spec = self.launcher.spec(id).context("taking an address")?;
        if template.ipv6_addresses > 0 && spec.public_ipv6.is_none() {
            bail!(
                "InvalidParameterValue - The subnet has no IPv6 CIDR block, and the network interface asks for an IPv6 address"
            );
        }
        spec.id = id.to_owned();
        spec.launched = InstanceSpec::new(id).launched;
        spec.tags.extend(template.tags);
        spec.tags.extend(tags);
        spec.user_data = template.user_data.or(spec.user_data);
        spec.instance_type = template.instance_type.unwrap_or(spec.instance_type);
        spec.image = template.image.unwrap_or(spec.image);
        self.launchpad.launch(spec, State::Pending).map(Arc::new)
    }

    pub(super) fn boot(self: &Arc<Self>, inner: &mut Inner, id: &str) {
        let Some(instance) = inner.bodies.get(id).and_then(|body| body.instance.clone()) else {
            return;
        };
        let spawned =
            self.spawn(move |keeper| keeper.started(&instance, keeper.launcher.start(&instance)));
        match spawned {
            Ok(()) => inner
                .phase(id)
                .into_iter()
                .for_each(|phase| *phase = Phase::Starting),
            Err(error) => inner.failed(&error),
        }
    }

    fn started(self: &Arc<Self>, instance: &Instance, started: Result<Box<dyn super::Running>>) {
        let id = instance.id();
        let leaves = self.change(|inner| {
            match started {
                Ok(running) => {
                    if let Some(body) = inner.bodies.get_mut(id) {
                        body.running = Some(Arc::from(running));
                    }
                }
                Err(error) => self.not_started(inner, id, &error),
            }
            let ended = inner.now.ended;
            let phase = inner.phase(id);
            if let Some(phase) = phase
                && *phase == Phase::Starting
            {
                *phase = Phase::Running(Instant::now());
                return ended.then_some(Why::Lost);
            }
            inner.why_it_left(id)
        });
        if let Some(why) = leaves {
            self.finish(id, why);
        }
    }

    fn not_started(&self, inner: &mut Inner, id: &str, error: &anyhow::Error) {
        tracing::error!(fleet = self.spec.id, instance = id, "starting: {error:#}");
        inner.failed(error);
        if let Some(body) = inner.bodies.get_mut(id) {
            body.log = format!("{error:#}");
        }
        if let Some(phase) = inner.phase(id).filter(|phase| **phase == Phase::Starting) {
            *phase = Phase::Leaving;
            inner.happened(What::Left(id.to_owned(), Why::NotStarted));
        }
    }

    /// Begins to leave: it is shutting down until it is gone.
    pub(super) fn leave(self: &Arc<Self>, inner: &mut Inner, id: &str, why: Why) {
        let Some(phase) = inner.phase(id) else { return };
        let starting = std::mem::replace(phase, Phase::Leaving) == Phase::Starting;
        inner.happened(What::Left(id.to_owned(), why));
        // One whose launcher is at work leaves when that is done.
        if !starting {
            let leaving = id.to_owned();
            if let Err(error) = self.spawn(move |keeper| keeper.finish(&leaving, why)) {
                tracing::error!(instance = id, "starting a thread: {error:#}");
            }
        }
    }

    fn finish(self: &Arc<Self>, id: &str, why: Why) {
        let running = self
            .lock()
            .bodies
            .get(id)
            .and_then(|body| body.running.clone());
        let log = running.as_ref().map(|running| {
            // Whoever was told of its end has had its time.
            if matches!(why, Why::Lost | Why::Interrupted) {
                running.kill()
            } else {
                running.stop()
            }
            running.log()
        });
        let gone = self.change(|inner| {
            inner
                .phase(id)
                .into_iter()
                .for_each(|phase| *phase = Phase::Gone);
            let body = inner.bodies.get_mut(id)?;
            body.log = log.unwrap_or_else(|| std::mem::take(&mut body.log));
            crate::locked(&body.machine.now).state = State::Terminated;
            Some((body.instance.take(), body.running.take()))
        });
        // What is left of it is cleared without the lock.
        drop((gone, running));
    }
}

impl Inner {
    fn why_it_left(&self, id: &str) -> Option<Why> {
        self.now
            .events
            .iter()
            .rev()
            .find_map(|event| match &event.what {
                What::Left(left, why) if left == id => Some(*why),
                _ => None,
            })
    }
}
