//! A virtual environment made anew: by uv where it is present, else by `python -m venv` and pip.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::interpreter::{Interpreter, find_program_for};
use super::lockfile::{Lock, LockSource};
use super::{installer_variables, relocate};
use crate::host::account::Account;
use crate::host::process::Run;
use crate::host::{files, ownership};

/// Compiled packages on a small machine; pip's own time-outs are far below.
const DEADLINE: Duration = Duration::from_secs(900);

/// What an environment is made from.
pub(super) struct Making<'a> {
    /// Where it is to stand; an unfinished one there is removed.
    pub(super) venv: &'a Path,
    /// A folder of its own for caches and `$HOME`; removed afterwards.
    pub(super) home: &'a Path,
    pub(super) release: &'a Path,
    pub(super) interpreter: &'a Interpreter,
    pub(super) lock: &'a Lock,
    pub(super) account: Option<&'a Account>,
    pub(super) site_env: &'a BTreeMap<String, String>,
}

impl Making<'_> {
    /// Runs the installers as the app's account, as they run code of the packages; afterwards only
    /// we may write to the environment.
    pub(super) async fn make(&self) -> anyhow::Result<()> {
        let owner = self.account.map(|account| (account.uid, account.gid));
        for folder in [self.venv, self.home] {
            files::remove_dir(folder)?;
            files::create_dir(folder, 0o750, owner)?;
        }
        let installed = self.install().await;
        files::remove_dir(self.home)?;
        installed?;
        if let Some(account) = self.account.cloned() {
            let venv = self.venv.to_owned();
            tokio::task::spawn_blocking(move || ownership::take_back(&venv, &account)).await??;
        }
        // From here on the tree is only ours to change: what follows works on it as root.
        if self.uv().is_none() {
            self.remove_pip()
                .context("removing pip from the virtual environment")?;
        }
        Ok(relocate::note_prefix(self.venv)?)
    }

    fn uv(&self) -> Option<PathBuf> {
        find_program_for(self.account, "uv")
    }

    async fn install(&self) -> anyhow::Result<()> {
        match (self.uv(), &self.lock.source) {
            (Some(uv), _) => self.install_with_uv(&uv).await,
            (None, LockSource::UvLock | LockSource::PyLock) => bail!(
                "installing from the package's {}: uv is not on this machine; install it, or add a requirements.txt to the package \
                 (`uv export --format requirements-txt -o requirements.txt`)",
                self.lock.describe()
            ),
            (None, _) => self.install_with_pip().await,
        }
    }

    async fn install_with_uv(&self, uv: &Path) -> anyhow::Result<()> {
        let make = self
            .run(uv)
            .args(["venv", "--quiet", "--no-project", "--python"])
            .arg(&self.interpreter.path)
            .arg(self.venv);
        make.output()
            .await
            .context("making a virtual environment with uv")?;
        let pip = || {
            self.run(uv)
                .args([
                    "pip",
                    "install",
                    "--quiet",
                    "--compile-bytecode",
                    "--python",
                ])
                .arg(self.python())
        };
        let list = match &self.lock.source {
            LockSource::UvLock => {
                let sync = self.run(uv).args([
                    "sync",
                    "--quiet",
                    "--frozen",
                    "--no-dev",
                    "--no-install-project",
                    "--compile-bytecode",
                    "--python",
                ]);
                Some(sync.arg(&self.interpreter.path))
            }
            LockSource::PyLock => Some(pip().args(["-r", "pylock.toml"])),
            LockSource::Requirements => Some(pip().args(["-r", "requirements.txt"])),
            LockSource::Project(list) => Some(pip().arg("-r").arg(self.write_list(list)?)),
            LockSource::Nothing => None,
        };
        if let Some(list) = list {
            list.output().await.with_context(|| self.installing())?;
        }
        if !self.has("gunicorn")? {
            pip()
                .arg("gunicorn")
                .output()
                .await
                .context("installing gunicorn")?;
        }
        Ok(())
    }

    async fn install_with_pip(&self) -> anyhow::Result<()> {
        let make = self
            .run(&self.interpreter.path)
            .args(["-m", "venv"])
            .arg(self.venv);
        make.output().await.context(
            "making a virtual environment; on Debian its package stands in [host] packages of site.toml as \"python3-venv\" (or \"python3.12-venv\")",
        )?;
        let pip = || {
            self.run(&self.python()).args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-input",
                "--no-cache-dir",
                "--disable-pip-version-check",
            ])
        };
        let list = match &self.lock.source {
            LockSource::Requirements => Some(pip().args(["-r", "requirements.txt"])),
            LockSource::Project(list) => Some(pip().arg("-r").arg(self.write_list(list)?)),
            LockSource::UvLock | LockSource::PyLock | LockSource::Nothing => None,
        };
        if let Some(list) = list {
            list.output().await.with_context(|| self.installing())?;
        }
        if !self.has("gunicorn")? {
            pip()
                .arg("gunicorn")
                .output()
                .await
                .context("installing gunicorn")?;
        }
        Ok(())
    }

    fn installing(&self) -> String {
        format!("installing from the package's {}", self.lock.describe())
    }

    fn run(&self, program: &Path) -> Run {
        let env = installer_variables::for_installers(self.site_env, std::env::vars_os());
        let ours: [(&str, OsString); 6] = [
            ("HOME", self.home.into()),
            ("TMPDIR", self.home.into()),
            ("UV_CACHE_DIR", self.home.join("uv").into()),
            ("UV_LINK_MODE", "copy".into()),
            ("UV_PYTHON_DOWNLOADS", "never".into()),
            ("UV_PROJECT_ENVIRONMENT", self.venv.into()),
        ];
        Run::new(program)
            .cwd(self.release)
            .user(self.account)
            .envs(env)
            .envs(ours)
            .deadline(DEADLINE)
    }

    fn python(&self) -> PathBuf {
        self.venv.join("bin/python")
    }

    fn site_packages(&self) -> PathBuf {
        self.venv.join(format!(
            "lib/python{}/site-packages",
            self.interpreter.minor_version()
        ))
    }

    fn has(&self, module: &str) -> anyhow::Result<bool> {
        let folder = self.site_packages();
        folder
            .join(module)
            .try_exists()
            .with_context(|| format!("looking into {}", folder.display()))
    }

    fn write_list(&self, list: &[String]) -> anyhow::Result<PathBuf> {
        let path = self.home.join("requirements.txt");
        files::write_atomic(&path, list.join("\n").as_bytes(), 0o644)?;
        Ok(path)
    }

    /// A thousand files that no app needs and every later boot would unpack; all instances are to
    /// have the same, so it goes here too.
    fn remove_pip(&self) -> anyhow::Result<()> {
        for folder in [self.venv.join("bin"), self.site_packages()] {
            let real = fs::canonicalize(&folder)?;
            ensure!(
                real.starts_with(fs::canonicalize(self.venv)?),
                "{} leads out of it",
                folder.display()
            );
            for entry in fs::read_dir(&real)? {
                let entry = entry?;
                if is_pips(&entry.file_name().to_string_lossy()) {
                    if entry.file_type()?.is_dir() {
                        fs::remove_dir_all(entry.path())?
                    } else {
                        fs::remove_file(entry.path())?
                    }
                }
            }
        }
        Ok(())
    }
}

/// `pip`, `pip3.11`, `pip-23.0.1.dist-info`; not `pip_audit`.
fn is_pips(name: &str) -> bool {
    let rest = name.strip_prefix("pip");
    rest.is_some_and(|rest| {
        rest.bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.')
            || (rest.starts_with('-') && rest.ends_with(".dist-info"))
    })
}

#[cfg(test)]
mod tests {
    use super::is_pips;

    #[test]
    fn only_pip_itself_goes() {
        for name in ["pip", "pip3", "pip3.11", "pip-23.0.1.dist-info"] {
            assert!(is_pips(name), "{name}");
        }
        for name in [
            "pip_audit",
            "pipx",
            "pip-tools",
            "pip_api-0.0.30.dist-info",
            "gunicorn",
            "pipenv-1.dist-info",
        ] {
            assert!(!is_pips(name), "{name}");
        }
    }
}
