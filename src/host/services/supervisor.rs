//! One child of ours and the task that keeps it: output, restart with back-off, reload, stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::seen::{Print, SeenService};
use super::{Service, ServiceError, ServiceState, pause};
use crate::host::process::{self, ProcessError, Run, Started, end_session};
use crate::host::slot::Slot;
use crate::host::{files, memory};
use crate::output::kept_line;

const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// How long killed processes, and output still in the pipe, may take.
const GONE: Duration = Duration::from_secs(5);
const DRAIN: Duration = Duration::from_millis(500);
/// A longer line is shown in pieces.
const LINE: usize = 8 * 1024;

pub(super) struct ServiceTask {
    pub(super) service: Service,
    orders: mpsc::Sender<ServiceCommand>,
}

enum ServiceCommand {
    Reload(oneshot::Sender<bool>),
    Stop(oneshot::Sender<()>),
}

/// What the task needs through all of the service's runs.
struct Keeper {
    service: Service,
    run: Run,
    record: PathBuf,
    seen: Arc<SeenService>,
    print: Print,
    orders: mpsc::Receiver<ServiceCommand>,
}

enum RunEnd {
    /// By itself.
    Ended(String),
    /// By our order; the sender waits for it, unless it is gone.
    Stopped(Option<oneshot::Sender<()>>),
}

/// Starts the service's first run at once, so that a missing program is the caller's error.
pub(super) fn start(
    service: Service,
    records: &Path,
    seen: Arc<SeenService>,
    print: Print,
) -> Result<ServiceTask, ServiceError> {
    let (sender, orders) = mpsc::channel(4);
    let record = records.join(format!("{}.json", service.name));
    let keeper = Keeper {
        run: command(&service),
        record,
        seen,
        print,
        orders,
        service: service.clone(),
    };
    let first = keeper.begin().map_err(|cause| ServiceError::Process {
        doing: "starting",
        name: service.name.clone(),
        cause,
    })?;
    tokio::spawn(keeper.keep(first));
    Ok(ServiceTask {
        service,
        orders: sender,
    })
}

impl ServiceTask {
    /// Returns once nothing of the service is left.
    pub(super) async fn stop(self) {
        let (reply, done) = oneshot::channel();
        if self.orders.send(ServiceCommand::Stop(reply)).await.is_ok() {
            let _ = done.await;
        }
    }

    /// False: it does not run just now, or knows no reload.
    pub(super) async fn reload(&self) -> bool {
        let (reply, done) = oneshot::channel();
        self.orders
            .send(ServiceCommand::Reload(reply))
            .await
            .is_ok()
            && done.await.unwrap_or(false)
    }
}

impl Keeper {
    fn begin(&self) -> Result<Started, ProcessError> {
        let started = self.run.start()?;
        // Without the note, a next run after a kill -9 relies on the parent-death signal alone: no
        // reason not to serve.
        if let Ok(json) = serde_json::to_vec(&started.leader)
            && let Err(error) = files::write_anew(&self.record, &json, 0o600)
        {
            tracing::warn!(%error, service = self.service.name, "noting a service's process");
        }
        self.seen.set(ServiceState::Running {
            pid: started.leader.pid,
        });
        Ok(started)
    }

    async fn keep(mut self, first: Started) {
        let mut next = Ok(first);
        let mut pause = None;
        loop {
            let begun = Instant::now();
            let end = match next {
                Ok(started) => self.attend(started).await,
                Err(error) => RunEnd::Ended(ProcessError::to_string(&error)),
            };
            let stopped = match end {
                RunEnd::Ended(status) => {
                    let next = pause::next(FIRST_PAUSE, pause, begun.elapsed());
                    self.rest(status, *pause.insert(next)).await
                }
                RunEnd::Stopped(reply) => Some(reply),
            };
            if let Some(reply) = stopped {
                self.seen.set(ServiceState::Absent);
                let _ = reply.map(|reply| reply.send(()));
                return;
            }
            next = self.begin();
        }
    }

