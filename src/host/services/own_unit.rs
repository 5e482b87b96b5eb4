//! `spotboot.service`: the unit that runs `up`, as `install` writes and starts it.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::ServiceError;
use super::systemctl::systemctl;
use super::systemd::{PATIENCE, failure};
use super::unit::{self, SelfUnit};
use crate::host::files::{self, FileError};

const OWN_UNIT: &str = "/etc/systemd/system/spotboot.service";
const OWN_ENV: &str = "/etc/spotboot/spotboot.env";

/// Writes, enables and starts `spotboot.service`; returns when it says that the site serves.
///
/// # Errors
/// It fails, or does not say so by the deadline; the error carries the last lines of its log.
pub async fn install_self(own: &SelfUnit, deadline: Duration) -> Result<(), ServiceError> {
    const NAME: &str = "spotboot";
    let cause = |cause| ServiceError::Unit {
        name: NAME.into(),
        cause,
    };
    let (text, env) = (
        unit::render_ours(own, Path::new(OWN_ENV)).map_err(cause)?,
        unit::render_env(&own.env).map_err(cause)?,
    );
    let write = || -> Result<(), FileError> {
        let folder = Path::new(OWN_ENV).parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).map_err(|e| FileError::new("making the folder", folder, e))?;
        files::write_atomic(Path::new(OWN_ENV), env.as_bytes(), 0o600)?;
        files::write_atomic(Path::new(OWN_UNIT), text.as_bytes(), 0o644)
    };
    write().map_err(|cause| ServiceError::File {
        doing: "installing",
        name: NAME.into(),
        cause,
    })?;
    systemctl(&["daemon-reload"], NAME, PATIENCE).await?;
    systemctl(&["enable", NAME], NAME, PATIENCE).await?;
    let begun = SystemTime::now();
    match systemctl(&["restart", NAME], NAME, deadline).await {
        Ok(()) => Ok(()),
        Err(error) => Err(failure(NAME, begun, error).await),
    }
}
