//! The release command, which brings the site's data up to date: where it runs, under the fleet's
//! lease, and what became of it.

use std::sync::Once;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Instance;
use crate::cloud::s3::S3;
use crate::config::{Bucket, ReleaseOn, Site};
use crate::host::data_folder;
use crate::host::paths::Paths;
use crate::site::app::InstalledApp;
use crate::site::lease::{Asked, Lease};
use crate::site::release::Candidate;
use crate::site::report::{Became, ReleaseCommand};

const LEASE_LASTS: Duration = Duration::from_secs(60);
/// How long another instance's release command may take before we give up on it.
const PATIENCE: Duration = Duration::from_secs(900);
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Instance {
    /// Runs the release command where `[app] release_on` calls for that, and tells what became of
    /// it; `None`: the app has none.
    ///
    /// # Errors
    /// The command fails, or does not get its turn; those of the bucket.
    pub async fn release_command(
        &self,
        app: &InstalledApp,
        version: &str,
    ) -> Result<Option<ReleaseCommand>> {
        if app.release_command().is_none() {
            return Ok(None);
        }
        let release_on = release_on(&self.context.site);
        // Boxed, as are the parts below: leases and what they guard, one in the other, would make
        // the boot's own future too large for its stack.
        let became = match release_on {
            ReleaseOn::Folder => Box::pin(self.release_on_folder(app, version)).await?,
            ReleaseOn::Fleet => Box::pin(self.release_on_fleet(app, version)).await?,
        };
        info!(
            release = version,
            release_on = release_on.word(),
            "the release command {}",
            told(became)
        );
        Ok(Some(ReleaseCommand {
            release: version.to_owned(),
            became,
        }))
    }

    async fn release_on_folder(&self, app: &InstalledApp, version: &str) -> Result<Became> {
        let folder = self.paths.data();
        if data_folder::has_seen(&folder, version) {
            return Ok(Became::SeenByFolder);
        }
        let run = async {
            app.run_release_command().await?;
            if let Err(error) = data_folder::note(&folder, version) {
                warn!("the release command runs again at the next start: {error}");
            }
            Ok(Became::Ran)
        };
        Box::pin(self.in_turn(run)).await
    }

    async fn release_on_fleet(&self, app: &InstalledApp, version: &str) -> Result<Became> {
        let done = Bucket::new(&self.context.site).release_lock(version);
        let Some(mut done) = self.lease_on(&done).await? else {
            return Ok(Became::DoneInFleet);
        };
        let run = async {
            // The candidate is read within the turn: the command of a release that comes on trial
            // later waits for its own.
            let on_trial = Candidate::living(&self.context.state, &self.context.site).await?;
            let became = decide(ReleaseOn::Fleet, false, version, on_trial.as_ref());
            if became == Became::Ran {
                app.run_release_command().await?;
            }
            Ok(became)
        };
        let became = done.guard(Box::pin(self.in_turn(run))).await;
        match became {
            Ok(Became::Ran) => done.done().await?,
            _ => give_back(done).await,
        }
        became
    }

    /// Does `work` while no other instance of the fleet runs a release command.
    async fn in_turn<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let (key, me) = (
            Bucket::new(&self.context.site).release_turn(),
            &self.identity.instance_id,
        );
        let free = Lease::create(&self.context.state, &key, me, LEASE_LASTS).await?;
        let turn = if free.is_some() {
            free
        } else {
            Box::pin(self.lease_on(&key)).await?
        };
        let mut turn = turn.with_context(|| {
            format!("{key} says that its work is done for good; delete that object")
        })?;
        let done = turn.guard(Box::pin(work)).await;
        give_back(turn).await;
        done
    }

    /// Waits for a lease; `None`: its work is done for good.
    async fn lease_on(&self, key: &str) -> Result<Option<Lease>> {
        let me = &self.identity.instance_id;
        let (mut waiting_for, mut deadline) = (String::new(), Instant::now() + PATIENCE);
        loop {
            let holder = match Lease::ask(&self.context.state, key, me, LEASE_LASTS).await? {
                Asked::Done => return Ok(None),
                Asked::Held(lease) => return Ok(Some(lease)),
                Asked::Busy { holder, .. } => holder,
            };
            if holder != waiting_for {
                info!(holder, "waiting for another instance's release command");
                (waiting_for, deadline) = (holder, Instant::now() + PATIENCE);
            } else if Instant::now() >= deadline {
                bail!(
                    "{holder} has been running a release command for {} s; see its log",
                    PATIENCE.as_secs()
                );
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// `[app] release_on`; where it is not set, the log of a process has one warning of that.
fn release_on(site: &Site) -> ReleaseOn {
    static WARNING: Once = Once::new();
    if site.app.release_on.is_none() {
        WARNING.call_once(|| warn!(
            "[app] release_on is not set, so the release command runs for each new data folder, that is on every replacement; set \
             release_on = \"folder\" to keep that (for SQLite or files in $SPOTBOOT_DATA), or release_on = \"fleet\" to have it run once \
             per release (for a database server)"
        ));
    }
    site.app.release_on.unwrap_or(ReleaseOn::Folder)
}

/// Tells what a boot would do about the command of a release that has one, and why.
///
/// # Errors
/// Those of the bucket.
pub async fn forecast(state: &S3, site: &Site, paths: &Paths, version: &str) -> Result<String> {
    let data = paths.data();
    let became = match site.app.release_on {
        Some(ReleaseOn::Fleet) => {
            let has_run = Lease::is_done(state, &Bucket::new(site).release_lock(version)).await?;
            decide(
                ReleaseOn::Fleet,
                has_run,
                version,
                Candidate::living(state, site).await?.as_ref(),
            )
        }
        Some(ReleaseOn::Folder) | None => decide(
            ReleaseOn::Folder,
            data_folder::has_seen(&data, version),
            version,
            None,
        ),
    };
    let would = match (became, site.app.release_on) {
        (Became::Ran, Some(ReleaseOn::Fleet)) => {
            format!("run under the fleet's lease: it has not run for {version}")
        }
        (Became::Ran, _) => format!(
            "run under the fleet's lease: it has not run for {version} on the data folder {}",
            data.display()
        ),
        (became, _) => format!("not run: it {}", told(became)),
    };
    let unset = if site.app.release_on.is_none() {
        "; [app] release_on is not set, which means \"folder\""
    } else {
        ""
    };
    Ok(would + unset)
}

/// Decides what becomes of a release's command; `has_run` is about this data folder or this fleet.
fn decide(
    release_on: ReleaseOn,
    has_run: bool,
    version: &str,
    on_trial: Option<&Candidate>,
) -> Became {
    match release_on {
        ReleaseOn::Folder if has_run => Became::SeenByFolder,
        ReleaseOn::Fleet if has_run => Became::DoneInFleet,
        // The data may be those of the release on trial already.
        ReleaseOn::Fleet
            if on_trial.is_some_and(|candidate| candidate.release.version != version) =>
        {
            Became::LeftToTrial
        }
        ReleaseOn::Folder | ReleaseOn::Fleet => Became::Ran,
    }
}

/// The rest of a sentence about the release command.
fn told(became: Became) -> &'static str {
    match became {
        Became::Ran => "ran",
        Became::SeenByFolder => "has run on this data folder before",
        Became::DoneInFleet => "has run once for the whole fleet",
        Became::LeftToTrial => "is left to a boot after the trial of another release",
    }
}

async fn give_back(lease: Lease) {
    if let Err(error) = lease.release().await {
        warn!("the lease on the release command lapses by itself: {error:#}");
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;

    use super::*;
    use crate::site::release::Published;

    fn on_trial(version: &str) -> Candidate {
        let release = Published {
            version: version.into(),
            key: "k".into(),
            sha256: "ab".into(),
            size: 1,
            commit: None,
            by: None,
        };
        Candidate {
            release,
            deploy: "d".into(),
            expires: OffsetDateTime::UNIX_EPOCH,
            since: None,
            in_place: false,
        }
    }

    #[test]
    fn a_folder_is_brought_up_to_each_release_once_whatever_is_on_trial() {
        assert_eq!(decide(ReleaseOn::Folder, false, "v1", None), Became::Ran);
        assert_eq!(
            decide(ReleaseOn::Folder, false, "v1", Some(&on_trial("v2"))),
            Became::Ran
        );
        assert_eq!(
            decide(ReleaseOn::Folder, true, "v1", None),
            Became::SeenByFolder
        );
    }

    #[test]
    fn a_fleet_runs_it_once_and_during_a_trial_only_for_the_release_on_trial() {
        assert_eq!(decide(ReleaseOn::Fleet, false, "v1", None), Became::Ran);
        assert_eq!(
            decide(ReleaseOn::Fleet, true, "v1", None),
            Became::DoneInFleet
        );
        assert_eq!(
            decide(ReleaseOn::Fleet, true, "v1", Some(&on_trial("v2"))),
            Became::DoneInFleet
        );
        assert_eq!(
            decide(ReleaseOn::Fleet, false, "v1", Some(&on_trial("v2"))),
            Became::LeftToTrial
        );
        assert_eq!(
            decide(ReleaseOn::Fleet, false, "v2", Some(&on_trial("v2"))),
            Became::Ran
        );
    }
}
