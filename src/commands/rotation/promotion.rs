//! `releases/current.json`: the last release that has served.

use super::super::remote::Remote;
use super::Rotation;
use crate::cloud::s3::{Condition, Written};
use crate::site::deploys::{Record, Released};
use crate::site::release::{Current, Pointer, Published};
use anyhow::{Context, Result, bail};

const ATTEMPTS: usize = 3;

/// What is current; `None` before the first deploy.
///
/// # Errors
/// Those of the bucket, and a pointer that cannot be read.
pub async fn current(remote: &Remote) -> Result<Option<Released>> {
    Ok(Current::read(&remote.state, &remote.site).await?.map(|(current, _)| released(&current.release.into())))
}

/// Makes a run's release current; that it is so already is fine.
///
/// # Errors
/// Those of the bucket.
pub async fn promote(remote: &Remote, record: &Record) -> Result<()> {
    let Some(release) = &record.release else { return Ok(()) };
    let key = Current::key(&remote.site);
    let body = Current { release: published(release, record)?, deploy: Some(record.id.clone()) }.to_json();
    for _ in 0..ATTEMPTS {
        let found = Current::read(&remote.state, &remote.site).await?;
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

/// As it stands in the bucket.
///
/// # Errors
/// A release of the older convention, which has no hash, cannot be pointed to.
pub fn published(release: &Released, record: &Record) -> Result<Published> {
    let Released { version, key, sha256, size } = release.clone();
    let sha256 = sha256.with_context(|| format!("{version} was published without its SHA-256; deploy it anew"))?;
    Ok(Published { version, key, sha256, size, commit: record.by.commit.clone(), by: Some(record.by.who.clone()) })
}

pub fn released(pointer: &Pointer) -> Released {
    let Pointer { version, key, sha256, size } = pointer.clone();
    Released { version, key, sha256, size }
}
