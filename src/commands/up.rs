//! `up`: a blank instance becomes the site, then stays it.

use std::time::Duration;

use anyhow::{Result, anyhow};
use tracing::{error, warn};

use crate::cli::{Globals, Supervisor, UpArgs};
use crate::cloud::Access;
use crate::cloud::imds::{Identity, Imds};
use crate::config::Site;
use crate::context::site_file::SiteFileLocation;
use crate::host::files::{self, FileLock};
use crate::host::network;
use crate::host::paths::Paths;
use crate::host::selinux;
use crate::host::services::Mode;
use crate::instance::{Instance, dry_run};
use crate::logging::progress;
use crate::outcome::{Outcome, Usage};
use crate::site::report::Timeline;

/// DHCPv6 may come to its end after the boot has begun.
const IPV6_WITHIN: Duration = Duration::from_secs(5);

/// Runs this instance until the process is told to stop, or AWS takes the instance away.
/// [`Outcome::Locked`] where another `up` runs on this machine.
pub async fn run(globals: &Globals, machine: &UpArgs) -> Result<Outcome> {
    let imds = Imds::new();
    let access = Access::on_instance(&imds);
    let timeline = Timeline::start(progress::observer(globals));
    let site = site_of(&SiteFileLocation::of(globals.config.as_deref())?, &access).await?;
    let paths = Paths::new(&machine.folders.state_dir, &machine.folders.runtime_dir)?;
    let identity = timeline
        .step("identity", &[], identity_of(&imds, &site))
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
    if selinux::enforces() {
        warn!("{}", selinux::IN_THE_WAY);
    }
    let mode = machine.services.map(|supervisor| match supervisor {
        Supervisor::Systemd => Mode::Systemd,
        Supervisor::Foreground => Mode::Foreground,
    });
    let instance = Instance::prepare(site, paths, identity, imds, mode, timeline, lock).await?;
    Box::pin(instance.live(globals)).await
}

/// What this instance is, less an IPv6 address that EC2 has assigned and that the machine does not
/// answer at: no name must lead there.
async fn identity_of(imds: &Imds, site: &Site) -> Result<Identity> {
    let mut identity = imds.identity().await?;
    let Some(address) = identity.public_ipv6 else {
        return Ok(identity);
    };
    // An Elastic IP is reached by IPv4 alone.
    if !site.dns.address_moves() && !network::answers_at(address.into(), IPV6_WITHIN).await {
        warn!(
            %address,
            "no AAAA record leads here: EC2 has assigned this IPv6 address, and no interface of this machine has it and answers; the image has to ask for it by DHCPv6"
        );
        identity.public_ipv6 = None;
    }
    Ok(identity)
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
