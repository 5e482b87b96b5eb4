//! A child process that lives and dies with its owner. A thread of its own starts it: the
//! parent-death signal is tied to that thread.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::locked;

const LOOKS_EVERY: Duration = Duration::from_millis(50);

pub(super) struct Program {
    pub(super) argv: Vec<String>,
    pub(super) env: Vec<(String, String)>,
    /// Takes both outputs.
    pub(super) log: PathBuf,
}

pub(super) struct Supervisor {
    stop: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    ended: Arc<Mutex<Option<ExitStatus>>>,
}

impl Supervisor {
    pub(super) fn start(program: Program) -> Result<Supervisor> {
        let (stop, stops) = mpsc::channel();
        let (started, start) = mpsc::channel();
        let ended = Arc::new(Mutex::new(None));
        let seen = ended.clone();
        let name = program.argv.join(" ");
        let thread = std::thread::Builder::new()
            .name("pebble".to_owned())
            .spawn(move || match spawn(&program) {
                Ok(child) => {
                    let _ = started.send(Ok(()));
                    watch(child, &stops, &seen);
                }
                Err(error) => _ = started.send(Err(error)),
            })?;
        start
            .recv()
            .context("starting a process")?
            .with_context(|| format!("starting {name}"))?;
        Ok(Supervisor {
            stop: Some(stop),
            thread: Some(thread),
            ended,
        })
    }

    /// How it ended, where it has.
    pub(super) fn ended(&self) -> Option<ExitStatus> {
        *locked(&self.ended)
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the region has no host/process.rs; this is its one place that starts programs"
)]
fn spawn(program: &Program) -> Result<Child> {
    let (name, arguments) = program.argv.split_first().context("nothing to start")?;
    let log = File::create(&program.log)?;
    let mut command = std::process::Command::new(name);
    command.args(arguments).envs(program.env.iter().cloned());
    command
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log);
    Ok(command.spawn()?)
}

fn watch(mut child: Child, stops: &mpsc::Receiver<()>, ended: &Mutex<Option<ExitStatus>>) {
    while let Err(RecvTimeoutError::Timeout) = stops.recv_timeout(LOOKS_EVERY) {
        if let Ok(Some(status)) = child.try_wait() {
            *locked(ended) = Some(status);
            return;
        }
    }
    let _ = child.kill();
    let _ = child.wait();
}
