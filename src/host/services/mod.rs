//! Long-running programs under one of two keepers: systemd where it is PID 1, else ourselves. The
//! app and the web server have a unit each (invariant I16 of docs/ARCHITECTURE.md).

mod foreground;
mod invocation;
mod job;
mod own_unit;
mod pause;
mod seen;
mod supervisor;
mod systemctl;
mod systemd;
mod unit;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::account::Account;
use super::files::FileError;
use super::paths::Paths;
use super::process::ProcessError;

pub use foreground::Foreground;
pub use job::Job;
pub use nix::sys::signal::Signal;
pub use own_unit::install_self;
pub use pause::LONGEST as LONGEST_PAUSE;
pub use seen::Print;
#[cfg(test)]
pub use seen::to_stderr;
pub use systemd::Systemd;
pub use unit::SelfUnit;

/// A program to keep running, and within which bounds.
#[derive(Clone, PartialEq, Eq)]
pub struct Service {
    /// `spotboot-app`, `spotboot-web`: also the unit's name.
    pub name: String,
    pub description: String,
    /// The first is an absolute path.
    pub argv: Vec<OsString>,
    /// All of its environment, but for PATH and LANG where they are not given.
    pub env: BTreeMap<String, String>,
    pub workdir: PathBuf,
    /// `None`: the current user.
    pub account: Option<Account>,
    /// Folders it may write to, as far as their modes allow. Those of [`Paths::prepare`] exist;
    /// others must.
    pub writable: Vec<PathBuf>,
    /// The instance's metadata service is out of reach (invariant I10): by the unit; in the
    /// foreground [`super::imds`] sees to it.
    pub deny_imds: bool,
    pub umask: u32,
    /// Sent to the main process alone; whatever is left after `stop_timeout` is killed.
    pub stop_signal: Signal,
    pub stop_timeout: Duration,
    /// Start it again, with a growing pause, whenever it ends.
    pub restart: bool,
    pub reload_signal: Option<Signal>,
    /// It starts as root to bind ports below 1024 and drops its rights itself (a web server); else
    /// it gets no capability at all.
    pub low_ports: bool,
}

/// What [`Services::ensure`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It runs by the same definition already.
    Kept,
    Started,
    /// It ran by another definition, or another program did under its name.
    Replaced,
}

/// A service as its keeper knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceState {
    Running {
        pid: u32,
    },
    /// It ended: `exit status 1`, `killed by SIGSEGV`. It may be about to be started again.
    Exited {
        status: String,
    },
    Absent,
}

/// Which keeper: `--services`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Systemd,
    Foreground,
}

/// Why a service does not run, stop or reload as it was told to. `doing` begins a sentence that the
/// service's name goes on.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    #[error(
        "keeping services with systemd: it is not PID 1 on this machine; use --services foreground"
    )]
    NoSystemd,
    #[error("keeping services with systemd: only root may; use --services foreground")]
    NotRoot,
    #[error("{doing} {name}: {cause}")]
    Process {
        doing: &'static str,
        name: String,
        cause: ProcessError,
    },
    #[error("{doing} {name}: {cause}")]
    File {
        doing: &'static str,
        name: String,
        cause: FileError,
    },
    #[error("describing {name} to systemd: {cause}")]
    Unit { name: String, cause: String },
    #[error("{doing} {name}: it does not run")]
    NotRunning { doing: &'static str, name: String },
    #[error("starting {name}: {status}{tail}")]
    Failed {
        name: String,
        status: String,
        tail: String,
    },
    #[error("starting {name}: a process of an earlier run cannot be ended")]
    Leftover { name: String },
}

impl ServiceError {
    /// The exit code of a job that ended by itself.
    pub fn exit_code(&self) -> Option<i32> {
        match self {
            Self::Process { cause, .. } => cause.code(),
            _ => None,
        }
    }
}

/// The keeper of the app and the web server. All calls may run at once.
pub enum Services {
    Systemd(Systemd),
    Foreground(Foreground),
}

/// Without its environment, which holds secrets.
impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("name", &self.name)
            .field("argv", &self.argv)
            .finish_non_exhaustive()
    }
}

impl Services {
    /// # Errors
    /// systemd is not PID 1 on this machine, or we are not root.
    pub fn require_systemd() -> Result<(), ServiceError> {
        match (systemd::is_pid_1(), super::account::is_root()) {
            (false, _) => Err(ServiceError::NoSystemd),
            (true, false) => Err(ServiceError::NotRoot),
            (true, true) => Ok(()),
        }
    }

