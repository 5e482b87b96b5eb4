//! The record for assertions: how many instances of the region's fleets lived and served, at every
//! change.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use time::OffsetDateTime;

use crate::instance::State;
use crate::locked;

/// How it was from `at` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    pub at: OffsetDateTime,
    /// Pending or running instances of all fleets.
    pub living: usize,
    /// Those running whose last report, `…instances/<id>.json` in any bucket, says that they serve.
    pub serving: usize,
}

/// The phases in which an instance answers visitors.
const SERVING: [&str; 3] = ["serving", "stand_by", "interrupted"];

#[derive(Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
    changed: Condvar,
}

#[derive(Default)]
struct Book {
    states: BTreeMap<String, State>,
    phases: BTreeMap<String, String>,
    log: Vec<Census>,
}

impl Ledger {
    /// Several at once are one change.
    pub(super) fn states(&self, states: impl Iterator<Item = (String, State)>) {
        self.change(|book| book.states.extend(states));
    }

    fn change(&self, change: impl FnOnce(&mut Book)) {
        let mut book = locked(&self.book);
        change(&mut book);
        book.count();
        self.changed.notify_all();
    }

    /// An object was written; heeded where it is an instance's report.
    pub(crate) fn written(&self, key: &str, body: impl FnOnce() -> Option<Vec<u8>>) {
        let Some(id) = reporter(key) else { return };
        let report =
            body().and_then(|body| serde_json::from_slice::<serde_json::Value>(&body).ok());
        let phase = report.and_then(|report| Some(report.get("phase")?.as_str()?.to_owned()));
        self.change(|book| _ = book.phases.insert(id.to_owned(), phase.unwrap_or_default()));
    }

    pub(crate) fn all(&self) -> Vec<Census> {
        locked(&self.book).log.clone()
    }

    pub(crate) fn wait(
        &self,
        wanted: impl Fn(&Census) -> bool,
        timeout: Duration,
    ) -> Result<Census> {
        let end = Instant::now() + timeout;
        let mut book = locked(&self.book);
        loop {
            let last = book.log.last().copied();
            if let Some(last) = last.filter(&wanted) {
                return Ok(last);
            }
            let Some(left) = end.checked_duration_since(Instant::now()) else {
                bail!("waiting {timeout:?} for a census: the last is {last:?}")
            };
            book = self
                .changed
                .wait_timeout(book, left)
                .map_or_else(|poisoned| poisoned.into_inner().0, |(book, _)| book);
        }
    }
}

impl Book {
    fn count(&mut self) {
        let living = self
            .states
            .values()
            .filter(|state| matches!(state, State::Pending | State::Running))
            .count();
        let serves = |id: &String| {
            self.phases
                .get(id)
                .is_some_and(|phase| SERVING.contains(&phase.as_str()))
        };
        let serving = self
            .states
            .iter()
            .filter(|(id, state)| **state == State::Running && serves(id))
            .count();
        if self
            .log
            .last()
            .is_none_or(|last| (last.living, last.serving) != (living, serving))
        {
            self.log.push(Census {
                at: OffsetDateTime::now_utc(),
                living,
                serving,
            });
        }
    }
}

fn reporter(key: &str) -> Option<&str> {
    let (folder, name) = key.rsplit_once('/')?;
    let is_report = Path::new(folder)
        .file_name()
        .is_some_and(|folder| folder == "instances");
    name.strip_suffix(".json").filter(|_| is_report)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_serves_while_it_runs_and_says_so() {
        let ledger = Ledger::default();
        let state = |state| ledger.states([("i-1".to_owned(), state)].into_iter());
        let says = |phase: &str| {
            ledger.written("site/instances/i-1.json", || {
                Some(format!(r#"{{"phase":"{phase}"}}"#).into_bytes())
            })
        };
        state(State::Pending);
        state(State::Running);
        says("booting");
        says("serving");
        says("stand_by");
        ledger.written("instances/other/i-1.json", || {
            Some(br#"{"phase":"failed"}"#.to_vec())
        });
        state(State::ShuttingDown);
        let counts: Vec<_> = ledger
            .all()
            .iter()
            .map(|census| (census.living, census.serving))
            .collect();
        assert_eq!(counts, [(1, 0), (1, 1), (0, 0)]);
    }
}
