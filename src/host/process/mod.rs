//! Programs that run to their end within a deadline. The one place that starts processes.
//!
//! Each gets a session of its own, an empty environment but for what is given, and no input. What
//! is left of the session when the program ends, or its deadline does, is killed.

mod end;
mod session;
mod spawn;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::account::Account;

pub use end::ended;
pub use session::{Leader, children, end_session};
pub use spawn::Started;

/// How much of each output stream is kept: its end.
const TAIL: usize = 64 * 1024;
/// How many lines of output an error carries.
const ERROR_LINES: usize = 20;
/// How long output may still come once the program has ended: a child of its own may hold the pipe.
const DRAIN: Duration = Duration::from_secs(1);

/// A program to run, its arguments and its surroundings. Secrets may be among these, so it does not
/// print.
#[derive(Clone)]
pub struct Run {
    program: OsString,
    args: Vec<OsString>,
    cwd: Option<PathBuf>,
    env: BTreeMap<OsString, OsString>,
    account: Option<Account>,
    umask: Option<u32>,
    deadline: Duration,
}

/// The ends of both streams, at most 64 KiB each, invalid UTF-8 replaced.
#[derive(Debug, Clone)]
pub struct Output {
    pub stdout: String,
    pub stderr: String,
}

/// How a program failed. `what` is its command line; `tail` the last lines of its output.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("running {what}: the program is not on this machine")]
    NotFound { what: String },
    #[error("running {what}: {cause}")]
    Start { what: String, cause: io::Error },
    #[error("running {what}: {status}{}", indented(tail))]
    Failed {
        what: String,
        status: String,
        code: Option<i32>,
        tail: String,
    },
    #[error("running {what}: not done after {} s, killed{}", after.as_secs(), indented(tail))]
    TimedOut {
        what: String,
        after: Duration,
        tail: String,
    },
}

impl ProcessError {
    /// The exit code, where the program ended by itself.
    pub fn code(&self) -> Option<i32> {
        match self {
            Self::Failed { code, .. } => *code,
            _ => None,
        }
    }
}

impl Run {
    /// `program` is a path, or a name looked up in the PATH given by [`Run::env`], else in
    /// [`search_path`].
    ///
    /// Arguments show in errors and in the process table: never pass a secret as one.
    pub fn new(program: impl Into<OsString>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            cwd: None,
            env: BTreeMap::from([
                ("PATH".into(), search_path()),
                ("LANG".into(), "C.UTF-8".into()),
            ]),
            account: None,
            umask: None,
            deadline: Duration::from_secs(60),
        }
    }

    /// Adds an argument. The process table shows every argument to every user: never pass a secret.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The same for several arguments, in their order.
    #[must_use]
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets the folder that the program runs in; without it, the folder of this process.
    #[must_use]
    pub fn cwd(mut self, folder: impl Into<PathBuf>) -> Self {
        self.cwd = Some(folder.into());
        self
    }

    /// Sets one variable. The environment is otherwise empty but for PATH and LANG.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// The same for several variables; a later one takes the place of an earlier one of the same
    /// name.
    #[must_use]
    pub fn envs<N: Into<OsString>, V: Into<OsString>>(
        mut self,
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.env.extend(
            vars.into_iter()
                .map(|(name, value)| (name.into(), value.into())),
        );
        self
    }

    /// `None`: as the current user.
    #[must_use]
    pub fn user(mut self, account: Option<&Account>) -> Self {
        self.account = account.cloned();
        self
    }

    /// Sets the mask of the files that the program makes, as in `0o027`; without it, this process's
    /// own.
    #[must_use]
    pub fn umask(mut self, umask: u32) -> Self {
        self.umask = Some(umask);
        self
    }

    /// Without it: one minute.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Runs the program to its end; an exit status other than 0 is an error that carries the last
    /// lines.
    ///
    /// Dropping the future kills the program and what it started.
    ///
    /// # Errors
    /// The program is missing, cannot be started, fails, or is not done by the deadline.
    pub async fn output(self) -> Result<Output, ProcessError> {
        let what = self.describe();
        let mut running =
            spawn::with_pipes(&self).map_err(|cause| start_error(&self, what.clone(), cause))?;
        let (mut stdout, mut stderr) = (OutputTail::default(), OutputTail::default());
        let work = async {
            let streams = async {
                tokio::join!(
                    stdout.fill(running.stdout.take()),
                    stderr.fill(running.stderr.take())
                )
            };
            tokio::pin!(streams);
            tokio::select! {
                _ = &mut streams => running.child.wait().await,
                status = running.child.wait() => {
                    let _ = tokio::time::timeout(DRAIN, streams).await;
                    status
                }
            }
        };
        let status = tokio::time::timeout(self.deadline, work).await;
        running.kill_session();
        let output = Output {
            stdout: stdout.text(),
            stderr: stderr.text(),
        };
        match status {
            Err(_) => Err(ProcessError::TimedOut {
                what,
                after: self.deadline,
                tail: output.last_words(),
            }),
            Ok(Err(cause)) => Err(ProcessError::Start { what, cause }),
            Ok(Ok(status)) if status.success() => Ok(output),
            Ok(Ok(status)) => Err(ProcessError::Failed {
                what,
                status: describe(status),
                code: status.code(),
                tail: output.last_words(),
            }),
        }
    }

    /// Starts a program that runs until it is told to stop; both its streams come out of one pipe.
    ///
    /// # Errors
    /// The program is missing or cannot be started.
    pub fn start(&self) -> Result<Started, ProcessError> {
        let what = self.describe();
        spawn::with_one_pipe(self).map_err(|cause| start_error(self, what, cause))
    }

    /// The arguments.
    #[cfg(test)]
    pub fn arguments(&self) -> &[OsString] {
        &self.args
    }

    /// The command line, cut short.
    fn describe(&self) -> String {
        let mut line = self.program.to_string_lossy().into_owned();
        for arg in &self.args {
            line.push(' ');
            line.push_str(&arg.to_string_lossy().replace(char::is_control, " "));
        }
        match line.char_indices().nth(160) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }
}

