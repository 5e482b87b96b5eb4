//! systemd as the keeper: units under /run/systemd/system, gone with the next boot. They run on when we end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::systemctl::{Shown, is_shutting_down, journal, show, systemctl};
use super::{Ensured, Paths, Service, ServiceError, State, unit};
use crate::host::files::{self, FileError};

const UNITS: &str = "/run/systemd/system";
const OWN_UNIT: &str = "/etc/systemd/system/spotboot.service";
const OWN_ENV: &str = "/etc/spotboot/spotboot.env";
/// What systemd itself may take, beside a service's own time to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a service is looked at: closely while it starts, then at ease.
const CLOSE_LOOK: Duration = Duration::from_millis(300);
const LOOK: Duration = Duration::from_secs(5);
const STARTING: Duration = Duration::from_secs(60);
/// systemd keeps nothing of a unit that ended well and that nothing refers to.
const FORGOTTEN: &str = "it ended without an error, or was stopped by someone else";

pub struct Systemd {
    environments: PathBuf,
    runs: Mutex<BTreeMap<String, Run>>,
    /// When we last started each: what was logged before is of no interest.
    starts: Mutex<BTreeMap<String, SystemTime>>,
}

/// A file by which systemd knows a service.
struct Described {
    path: PathBuf,
    text: String,
    mode: u32,
}

impl Described {
    fn is_written(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|old| old == self.text)
    }
}

/// One run of a service, as last seen.
#[derive(Clone)]
struct Run {
    invocation: String,
    end_told: bool,
    since: Instant,
    next_look: Instant,
    reload_signal: Option<Signal>,
}

/// What `install` makes a unit of.
#[derive(Debug, Clone)]
pub struct SelfUnit {
    /// An absolute path.
    pub program: PathBuf,
    /// As a rule `up` and its flags.
    pub args: Vec<OsString>,
    /// Kept in a file that only root can read.
    pub env: BTreeMap<String, String>,
}

/// Writes, enables and starts `spotboot.service`; returns when it says that the site serves.
///
/// # Errors
/// It fails, or does not say so by the deadline; the error carries the last lines of its log.
pub async fn install_self(own: &SelfUnit, deadline: Duration) -> Result<(), ServiceError> {
    const NAME: &str = "spotboot";
    let cause = |cause| ServiceError::Unit { name: NAME.into(), cause };
    let (text, env) = (unit::render_ours(own, Path::new(OWN_ENV)).map_err(cause)?, unit::render_env(&own.env).map_err(cause)?);
    let write = || -> Result<(), FileError> {
        let folder = Path::new(OWN_ENV).parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(folder).map_err(|e| FileError::new("making the folder", folder, e))?;
        files::write_atomic(Path::new(OWN_ENV), env.as_bytes(), 0o600)?;
        files::write_atomic(Path::new(OWN_UNIT), text.as_bytes(), 0o644)
    };
    write().map_err(|source| ServiceError::File { doing: "installing", name: NAME.into(), source })?;
    systemctl(&["daemon-reload"], NAME, PATIENCE).await?;
    systemctl(&["enable", NAME], NAME, PATIENCE).await?;
    let begun = SystemTime::now();
    match systemctl(&["restart", NAME], NAME, deadline).await {
        Ok(()) => Ok(()),
        Err(error) => Err(failure(NAME, begun, error).await),
    }
}

/// As sd_booted(3) tells it.
pub(super) fn is_pid_1() -> bool {
    Path::new(UNITS).is_dir()
}

impl Systemd {
    pub(super) fn new(paths: &Paths) -> Self {
        Self { environments: paths.service_records(), runs: Mutex::default(), starts: Mutex::default() }
    }

