//! When to ask again, and how fast to ask at all.

use std::time::Duration;

use time::OffsetDateTime;
use time::macros::format_description;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{FetchError, Fetched};

/// The pauses between tries, where the site asks for none.
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_millis(1500)];
/// The longest pause that a site may ask for.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Whether another try may bring a better answer, and how long the site wants to be left alone.
pub(super) fn worth_another_try(answer: &Result<Fetched, FetchError>) -> Option<Option<Duration>> {
    match answer {
        Ok(answer) if answer.status == 429 || (500..600).contains(&answer.status) => {
            let now = OffsetDateTime::now_utc();
            Some(
                answer
                    .header("retry-after")
                    .and_then(|value| pause_of(&value, now)),
            )
        }
        Ok(_) | Err(FetchError::TooLarge(_) | FetchError::Disk(_)) => None,
        Err(_) => Some(None),
    }
}

/// Reads Retry-After: seconds, or a date (RFC 9110, section 10.2.3).
fn pause_of(value: &str, now: OffsetDateTime) -> Option<Duration> {
    let date = format_description!(
        "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
    );
    let value = value.trim();
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let until = time::PrimitiveDateTime::parse(value, date)
                .ok()?
                .assume_utc();
            Duration::try_from(until - now).unwrap_or_default()
        }
    };
    Some(pause.min(LONGEST_PAUSE))
}

/// Spreads requests over time.
#[derive(Debug)]
pub(super) struct Pace {
    between: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    /// At most `rate` requests a second.
    pub(super) fn new(rate: Option<f64>) -> Self {
        let between = rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok());
        Self {
            between: between.unwrap_or_default(),
            next: Mutex::new(None),
        }
    }

    /// Waits for the next request's turn.
    pub(super) async fn wait(&self) {
        if self.between.is_zero() {
            return;
        }
        let turn = {
            let mut next = self.next.lock().await;
            let turn = next.unwrap_or_else(Instant::now).max(Instant::now());
            *next = Some(turn + self.between);
            turn
        };
        tokio::time::sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn a_pause_is_seconds_or_a_date_and_bounded() {
        let now = datetime!(2026-11-30 12:00:00 UTC);
        let seconds = |value: &str| pause_of(value, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("3"), Some(3));
        assert_eq!(seconds("Mon, 30 Nov 2026 12:00:07 GMT"), Some(7));
        assert_eq!(seconds("Mon, 30 Nov 2026 11:00:00 GMT"), Some(0));
        assert_eq!(seconds("86400"), Some(60));
        assert_eq!(seconds("soon"), None);
    }

    #[tokio::test]
    async fn requests_keep_to_the_rate() {
        let pace = Pace::new(Some(100.0));
        let began = Instant::now();
        for _ in 0..6 {
            pace.wait().await;
        }
        assert!(began.elapsed() >= Duration::from_millis(50));
        Pace::new(None).wait().await;
    }
}
