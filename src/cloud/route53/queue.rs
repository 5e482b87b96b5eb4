//! The account's few requests a second, which all who work on its zones share.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cloud::Error;

/// How long a request may queue behind the account's rate limit and other changes of its zone; the
/// last attempt starts within it.
const QUEUE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_secs(1);

/// Makes a request until Route 53 comes to it: where many ask at once, the SDK's own attempts are
/// over too soon.
pub(super) async fn queued<T>(request: impl AsyncFn() -> Result<T, Error>) -> Result<T, Error> {
    let deadline = Instant::now() + QUEUE;
    loop {
        match request().await {
            Err(error) if error.is_throttled() && Instant::now() < deadline => sleep(PAUSE).await,
            done => return done,
        }
    }
}
