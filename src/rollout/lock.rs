//! One run at a time: the lease on deploys.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

use anyhow::Result;
use time::OffsetDateTime;
use tokio::time::sleep;
use tracing::{error, info};

use crate::config::Bucket;
use crate::context::SiteContext;
use crate::host::network;
use crate::site::deploys::{By, name_of_run};
use crate::site::lease::{Asked, Lease};

/// A run that was killed holds up the next one for as long.
pub const LEASE_LASTS: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(3);

/// This run, with the lease.
pub struct DeployLock {
    pub lease: Lease,
    pub run: String,
    pub by: By,
}

impl DeployLock {
    /// Asks for the lease. With `patient`, one that its holder no longer extends is waited out; one
    /// that is alive is never taken. `None`: somebody else has it, which is said.
    ///
    /// # Errors
    /// Those of the bucket.
    pub async fn take(context: &SiteContext, patient: bool) -> Result<Option<Self>> {
        let by = By::of(|name| std::env::var(name).ok(), &network::host_name());
        let key = Bucket::new(&context.site).deploy_lock();
        // The newest run is found by its name, whatever the clocks of the machines say.
        let run = name_of_run(context.now(), random());
        let holder = format!("{run}: {by}");
        let mut seen: Option<OffsetDateTime> = None;
        loop {
            let (other, expires) =
                match Lease::ask(&context.state, &key, &holder, LEASE_LASTS).await? {
                    Asked::Held(lease) => return Ok(Some(Self { lease, run, by })),
                    Asked::Busy { holder, expires } => (holder, expires),
                    Asked::Done => anyhow::bail!(
                        "{key} says that deploys are over for good; delete that object"
                    ),
                };
            let extended = seen.is_some_and(|before| before != expires);
            if !patient || extended {
                let alive = if extended { " and is alive" } else { "" };
                error!(
                    "another deploy runs{alive}: {other} holds the lock until {expires}; wait for it, or, if it was killed, for the lock to lapse (--force waits)"
                );
                return Ok(None);
            }
            if seen.replace(expires).is_none() {
                info!(holder = other, until = %expires, "waiting for the lock to lapse");
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Seeded by the operating system; tells apart two runs of the same second, and guards nothing.
#[expect(clippy::cast_possible_truncation, reason = "any bits will do")]
fn random() -> u32 {
    RandomState::new().build_hasher().finish() as u32
}

/// Gives the lease back; one that cannot be given back lapses by itself.
pub async fn give_up(lease: Lease) {
    if let Err(error) = lease.release().await {
        tracing::warn!(
            "the lock on deploys lapses by itself within {} s: {error:#}",
            LEASE_LASTS.as_secs()
        );
    }
}
