//! The package that this instance serves: which one, its download and unpacking, the switch to it,
//! and how many stay.
//!
//! What the package's program needs and how it runs is the app's.

mod candidate;
mod fetch;
mod pointer;
mod publish;
mod published;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::host::paths::Paths;
use crate::host::{complete, files};

pub use candidate::{Candidate, is_since};
pub use fetch::fetch;
pub use pointer::{Pointer, Resolved, resolve};
pub use publish::{package, prune, publish};
pub use published::{Current, Published};

/// An unpacked release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub version: String,
    /// `releases/<version>`: readable by the app's group, writable by root only (as an ordinary
    /// user: by us).
    pub root: PathBuf,
    /// Of the zip, in hex.
    pub sha256: String,
}

/// The word by which reports, logs and the web server name a version; `none` where the site has no
/// releases, as kind s3 has none.
pub fn version_word(version: Option<&str>) -> &str {
    version.unwrap_or("none")
}

/// Whether a boot finds the release whole on this disk.
pub fn is_here(pointer: &Pointer, paths: &Paths) -> bool {
    fetch::unpacked(pointer, paths).is_some()
}

/// Points `releases/current` to it, for people and tools; nothing of ours reads the link. Once the
/// release serves, as it syncs.
pub fn activate(release: &Release, paths: &Paths) -> anyhow::Result<()> {
    files::symlink_atomic(
        Path::new(&release.version),
        &paths.releases().join("current"),
    )
    .context("making the release current")
}

/// Removes all releases but this one and the newest others, `keep` in all; the versions that went.
pub fn retain(release: &Release, paths: &Paths, keep: usize) -> anyhow::Result<Vec<String>> {
    complete::retain(&paths.releases(), &release.version, keep).context("removing older releases")
}

/// Puts the release on disk, so that it is not unpacked again after a restart of the machine. Slow:
/// once it serves.
pub async fn settle(release: &Release) -> anyhow::Result<()> {
    let root = release.root.clone();
    tokio::task::spawn_blocking(move || complete::flush(&root))
        .await?
        .context("settling the release")
}
