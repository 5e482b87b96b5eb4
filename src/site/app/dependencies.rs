//! The installed dependencies of a Python app: kept on this machine, shared between machines
//! through the bucket's `cache/`.
//!
//! A cache entry is a sealed archive (SHA-256 over its bytes, and its own key), so a truncated,
//! altered or misplaced one is told before any of it is used; it is then made anew and written
//! over. Nothing about the cache ever stops a boot.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::interpreter::Interpreter;
use super::lockfile::Lock;
use super::plan::{AppPlan, AppProgram};
use super::project::Local;
use super::venv::Making;
use super::{InstalledApp, lending, relocate};
use crate::cloud::s3::S3;
use crate::host::archive::{Limits, Unpacking, pack_stream, unpack_stream};
use crate::host::complete;

/// Changes when what we make of the same inputs does.
const LAYOUT: &str = "spotboot dependencies 1";
const LARGEST_ENTRY: u64 = 2 << 30;
/// Past this it is quicker to install.
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(120);
const SHARED: &str = "shared";
/// The note of an environment that leads into the release's folder and needs what its installer
/// wrote there.
const NEEDS_FOLDER: &str = "needs folder";
/// The release's remark: for which key its own projects were installed.
const INSTALLED: &str = "installed";

/// A virtual environment that is whole.
#[derive(Debug, Clone)]
pub struct Dependencies {
    pub(super) venv: PathBuf,
    /// Of all that decides what is in it, in hex.
    pub(super) key: String,
    origin: Origin,
    /// In the bucket.
    entry: String,
}

/// How an environment came to be.
struct Obtained {
    origin: Origin,
    needs_folder: bool,
}

/// Where the environment came from in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// It stood here already.
    Kept,
    /// Unpacked from the bucket's cache.
    Cached,
    Installed,
}

impl Dependencies {
    /// None where the kind needs none. Needs [`crate::host::paths::Paths::lock`] held.
    pub(super) async fn ensure(
        plan: &AppPlan,
        interpreter: Option<Interpreter>,
        state: &S3,
    ) -> anyhow::Result<Option<Self>> {
        plan.take_back_unfinished(INSTALLED).await?;
        let AppProgram::Python { lock, .. } = &plan.program else {
            return Ok(None);
        };
        let interpreter = interpreter.context("a Python app needs an interpreter")?;
        let key = key(lock, &interpreter, &plan.root);
        let venvs = plan.paths.venvs();
        let entry = plan.bucket.dependencies(&key);
        let mut dependencies = Self {
            venv: venvs.join(&key),
            key,
            origin: Origin::Kept,
            entry,
        };
        if dependencies.is_here(plan) {
            return Ok(Some(dependencies));
        }
        complete::sweep(&venvs)?;
        complete::remove(&dependencies.venv)?;
        let obtained = dependencies.obtain(plan, lock, &interpreter, state).await?;
        dependencies.origin = obtained.origin;
        tracing::info!(origin = ?dependencies.origin, key = dependencies.key, "dependencies");
        complete::mark(
            &dependencies.venv,
            if obtained.needs_folder {
                NEEDS_FOLDER
            } else {
                ""
            },
        )?;
        if dependencies.origin == Origin::Cached {
            complete::remark(&dependencies.venv, SHARED, "yes")?;
        }
        if lock.local != Local::No && dependencies.origin == Origin::Installed {
            complete::remark(&plan.root, INSTALLED, &dependencies.key)?;
        }
        Ok(Some(dependencies))
    }

    /// Whole, with what it needs of the release's folder, which may have been unpacked anew since.
    fn is_here(&self, plan: &AppPlan) -> bool {
        match complete::marked(&self.venv).as_deref() {
            Some(NEEDS_FOLDER) => {
                complete::remarked(&plan.root, INSTALLED).as_deref() == Some(self.key.as_str())
            }
            note => note.is_some(),
        }
    }

