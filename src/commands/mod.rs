//! Verbs: one per command; each reads as its table of contents.

pub mod cert;
mod certificates;
pub mod deploy;
mod elastic;
pub mod history;
pub mod init;
pub mod install;
pub mod logs;
mod names;
mod package;
mod progress;
mod remote;
pub mod rotate;
mod rotation;
mod site_file;
pub mod status;
pub mod up;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// A dry run found something that would stop the real one.
    ProblemFound,
    /// Another holds the lock.
    Locked,
}

/// What is wrong with the command line beyond what clap can tell; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

fn usage(what: &str) -> anyhow::Error {
    Usage(what.to_owned()).into()
}
