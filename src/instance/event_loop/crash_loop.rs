//! How often a service has ended by itself of late.

use std::time::Duration;

use tokio::time::Instant;

use crate::host::services::LONGEST_PAUSE;

/// How long a service has to stay up to count as well.
pub const WELL: Duration = Duration::from_secs(5 * 60);

/// When a service ended by itself, as far as that matters.
#[derive(Debug, Default, Clone)]
pub struct CrashLoop {
    last: Option<Instant>,
    /// How many there were in a row, none of them after a time of being well.
    row: u32,
}

impl CrashLoop {
    /// The service ended by itself.
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether it is in trouble that many seconds after the start, with ends at these.
    fn troubled(ends: &[u64], at: u64) -> bool {
        let start = Instant::now();
        let mut all = CrashLoop::default();
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