    pub(super) async fn ensure(&self, service: &Service) -> Result<Ensured, ServiceError> {
        let name = &service.name;
        let before = show(name).await?;
        let was_running = matches!(before.state(), State::Running { .. });
        let changed = self.write(service)?;
        if was_running && !changed {
            self.remember(service, &before);
            return Ok(Ensured::Kept);
        }
        // A unit that it does not know yet systemd reads by itself; a reload takes longer than all of the rest.
        if before.is_known() {
            systemctl(&["daemon-reload"], name, PATIENCE).await?;
        }
        let begun = SystemTime::now();
        self.starts.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), begun);
        if let Err(error) = restart(service).await {
            return Err(failure(name, begun, error).await);
        }
        self.remember(service, &show(name).await?);
        Ok(if was_running { Ensured::Replaced } else { Ensured::Started })
    }

    /// The services end now too: the machine goes down, and systemd stops them after us.
    pub(super) async fn ends(&self) -> bool {
        is_shutting_down().await
    }

    pub(super) async fn stop(&self, name: &str) -> Result<(), ServiceError> {
        self.known().remove(name);
        let shown = show(name).await?;
        if shown.is_loaded() {
            systemctl(&["stop", name], name, shown.stop_timeout() + PATIENCE).await?;
        }
        Ok(())
    }

    pub(super) async fn reload(&self, name: &str) -> Result<(), ServiceError> {
        let signal = self.known().get(name).and_then(|run| run.reload_signal);
        match (self.state(name).await?, signal) {
            (State::Running { pid }, Some(signal)) if kill(Pid::from_raw(pid.cast_signed()), signal).is_ok() => Ok(()),
            _ => Err(ServiceError::NotRunning { doing: "reloading", name: name.into() }),
        }
    }

    pub(super) async fn runs(&self, service: &Service) -> Result<bool, ServiceError> {
        let described = self.describe(service)?;
        Ok(described.iter().all(Described::is_written) && self.is_running(&service.name).await?)
    }

    /// systemd is not asked about what we have never described to it in this boot of the machine.
    pub(super) async fn is_running(&self, name: &str) -> Result<bool, ServiceError> {
        Ok(unit_file(name).exists() && matches!(self.state(name).await?, State::Running { .. }))
    }

    pub(super) async fn state(&self, name: &str) -> Result<State, ServiceError> {
        Ok(show(name).await?.state())
    }

    pub(super) async fn log_tail(&self, name: &str, lines: usize) -> String {
        let since = self.starts.lock().unwrap_or_else(PoisonError::into_inner).get(name).copied();
        journal(name, lines, since).await
    }

    /// Looks again and again: systemd tells of ends only those who listen on its bus. The time of the next look is kept, so that a caller
    /// who drops the future and asks anew does not put it off.
    pub(super) async fn ended(&self, name: &str) -> String {
        loop {
            tokio::time::sleep_until(self.next_look(name).into()).await;
            if !self.known().contains_key(name) {
                continue;
            }
            let shown = show(name).await;
            if let Some(run) = self.known().get_mut(name) {
                run.next_look = Instant::now() + if run.since.elapsed() < STARTING { CLOSE_LOOK } else { LOOK };
                if let Some(status) = shown.ok().and_then(|shown| run.compare(&shown)) {
                    return status;
                }
            }
        }
    }

    fn next_look(&self, name: &str) -> Instant {
        self.known().get(name).map_or_else(|| Instant::now() + LOOK, |run| run.next_look)
    }

    /// True: something is not as it was.
    fn write(&self, service: &Service) -> Result<bool, ServiceError> {
        let mut changed = false;
        for file in self.describe(service)? {
            let writing = |source| ServiceError::File { doing: "starting", name: service.name.clone(), source };
            if !file.is_written() {
                files::write_atomic(&file.path, file.text.as_bytes(), file.mode).map_err(writing)?;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// The environment and the unit.
    fn describe(&self, service: &Service) -> Result<[Described; 2], ServiceError> {
        let name = &service.name;
        let env_file = self.environments.join(format!("{name}.env"));
        let mut env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
        env.extend(service.env.clone());
        let describe = || Ok((unit::render(service, &env_file)?, unit::render_env(&env)?));
        let (unit, env) = describe().map_err(|cause| ServiceError::Unit { name: name.clone(), cause })?;
        Ok([Described { path: env_file, text: env, mode: 0o600 }, Described { path: unit_file(name), text: unit, mode: 0o644 }])
    }

    fn remember(&self, service: &Service, shown: &Shown) {
        let run = Run::new(shown.invocation(), service.reload_signal);
        let mut runs = self.known();
        // A run that was kept keeps what was told of it.
        match runs.get_mut(&service.name) {
            Some(known) if known.invocation == run.invocation => known.reload_signal = run.reload_signal,
            _ => drop(runs.insert(service.name.clone(), run)),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn new(invocation: &str, reload_signal: Option<Signal>) -> Self {
        let now = Instant::now();
        Self { invocation: invocation.into(), end_told: false, since: now, next_look: now + CLOSE_LOOK, reload_signal }
    }

    /// An end that was not told yet.
    fn compare(&mut self, shown: &Shown) -> Option<String> {
        if shown.invocation().is_empty() {
            let told = std::mem::replace(&mut self.end_told, true);
            return (!told).then(|| FORGOTTEN.to_owned());
        }
        let replaced = shown.invocation() != self.invocation;
        let missed = replaced && !self.end_told;
        if replaced {
            *self = Self::new(shown.invocation(), self.reload_signal);
        }
        match shown.state() {
            State::Exited { status } if !self.end_told => {
                self.end_told = true;
                Some(status)
            }
            _ if missed => Some("it ended and was started again".into()),
            _ => None,
        }
    }
}

/// Also starts what does not run; Type=exec reports a program that cannot be executed, or that ends at once.
async fn restart(service: &Service) -> Result<(), ServiceError> {
    let name = &service.name;
    let begin = || async { systemctl(&["restart", name], name, service.stop_timeout + PATIENCE).await };
    match begin().await {
        // Other units name it in their ordering, so systemd knew of its absence, and looks anew only where the folder's time has changed.
        Err(_) if !show(name).await?.is_known() => {
            systemctl(&["daemon-reload"], name, PATIENCE).await?;
            begin().await
        }
        done => done,
    }
}

fn unit_file(name: &str) -> PathBuf {
    Path::new(UNITS).join(format!("{name}.service"))
}

/// systemctl's own words only point to the log: bring it.
async fn failure(name: &str, begun: SystemTime, error: ServiceError) -> ServiceError {
    let state = match show(name).await.map(|shown| shown.state()) {
        Ok(State::Exited { status }) => status,
        _ => error.to_string(),
    };
    let log = journal(name, 20, Some(begun)).await;
    let tail = log.lines().map(|line| format!("\n    {line}")).collect();
    ServiceError::Failed { name: name.into(), status: state, tail }
}

#[cfg(test)]
mod tests;
