//! systemd as the keeper: units under /run/systemd/system, gone with the next boot. They run on when we end.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::systemctl::{Shown, journal, show, systemctl};
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

pub struct Systemd {
    environments: PathBuf,
    runs: Mutex<BTreeMap<String, Run>>,
}

/// One run of a service, as last seen.
#[derive(Clone)]
struct Run {
    invocation: String,
    end_told: bool,
    since: Instant,
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
    match systemctl(&["restart", NAME], NAME, deadline).await {
        Ok(()) => Ok(()),
        Err(error) => Err(failure(NAME, error).await),
    }
}

/// As sd_booted(3) tells it.
pub(super) fn is_pid_1() -> bool {
    Path::new(UNITS).is_dir()
}

impl Systemd {
    pub(super) fn new(paths: &Paths) -> Self {
        Self { environments: paths.service_records(), runs: Mutex::default() }
    }

    pub(super) async fn ensure(&self, service: &Service) -> Result<Ensured, ServiceError> {
        let name = &service.name;
        let was_running = matches!(show(name).await?.state(), State::Running { .. });
        let changed = self.write(service)?;
        if was_running && !changed {
            self.remember(service, show(name).await?);
            return Ok(Ensured::Kept);
        }
        systemctl(&["daemon-reload"], name, PATIENCE).await?;
        // restart also starts what does not run; Type=exec reports a program that cannot be executed.
        if let Err(error) = systemctl(&["restart", name], name, service.stop_timeout + PATIENCE).await {
            return Err(failure(name, error).await);
        }
        self.remember(service, show(name).await?);
        Ok(if was_running { Ensured::Replaced } else { Ensured::Started })
    }

    pub(super) async fn stop(&self, name: &str) -> Result<(), ServiceError> {
        self.runs().remove(name);
        let shown = show(name).await?;
        if shown.is_loaded() {
            systemctl(&["stop", name], name, shown.stop_timeout() + PATIENCE).await?;
        }
        Ok(())
    }

    pub(super) async fn reload(&self, name: &str) -> Result<(), ServiceError> {
        let signal = self.runs().get(name).and_then(|run| run.reload_signal);
        match (self.state(name).await?, signal) {
            (State::Running { pid }, Some(signal)) if kill(Pid::from_raw(pid.cast_signed()), signal).is_ok() => Ok(()),
            _ => Err(ServiceError::NotRunning { doing: "reloading", name: name.into() }),
        }
    }

    pub(super) async fn state(&self, name: &str) -> Result<State, ServiceError> {
        Ok(show(name).await?.state())
    }

    pub(super) async fn log_tail(&self, name: &str, lines: usize) -> String {
        journal(name, lines).await
    }

    /// Looks again and again: systemd tells of ends only those who listen on its bus.
    pub(super) async fn ended(&self, name: &str) -> String {
        loop {
            if let Ok(shown) = show(name).await
                && let Some(status) = self.runs().get_mut(name).and_then(|run| run.compare(&shown))
            {
                return status;
            }
            let young = self.runs().get(name).is_some_and(|run| run.since.elapsed() < STARTING);
            tokio::time::sleep(if young { CLOSE_LOOK } else { LOOK }).await;
        }
    }

    /// True: something is not as it was.
    fn write(&self, service: &Service) -> Result<bool, ServiceError> {
        let name = service.name.clone();
        let env_file = self.environments.join(format!("{name}.env"));
        let unit_file = Path::new(UNITS).join(format!("{name}.service"));
        let mut env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
        env.extend(service.env.clone());
        let describe = || Ok((unit::render(service, &env_file)?, unit::render_env(&env)?));
        let (unit, env) = describe().map_err(|cause| ServiceError::Unit { name: name.clone(), cause })?;
        let write = || Ok(write_changed(&env_file, &env, 0o600)? | write_changed(&unit_file, &unit, 0o644)?);
        write().map_err(|source| ServiceError::File { doing: "starting", name, source })
    }

    fn remember(&self, service: &Service, shown: Shown) {
        let run =
            Run { invocation: shown.invocation().into(), end_told: false, since: Instant::now(), reload_signal: service.reload_signal };
        let mut runs = self.runs();
        // A run that was kept keeps what was told of it.
        match runs.get_mut(&service.name) {
            Some(known) if known.invocation == run.invocation => known.reload_signal = run.reload_signal,
            _ => drop(runs.insert(service.name.clone(), run)),
        }
    }

    fn runs(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// An end that was not told yet.
    fn compare(&mut self, shown: &Shown) -> Option<String> {
        let replaced = shown.invocation() != self.invocation;
        let missed = replaced && !self.end_told;
        if replaced {
            *self = Self { invocation: shown.invocation().into(), end_told: false, since: Instant::now(), ..*self };
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

fn write_changed(path: &Path, text: &str, mode: u32) -> Result<bool, FileError> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(false);
    }
    files::write_atomic(path, text.as_bytes(), mode).map(|()| true)
}

/// systemctl's own words only point to the log: bring it.
async fn failure(name: &str, error: ServiceError) -> ServiceError {
    let state = match show(name).await.map(|shown| shown.state()) {
        Ok(State::Exited { status }) => status,
        _ => error.to_string(),
    };
    let log = journal(name, 20).await;
    let tail = log.lines().map(|line| format!("\n    {line}")).collect();
    ServiceError::Failed { name: name.into(), status: state, tail }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> Run {
        Run { invocation: "one".into(), end_told: false, since: Instant::now(), reload_signal: None }
    }

    fn running(invocation: &str) -> Shown {
        Shown::parse(&format!("LoadState=loaded\nActiveState=active\nMainPID=7\nInvocationID={invocation}\n"))
    }

    fn exited(invocation: &str) -> Shown {
        Shown::parse(&format!(
            "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nMainPID=0\nExecMainCode=1\nExecMainStatus=3\nInvocationID={invocation}\n"
        ))
    }

    #[test]
    fn an_end_is_told_once() {
        let mut run = run();
        assert_eq!(run.compare(&running("one")), None);
        assert_eq!(run.compare(&exited("one")).as_deref(), Some("exit status 3"));
        assert_eq!(run.compare(&exited("one")), None);
        assert_eq!(run.compare(&running("two")), None);
        assert_eq!(run.compare(&exited("two")).as_deref(), Some("exit status 3"));
    }

    #[test]
    fn an_end_between_two_looks_is_told_too() {
        let mut run = run();
        assert!(run.compare(&running("two")).is_some());
        assert_eq!(run.compare(&running("two")), None);
    }
}
