//! What an instance says of itself: the timeline of its steps, and `instances/<id>.json`.

mod said;

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tracing::{Instrument, info, info_span};

use super::note::Note;
use crate::version::Build;
pub use said::{Said, said_by, said_since};

/// Where an instance stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Booting,
    Serving,
    /// Everything runs, but a later instance owns the names.
    StandBy,
    /// Still serving; AWS has announced the instance's end.
    Interrupted,
    Failed,
    Stopped,
}

/// `instances/<id>.json`.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub instance: String,
    pub phase: Phase,
    /// The program's version.
    pub spotboot: &'static str,
    pub build: &'static Build,
    pub release: Option<String>,
    /// The deploy on trial here, once this instance knows of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deploy: Option<String>,
    /// What was last tried in place here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tried: Option<Tried>,
    /// The outcome of the last release command that this process came to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_command: Option<ReleaseCommand>,
    pub public_ipv4: Option<Ipv4Addr>,
    pub public_ipv6: Option<Ipv6Addr>,
    #[serde(with = "time::serde::rfc3339")]
    pub launched: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub updated: OffsetDateTime,
    /// Of the certificate that it serves, in PEM, leaf first: what is to be seen of it from
    /// outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// What AWS has said of it, as long as its fleet may have to be brought back for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Note>,
    /// The same, once nothing of it is left to do: for a run that took what had been asked for to
    /// be usual.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Note>,
    /// When AWS ends it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        with = "time::serde::rfc3339::option"
    )]
    pub until: Option<OffsetDateTime>,
    pub steps: Vec<Step>,
    /// The names of the steps that decided how long it took, first to last.
    pub critical_path: Vec<&'static str>,
    /// Of a service that cannot stay up, while it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
    pub error: Option<String>,
}

/// The outcome of a release's command on this instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReleaseCommand {
    pub release: String,
    pub became: Became,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Became {
    Ran,
    /// The command had run on this data folder before.
    SeenByFolder,
    /// The command had run once for the whole fleet.
    DoneInFleet,
    /// Another release was on trial, whose own command alone may run meanwhile.
    LeftToTrial,
}

/// A release that was to take the place of the one that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    pub deploy: String,
    pub release: String,
    pub attempt: Attempt,
    /// Why it does not serve here.
    pub error: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Attempt {
    /// Nobody is led to it yet.
    Starting,
    OnTrial,
    Kept,
    /// Its deploy took it off trial.
    Withdrawn,
    Failed,
}

/// One step of the boot; times are milliseconds since the boot began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub name: &'static str,
    pub after: &'static [&'static str],
    pub start_ms: u64,
    pub end_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Sees every step begin and end, to show it.
pub trait Observer: Send + Sync {
    fn began(&self, name: &'static str);
    fn ended(&self, name: &'static str, took: Duration, error: Option<&str>);
}

/// Records the steps of one boot. Clones write to the same record.
#[derive(Clone)]
pub struct Timeline {
    began: Instant,
    steps: Arc<Mutex<Vec<Step>>>,
    observer: Arc<dyn Observer>,
}

impl Timeline {
    pub fn start(observer: Arc<dyn Observer>) -> Self {
        Self {
            began: Instant::now(),
            steps: Arc::default(),
            observer,
        }
    }

    /// Another record, from now on, shown to the same observer.
    #[must_use]
    pub fn anew(&self) -> Self {
        Self::start(Arc::clone(&self.observer))
    }

    /// Runs one step: its start, its end and what it waited for go to the record, to the log and to
    /// the observer.
    ///
    /// # Errors
    /// The step's own, with its name in front.
    pub async fn step<T>(
        &self,
        name: &'static str,
        after: &'static [&'static str],
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        let start = self.began.elapsed();
        let index = {
            let mut steps = self.lock();
            steps.push(Step {
                name,
                after,
                start_ms: millis(start),
                end_ms: None,
                error: None,
            });
            steps.len() - 1
        };
        self.observer.began(name);
        let done = work.instrument(info_span!("step", name)).await;
        let took = self.began.elapsed() - start;
        let error = done.as_ref().err().map(|error| format!("{error:#}"));
        self.observer.ended(name, took, error.as_deref());
        if error.is_none() {
            info!(step = name, ms = millis(took), "done");
        }
        let mut steps = self.lock();
        steps[index].end_ms = Some(millis(start + took));
        steps[index].error = error;
        drop(steps);
        done.map_err(|error| error.context(name))
    }

    pub fn steps(&self) -> Vec<Step> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Step>> {
        self.steps
            .lock()
            .expect("no step panics while it holds the record")
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// The chain of steps that ends with `last`, each the latest to end of those that the next one
/// waited for.
pub fn critical_path(steps: &[Step], last: &str) -> Vec<&'static str> {
    let find = |name: &str| steps.iter().rfind(|step| step.name == name);
    let mut path = Vec::new();
    let mut next = find(last);
    while let Some(step) = next.filter(|step| !path.contains(&step.name)) {
        path.push(step.name);
        next = step
            .after
            .iter()
            .filter_map(|name| find(name))
            .max_by_key(|step| step.end_ms);
    }
    path.reverse();
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(
        name: &'static str,
        after: &'static [&'static str],
        start_ms: u64,
        end_ms: u64,
    ) -> Step {
        Step {
            name,
            after,
            start_ms,
            end_ms: Some(end_ms),
            error: None,
        }
    }

    #[test]
    fn the_critical_path_follows_whatever_ended_last() {
        let steps = [
            step("identity", &[], 0, 10),
            step("release", &["identity"], 10, 200),
            step("certificate", &["identity"], 10, 90),
            step("app", &["release"], 200, 400),
            step("web", &["app", "certificate"], 400, 450),
        ];
        assert_eq!(
            critical_path(&steps, "web"),
            ["identity", "release", "app", "web"]
        );
    }

    #[test]
    fn a_path_through_an_unknown_step_ends_there() {
        assert_eq!(
            critical_path(&[step("app", &["release"], 0, 1)], "app"),
            ["app"]
        );
    }
}
