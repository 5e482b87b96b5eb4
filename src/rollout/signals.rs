//! The signals by which CI and people stop a run.

use anyhow::{Result, bail};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing::warn;

/// SIGINT and SIGTERM, while this lives.
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    pub fn new() -> Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    pub async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Work that may be dropped at any point.
///
/// # Errors
/// The work's, and a signal that came first.
pub async fn unless_stopped<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut stop = Stop::new()?;
    tokio::select! {
        done = work => done,
        signal = stop.asked() => bail!("stopped by {signal}"),
    }
}

/// Work that is carried out whatever signal comes. A run that is killed for all that is ended by
/// the next one.
///
/// # Errors
/// The work's.
pub async fn to_the_end<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let mut stop = Stop::new()?;
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return done,
            signal = stop.asked() => warn!("{signal}: what is decided is carried out first; if it is killed, the next run does that"),
        }
    }
}