    async fn obtain(
        &self,
        plan: &AppPlan,
        lock: &Lock,
        interpreter: &Interpreter,
        state: &S3,
    ) -> anyhow::Result<Obtained> {
        let group = plan.account.as_ref().map(|account| account.gid);
        let restored =
            tokio::time::timeout(DOWNLOAD_DEADLINE, self.restore(state, interpreter, group)).await;
        match restored.unwrap_or_else(|_| {
            Err(anyhow::anyhow!(
                "not done after {} s",
                DOWNLOAD_DEADLINE.as_secs()
            ))
        }) {
            Ok(true) => {
                return Ok(Obtained {
                    origin: Origin::Cached,
                    needs_folder: false,
                });
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(
                    entry = self.entry,
                    error = format!("{error:#}"),
                    "cached dependencies not usable, installing them"
                )
            }
        }
        Ok(Obtained {
            origin: Origin::Installed,
            needs_folder: self.install(plan, lock, interpreter).await?,
        })
    }

    /// Installs. The release's own projects are built in its folder, where some installers leave
    /// files; true: the environment needs them.
    async fn install(
        &self,
        plan: &AppPlan,
        lock: &Lock,
        interpreter: &Interpreter,
    ) -> anyhow::Result<bool> {
        let home = complete::aside(&self.venv.with_file_name("home"));
        let AppPlan {
            root,
            site_env,
            account,
            ..
        } = plan;
        let making = Making {
            venv: &self.venv,
            home: &home,
            release: root,
            interpreter,
            lock,
            account: account.as_ref(),
            site_env,
        };
        match lock.local {
            Local::No => making.make().await.map(|()| false),
            Local::Built => plan.lent(INSTALLED, making.make()).await.map(|()| false),
            Local::Editable => {
                // The files that an unfinished run wrote cannot be told from the package's.
                let is_first = complete::remarked(root, INSTALLED).is_none();
                let before = lending::listing(root)?;
                plan.lent(INSTALLED, making.make()).await?;
                Ok(!is_first || lending::listing(root)? != before)
            }
        }
    }

    /// From the cache, aside first; false: it has no such entry.
    async fn restore(
        &self,
        state: &S3,
        interpreter: &Interpreter,
        group: Option<u32>,
    ) -> anyhow::Result<bool> {
        let Some(archive) = state.open(&self.entry, LARGEST_ENTRY).await? else {
            return Ok(false);
        };
        let aside = complete::aside(&self.venv);
        let unpacking = Unpacking {
            into: aside.clone(),
            label: self.key.clone(),
            limits: Limits::PACKAGE,
            group,
        };
        unpack_stream(archive, unpacking).await?;
        relocate::relocate(&aside, &self.venv, interpreter)
            .context("fitting it to this machine")?;
        std::fs::rename(&aside, &self.venv)
            .with_context(|| format!("renaming {} to {}", aside.display(), self.venv.display()))?;
        Ok(true)
    }

    /// For tests of what merely points to it.
    #[cfg(test)]
    pub(super) fn named(venv: &Path, origin: Origin) -> Self {
        Self {
            venv: venv.to_owned(),
            key: "abc".into(),
            origin,
            entry: "abc".into(),
        }
    }

    /// The environment's Python.
    pub(super) fn python(&self) -> PathBuf {
        self.venv.join("bin/python")
    }

    async fn share(&self, state: &S3) -> anyhow::Result<bool> {
        let is_of_this_machine = complete::marked(&self.venv).as_deref() == Some(NEEDS_FOLDER);
        if is_of_this_machine || complete::remarked(&self.venv, SHARED).is_some() {
            return Ok(false);
        }
        let venv = self.venv.clone();
        let leave_out = move |relative: &str| relocate::is_made_anew(&venv, relative);
        let archive = pack_stream(self.venv.clone(), self.key.clone(), leave_out);
        state
            .upload(&self.entry, archive)
            .await
            .context("sharing the installed dependencies")?;
        complete::remark(&self.venv, SHARED, "yes")?;
        Ok(true)
    }
}

