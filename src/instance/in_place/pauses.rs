//! The pauses between the looks of a trial in place.
//!
//! Anybody may ask an instance to look, so a request brings forward the look at the candidate alone.
//! Two bad looks in a row at the release on trial end the trial, and requests may not bring the two
//! closer together.

use std::time::Duration;

use tokio::select;
use tokio::time::{Instant, sleep, sleep_until};

pub const LOOK_EVERY: Duration = Duration::from_secs(10);
/// While a release is on trial here: what turns out to be broken is to go soon.
const LOOK_CLOSELY: Duration = Duration::from_secs(2);

/// When the release on trial is looked at next.
pub struct WatchPauses {
    due: Instant,
}

impl WatchPauses {
    /// Begins a pause.
    pub fn begin() -> Self {
        Self {
            due: Instant::now() + LOOK_CLOSELY,
        }
    }

    /// Begins another pause: the trial has begun, or its release was looked at.
    pub fn begin_anew(&mut self) {
        *self = Self::begin();
    }

    /// Waits for the next look, or until somebody asks for a look. Returns whether the release on
    /// trial is to be looked at too.
    pub async fn pass(&self, on_trial: bool, asked: impl Future<Output = ()>) -> bool {
        let over = async {
            if on_trial {
                sleep_until(self.due).await;
            } else {
                sleep(LOOK_EVERY).await;
            }
        };
        select! {
            () = over => {}
            () = asked => {}
        }
        on_trial && Instant::now() >= self.due
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn requests_neither_hasten_nor_delay_the_looks_at_a_release_on_trial() {
        let mut pauses = WatchPauses::begin();
        let begun = Instant::now();
        for _ in 0..3 {
            assert!(!pauses.pass(true, ready(())).await, "the candidate alone");
        }
        assert!(begun.elapsed() < LOOK_CLOSELY);
        assert!(pauses.pass(true, pending()).await);
        let took = begun.elapsed();
        assert!(took < LOOK_CLOSELY * 2, "{took:?}");
        // The first bad look; the next may not follow at once.
        pauses.begin_anew();
        assert!(!pauses.pass(true, ready(())).await);
    }

    #[tokio::test]
    async fn without_a_trial_a_request_is_heeded_at_once_and_nothing_is_watched() {
        let pauses = WatchPauses {
            due: Instant::now(),
        };
        assert!(!pauses.pass(false, ready(())).await);
        assert!(pauses.pass(true, ready(())).await, "the pause is over");
    }
}