    /// `None`: systemd where it is PID 1 and we are root, else the foreground.
    ///
    /// In the foreground this first ends whatever processes an earlier run left behind: hold
    /// [`Paths::lock`] before.
    ///
    /// # Errors
    /// systemd was asked for and is not there, or a left-over process cannot be ended.
    pub async fn choose(
        mode: Option<Mode>,
        paths: &Paths,
        print: Print,
    ) -> Result<Self, ServiceError> {
        match (mode, Self::require_systemd()) {
            (Some(Mode::Systemd), Err(error)) => Err(error),
            (Some(Mode::Systemd) | None, Ok(())) => Ok(Self::Systemd(Systemd::new(paths))),
            (Some(Mode::Foreground), _) | (None, Err(_)) => {
                Ok(Self::Foreground(Foreground::start(paths, print).await?))
            }
        }
    }

    /// Makes the service run by this definition. Returns once its program was started, not once it
    /// answers.
    ///
    /// # Errors
    /// The program is missing or cannot be started.
    pub async fn ensure(&self, service: &Service) -> Result<Ensured, ServiceError> {
        match self {
            Self::Systemd(keeper) => keeper.ensure(service).await,
            Self::Foreground(keeper) => keeper.ensure(service).await,
        }
    }

    /// Stops a service and waits until nothing of it is left. One that does not run is no error.
    ///
    /// # Errors
    /// It cannot be stopped within its time.
    pub async fn stop(&self, name: &str) -> Result<(), ServiceError> {
        match self {
            Self::Systemd(keeper) => keeper.stop(name).await,
            Self::Foreground(keeper) => keeper.stop(name).await,
        }
    }

    /// Sends the service's reload signal.
    ///
    /// # Errors
    /// It does not run.
    pub async fn reload(&self, name: &str) -> Result<(), ServiceError> {
        match self {
            Self::Systemd(keeper) => keeper.reload(name).await,
            Self::Foreground(keeper) => keeper.reload(name).await,
        }
    }

    /// Whether [`Services::ensure`] would keep what runs.
    ///
    /// # Errors
    /// systemd does not answer, or cannot be told of such a service.
    pub async fn runs(&self, service: &Service) -> Result<bool, ServiceError> {
        match self {
            Self::Systemd(keeper) => keeper.runs(service).await,
            Self::Foreground(keeper) => Ok(keeper.runs(service).await),
        }
    }

    /// Whether a program runs under that name, whatever its definition.
    ///
    /// # Errors
    /// systemd does not answer.
    pub async fn is_running(&self, name: &str) -> Result<bool, ServiceError> {
        match self {
            Self::Systemd(keeper) => keeper.is_running(name).await,
            Self::Foreground(keeper) => {
                Ok(matches!(keeper.state(name), ServiceState::Running { .. }))
            }
        }
    }

    /// # Errors
    /// systemd does not answer.
    #[cfg(test)]
    pub async fn state(&self, name: &str) -> Result<ServiceState, ServiceError> {
        match self {
            Self::Systemd(keeper) => keeper.state(name).await,
            Self::Foreground(keeper) => Ok(keeper.state(name)),
        }
    }

    /// The last lines the service wrote, oldest first; empty where there are none.
    pub async fn log_tail(&self, name: &str, lines: usize) -> String {
        match self {
            Self::Systemd(keeper) => keeper.log_tail(name, lines).await,
            Self::Foreground(keeper) => keeper.log_tail(name, lines),
        }
    }

    /// Waits until the service ends, and says how (`exit status 1`). Each end since
    /// [`Services::ensure`] started it is told once, also one from before the call; a stop of ours
    /// is none. For a `select!` beside the wait for readiness, and for the event loop.
    pub async fn ended(&self, name: &str) -> String {
        match self {
            Self::Systemd(keeper) => keeper.ended(name).await,
            Self::Foreground(keeper) => keeper.ended(name).await,
        }
    }

    /// Whether what the services write, and we ourselves, goes to systemd's journal.
    pub fn keep_a_journal(&self) -> bool {
        matches!(self, Self::Systemd(_))
    }

    /// Whether the services end when we do: in the foreground always, under systemd only where the
    /// machine goes down.
    pub async fn end_with_us(&self) -> bool {
        match self {
            Self::Systemd(keeper) => keeper.ends().await,
            Self::Foreground(_) => true,
        }
    }

    /// Our own end: in the foreground the services are stopped, the last started first; under
    /// systemd they keep running.
    pub async fn shutdown(&self) {
        if let Self::Foreground(keeper) = self {
            keeper.shutdown().await;
        }
    }

    /// The same, with one service stopped before all others: it needs them to the end.
    pub async fn shutdown_beginning_with(&self, first: &str) {
        if let Self::Foreground(keeper) = self {
            // What cannot be stopped in time was killed.
            let _ = keeper.stop(first).await;
            keeper.shutdown().await;
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "systemd" => Ok(Self::Systemd),
            "foreground" => Ok(Self::Foreground),
            _ => Err("is neither systemd nor foreground".into()),
        }
    }
}
