//! What is to run, decided from site.toml and the package alone.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;

use anyhow::{Context, bail};

use super::command_line::{self, Listens};
use super::interpreter::find_program_for;
use super::lockfile::{self, Installers, Lock};
use super::{Backend, UnpackedPackage, installer_variables, procfile};
use crate::config::{AppKind, Bucket, Health, OwnUrls, Site};
use crate::host::account::Account;
use crate::host::paths::Paths;
use crate::host::slot::Slot;

/// A site's program, before its dependencies are here.
#[derive(Debug, Clone)]
pub struct AppPlan {
    pub(super) program: AppProgram,
    pub(super) root: PathBuf,
    pub(super) version: String,
    pub(super) instance: String,
    pub(super) slot: Slot,
    pub(super) upstream: Backend,
    /// Where the app may listen instead of on its socket: its command does not say.
    pub(super) alternative: Option<SocketAddr>,
    /// Of the site: secrets may be among it, so it is in no `Display`.
    pub(super) site_env: BTreeMap<String, String>,
    pub(super) build: Option<String>,
    pub(super) release: Option<String>,
    pub(super) static_files: BTreeMap<String, PathBuf>,
    pub(super) health: Health,
    /// The primary domain: what readiness asks for.
    pub(super) host: String,
    pub(super) own: OwnUrls,
    pub(super) deny_imds: bool,
    /// Where installed dependencies are kept for other instances.
    pub(super) bucket: Bucket,
    pub(super) paths: Paths,
    /// Who runs the app; None: the current user, who is an ordinary one.
    pub(super) account: Option<Account>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AppProgram {
    Python { wsgi: String, lock: Lock },
    Line(String),
    None,
}

impl AppPlan {
    /// Reads the package's Procfile and lists of requirements; changes nothing. kind s3 needs no
    /// package.
    pub fn new(
        site: &Site,
        instance: &str,
        package: Option<UnpackedPackage>,
        paths: &Paths,
        account: Option<Account>,
    ) -> anyhow::Result<Self> {
        let mut plan = Self::bare(site, instance, paths, account);
        let Some(package) = package.filter(|_| site.app.has_releases()) else {
            return plan.forwarding(site);
        };
        let procfile = procfile::read(&package.root)?;
        plan.program = match &site.app.kind {
            AppKind::Python { wsgi } => AppProgram::Python { wsgi: wsgi.clone(), lock: lockfile::find(&package.root, &plan.installers())? },
            AppKind::Command { command } => AppProgram::Line(
                command
                    .clone()
                    .or(procfile.web)
                    .context("starting the app: there is neither [app] command in site.toml nor a `web:` line in the package's Procfile")?,
            ),
            AppKind::Static | AppKind::S3 => AppProgram::None,
        };
        plan.release = site.app.release.clone().or(procfile.release);
        plan.root = package.root;
        plan.version = package.version;
        plan.in_slot(Slot::default())
    }

    /// What steers the installers on this machine.
    fn installers(&self) -> Installers {
        let variables = installer_variables::steering(&installer_variables::for_installers(
            &self.site_env,
            std::env::vars_os(),
        ));
        Installers {
            variables,
            is_uv: find_program_for(self.account.as_ref(), "uv").is_some(),
        }
    }

    /// The same program in another place.
    pub(super) fn in_slot(mut self, slot: Slot) -> anyhow::Result<Self> {
        self.slot = slot;
        if !matches!(self.upstream, Backend::Website(_)) {
            (self.upstream, self.alternative) = self.listening_places()?;
        }
        Ok(self)
    }

    /// The site itself says which port the app has: no two can listen there at once.
    pub(super) fn has_fixed_port(&self) -> bool {
        self.tcp_address().is_some() && self.site_env.contains_key("PORT")
    }

