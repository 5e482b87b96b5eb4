//! The web server: nginx, its configuration rendered from `templates/nginx.conf`, checked by nginx
//! itself before each use.

mod applied;
mod disk_copy;
mod drain;
mod former;
mod immutable;
mod lasting;
mod machine;
mod manifest;
mod nginx;
mod reload;
mod render;
mod reopen;
mod spelling;
mod website;
mod website_proxy;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use time::OffsetDateTime;
use tracing::warn;

use crate::config::{Domain, PlainHttp};
use crate::host::account::Account;
use crate::host::files::FileError;
use crate::host::paths::Paths;
use crate::host::process::ProcessError;
use crate::host::services::{Ensured, Service, ServiceError, Services, Signal};
use crate::host::{files, packages};

pub use applied::forget;
pub use disk_copy::{CopiedAnswer, CopyTables, DiskCopy, lay_out};
pub use drain::drain;
pub use former::Former;
pub use machine::NginxHost;
pub use nginx::{Nginx, Version};
pub use render::{health_files, render};
pub use reopen::reopen;
pub use website::Website;

/// The service's name.
pub const SERVICE: &str = "spotboot-web";
/// nginx tries a taken port for two and a half seconds before it gives up.
const LISTENING_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// What nginx gives its workers to finish what they have begun, once they are told to end.
const WORKER_SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(60);
/// The same, and a moment for nginx itself.
const WORKERS_GONE_WITHIN: Duration =
    WORKER_SHUTDOWN_TIMEOUT.saturating_add(Duration::from_secs(5));

/// Everything the configuration depends on.
#[derive(Debug, Clone)]
pub struct WebConfig {
    /// The first is the one the app is asked by for `/ping`.
    pub domains: Vec<Domain>,
    pub http_port: u16,
    pub https_port: u16,
    pub upstream: Upstream,
    /// `[web] http`.
    pub http: PlainHttp,
    /// `[web] hsts`.
    pub hsts: Option<Duration>,
    /// By which an app's silence is answered; `None`: nginx says that the app does not answer.
    pub copy: Option<DiskCopy>,
    /// Where redirect mode leads visitors: `https://static.example.com`; `None`: the mirror has no
    /// name of its own.
    pub mirror_origin: Option<String>,
    /// `[failover] dynamic`, whose visitors are never led to the mirror.
    pub dynamic: Option<Domain>,
    /// URL prefix → folder where the prefix ends in `/`, else the one file served there.
    pub static_files: Vec<(String, PathBuf)>,
    /// Starts with `/`.
    pub health_path: String,
    pub release: String,
    pub instance: String,
    pub fullchain: PathBuf,
    pub key: PathBuf,
    /// The certificate's end: `/ping` fails from a day before it.
    pub not_after: OffsetDateTime,
    /// Whose the workers are; `None` where we are not root.
    pub account: Option<Account>,
    pub paths: Paths,
}

/// What stands behind the web server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Upstream {
    Unix(PathBuf),
    Tcp(SocketAddr),
    /// kind static: this folder's files.
    Files(PathBuf),
    /// kind s3.
    Website(Website),
}