    /// Stays with one run until it has ended and nothing of its session is left.
    async fn attend(&mut self, mut started: Started) -> RunEnd {
        let reader = started.output.take().map(|output| {
            tokio::spawn(pump(
                output,
                self.label(),
                Arc::clone(&self.seen),
                Arc::clone(&self.print),
            ))
        });
        let kills = memory::kills();
        let end = loop {
            tokio::select! {
                status = started.child.wait() => {
                    let how = status.map_or_else(|e| e.to_string(), process::describe);
                    break RunEnd::Ended(with_memory(how, memory::kills() > kills));
                }
                order = self.orders.recv() => match order {
                    Some(ServiceCommand::Reload(reply)) => {
                        let _ = reply.send(self.service.reload_signal.is_some_and(|signal| started.signal(signal)));
                    }
                    Some(ServiceCommand::Stop(reply)) => break RunEnd::Stopped(Some(reply)),
                    None => break RunEnd::Stopped(None),
                },
            }
        };
        if matches!(end, RunEnd::Stopped(_)) && started.signal(self.service.stop_signal) {
            let _ = tokio::time::timeout(self.service.stop_timeout, started.child.wait()).await;
        }
        self.bury(started, reader).await;
        end
    }

    /// Kills what is left of the session: a restart needs its ports and sockets free.
    async fn bury(&self, mut started: Started, reader: Option<JoinHandle<()>>) {
        let _ = started.child.start_kill();
        let gone = end_session(&started.leader, GONE).await;
        let _ = tokio::time::timeout(GONE, started.child.wait()).await;
        if let Some(mut reader) = reader
            && tokio::time::timeout(DRAIN, &mut reader).await.is_err()
        {
            reader.abort();
        }
        if gone {
            let _ = std::fs::remove_file(&self.record);
        }
    }

    /// Waits before a restart; for ever where none is wanted. `Some`: stopped meanwhile.
    async fn rest(
        &mut self,
        status: String,
        pause: Duration,
    ) -> Option<Option<oneshot::Sender<()>>> {
        tracing::warn!(service = self.service.name, %status, restart = self.service.restart, "a service ended");
        self.seen.end(status);
        let until = tokio::time::Instant::now() + pause;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(until), if self.service.restart => return None,
                order = self.orders.recv() => match order {
                    Some(ServiceCommand::Reload(reply)) => { let _ = reply.send(false); }
                    Some(ServiceCommand::Stop(reply)) => return Some(Some(reply)),
                    None => return Some(None),
                },
            }
        }
    }

    /// `app` for `spotboot-app`.
    fn label(&self) -> String {
        Slot::kind_of(&self.service.name).to_owned()
    }
}

/// The kernel does not say whom it ended for want of memory; but nobody else sends this signal just
/// then.
fn with_memory(how: String, wanting: bool) -> String {
    if wanting && how == "killed by SIGKILL" {
        format!("out of memory: {how}")
    } else {
        how
    }
}

fn command(service: &Service) -> Run {
    let mut argv = service.argv.iter();
    Run::new(argv.next().cloned().unwrap_or_default())
        .args(argv)
        .envs(&service.env)
        .cwd(&service.workdir)
        .user(service.account.as_ref())
        .umask(service.umask)
}

/// Line by line, to the log and to whoever watches, until every holder of the pipe has closed it.
async fn pump(mut output: pipe::Receiver, label: String, seen: Arc<SeenService>, print: Print) {
    let (mut chunk, mut line) = ([0; 2048], Vec::new());
    while let Ok(count @ 1..) = output.read(&mut chunk).await {
        for &byte in &chunk[..count] {
            if byte != b'\n' {
                line.push(byte);
            }
            if byte == b'\n' || line.len() == LINE {
                tell(&label, &line, &seen, &print);
                line.clear();
            }
        }
    }
    if !line.is_empty() {
        tell(&label, &line, &seen, &print);
    }
}

/// Control characters could rewrite what a terminal shows.
fn tell(label: &str, line: &[u8], seen: &SeenService, print: &Print) {
    let text = kept_line(String::from_utf8_lossy(line).trim_end()).into_owned();
    print(label, &text);
    seen.line(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_kill_while_memory_is_wanting_is_put_down_to_it() {
        assert_eq!(
            with_memory("killed by SIGKILL".into(), true),
            "out of memory: killed by SIGKILL"
        );
        assert_eq!(
            with_memory("killed by SIGKILL".into(), false),
            "killed by SIGKILL"
        );
        assert_eq!(with_memory("exit status 1".into(), true), "exit status 1");
    }
}
