//! The steps of one boot or run: when each began and ended, and which of them decided how long it
//! took.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tracing::{Instrument, info, info_span};

/// One step of the boot; times are milliseconds since the boot began.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub name: &'static str,
    pub after: &'static [&'static str],
    pub start_ms: u64,
    pub end_ms: Option<u64>,
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
    /// An empty record whose times count from now.
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

    /// A copy of the steps so far, in the order in which they began; a step without an end is under
    /// way.
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
