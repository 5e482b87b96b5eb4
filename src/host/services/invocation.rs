//! One run of a service under systemd, and whether its end was told.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::ServiceState;
use super::systemctl::UnitProperties;

/// How often a service is looked at: closely until it runs, then in case that the kernel does not
/// tell of its end.
const CLOSE_LOOK: Duration = Duration::from_millis(300);
pub(super) const LOOK: Duration = Duration::from_secs(30);
/// systemd keeps nothing of a unit that ended well and that nothing refers to.
const FORGOTTEN: &str = "it ended without an error, or was stopped by someone else";

/// One run of a service, as last seen.
#[derive(Clone)]
pub(super) struct Invocation {
    /// systemd's InvocationID: each run of a unit has its own.
    pub(super) id: String,
    end_told: bool,
    /// While it runs.
    pub(super) pid: Option<u32>,
    since: Instant,
    pub(super) next_look: Instant,
    pub(super) reload_signal: Option<Signal>,
}

impl Invocation {
    pub(super) fn new(shown: &UnitProperties, reload_signal: Option<Signal>) -> Self {
        let now = Instant::now();
        let mut run = Self {
            id: shown.invocation().into(),
            end_told: false,
            pid: None,
            since: now,
            next_look: now,
            reload_signal,
        };
        run.note(shown);
        run
    }

    fn note(&mut self, shown: &UnitProperties) {
        self.pid = if let ServiceState::Running { pid } = shown.state() {
            Some(pid)
        } else {
            None
        };
        self.next_look = Instant::now() + if self.pid.is_some() { LOOK } else { CLOSE_LOOK };
    }

    /// An end that was not told yet, and how long it had run.
    pub(super) fn look(&mut self, shown: &UnitProperties) -> Option<(Duration, String)> {
        let ran = self.since.elapsed();
        let end = self.compare(shown);
        self.note(shown);
        end.map(|status| (ran, status))
    }

    /// An end that was not told yet.
    fn compare(&mut self, shown: &UnitProperties) -> Option<String> {
        if shown.invocation().is_empty() {
            let told = std::mem::replace(&mut self.end_told, true);
            return (!told).then(|| FORGOTTEN.to_owned());
        }
        let replaced = shown.invocation() != self.id;
        let missed = replaced && !self.end_told;
        if replaced {
            *self = Self::new(shown, self.reload_signal);
        }
        match shown.state() {
            ServiceState::Exited { status } if !self.end_told => {
                self.end_told = true;
                Some(status)
            }
            _ if missed => Some("it ended and was started again".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
