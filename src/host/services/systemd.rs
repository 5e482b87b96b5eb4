//! systemd as the keeper: units under /run/systemd/system, gone with the next boot. They run on
//! when we end.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::kill;
use nix::unistd::Pid;

use super::invocation::{Invocation, LOOK};
use super::systemctl::{UnitProperties, is_shutting_down, journal, show, systemctl};
use super::{Ensured, Paths, Service, ServiceError, ServiceState, pause, unit};
use crate::host::files::{self, FileError};
use crate::host::process;

const UNITS: &str = "/run/systemd/system";
/// What systemd itself may take, beside a service's own time to stop.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
/// From the end of a process until systemd has taken note of it.
const NOTES: Duration = Duration::from_millis(50);
/// As the units have it, before any end.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// The keeper that writes a unit for each service and leaves starting and restarting to systemd.
pub struct Systemd {
    environments: PathBuf,
    runs: Mutex<BTreeMap<String, Invocation>>,
    /// When we last started each: what was logged before is of no interest.
    starts: Mutex<BTreeMap<String, SystemTime>>,
    /// Before the restart of each that has ended.
    pauses: Mutex<BTreeMap<String, Duration>>,
}

/// A file by which systemd knows a service.
struct UnitFile {
    path: PathBuf,
    text: String,
    mode: u32,
}

impl UnitFile {
    fn is_written(&self) -> bool {
        fs::read_to_string(&self.path).is_ok_and(|old| old == self.text)
    }
}

/// As sd_booted(3) tells it.
pub(super) fn is_pid_1() -> bool {
    Path::new(UNITS).is_dir()
}

impl Systemd {
    pub(super) fn new(paths: &Paths) -> Self {
        Self {
            environments: paths.service_records(),
            runs: Mutex::default(),
            starts: Mutex::default(),
            pauses: Mutex::default(),
        }
    }

