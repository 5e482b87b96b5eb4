//! Services that cannot stay up: noticed, told with their last words, and told again when it is
//! over.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};
use tracing::{error, info};

use super::super::Boot;
use super::super::boot::Serving;
use super::state::Event;
use crate::host::services::LONGEST_PAUSE;
use crate::host::slot::Slot;
use crate::site::web;

/// How long a service has to stay up to count as well.
const WELL: Duration = Duration::from_secs(5 * 60);
/// As many of its last lines are told.
const LINES: usize = 10;

/// When a service ended by itself, as far as that matters.
#[derive(Debug, Default, Clone)]
pub(super) struct Ends {
    last: Option<Instant>,
    /// How many there were in a row, none of them after a time of being well.
    row: u32,
}

impl Ends {
    pub fn add(&mut self, at: Instant) {
        self.row = if self.well_at().is_some_and(|well| at < well) {
            self.row + 1
        } else {
            1
        };
        self.last = Some(at);
    }

    /// It ended, and again before it was well: one that ends once, and then stays up, is no
    /// trouble.
    pub fn cannot_stay_up(&self, now: Instant) -> bool {
        self.row >= 2 && self.well_at().is_some_and(|well| now < well)
    }

    /// When it will be well, if it does not end again. The pause before its restart is no time of
    /// being up.
    pub fn well_at(&self) -> Option<Instant> {
        self.last.map(|last| last + LONGEST_PAUSE + WELL)
    }
}

impl Boot {
    /// Says so in the log, and in whatever this instance reports from now on.
    pub(super) async fn tell_trouble(&self, service: &'static str, how: String) -> Event {
        let minutes = WELL.as_secs() / 60;
        error!(
            service,
            how, "it cannot stay up for {minutes} minutes; it is started again and again"
        );
        let tail = self.services.log_tail(service, LINES).await;
        let lines: String = tail.lines().map(|line| format!("\n    {line}")).collect();
        let text = format!(
            "{service} cannot stay up for {minutes} minutes, and is started again and again; last: {how}; its last lines:{lines}"
        );
        self.troubles.borrow_mut().insert(service, text);
        Event::Told
    }

    /// Until it may be well.
    pub(super) async fn await_well(&self, service: &'static str, at: Instant) -> Event {
        sleep_until(at).await;
        Event::Quiet {
            service,
            at: Instant::now(),
        }
    }

    pub(super) async fn forget_trouble(&self, service: &'static str) -> Event {
        info!(
            service,
            "it has been up for {} minutes again",
            WELL.as_secs() / 60
        );
        self.troubles.borrow_mut().remove(service);
        Event::Told
    }

    /// What is wrong with the services just now, by their names. An app whose place another release
    /// has taken is nobody's any more.
    pub(in super::super) fn troubles(&self, serving: &Serving) -> Vec<(&'static str, String)> {
        let app = serving.live().app.slot().map(Slot::service);
        let serves = |service: &str| service == web::SERVICE || Some(service) == app;
        let troubles = self.troubles.borrow();
        troubles
            .iter()
            .filter(|(service, _)| serves(service))
            .map(|(service, text)| (*service, text.clone()))
            .collect()
    }

    pub(in super::super) fn trouble(&self, serving: &Serving) -> Option<String> {
        let told: Vec<String> = self
            .troubles(serving)
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        (!told.is_empty()).then(|| told.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is in trouble that many seconds after the start, with ends at these.
    fn troubled(ends: &[u64], at: u64) -> bool {
        let start = Instant::now();
        let mut all = Ends::default();
        ends.iter()
            .for_each(|end| all.add(start + Duration::from_secs(*end)));
        all.cannot_stay_up(start + Duration::from_secs(at))
    }

    #[test]
    fn one_end_is_no_trouble_and_a_second_soon_after_is() {
        assert!(!troubled(&[], 0) && !troubled(&[100], 100));
        assert!(troubled(&[100, 160], 160));
        assert!(!troubled(&[100, 1000], 1000), "it was well in between");
        assert!(
            troubled(&[100, 1000, 1290, 1580], 1580),
            "never up for five minutes"
        );
    }

    #[test]
    fn the_trouble_is_over_when_it_has_been_up_for_five_minutes() {
        let restarted = LONGEST_PAUSE.as_secs();
        assert!(troubled(&[100, 160], 160 + restarted + 299));
        assert!(!troubled(&[100, 160], 160 + restarted + 300));
        assert!(
            !troubled(&[100, 160, 600], 600),
            "and the next end is the first again"
        );
    }
}
