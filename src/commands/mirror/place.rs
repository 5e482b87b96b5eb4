//! Where a copy is made: the folder in which the crawls of one site keep what they have learned.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::source::SiteSource;
use crate::config::Site;
use crate::host::files::{self, FileLock};

/// A folder that is this process's alone.
pub struct WorkFolder {
    pub path: PathBuf,
    _lock: FileLock,
}

impl WorkFolder {
    /// Beside `--out`; on an instance below its state folder; else in the user's cache, below the
    /// site's name. None: another process works there.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn take(
        out: Option<&Path>,
        source: &SiteSource,
        site: Option<&Site>,
    ) -> Result<Option<Self>> {
        let path = match (out, &source.instance) {
            (Some(out), _) => beside(out),
            (None, Some(paths)) => paths.mirror(),
            (None, None) => cache().join("spotboot/mirror").join(name(source, site)),
        };
        files::create_dir(&path, 0o700, None)?;
        let lock = FileLock::try_acquire(&path.join("work.lock"))?;
        Ok(lock.map(|lock| Self { path, _lock: lock }))
    }
}

fn beside(out: &Path) -> PathBuf {
    let mut name = out.file_name().unwrap_or_default().to_owned();
    name.push(".crawl");
    out.with_file_name(name)
}

/// By the XDG Base Directory Specification; where neither variable is set, a temporary folder.
fn cache() -> PathBuf {
    let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    variable("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| Some(PathBuf::from(variable("HOME")?).join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
}

/// The site's name, or the host and port that are asked.
fn name(source: &SiteSource, site: Option<&Site>) -> String {
    match site {
        Some(site) => site.name.clone(),
        None => {
            let host = source.url.host_str().unwrap_or_default();
            let port = source.url.port().map(|port| format!("-{port}"));
            let plain = |c: char| {
                if c.is_ascii_alphanumeric() || "-.".contains(c) {
                    c
                } else {
                    '-'
                }
            };
            format!("{host}{}", port.unwrap_or_default())
                .chars()
                .map(plain)
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crawl_is_kept_beside_the_copy() {
        assert_eq!(beside(Path::new("a/out")), Path::new("a/out.crawl"));
        assert_eq!(beside(Path::new("out/")), Path::new("out.crawl"));
    }
}
