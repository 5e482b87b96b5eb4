//! `releases/current.json`: the last release that has served.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::super::remote::Remote;
use super::Rotation;
use crate::cloud::s3::{Condition, Etag, Written};
use crate::site::deploys::{Record, Released};
use crate::site::release::Pointer;

const LARGEST: usize = 64 << 10;
const ATTEMPTS: usize = 3;

#[derive(Debug, Serialize, Deserialize)]
struct Current {
    #[serde(flatten)]
    release: Released,
    /// The run that made it current.
    #[serde(default)]
    deploy: Option<String>,
    #[serde(default)]
    commit: Option<String>,
}

/// What is current; `None` before the first deploy.
///
/// # Errors
/// Those of the bucket, and a pointer that cannot be read.
pub async fn current(remote: &Remote) -> Result<Option<Released>> {
    Ok(read(remote).await?.map(|(current, _)| current.release))
}

/// Makes a run's release current; that it is so already is fine.
///
/// # Errors
/// Those of the bucket.
pub async fn promote(remote: &Remote, record: &Record) -> Result<()> {
    let Some(release) = &record.release else { return Ok(()) };
    let key = remote.site.key("releases/current.json");
    let next = Current { release: release.clone(), deploy: Some(record.id.clone()), commit: record.by.commit.clone() };
    let body = serde_json::to_vec_pretty(&next).context("writing the pointer")?;
    for _ in 0..ATTEMPTS {
        let found = read(remote).await?;
        if found.as_ref().is_some_and(|(current, _)| current.release.version == release.version) {
            return Ok(());
        }
        let condition = found.as_ref().map_or(Condition::Absent, |(_, etag)| Condition::Matches(etag));
        if let Written::Stored(_) = remote.state.put(&key, body.clone(), condition, None).await? {
            return Ok(());
        }
    }
    bail!("making {} current: {key} was changed by others at each of {ATTEMPTS} attempts", release.version)
}

async fn read(remote: &Remote) -> Result<Option<(Current, Etag)>> {
    let key = remote.site.key("releases/current.json");
    let Some(object) = remote.state.get(&key, LARGEST).await? else { return Ok(None) };
    let current = serde_json::from_slice(&object.body).with_context(|| format!("reading s3://{}/{key}", remote.state.bucket()))?;
    Ok(Some((current, object.etag)))
}

impl Rotation<'_> {
    /// Somebody may have written the pointer by hand: then neither release is ours to choose.
    pub(super) async fn nobody_else_changed_current(&self) -> Result<()> {
        let version = |release: &Option<Released>| release.as_ref().map(|release| release.version.clone());
        let (now, before) = (version(&current(self.remote).await?), version(&self.log.record.previous));
        // Without a pointer a rotation is onto the newest package of the older convention.
        if now.is_some() && now != before && now != version(&self.log.record.release) {
            bail!("releases/current.json names {} now, and {} when this run began", now.unwrap_or_default(), before.unwrap_or_default());
        }
        Ok(())
    }
}

pub fn pointer(release: &Released) -> Pointer {
    let Released { version, key, sha256, size } = release.clone();
    Pointer { version, key, sha256, size, trial: None }
}

pub fn released(pointer: &Pointer) -> Released {
    let Pointer { version, key, sha256, size, .. } = pointer.clone();
    Released { version, key, sha256, size }
}
