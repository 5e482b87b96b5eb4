//! How long a service that ended by itself waits before it is started again: longer each time,
//! until it has run for a while.

use std::time::Duration;

/// The longest one.
pub const LONGEST: Duration = Duration::from_secs(30);
/// A service that ran this long starts over with the first pause.
const STEADY: Duration = Duration::from_secs(60);

/// The pause after an end, from the one before it (none: this is the first end) and how long the
/// service ran since.
pub(super) fn next(first: Duration, before: Option<Duration>, ran: Duration) -> Duration {
    match before {
        Some(before) if ran < STEADY => (before * 2).min(LONGEST),
        _ => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest_and_begin_anew_after_a_steady_run() {
        let after = |before: Option<u64>, ran: u64| {
            next(
                Duration::from_secs(1),
                before.map(Duration::from_secs),
                Duration::from_secs(ran),
            )
            .as_secs()
        };
        assert_eq!(after(None, 0), 1);
        assert_eq!(
            [1, 2, 4, 8, 16, 30].map(|before| after(Some(before), 5)),
            [2, 4, 8, 16, 30, 30]
        );
        assert_eq!(after(Some(30), 60), 1);
    }
}
