//! The package that this instance serves: which one (the pointer), its download and unpacking, the switch to it, and how many stay.
//!
//! Planned signatures, being filled in on this branch:
//! - `pointer::resolve(state: &S3, packages: &S3, site: &Site) -> anyhow::Result<Pointer>`
//! - `fetch::fetch(packages: &S3, pointer: &Pointer, paths: &Paths, app: Option<&Account>) -> anyhow::Result<Release>`: unpacked, not yet active
//! - `activate(release: &Release, paths: &Paths) -> anyhow::Result<()>`: the symlink `releases/current`
//! - `retention::retain(paths: &Paths, current: &Release, keep: usize) -> anyhow::Result<Vec<String>>`: the versions removed
//! - `settle(release: &Release, paths: &Paths) -> anyhow::Result<()>`: after serving: flushed to disk, so that a later boot of the machine trusts it

use std::path::PathBuf;

/// The release that a boot is to serve, as the bucket names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pointer {
    /// Safe as a file name.
    pub version: String,
    /// In the packages' bucket, whole.
    pub key: String,
    /// Hex. None: the older `…-latest.zip` convention, which has no hash.
    pub sha256: Option<String>,
    /// Of the zip, in bytes.
    pub size: u64,
}

/// An unpacked release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    pub version: String,
    /// `releases/<version>`.
    pub root: PathBuf,
    /// Of the zip, in hex.
    pub sha256: String,
}