impl Output {
    /// The last lines of stderr, or of stdout where stderr is empty.
    fn last_words(&self) -> String {
        let text = if self.stderr.trim().is_empty() {
            &self.stdout
        } else {
            &self.stderr
        };
        last_lines(text, ERROR_LINES)
    }
}

/// The last `count` lines that are not blank.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// How a program ended, in words: `exit status 1`, `killed by SIGSEGV`.
pub fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(number)) => match nix::sys::signal::Signal::try_from(number) {
            Ok(signal) => format!("killed by {signal}"),
            Err(_) => format!("killed by signal {number}"),
        },
        (None, None) => "ended in an unknown way".into(),
    }
}

/// Our own PATH, and after it the system's folders: an ordinary user's often lacks sbin, where
/// nginx is.
pub fn search_path() -> OsString {
    const SYSTEM: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    match std::env::var_os("PATH").filter(|path| !path.is_empty()) {
        Some(mut path) => {
            path.push(":");
            path.push(SYSTEM);
            path
        }
        None => SYSTEM.into(),
    }
}

/// The full path of a program, looked up in [`search_path`].
pub fn find_program(name: &str) -> Option<PathBuf> {
    let executable = |path: &PathBuf| {
        path.is_file() && nix::unistd::access(path, nix::unistd::AccessFlags::X_OK).is_ok()
    };
    std::env::split_paths(&search_path())
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(executable)
}

/// A folder of the PATH that is closed to us makes a missing program look like one that may not be
/// run (execvp(3)).
fn start_error(run: &Run, what: String, cause: io::Error) -> ProcessError {
    let searched = || {
        run.program
            .to_str()
            .is_some_and(|name| !name.contains('/') && find_program(name).is_none())
    };
    match cause.kind() {
        io::ErrorKind::NotFound => ProcessError::NotFound { what },
        io::ErrorKind::PermissionDenied if searched() => ProcessError::NotFound { what },
        _ => ProcessError::Start { what, cause },
    }
}

fn indented(tail: &str) -> String {
    tail.lines().map(|line| format!("\n    {line}")).collect()
}

/// The end of a stream.
#[derive(Default)]
struct OutputTail {
    bytes: Vec<u8>,
}

impl OutputTail {
    async fn fill(&mut self, stream: Option<impl AsyncRead + Unpin>) {
        let Some(mut stream) = stream else { return };
        let mut chunk = [0; 4096];
        while let Ok(count @ 1..) = stream.read(&mut chunk).await {
            self.bytes.extend_from_slice(&chunk[..count]);
            if self.bytes.len() > 2 * TAIL {
                self.bytes.drain(..self.bytes.len() - TAIL);
            }
        }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes[self.bytes.len().saturating_sub(TAIL)..]).into_owned()
    }
}

/// A `sh -c` line: for the commands that site.toml and Procfiles give as one.
pub fn shell(line: &str) -> Run {
    Run::new("/bin/sh").args([OsStr::new("-c"), OsStr::new(line)])
}

#[cfg(test)]
mod tests;