impl InstalledApp {
    /// Once the site serves: puts the dependencies that were installed here into the cache. False:
    /// they are there, or no use elsewhere. Never worth more than a warning.
    pub async fn share(&self, state: &S3) -> anyhow::Result<bool> {
        match &self.dependencies {
            Some(dependencies) => dependencies.share(state).await,
            None => Ok(false),
        }
    }

    /// Puts the dependencies on disk, so that they are not brought anew after a restart of the
    /// machine. Slow: once it serves.
    pub async fn settle(&self) -> anyhow::Result<()> {
        let Some(venv) = self.dependencies.as_ref().map(|found| found.venv.clone()) else {
            return Ok(());
        };
        Ok(tokio::task::spawn_blocking(move || complete::flush(&venv)).await??)
    }

    /// Removes all environments but this one and the newest others, `keep` in all; the names of
    /// those that went.
    pub fn retain(&self, keep: usize) -> anyhow::Result<Vec<String>> {
        match &self.dependencies {
            Some(found) => Ok(complete::retain(
                &self.plan.paths.venvs(),
                &found.key,
                keep,
            )?),
            None => Ok(Vec::new()),
        }
    }
}

/// A digest of everything that decides on the installed files: the lists and the files that they
/// name, the interpreter, the platform, and for a tied lock the release's own folder.
fn key(lock: &Lock, interpreter: &Interpreter, release: &Path) -> String {
    let Interpreter {
        version, platform, ..
    } = interpreter;
    let bound_to = if lock.tied {
        release.to_string_lossy()
    } else {
        "".into()
    };
    let mut hash = Sha256::new_with_prefix(format!(
        "{LAYOUT}\n{}\n{version}\n{platform}\n{bound_to}\n",
        lock.describe()
    ));
    hash.update(lock.digest);
    hex::encode(hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::super::lockfile::LockSource;
    use super::*;

    #[test]
    fn the_key_changes_with_all_that_decides_and_with_nothing_else() {
        let lock = Lock {
            source: LockSource::Requirements,
            digest: [1; 32],
            tied: false,
            local: Local::No,
        };
        let python = Interpreter {
            path: "/usr/bin/python3".into(),
            version: "3.11.2".into(),
            platform: "cpython x86_64 glibc 2.36 debian 12".into(),
        };
        let base = key(&lock, &python, Path::new("/releases/1"));
        assert_eq!(
            key(
                &lock,
                &Interpreter {
                    path: "/usr/local/bin/python3".into(),
                    ..python.clone()
                },
                Path::new("/releases/2")
            ),
            base
        );
        let tied = Lock {
            tied: true,
            ..lock.clone()
        };
        let others = [
            key(
                &Lock {
                    digest: [2; 32],
                    ..lock.clone()
                },
                &python,
                Path::new("/releases/1"),
            ),
            key(
                &Lock {
                    source: LockSource::Nothing,
                    ..lock.clone()
                },
                &python,
                Path::new("/releases/1"),
            ),
            key(
                &lock,
                &Interpreter {
                    version: "3.11.3".into(),
                    ..python.clone()
                },
                Path::new("/releases/1"),
            ),
            key(
                &lock,
                &Interpreter {
                    platform: "cpython aarch64 glibc 2.36 debian 12".into(),
                    ..python.clone()
                },
                Path::new("/releases/1"),
            ),
            key(&tied, &python, Path::new("/releases/1")),
            key(&tied, &python, Path::new("/releases/2")),
        ];
        let all: std::collections::BTreeSet<&String> = others.iter().chain([&base]).collect();
        assert_eq!(all.len(), 7);
        assert!(base.len() == 64 && base.bytes().all(|byte| byte.is_ascii_hexdigit()));
    }
}