    /// kind s3: nothing runs here but the web server.
    fn forwarding(mut self, site: &Site) -> anyhow::Result<Self> {
        let (AppKind::S3, Some(failover)) = (&site.app.kind, &site.failover) else {
            bail!(
                "planning the app: only kind s3 does without a package, and it needs [failover] bucket"
            );
        };
        self.upstream = Backend::Website(failover.bucket.clone());
        self.build = None;
        Ok(self)
    }

    /// The folders of the release that the web server serves.
    pub(super) fn served_folders(&self) -> Vec<PathBuf> {
        let root = match &self.upstream {
            Backend::Files(root) => Some(root.clone()),
            _ => None,
        };
        self.static_files
            .values()
            .map(|relative| self.root.join(relative))
            .chain(root)
            .collect()
    }

    /// Without what the package decides.
    fn bare(site: &Site, instance: &str, paths: &Paths, account: Option<Account>) -> Self {
        Self {
            program: AppProgram::None,
            root: PathBuf::new(),
            version: String::new(),
            instance: instance.to_owned(),
            slot: Slot::default(),
            upstream: Backend::Files(PathBuf::new()),
            alternative: None,
            site_env: site.app.env.clone(),
            build: site.app.build.clone(),
            release: None,
            static_files: site.app.static_files.clone(),
            health: site.app.health.clone(),
            host: site.primary().example_host(),
            own: OwnUrls::of(site),
            deny_imds: !site.app.instance_credentials,
            bucket: Bucket::new(site),
            paths: paths.clone(),
            account,
        }
    }

    fn listening_places(&self) -> anyhow::Result<(Backend, Option<SocketAddr>)> {
        let socket = || Backend::Unix(self.paths.app_socket(self.slot));
        let port = || Ok::<_, anyhow::Error>(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port()?)));
        Ok(match &self.program {
            AppProgram::None => (Backend::Files(self.root.clone()), None),
            AppProgram::Python { .. } => (socket(), None),
            AppProgram::Line(line) => match command_line::listens(line, self.site_env.values()) {
                Listens::Socket => (socket(), None),
                Listens::Port => (Backend::Tcp(port()?), None),
                Listens::Either => (socket(), Some(port()?)),
            },
        })
    }

    /// Of the app, if it is to listen on one.
    pub(super) fn tcp_address(&self) -> Option<SocketAddr> {
        match &self.upstream {
            Backend::Tcp(address) => Some(*address),
            _ => self.alternative,
        }
    }

    /// The one that the site sets, else that of the run before (the app may still listen there),
    /// else a free one.
    fn port(&self) -> anyhow::Result<u16> {
        if let Some(port) = self.site_env.get("PORT") {
            return port
                .parse()
                .with_context(|| "reading PORT in [app] env: it is no port".to_owned());
        }
        match super::read_text(&self.paths.app_port(self.slot), 16)?
            .and_then(|text| text.trim().parse().ok())
        {
            Some(port) => Ok(port),
            None => {
                let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
                    .context("looking for a free port for the app")?;
                Ok(listener
                    .local_addr()
                    .context("looking for a free port for the app")?
                    .port())
            }
        }
    }
}

impl fmt::Display for AppPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.program {
            AppProgram::Python { wsgi, lock } => {
                write!(f, "gunicorn serves {wsgi}, with {}", lock.describe())?
            }
            AppProgram::Line(line) => write!(f, "`{line}`")?,
            AppProgram::None => write!(f, "no program")?,
        }
        match &self.upstream {
            Backend::Unix(path) => write!(f, "; reached at {}", path.display())?,
            Backend::Tcp(address) => write!(f, "; reached at {address}")?,
            Backend::Files(folder) => write!(f, "; the files of {}", folder.display())?,
            Backend::Website(host) => write!(f, "; the website of the bucket {host}")?,
        }
        self.alternative
            .iter()
            .try_for_each(|address| write!(f, " or {address}"))?;
        let commands = [("build", &self.build), ("release", &self.release)];
        commands
            .iter()
            .filter_map(|(name, line)| line.as_ref().map(|line| (name, line)))
            .try_for_each(|(name, line)| write!(f, "; {name} by `{line}`"))
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
