//! Asking a CA again that has decided nothing.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::AcmeError;

/// All attempts of one step start within this: a boot has an older certificate to fall back on,
/// perhaps.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
const FIRST_PAUSE: Duration = Duration::from_millis(300);
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Repeats a step while the CA is unavailable, or limits the rate for a moment only.
///
/// Each repetition is signed anew with a fresh nonce. A step whose answer was lost may so be done
/// twice.
pub(super) async fn retrying<T>(
    doing: &str,
    step: impl AsyncFn() -> Result<T, AcmeError>,
) -> Result<T, AcmeError> {
    let mut patience = Patience::new(Instant::now() + PATIENCE);
    loop {
        match step().await {
            Ok(done) => return Ok(done),
            Err(error) => patience.wait(doing, error).await?,
        }
    }
}

/// What is left of the time for a step, and the next pause.
pub(super) struct Patience {
    deadline: Instant,
    pause: Duration,
}

impl Patience {
    pub(super) fn new(deadline: Instant) -> Self {
        Self {
            deadline,
            pause: FIRST_PAUSE,
        }
    }

    /// Sleeps before another attempt, or gives the error back where another makes no sense.
    pub(super) async fn wait(&mut self, doing: &str, error: AcmeError) -> Result<(), AcmeError> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let Some(pause) = pause(&error, self.pause, left) else {
            return Err(error);
        };
        tracing::debug!(doing, %error, ?pause, "asking the CA again");
        sleep(pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(())
    }
}

/// How long to wait before another attempt; `None` to give up.
fn pause(error: &AcmeError, own: Duration, left: Duration) -> Option<Duration> {
    let pause = match error {
        AcmeError::Unavailable { retry_after, .. } => retry_after.unwrap_or(own).max(own),
        AcmeError::RateLimited { retry_after, .. } => (*retry_after)?.max(own),
        AcmeError::UnknownAccount { .. }
        | AcmeError::AlreadyReplaced { .. }
        | AcmeError::NotReplaceable { .. }
        | AcmeError::Rejected { .. } => return None,
    };
    (pause < left).then_some(pause)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Duration = Duration::from_secs(1);
    const LEFT: Duration = Duration::from_secs(30);

    fn unavailable(retry_after: Option<u64>) -> AcmeError {
        let retry_after = retry_after.map(Duration::from_secs);
        AcmeError::Unavailable {
            doing: String::new(),
            retry_after,
            detail: String::new(),
        }
    }

    fn limited(retry_after: Option<u64>) -> AcmeError {
        let retry_after = retry_after.map(Duration::from_secs);
        AcmeError::RateLimited {
            doing: String::new(),
            retry_after,
            detail: String::new(),
        }
    }

    #[test]
    fn a_ca_that_is_down_is_asked_again_when_it_says() {
        assert_eq!(pause(&unavailable(None), OWN, LEFT), Some(OWN));
        assert_eq!(
            pause(&unavailable(Some(5)), OWN, LEFT),
            Some(Duration::from_secs(5))
        );
        assert_eq!(pause(&unavailable(Some(0)), OWN, LEFT), Some(OWN));
    }

    #[test]
    fn what_would_come_after_the_deadline_is_not_waited_for() {
        assert_eq!(pause(&unavailable(Some(60)), OWN, LEFT), None);
        assert_eq!(pause(&limited(Some(3600)), OWN, LEFT), None);
        assert_eq!(pause(&unavailable(None), OWN, Duration::ZERO), None);
    }

    #[test]
    fn a_rate_limit_without_an_end_is_final_and_a_short_one_is_not() {
        assert_eq!(pause(&limited(None), OWN, LEFT), None);
        assert_eq!(
            pause(&limited(Some(2)), OWN, LEFT),
            Some(Duration::from_secs(2))
        );
    }

    #[test]
    fn a_refusal_is_final() {
        assert_eq!(pause(&AcmeError::rejected("", ""), OWN, LEFT), None);
    }
}
