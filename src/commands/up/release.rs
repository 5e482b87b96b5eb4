//! The release command: once per release in the whole fleet.

use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Boot;
use crate::site::app::App;
use crate::site::lease::{Asked, Lease};

const LEASE_LASTS: Duration = Duration::from_secs(60);
/// How long another instance's release command may take before we give up on it.
const PATIENCE: Duration = Duration::from_secs(900);
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Boot {
    /// Runs the release command unless some instance has, and waits for one that does.
    pub(super) async fn release_command(&self, app: &App, version: &str) -> Result<()> {
        if app.release_command().is_none() {
            return Ok(());
        }
        let key = self.site.key(&format!("locks/release-{version}.json"));
        let deadline = Instant::now() + PATIENCE;
        loop {
            match Lease::ask(&self.state, &key, &self.identity.instance_id, LEASE_LASTS).await? {
                Asked::Done => return Ok(()),
                Asked::Held(lease) => return run_under(lease, app).await,
                Asked::Busy { holder, .. } if Instant::now() >= deadline => {
                    bail!("{holder} has been running the release command for {} s; see its log", PATIENCE.as_secs())
                }
                Asked::Busy { holder, .. } => info!(holder, "waiting for another instance's release command"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

async fn run_under(mut lease: Lease, app: &App) -> Result<()> {
    let done = lease.guard(app.run_release_command()).await;
    if done.is_ok() {
        return lease.done().await;
    }
    if let Err(error) = lease.release().await {
        warn!("the lease on the release command lapses by itself: {error:#}");
    }
    done
}
