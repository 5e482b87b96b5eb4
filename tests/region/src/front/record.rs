//! The log of every request that any service of the region received, with its answer.
//! Tests count it, search it and wait on it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use time::OffsetDateTime;

use super::Service;
use crate::locked;
use crate::registry::DISTRIBUTIONS;

/// One request as it came in, and what became of it.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Counts from 1 over all services, in the order of arrival.
    pub number: u64,
    pub at: OffsetDateTime,
    pub service: Service,
    /// The API's own name: `GetObject`, `ChangeResourceRecordSets`, `newOrder`; for IMDS the path
    /// below the version.
    pub operation: String,
    pub method: String,
    /// With the query.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The first 64 KiB.
    pub body: Bytes,
    /// Whose credentials signed it, or whose metadata was asked; none for CI and for unsigned
    /// requests from processes.
    pub instance: Option<String>,
    /// The ARN of whoever signed it, by the access key; none for unsigned requests and unknown
    /// keys.
    pub signer: Option<String>,
    /// None while it is being answered, and where the connection was cut instead.
    pub status: Option<u16>,
    /// The faults that struck it.
    pub fault: Option<String>,
    /// What the caller's policy did not allow, in IAM's words.
    pub denied: Option<String>,
    /// From its arrival to the head of the answer.
    pub took: Option<Duration>,
}

/// One line, as somebody needs it who asks what happened.
impl fmt::Display for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            at,
            service,
            operation,
            method,
            path,
            ..
        } = self;
        write!(f, "{number} {at} {service:?} {operation}: {method} {path}")?;
        match self.status {
            Some(status) => write!(f, " → {status}")?,
            None => f.write_str(" → no answer")?,
        }
        if let Some(took) = self.took {
            write!(f, " in {took:.1?}")?;
        }
        for who in self.instance.iter().chain(&self.signer).take(1) {
            write!(f, ", by {who}")?;
        }
        for why in self.fault.iter().chain(&self.denied) {
            write!(f, " ({why})")?;
        }
        Ok(())
    }
}

impl Recorded {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// Signed, but neither with an instance's credentials nor by a distribution.
    pub fn is_by_ci(&self) -> bool {
        let signer = self.signer.as_deref().unwrap_or_default();
        self.instance.is_none()
            && self.headers.contains_key("authorization")
            && !signer.starts_with(DISTRIBUTIONS)
    }

    /// By its operation's name, which AWS chooses after what it does.
    pub fn is_changing(&self) -> bool {
        !["Get", "List", "Describe", "Head"]
            .iter()
            .any(|look| self.operation.starts_with(look))
    }

    /// A write that is to happen only where something holds of what stands there.
    pub fn is_conditional(&self) -> bool {
        let has = |name| self.headers.contains_key(name);
        self.is_changing() && (has("if-match") || has("if-none-match"))
    }

    /// The body as text, for assertions.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

#[derive(Default)]
pub(crate) struct Recorder {
    log: Mutex<Vec<Recorded>>,
    changed: Condvar,
    last: AtomicU64,
}

impl Recorder {
    pub(super) fn next_number(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    pub(super) fn arrived(&self, request: Recorded) {
        locked(&self.log).push(request);
        self.changed.notify_all();
    }

    pub(super) fn update(&self, number: u64, change: impl FnOnce(&mut Recorded)) {
        if let Some(request) = locked(&self.log)
            .iter_mut()
            .rev()
            .find(|request| request.number == number)
        {
            change(request);
        }
        self.changed.notify_all();
    }

    pub(crate) fn all(&self) -> Vec<Recorded> {
        let mut all = locked(&self.log).clone();
        all.sort_by_key(|request| request.number);
        all
    }

    pub(crate) fn count(&self, wanted: impl Fn(&Recorded) -> bool) -> usize {
        locked(&self.log)
            .iter()
            .filter(|request| wanted(request))
            .count()
    }

    pub(crate) fn forget(&self) {
        locked(&self.log).clear();
    }

    pub(crate) fn wait(
        &self,
        wanted: impl Fn(&Recorded) -> bool,
        timeout: Duration,
    ) -> Option<Recorded> {
        let deadline = Instant::now() + timeout;
        let mut log = locked(&self.log);
        loop {
            if let Some(found) = log.iter().find(|request| wanted(request)) {
                return Some(found.clone());
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            log = self
                .changed
                .wait_timeout(log, left)
                .map(|(log, _)| log)
                .unwrap_or_else(|poisoned| poisoned.into_inner().0);
        }
    }
}