    pub(super) async fn ensure(&self, service: &Service) -> Result<Ensured, ServiceError> {
        let name = &service.name;
        let before = show(name).await?;
        let was_running = matches!(before.state(), ServiceState::Running { .. });
        let changed = self.write(service)?;
        if was_running && !changed {
            self.remember(service, &before);
            return Ok(Ensured::Kept);
        }
        self.forget_pause(name);
        // A unit that it does not know yet systemd reads by itself; a reload takes longer than all
        // of the rest.
        if before.is_known() {
            systemctl(&["daemon-reload"], name, PATIENCE).await?;
        }
        let begun = SystemTime::now();
        self.starts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone(), begun);
        if let Err(error) = restart(service).await {
            return Err(failure(name, begun, error).await);
        }
        self.remember(service, &show(name).await?);
        Ok(if was_running {
            Ensured::Replaced
        } else {
            Ensured::Started
        })
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
            (ServiceState::Running { pid }, Some(signal))
                if kill(Pid::from_raw(pid.cast_signed()), signal).is_ok() =>
            {
                Ok(())
            }
            _ => Err(ServiceError::NotRunning {
                doing: "reloading",
                name: name.into(),
            }),
        }
    }

    pub(super) async fn runs(&self, service: &Service) -> Result<bool, ServiceError> {
        let described = self.describe(service)?;
        Ok(described.iter().all(UnitFile::is_written) && self.is_running(&service.name).await?)
    }

    /// systemd is not asked about what we have never described to it in this boot of the machine.
    pub(super) async fn is_running(&self, name: &str) -> Result<bool, ServiceError> {
        Ok(unit_file(name).exists()
            && matches!(self.state(name).await?, ServiceState::Running { .. }))
    }

    pub(super) async fn state(&self, name: &str) -> Result<ServiceState, ServiceError> {
        Ok(show(name).await?.state())
    }

    pub(super) async fn log_tail(&self, name: &str, lines: usize) -> String {
        let since = self
            .starts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .copied();
        journal(name, lines, since).await
    }

    /// Between the look that finds an end and the return there is nothing to wait for: who drops
    /// this future misses none.
    pub(super) async fn ended(&self, name: &str) -> String {
        loop {
            self.watch(name).await;
            if !self.known().contains_key(name) {
                continue;
            }
            let shown = show(name).await;
            let Some((ran, status)) = self
                .known()
                .get_mut(name)
                .and_then(|run| shown.ok().and_then(|shown| run.look(&shown)))
            else {
                continue;
            };
            self.slow_down(name, ran);
            return status;
        }
    }

    /// Until its process has ended, or it is to be looked at in any case. The time of that is kept,
    /// so that a caller who drops the future and asks anew does not put it off.
    async fn watch(&self, name: &str) {
        let (look, pid) = self.known().get(name).map_or_else(
            || (Instant::now() + LOOK, None),
            |run| (run.next_look, run.pid),
        );
        let Some(pid) = pid else {
            return tokio::time::sleep_until(look.into()).await;
        };
        tokio::select! {
            () = tokio::time::sleep_until(look.into()) => {}
            Ok(()) = process::ended(pid) => tokio::time::sleep(NOTES).await,
        }
    }

    /// Lets the next restart wait longer. systemd does so by itself from version 254 on only
    /// (systemd.service(5), "RestartSteps=").
    fn slow_down(&self, name: &str, ran: Duration) {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        let before = pauses.get(name).copied();
        let pause = pause::next(FIRST_PAUSE, before, ran);
        pauses.insert(name.to_owned(), pause);
        if before.unwrap_or(FIRST_PAUSE) != pause {
            tokio::spawn(set_pause(name.to_owned(), pause));
        }
    }

    /// Before a reload of systemd's.
    fn forget_pause(&self, name: &str) {
        self.pauses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(name);
        let _ = fs::remove_file(pause_file(name));
    }

    /// True: something is not as it was.
    fn write(&self, service: &Service) -> Result<bool, ServiceError> {
        let mut changed = false;
        for file in self.describe(service)? {
            let writing = |cause| ServiceError::File {
                doing: "starting",
                name: service.name.clone(),
                cause,
            };
            if !file.is_written() {
                files::write_atomic(&file.path, file.text.as_bytes(), file.mode)
                    .map_err(writing)?;
                changed = true;
            }
        }
        Ok(changed)
    }

    /// Where the environment of a service is kept, or that of a job.
    pub(super) fn environment_file(&self, name: &str) -> PathBuf {
        self.environments.join(format!("{name}.env"))
    }

    /// The environment and the unit.
    fn describe(&self, service: &Service) -> Result<[UnitFile; 2], ServiceError> {
        let name = &service.name;
        let env_file = self.environment_file(name);
        let mut env = BTreeMap::from([("LANG".to_owned(), "C.UTF-8".to_owned())]);
        env.extend(service.env.clone());
        let describe = || Ok((unit::render(service, &env_file)?, unit::render_env(&env)?));
        let (unit, env) = describe().map_err(|cause| ServiceError::Unit {
            name: name.clone(),
            cause,
        })?;
        Ok([
            UnitFile {
                path: env_file,
                text: env,
                mode: 0o600,
            },
            UnitFile {
                path: unit_file(name),
                text: unit,
                mode: 0o644,
            },
        ])
    }

    fn remember(&self, service: &Service, shown: &UnitProperties) {
        let run = Invocation::new(shown, service.reload_signal);
        let mut runs = self.known();
        // A run that was kept keeps what was told of it.
        match runs.get_mut(&service.name) {
            Some(known) if known.id == run.id => known.reload_signal = run.reload_signal,
            _ => drop(runs.insert(service.name.clone(), run)),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Invocation>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Also starts what does not run; Type=exec reports a program that cannot be executed, or that ends
/// at once.
async fn restart(service: &Service) -> Result<(), ServiceError> {
    let name = &service.name;
    let begin =
        || async { systemctl(&["restart", name], name, service.stop_timeout + PATIENCE).await };
    match begin().await {
        // Other units name it in their ordering, so systemd knew of its absence, and looks anew
        // only where the folder's time has changed.
        Err(_) if !show(name).await?.is_known() => {
            systemctl(&["daemon-reload"], name, PATIENCE).await?;
            begin().await
        }
        done => done,
    }
}

fn pause_file(name: &str) -> PathBuf {
    Path::new(UNITS).join(format!("{name}.service.d/pause.conf"))
}

/// Also for a restart that is waiting: a reload of systemd's sets its timer anew.
async fn set_pause(name: String, pause: Duration) {
    let path = pause_file(&name);
    let text = format!(
        "# Written by spotboot while this service keeps ending.\n[Service]\nRestartSec={}ms\n",
        pause.as_millis()
    );
    let folder = path.parent().unwrap_or(&path);
    let written =
        fs::create_dir_all(folder).map_err(|e| FileError::new("making the folder", folder, e));
    let done = match written.and_then(|()| files::write_atomic(&path, text.as_bytes(), 0o644)) {
        Ok(()) => systemctl(&["daemon-reload"], &name, PATIENCE).await,
        Err(cause) => Err(ServiceError::File {
            doing: "slowing down",
            name,
            cause,
        }),
    };
    if let Err(error) = done {
        tracing::warn!("restarts go on at the former pace: {error}");
    }
}

fn unit_file(name: &str) -> PathBuf {
    Path::new(UNITS).join(format!("{name}.service"))
}

/// systemctl's own words only point to the log: bring it.
pub(super) async fn failure(name: &str, begun: SystemTime, error: ServiceError) -> ServiceError {
    let state = match show(name).await.map(|shown| shown.state()) {
        Ok(ServiceState::Exited { status }) => status,
        _ => error.to_string(),
    };
    let log = journal(name, 20, Some(begun)).await;
    let tail = log.lines().map(|line| format!("\n    {line}")).collect();
    ServiceError::Failed {
        name: name.into(),
        status: state,
        tail,
    }
}
