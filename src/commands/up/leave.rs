//! The end of an instance that was told to stop: nobody who is being served is failed by it.

use std::time::Duration;

use tokio::join;
use tokio::time::{Instant, timeout};
use tracing::{info, warn};

use super::Boot;
use super::ship::LAST_WITHIN;
use crate::site::report::Phase;
use crate::site::web;

/// A bucket that does not answer keeps nothing from stopping.
const TOLD_WITHIN: Duration = Duration::from_secs(20);

impl Boot {
    /// Where the services outlive this process, under systemd on a machine that stays, nothing changes for anybody. Else the clients are sent
    /// away first, then nginx finishes what it has begun, then the app ends: one that is stopped earlier (gunicorn, say) drops what waits for it.
    pub(super) async fn leave(&self) {
        let told = async {
            if timeout(TOLD_WITHIN, self.report(Phase::Stopped, None, None)).await.is_err() {
                warn!("the bucket does not hear of this stop: no answer within {} s", TOLD_WITHIN.as_secs());
            }
        };
        if !self.services.end_with_us().await {
            told.await;
            return self.ship_last(LAST_WITHIN).await;
        }
        // At once: whoever reads the report counts on this instance no more, and neither does a health check.
        join!(told, self.drain());
        // Under systemd our own end is the word for it: its units are ordered.
        self.services.shutdown_beginning_with(web::SERVICE).await;
        // Their last words are among it.
        self.ship_last(LAST_WITHIN).await;
    }

    async fn drain(&self) {
        let begun = Instant::now();
        match web::drain(&self.paths, &[self.site.web.http_port, self.site.web.https_port]).await {
            Ok(()) => info!(milliseconds = begun.elapsed().as_millis(), "drained"),
            Err(error) => warn!("stopping without a drain: {error}"),
        }
    }
}
