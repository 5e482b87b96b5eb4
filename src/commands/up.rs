//! `up`: a blank instance becomes the site, then stays it.

use anyhow::{Result, anyhow};
use tracing::error;

use crate::cli::{Globals, Supervisor, UpArgs};
use crate::cloud::Access;
use crate::cloud::imds::Imds;
use crate::config::Site;
use crate::context::site_file::SiteFileLocation;
use crate::host::files::{self, FileLock};
use crate::host::paths::Paths;
use crate::host::services::Mode;
use crate::instance::{Instance, dry_run};
use crate::logging::progress;
use crate::outcome::{Outcome, Usage};
use crate::site::report::Timeline;

/// Runs this instance until the process is told to stop, or AWS takes the instance away.
/// [`Outcome::Locked`] where another `up` runs on this machine.
pub async fn run(globals: &Globals, machine: &UpArgs) -> Result<Outcome> {
    let imds = Imds::new();
    let access = Access::on_instance(&imds);
    let timeline = Timeline::start(progress::observer(globals));
    let site = site_of(&SiteFileLocation::of(globals.config.as_deref())?, &access).await?;
    let paths = Paths::new(&machine.folders.state_dir, &machine.folders.runtime_dir)?;
    let identity = timeline
        .step("identity", &[], async { Ok(imds.identity().await?) })
        .await?;
    if globals.dry_run {
        return dry_run::print(globals, site, &paths, &identity, &access).await;
    }
    files::create_dir(&paths.state, 0o755, None)?;
    let Some(lock) = FileLock::try_acquire(&paths.lock())? else {
        error!(
            "another spotboot runs on this machine; it holds {}",
            paths.lock().display()
        );
        return Ok(Outcome::Locked);
    };
    let mode = machine.services.map(|supervisor| match supervisor {
        Supervisor::Systemd => Mode::Systemd,
        Supervisor::Foreground => Mode::Foreground,
    });
    let instance = Instance::prepare(site, paths, identity, imds, mode, timeline, lock).await?;
    Box::pin(instance.live(globals)).await
}

/// The site.toml. An object that is not there yet is no wrong configuration here: systemd starts
/// `up` again until there is one, and after exit code 2 it would not.
async fn site_of(place: &SiteFileLocation, access: &Access) -> Result<Site> {
    let read = place.read(access).await;
    if matches!(place, SiteFileLocation::Object { .. }) {
        return read.map_err(|error| {
            if error.is::<Usage>() {
                anyhow!("{error:#}")
            } else {
                error
            }
        });
    }
    read
}
