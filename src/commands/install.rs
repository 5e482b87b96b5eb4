//! `install`: our own systemd service, from this binary and these flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tracing::{info, warn};

use crate::cli::{Folders, Globals};
use crate::cloud::Access;
use crate::cloud::imds::Imds;
use crate::config::Problems;
use crate::context::site_file::SiteFileLocation;
use crate::host::files;
use crate::host::services::{SelfUnit, Services, install_self};
use crate::outcome::Outcome;
use crate::output::out;

const PROGRAM: &str = "/usr/local/bin/spotboot";
/// As long as `up` itself allows a boot, and a little more.
const STARTED_WITHIN: Duration = Duration::from_secs(31 * 60);
/// What the service needs of our environment: where AWS answers, and whom to trust. Credentials are
/// not among it: an instance has a role.
const CARRIED: [&str; 12] = [
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_ROUTE_53",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_AUTO_SCALING",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_CA_BUNDLE",
    "SSL_CERT_FILE",
];

/// Copies this binary, writes spotboot.service and starts it; returns once the service has said
/// that the site serves.
///
/// # Errors
/// No systemd, a site.toml with problems, or the boot's own error. A site.toml that is not in the
/// bucket yet is none: the service waits for it.
pub async fn run(globals: &Globals, folders: &Folders) -> Result<Outcome> {
    let place = SiteFileLocation::of(globals.config.as_deref())?;
    let unit = unit(&place, folders)?;
    let read = place.read(&Access::on_instance(&Imds::new())).await;
    if globals.dry_run {
        out!(
            "would copy this binary to {PROGRAM}, and write and start spotboot.service for {}:\n  {}",
            read?.primary(),
            command_line(&unit)
        );
        return Ok(Outcome::Done);
    }
    match read {
        // A first instance may be there before its site.toml, or before its role may read it: the
        // service looks again until it can.
        Err(error)
            if matches!(place, SiteFileLocation::Object { .. }) && !error.is::<Problems>() =>
        {
            warn!("{error:#}; installing all the same")
        }
        read => drop(read?),
    }
    Services::require_systemd()?;
    let own = std::env::current_exe().context("finding this binary")?;
    copy_program(&own).with_context(|| format!("copying {} to {PROGRAM}", own.display()))?;
    install_self(&unit, STARTED_WITHIN).await?;
    info!("spotboot.service runs; `journalctl -u spotboot` is its log");
    Ok(Outcome::Done)
}

fn unit(place: &SiteFileLocation, folders: &Folders) -> Result<SelfUnit> {
    let config = match place {
        SiteFileLocation::File(path) => std::path::absolute(path)?.into_os_string(),
        SiteFileLocation::Object { bucket, key } => OsString::from(format!("s3://{bucket}/{key}")),
    };
    let state = std::path::absolute(&folders.state_dir)?.into_os_string();
    let runtime = std::path::absolute(&folders.runtime_dir)?.into_os_string();
    let args = [
        "up".into(),
        "--config".into(),
        config,
        "--state-dir".into(),
        state,
        "--runtime-dir".into(),
        runtime,
    ];
    let env: BTreeMap<String, String> = CARRIED
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), std::env::var(name).ok()?)))
        .collect();
    Ok(SelfUnit {
        program: PathBuf::from(PROGRAM),
        args: args.into(),
        env,
    })
}

/// The service outlives the place that this binary was fetched to.
fn copy_program(own: &Path) -> Result<()> {
    if own != Path::new(PROGRAM) {
        files::write_atomic(Path::new(PROGRAM), &std::fs::read(own)?, 0o755)?;
    }
    Ok(())
}

fn command_line(unit: &SelfUnit) -> String {
    let words = unit.args.iter().map(|arg| arg.to_string_lossy());
    words.fold(unit.program.display().to_string(), |line, word| {
        format!("{line} {word}")
    })
}
