//! The time between the decision to stop and the stop: clients are moved away, and none of them is
//! failed.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::host::paths::Paths;
use crate::host::{files, network};

use super::WebError;

/// A client on a connection that it keeps alive hears of the drain with its next answer. One that
/// is silent for longer hardly sends its next request in the very moment when nginx closes the
/// connection; and whatever ends the instance grants a stop some minutes at best.
const AT_MOST: Duration = Duration::from_secs(15);
/// Nobody has been connected for this long: nobody is about to be failed.
const QUIET: Duration = Duration::from_millis(500);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// From now on every answer of HTTP/1.x ends its connection, and `/ping` answers 503. Returns once
/// no client is left, or when those who are left have had their time: nginx's own graceful stop is
/// theirs, as it finishes the requests that run and ends HTTP/2 with GOAWAY.
///
/// # Errors
/// nginx cannot be told.
pub async fn drain(paths: &Paths, ports: &[u16]) -> Result<(), WebError> {
    files::write_anew(&paths.draining(), b"", 0o644)?;
    let _ = timeout(AT_MOST, quiet(ports)).await;
    Ok(())
}

/// New clients are served as ever.
pub(super) fn end(paths: &Paths) {
    // What is not there need not go.
    let _ = std::fs::remove_file(paths.draining());
    // Left by a run that was killed during a reload.
    let _ = std::fs::remove_file(paths.moving());
}

async fn quiet(ports: &[u16]) {
    let mut since = Instant::now();
    while since.elapsed() < QUIET {
        sleep(LOOK_EVERY).await;
        if network::connections(ports) > 0 {
            since = Instant::now();
        }
    }
}
