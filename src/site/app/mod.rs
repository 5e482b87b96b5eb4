//! The site's own program: what it needs, how it is built, started and known to be ready.
//!
//! Planned signatures, being filled in on this branch:
//! - `Plan::new(site: &Site, region: &str, release: Option<Package>, paths: &Paths, account: Option<Account>) -> anyhow::Result<Plan>`
//!   reads the Procfile and the lock files; `release` may be None for kind s3 only; `Package { version, root }`
//! - `Plan::provide(self, s3: &S3) -> anyhow::Result<App>`: dependencies from disk, from the cache, or installed
//! - `App::build(&self) -> anyhow::Result<bool>`: once per release and instance; false: nothing to do
//! - `App::release_command(&self) -> Option<&str>`, `App::run_release_command(&self) -> anyhow::Result<()>`: the caller holds the fleet's lease
//! - `App::service(&self) -> Option<Service>`, `App::upstream(&self) -> &Upstream`, `App::static_folders(&self) -> Result<Vec<(String, PathBuf)>>`
//! - `App::wait_ready(&self, services: &Services) -> anyhow::Result<()>`
//! - `App::share(&self, s3: &S3) -> anyhow::Result<bool>`: after serving: what was installed here goes into the cache

use std::net::SocketAddr;
use std::path::PathBuf;

/// Where the web server finds the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    Unix(PathBuf),
    Tcp(SocketAddr),
    /// kind static: this folder's files.
    Files(PathBuf),
    /// kind s3: the host name of the bucket's website endpoint.
    Website(String),
}
