//! The tree that machines boot from: made once per recipe and kept, read-only in use. Each machine has its own layer on top.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::recipe::Recipe;
use super::usable::{PATH, usable};

/// A cold one takes half a minute with a mirror nearby.
const DEADLINE: Duration = Duration::from_secs(600);

#[derive(Debug, Clone)]
pub struct Image {
    path: PathBuf,
}

impl Image {
    /// The tree in `cache`, made if it is not there. Processes that want it at once wait for one to make it; one that was killed half-way leaves
    /// nothing that a later one would take for a tree. The error is an [`Unavailable`](super::Unavailable) where machines cannot run.
    pub fn prepare(cache: &Path) -> anyhow::Result<Self> {
        usable()?;
        let recipe = Recipe::of_host(proxy())?;
        fs::create_dir_all(cache).with_context(|| format!("making {}", cache.display()))?;
        let cache = cache.canonicalize().with_context(|| format!("finding {}", cache.display()))?;
        let path = cache.join(recipe.hash());
        if !path.is_dir() {
            let lock = lock(&cache.join(format!("{}.lock", recipe.hash())))?;
            if !path.is_dir() {
                make(&recipe, &path, &lock)?;
            }
        }
        Ok(Self { path })
    }

    /// Read-only: many machines stand on it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// mmdebstrap reads none of the host's apt configuration; where a proxy is the way to the mirror, it must be told.
fn proxy() -> Option<String> {
    let output = Command::new("apt-config").args(["shell", "PROXY", "Acquire::http::Proxy"]).env("PATH", PATH).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    let value = line.trim().strip_prefix("PROXY='")?.strip_suffix('\'')?;
    Some(value.to_owned()).filter(|value| !value.is_empty())
}

fn lock(path: &Path) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("making {}", path.display()))?;
    let end = Instant::now() + DEADLINE;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(Duration::from_millis(100)),
            Err(TryLockError::WouldBlock) => bail!("waiting for another process to make the image: {} is still locked", path.display()),
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("locking {}", path.display())),
        }
    }
}

fn make(recipe: &Recipe, path: &Path, lock: &File) -> anyhow::Result<()> {
    let (partial, sources, log) = (path.with_extension("partial"), path.with_extension("sources"), path.with_extension("log"));
    remove(&partial)?;
    fs::write(&sources, &recipe.sources).with_context(|| format!("writing {}", sources.display()))?;
    let output = File::create(&log).with_context(|| format!("making {}", log.display()))?;
    let status = Command::new("timeout")
        .args(["--kill-after=5", &DEADLINE.as_secs().to_string()])
        // Its mounts end with it, even when it is killed: what is left can be removed without reaching into the host's /dev.
        .args(["unshare", "--mount", "mmdebstrap"])
        .args(recipe.arguments(&sources, &partial))
        .env("PATH", PATH)
        // It holds the lock as well: if this process dies, no other touches the tree while it still writes.
        .stdin(Stdio::from(lock.try_clone().context("sharing the image's lock")?))
        .stdout(output.try_clone().context("sharing the image's log")?)
        .stderr(output)
        .status()
        .context("starting mmdebstrap")?;
    if !status.success() {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let last: Vec<_> = text.lines().rev().take(8).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join("\n  ");
        bail!("making a Debian tree with mmdebstrap: {status}; its last words (all in {}):\n  {last}", log.display());
    }
    fs::rename(&partial, path).with_context(|| format!("moving the finished tree to {}", path.display()))
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error).with_context(|| format!("removing {}", folder.display())),
        _ => Ok(()),
    }
}
