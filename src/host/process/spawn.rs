//! Starting a process in a session of its own that does not outlive us.

use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;

use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid, setsid};
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStderr, ChildStdout, Command};

use super::Run;
use super::session::{self, Leader};

/// A process with a pipe for each stream. Dropping it kills its session.
pub(super) struct Piped {
    pub(super) child: Child,
    pub(super) stdout: Option<ChildStdout>,
    pub(super) stderr: Option<ChildStderr>,
    session: u32,
}

impl Piped {
    /// Kills the program, if it still runs, and whatever it left behind.
    pub(super) fn kill_session(&mut self) {
        let _ = self.child.start_kill();
        session::kill_group(self.session);
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        self.kill_session();
    }
}

/// A process that was started to stay. Dropping it kills it and its group.
pub struct Started {
    pub child: Child,
    /// Who it was when it started: also names its session, when it has ended itself.
    pub leader: Leader,
    /// Both output streams.
    pub output: Option<pipe::Receiver>,
}

impl Started {
    /// Signals the process itself. False: it has ended already.
    pub fn signal(&self, signal: Signal) -> bool {
        // The id is there until the process is waited for: no other process can have got it.
        self.child.id().is_some_and(|pid| {
            nix::sys::signal::kill(Pid::from_raw(pid.cast_signed()), signal).is_ok()
        })
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        session::kill_group(self.leader.pid);
    }
}

pub(super) fn with_pipes(run: &Run) -> io::Result<Piped> {
    let mut command = command(run, Signal::SIGKILL);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let session = child.id().unwrap_or_default();
    Ok(Piped {
        stdout: child.stdout.take(),
        stderr: child.stderr.take(),
        child,
        session,
    })
}

pub(super) fn with_one_pipe(run: &Run) -> io::Result<Started> {
    let (reader, writer) = io::pipe()?;
    // SIGTERM: a web server's master then ends its workers, which a SIGKILL would leave behind.
    let mut command = command(run, Signal::SIGTERM);
    let child = command.stdout(writer.try_clone()?).stderr(writer).spawn()?;
    // Also one that has ended already is in /proc until it is waited for.
    let leader = child
        .id()
        .and_then(Leader::of)
        .ok_or(io::ErrorKind::Unsupported)?;
    Ok(Started {
        child,
        leader,
        output: Some(pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?),
    })
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that starts programs"
)]
#[expect(
    unsafe_code,
    reason = "pre_exec: neither std nor nix sets the parent-death signal, session and umask of a child"
)]
fn command(run: &Run, at_our_death: Signal) -> Command {
    let mut command = Command::new(&run.program);
    command
        .args(&run.args)
        .env_clear()
        .envs(&run.env)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    if let Some(cwd) = &run.cwd {
        command.current_dir(cwd);
    }
    if let Some(account) = &run.account {
        // Where we are root, std drops the supplementary groups with the uid.
        command.uid(account.uid).gid(account.gid);
    }
    let (parent, umask) = (getpid(), run.umask);
    // SAFETY: between fork and exec; only async-signal-safe system calls, no allocation, nothing
    // shared is touched.
    unsafe { command.pre_exec(move || prepare(parent, umask, at_our_death)) };
    command
}

/// Runs in the child, after std changed its uid: that change would clear the parent-death signal
/// (prctl(2)).
fn prepare(parent: Pid, umask: Option<u32>, at_our_death: Signal) -> io::Result<()> {
    setsid()?;
    if let Some(mask) = umask {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(mask));
    }
    nix::sys::prctl::set_pdeathsig(at_our_death)?;
    // The parent may have died before the line above: nothing would ever signal us.
    if getppid() != parent {
        return Err(io::Error::from_raw_os_error(nix::libc::ESRCH));
    }
    Ok(())
}
