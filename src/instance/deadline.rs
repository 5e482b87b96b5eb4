//! Work that may not last longer than somebody can wait for it.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tokio::time::timeout;

/// The work's result, if it comes in time; the work is dropped else.
///
/// # Errors
/// The work's, and that it was not done in time.
pub async fn within<T>(patience: Duration, work: impl Future<Output = Result<T>>) -> Result<T> {
    let late = |_| Err(anyhow!("no answer within {} s", patience.as_secs()));
    timeout(patience, work).await.unwrap_or_else(late)
}

/// The same for work of this instance's own.
///
/// # Errors
/// The work's, and that it was not done in time.
pub async fn done_within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let late = |_| Err(anyhow!("not done within {} s", patience.as_secs()));
    timeout(patience, work).await.unwrap_or_else(late)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn late_work_is_an_error_that_says_how_long_was_waited() {
        let late = within(Duration::from_secs(1), std::future::pending::<Result<()>>());
        assert_eq!(late.await.unwrap_err().to_string(), "no answer within 1 s");
        let late = done_within(Duration::from_secs(1), std::future::pending::<Result<()>>());
        assert_eq!(late.await.unwrap_err().to_string(), "not done within 1 s");
    }

    #[tokio::test]
    async fn the_works_own_error_stays() {
        let failed = within(Duration::from_secs(1), async {
            Err::<(), _>(anyhow!("denied"))
        });
        assert_eq!(failed.await.unwrap_err().to_string(), "denied");
    }
}
