//! What is seen of a foreground service from outside its supervisor: its state, its last lines and
//! how it ended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use super::ServiceState;

/// How much of a service's output is kept.
const LINES: usize = 200;
/// Ends that nobody has asked for; older ones are forgotten.
const ENDS: usize = 16;

/// Takes a service's name without our prefix, and one line of its output.
pub type Print = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// Lines go to standard error.
#[cfg(test)]
#[expect(
    clippy::disallowed_macros,
    reason = "of a test, which shows it where it fails"
)]
pub fn to_stderr() -> Print {
    Arc::new(|service, line| eprintln!("{service} | {line}"))
}

/// What is known of a service from outside its supervisor.
pub(super) struct SeenService {
    inner: Mutex<SeenState>,
    ended: Notify,
}

struct SeenState {
    state: ServiceState,
    lines: VecDeque<String>,
    ends: VecDeque<String>,
}

impl SeenService {
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::new(SeenState {
                state: ServiceState::Absent,
                lines: VecDeque::new(),
                ends: VecDeque::new(),
            }),
            ended: Notify::new(),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, SeenState> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn state(&self) -> ServiceState {
        self.lock().state.clone()
    }

    /// Forgets the definition that was there before.
    pub(super) fn reset(&self) {
        let mut inner = self.lock();
        inner.lines.clear();
        inner.ends.clear();
        inner.state = ServiceState::Absent;
    }

    pub(super) fn set(&self, state: ServiceState) {
        self.lock().state = state;
    }

    pub(super) fn line(&self, line: String) {
        let mut inner = self.lock();
        if inner.lines.len() == LINES {
            inner.lines.pop_front();
        }
        inner.lines.push_back(line);
    }

    /// The last lines of output.
    pub(super) fn log_tail(&self, lines: usize) -> String {
        let inner = self.lock();
        let skipped = inner.lines.len().saturating_sub(lines);
        inner
            .lines
            .iter()
            .skip(skipped)
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("\n")
    }

    pub(super) fn end(&self, status: String) {
        let mut inner = self.lock();
        if inner.ends.len() == ENDS {
            inner.ends.pop_front();
        }
        inner.ends.push_back(status.clone());
        inner.state = ServiceState::Exited { status };
        drop(inner);
        self.ended.notify_one();
    }

    pub(super) async fn next_end(&self) -> String {
        loop {
            let end = self.lock().ends.pop_front();
            if let Some(status) = end {
                return status;
            }
            self.ended.notified().await;
        }
    }
}
