//! The site's own program: what it needs, how it is built, started and known to be ready.
//!
//! [`AppPlan::new`] decides from site.toml and the unpacked package; [`AppPlan::provide`] brings the
//! dependencies and makes it an [`InstalledApp`], which can be built, started and awaited.

mod command_line;
mod commands;
mod dependencies;
mod environment;
#[cfg(test)]
mod fixtures;
mod installer_variables;
mod interpreter;
mod lending;
mod lockfile;
mod plan;
mod procfile;
mod project;
mod readiness;
mod relocate;
mod requirements;
mod secrets;
mod service;
#[cfg(test)]
mod suite;
mod venv;

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, ensure};

use crate::cloud::s3::S3;
use crate::host::imds;
use crate::host::slot::Slot;

pub use dependencies::Dependencies;
pub use interpreter::{Interpreter, find as find_interpreter};
pub use plan::AppPlan;
use plan::AppProgram;
pub use procfile::{has_release as procfile_has_release, web as procfile_web};
pub use secrets::{Secrets, secret_for, secrets_for};

/// An unpacked package.
#[derive(Debug, Clone)]
pub struct UnpackedPackage {
    pub version: String,
    pub root: PathBuf,
}

/// Where the web server finds the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    Unix(PathBuf),
    Tcp(SocketAddr),
    /// kind static: this folder's files.
    Files(PathBuf),
    /// kind s3: the bucket whose website endpoint serves.
    Website(String),
}

/// A program whose dependencies are here. The other methods stand beside what they do.
#[derive(Debug, Clone)]
pub struct InstalledApp {
    plan: AppPlan,
    /// None where the kind needs none.
    pub(super) dependencies: Option<Dependencies>,
    /// For the app and its release command; the build, whose results visitors may see, gets none.
    secrets: Secrets,
    /// Where it was found to listen, if its command does not say.
    answered: OnceLock<Backend>,
}

impl AppPlan {
    /// Brings the dependencies: those that are here, or from the cache, or installed anew. `state`
    /// is the site's bucket.
    ///
    /// The first step that runs code of others: from here on it has no way to the instance's
    /// credentials. A Python app needs the interpreter.
    pub async fn provide(
        self,
        interpreter: Option<Interpreter>,
        state: &S3,
        secrets: Secrets,
    ) -> anyhow::Result<InstalledApp> {
        if !matches!(self.upstream, Backend::Website(_)) {
            imds::set_reach(self.account.as_ref(), self.deny_imds).await;
        }
        let dependencies = Dependencies::ensure(&self, interpreter, state).await?;
        Ok(InstalledApp {
            plan: self,
            dependencies,
            secrets,
            answered: OnceLock::new(),
        })
    }
}

impl InstalledApp {
    /// Where it runs; `None` where the web server alone serves the site.
    pub fn slot(&self) -> Option<Slot> {
        (self.plan.program != AppProgram::None).then_some(self.plan.slot)
    }

    /// The same app in another place.
    ///
    /// # Errors
    /// No port is free.
    pub fn in_slot(&self, slot: Slot) -> anyhow::Result<Self> {
        let plan = self.plan.clone().in_slot(slot)?;
        Ok(Self {
            plan,
            dependencies: self.dependencies.clone(),
            answered: OnceLock::new(),
            secrets: self.secrets.clone(),
        })
    }

    /// Whether it can run while another release of the site does.
    pub fn can_run_beside(&self) -> bool {
        !self.plan.has_fixed_port()
    }

    /// Whether [`InstalledApp::upstream`] is final before the app is ready.
    pub fn says_where_it_listens(&self) -> bool {
        self.plan.alternative.is_none()
    }

    /// Once it is ready: until then a command that does not say where it listens may be elsewhere.
    pub fn upstream(&self) -> &Backend {
        self.answered.get().unwrap_or(&self.plan.upstream)
    }

    /// Wherever it may listen.
    pub fn places(&self) -> Vec<Backend> {
        let alternative = self.plan.alternative.map(Backend::Tcp);
        [self.plan.upstream.clone()]
            .into_iter()
            .chain(alternative)
            .collect()
    }

    /// URL prefix → folder, for the web server. After the build, which may make them.
    pub fn static_folders(&self) -> anyhow::Result<Vec<(String, PathBuf)>> {
        let folder = |(url, relative): (&String, &PathBuf)| {
            let path = self.plan.root.join(relative);
            ensure!(
                path.is_dir(),
                "serving {url}: the release has no folder {}; correct [app] static, or have [app] build make the folder",
                relative.display()
            );
            Ok((url.clone(), path))
        };
        self.plan.static_files.iter().map(folder).collect()
    }
}

/// A small text file of the package; None: it is not there.
fn read_text(path: &Path, largest: u64) -> anyhow::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let mut text = String::new();
    file.take(largest + 1)
        .read_to_string(&mut text)
        .with_context(|| format!("reading {}", path.display()))?;
    ensure!(
        text.len() as u64 <= largest,
        "reading {}: it has more than {} KiB",
        path.display(),
        largest >> 10
    );
    Ok(Some(text))
}
