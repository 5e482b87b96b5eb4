//! The tree that machines boot from: made once per recipe and kept, read-only in use. Each machine
//! has its own layer on top.

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
    /// The tree in `cache`, made if it is not there. Processes that want it at once wait for one to
    /// make it; one that was killed half-way leaves nothing that a later one would take for a tree.
    /// The error is an [`Unavailable`](super::Unavailable) where machines cannot run.
    pub fn prepare(cache: &Path) -> anyhow::Result<Self> {
        usable()?;
        let recipe = Recipe::of_host(proxy())?;
        let path = made_once(cache, &recipe.hash(), |partial, lock| {
            make(&recipe, partial, lock)
        })?;
        Ok(Self { path })
    }

    /// Read-only: many machines stand on it.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// mmdebstrap reads none of the host's apt configuration; where a proxy is the way to the mirror,
/// it must be told.
fn proxy() -> Option<String> {
    let output = Command::new("apt-config")
        .args(["shell", "PROXY", "Acquire::http::Proxy"])
        .env("PATH", PATH)
        .output()
        .ok()?;
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
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                thread::sleep(Duration::from_millis(100))
            }
            Err(TryLockError::WouldBlock) => bail!(
                "waiting for another process to make the image: {} is still locked",
                path.display()
            ),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
    }
}

/// The folder `name` in `cache`. `make` is given where to make it, and the lock, for whatever may
/// outlive this process in making it.
fn made_once(
    cache: &Path,
    name: &str,
    make: impl FnOnce(&Path, &File) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    fs::create_dir_all(cache).with_context(|| format!("making {}", cache.display()))?;
    let path = cache
        .canonicalize()
        .with_context(|| format!("finding {}", cache.display()))?
        .join(name);
    if !path.is_dir() {
        let lock = lock(&path.with_extension("lock"))?;
        if !path.is_dir() {
            let partial = path.with_extension("partial");
            remove(&partial)?;
            make(&partial, &lock)?;
            fs::rename(&partial, &path)
                .with_context(|| format!("moving the finished tree to {}", path.display()))?;
        }
    }
    Ok(path)
}

fn make(recipe: &Recipe, partial: &Path, lock: &File) -> anyhow::Result<()> {
    let (sources, log) = (
        partial.with_extension("sources"),
        partial.with_extension("log"),
    );
    fs::write(&sources, &recipe.sources)
        .with_context(|| format!("writing {}", sources.display()))?;
    let output = File::create(&log).with_context(|| format!("making {}", log.display()))?;
    let status = Command::new("timeout")
        .args(["--kill-after=5", &DEADLINE.as_secs().to_string()])
        // Its mounts end with it, even when it is killed: what is left can be removed without
        // reaching into the host's /dev.
        .args(["unshare", "--mount", "mmdebstrap"])
        .args(recipe.arguments(&sources, partial))
        .env("PATH", PATH)
        // It holds the lock as well: if this process dies, no other touches the tree while it still
        // writes.
        .stdin(Stdio::from(
            lock.try_clone().context("sharing the image's lock")?,
        ))
        .stdout(output.try_clone().context("sharing the image's log")?)
        .stderr(output)
        .status()
        .context("starting mmdebstrap")?;
    if !status.success() {
        let text = fs::read_to_string(&log).unwrap_or_default();
        let last: Vec<_> = text.lines().rev().take(8).collect();
        let last = last.into_iter().rev().collect::<Vec<_>>().join("\n  ");
        bail!(
            "making a Debian tree with mmdebstrap: {status}; its last words (all in {}):\n  {last}",
            log.display()
        );
    }
    Ok(())
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", folder.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// As mmdebstrap would, in a moment.
    fn tree(partial: &Path) -> anyhow::Result<()> {
        fs::create_dir(partial)?;
        thread::sleep(Duration::from_millis(100));
        Ok(fs::write(partial.join("init"), "whole")?)
    }

    #[test]
    fn of_those_that_want_an_image_at_once_one_makes_it() {
        let cache = tempfile::tempdir().unwrap();
        let made = AtomicUsize::new(0);
        let want = || {
            let path = made_once(cache.path(), "image", |partial, _| {
                made.fetch_add(1, Ordering::Relaxed);
                tree(partial)
            });
            fs::read_to_string(path.unwrap().join("init")).unwrap()
        };
        let found = thread::scope(|scope| {
            [(); 4]
                .map(|()| scope.spawn(want))
                .map(|one| one.join().unwrap())
        });
        assert_eq!(
            (found, made.into_inner()),
            ([(); 4].map(|()| "whole".to_owned()), 1)
        );
    }

    #[test]
    fn what_was_left_half_made_is_made_anew_once_nobody_writes_it_any_more() {
        let cache = tempfile::tempdir().unwrap();
        let (begun, writes_for) = (Instant::now(), Duration::from_secs(1));
        let killed = made_once(cache.path(), "image", |partial, lock| {
            fs::create_dir(partial)?;
            fs::write(partial.join("half"), "")?;
            // What it had started goes on.
            Command::new("sleep")
                .arg(writes_for.as_secs().to_string())
                .stdin(Stdio::from(lock.try_clone()?))
                .spawn()?;
            bail!("killed")
        });
        assert!(killed.is_err() && !cache.path().join("image").exists());
        let path = made_once(cache.path(), "image", |partial, _| tree(partial)).unwrap();
        assert!(
            begun.elapsed() >= writes_for
                && !path.join("half").exists()
                && path.join("init").exists()
        );
    }
}