/// Why nginx is missing, unfit, or does not serve what it was told to.
#[derive(Debug, thiserror::Error)]
pub enum WebError {
    #[error("finding nginx: it is not on this machine; add \"nginx\" to [host] packages")]
    NoNginx,
    #[error(
        "looking at nginx: {} is {version}, and spotboot needs {oldest} or newer, as Amazon Linux 2023, Debian 12, Ubuntu 24.04 and newer \
         ones have it; choose such an image, or install nginx from nginx.org's packages",
        program.display()
    )]
    TooOld {
        program: PathBuf,
        version: Version,
        oldest: Version,
    },
    #[error("asking nginx for its version: {0}")]
    Version(String),
    #[error("describing the site to nginx: {0}")]
    Value(String),
    #[error("checking the configuration of nginx: {0}")]
    Refused(ProcessError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Service(#[from] ServiceError),
    #[error("starting nginx: {status}\n{log}")]
    Ended { status: String, log: String },
    #[error("starting nginx: it did not listen within {} s\n{log}", LISTENING_WITHIN.as_secs())]
    Silent { log: String },
}

/// Makes nginx serve by this configuration: starts it, or reloads the one that runs by another.
/// Returns once it listens.
///
/// A configuration that nginx refuses changes nothing: what ran before runs on.
///
/// # Errors
/// nginx is missing, refuses the configuration, or cannot be started; its own words are in the
/// error.
pub async fn start(config: &WebConfig, services: &Services) -> Result<(), WebError> {
    let nginx = Nginx::find().await?;
    let (checked, text) = checked(config, &nginx).await?;
    packages::stop_stock_nginx(&[config.http_port, config.https_port]).await;
    let before = running(&config.paths.nginx_pid());
    drain::end(&config.paths);
    let applied = applied::is_applied(&config.paths, &text);
    if !applied {
        forget(&config.paths);
        checked.take_effect()?;
    }
    match services.ensure(&service(config, &nginx)).await? {
        Ensured::Kept if applied => {}
        Ensured::Kept => reload::reload(config, services, before).await?,
        Ensured::Started | Ensured::Replaced => listening(config, services, before).await?,
    }
    Ok(applied::apply(&config.paths, &text)?)
}

/// Renders the configuration and has nginx check it. What a mirror brings is no reason to serve
/// nothing: where nginx cannot be told of the copy, the copy is left out of the configuration.
async fn checked(config: &WebConfig, nginx: &Nginx) -> Result<(CheckedConfig, String), WebError> {
    let (machine, immutable) = (NginxHost::observe(nginx), immutable::paths(config).await);
    let attempt = async |config: &WebConfig| {
        let text = render(config, &machine, &immutable)?;
        Ok::<_, WebError>((check(config, nginx, &text).await?, text))
    };
    match attempt(config).await {
        Err(error) if config.copy.is_some() => {
            let without = WebConfig {
                copy: None,
                ..config.clone()
            };
            let attempted = attempt(&without).await?;
            warn!("nginx does without the mirror's copy on the disk: {error}");
            Ok(attempted)
        }
        done => done,
    }
}

/// A configuration that nginx has found good, not yet the one in use.
struct CheckedConfig {
    candidate: PathBuf,
    in_use: PathBuf,
}

impl CheckedConfig {
    fn take_effect(self) -> Result<(), WebError> {
        std::fs::rename(&self.candidate, &self.in_use)
            .map_err(|e| FileError::new("replacing", &self.in_use, e).into())
    }
}

async fn check(config: &WebConfig, nginx: &Nginx, text: &str) -> Result<CheckedConfig, WebError> {
    let folder = config.paths.nginx();
    let (candidate, in_use) = (folder.join("nginx.conf.checked"), folder.join("nginx.conf"));
    files::write_anew(&candidate, text.as_bytes(), 0o644)?;
    nginx
        .check(&candidate, &folder)
        .await
        .map_err(WebError::Refused)?;
    Ok(CheckedConfig { candidate, in_use })
}

/// The same for every configuration, so that a change of it is a reload and no restart.
fn service(config: &WebConfig, nginx: &Nginx) -> Service {
    let folder = config.paths.nginx();
    Service {
        name: SERVICE.into(),
        description: "the web server that spotboot runs".into(),
        argv: nginx.command_line(&folder.join("nginx.conf"), &folder),
        env: BTreeMap::new(),
        workdir: folder.clone(),
        // The master stays root to read the key; `user` in the configuration is for its workers.
        account: None,
        writable: vec![folder, config.paths.runtime.clone()],
        deny_imds: config.account.is_some(),
        umask: 0o027,
        // nginx(8): answers what it has accepted, then ends.
        stop_signal: Signal::SIGQUIT,
        stop_timeout: WORKERS_GONE_WITHIN,
        restart: true,
        reload_signal: Some(Signal::SIGHUP),
        low_ports: true,
    }
}

/// nginx writes its pid file after it has bound its ports.
async fn listening(
    config: &WebConfig,
    services: &Services,
    before: Option<u32>,
) -> Result<(), WebError> {
    let bound = async {
        while running(&config.paths.nginx_pid()).is_none_or(|pid| Some(pid) == before) {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! {
        () = bound => Ok(()),
        status = services.ended(SERVICE) => Err(WebError::Ended { status, log: services.log_tail(SERVICE, 10).await }),
        () = tokio::time::sleep(LISTENING_WITHIN) => Err(WebError::Silent { log: services.log_tail(SERVICE, 10).await }),
    }
}

/// The process of nginx's pid file, if there is one: a killed nginx leaves the file behind.
fn running(pid_file: &Path) -> Option<u32> {
    let pid = std::fs::read_to_string(pid_file)
        .ok()?
        .trim()
        .parse()
        .ok()?;
    std::fs::read_to_string(format!("/proc/{pid}/comm"))
        .is_ok_and(|name| name.trim() == "nginx")
        .then_some(pid)
}

#[cfg(test)]
mod tests;
