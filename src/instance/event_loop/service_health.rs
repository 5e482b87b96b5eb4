//! Services that cannot stay up: noticed, told with their last words, and told again when it is
//! over.
//!
//! A [`ServiceHealth`] owns how often each service has ended of late, and decides; what is told
//! goes to the log and to its part of the report, and nothing else is touched.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::{Instant, sleep_until};
use tracing::{error, info};

use super::crash_loop::{CrashLoop, WELL};
use super::event::{Event, LoopAction};
use crate::instance::Instance;
use crate::instance::report::Reporter;

/// As many of its last lines are told.
const LINES: usize = 10;

/// How the services fare.
#[derive(Debug, Default)]
pub struct ServiceHealth {
    ends: BTreeMap<&'static str, CrashLoop>,
    /// The services that cannot stay up.
    troubled: BTreeSet<&'static str>,
}

impl ServiceHealth {
    /// A service ended by itself. A service that cannot stay up is told of once, until it is well
    /// again.
    pub fn ended(&mut self, service: &'static str, how: String, at: Instant) -> Vec<LoopAction> {
        let ends = self.ends.entry(service).or_default();
        ends.add(at);
        match ends.well_at() {
            Some(well) if ends.cannot_stay_up(at) && self.troubled.insert(service) => {
                vec![
                    LoopAction::TellTrouble { service, how },
                    LoopAction::AwaitWell { service, at: well },
                ]
            }
            _ => Vec::new(),
        }
    }

    /// A service that has not ended for a while may be well.
    pub fn quiet(&mut self, service: &'static str, at: Instant) -> LoopAction {
        let ends = self.ends.entry(service).or_default();
        match ends.well_at() {
            Some(well) if ends.cannot_stay_up(at) => LoopAction::AwaitWell { service, at: well },
            _ => {
                self.troubled.remove(service);
                LoopAction::ForgetTrouble { service }
            }
        }
    }
}

/// Tells of a service that cannot stay up in the log, and in the reports from now on.
pub async fn tell_trouble(
    instance: &Instance,
    reporter: &Reporter<'_>,
    service: &'static str,
    how: String,
) -> Event {
    let minutes = WELL.as_secs() / 60;
    error!(
        service,
        how, "it cannot stay up for {minutes} minutes; it is started again and again"
    );
    let tail = instance.services.log_tail(service, LINES).await;
    let lines: String = tail.lines().map(|line| format!("\n    {line}")).collect();
    let text = format!(
        "{service} cannot stay up for {minutes} minutes, and is started again and again; last: {how}; its last lines:{lines}"
    );
    reporter.tell_trouble(service, Some(text));
    Event::Told
}

/// Waits until the service may be well.
pub async fn await_well(service: &'static str, at: Instant) -> Event {
    sleep_until(at).await;
    Event::Quiet {
        service,
        at: Instant::now(),
    }
}

/// The service is well again: the reports tell of it no more.
pub async fn forget_trouble(reporter: &Reporter<'_>, service: &'static str) -> Event {
    info!(
        service,
        "it has been up for {} minutes again",
        WELL.as_secs() / 60
    );
    reporter.tell_trouble(service, None);
    Event::Told
}
