//! Requests stopped half-way, so that a test can kill their sender at a known instant.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use tokio::sync::watch;

use super::fault::{FaultId, Faults, Strike};
use super::{Hub, Match, Recorded};
use crate::locked;

/// Where a held request stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It has arrived, and nothing is done yet.
    BeforeActing,
    /// It is done; its sender does not know.
    AfterActing,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Waiting,
    Released,
    Discarded,
}

/// The requests' end of a [`Hold`].
#[derive(Clone)]
pub(super) struct Latch {
    stage: Stage,
    reached: Arc<Reached>,
    verdict: watch::Receiver<Verdict>,
}

#[derive(Default)]
struct Reached {
    first: Mutex<Option<Recorded>>,
    changed: Condvar,
}

impl Latch {
    /// Waits for the test's word; `true` where the request goes on. A hold that is gone lets
    /// everything pass.
    pub(super) async fn pass(mut self, stage: Stage, request: &Recorded) -> bool {
        if stage != self.stage {
            return true;
        }
        locked(&self.reached.first).get_or_insert_with(|| request.clone());
        self.reached.changed.notify_all();
        let verdict = self
            .verdict
            .wait_for(|verdict| *verdict != Verdict::Waiting)
            .await;
        verdict.is_ok_and(|verdict| *verdict == Verdict::Released)
    }
}

/// Holds every request that fits until it is released or discarded (dropping it discards).
#[must_use = "a hold that is dropped lets the requests go"]
pub struct Hold {
    hub: Arc<Hub>,
    id: FaultId,
    reached: Arc<Reached>,
    verdict: watch::Sender<Verdict>,
}

impl Hold {
    pub(crate) fn set(hub: Arc<Hub>, scope: Match, stage: Stage) -> Hold {
        let (verdict, seen) = watch::channel(Verdict::Waiting);
        let reached = Arc::new(Reached::default());
        let latch = Latch {
            stage,
            reached: reached.clone(),
            verdict: seen,
        };
        let id = Faults::push(&hub.faults, scope, Strike::Hold(latch));
        Hold {
            hub,
            id,
            reached,
            verdict,
        }
    }

    /// The first request that is held.
    pub fn wait(&self, timeout: Duration) -> Result<Recorded> {
        let deadline = Instant::now() + timeout;
        let mut first = locked(&self.reached.first);
        loop {
            if let Some(request) = first.as_ref() {
                return Ok(request.clone());
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()) else {
                bail!("waiting {timeout:?} for the request to hold: none came");
            };
            first = self
                .reached
                .changed
                .wait_timeout(first, left)
                .map(|(first, _)| first)
                .unwrap_or_else(|poisoned| poisoned.into_inner().0);
        }
    }

    /// Lets the held requests go on: they take effect now, even where their sender is gone.
    pub fn release(self) {
        let _ = self.verdict.send(Verdict::Released);
    }

    /// Cuts the held requests' connections: what was held before acting never happens.
    pub fn discard(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.hub.faults.lift(self.id);
        self.verdict.send_if_modified(|verdict| {
            let waiting = *verdict == Verdict::Waiting;
            if waiting {
                *verdict = Verdict::Discarded;
            }
            waiting
        });
    }
}
