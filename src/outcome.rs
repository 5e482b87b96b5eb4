//! How a command ends that did not fail, and what is wrong with its command line.

use std::process::ExitCode;

/// The exit code of usage or configuration.
pub const USAGE: u8 = 2;

/// How a command ended that did not fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Done,
    /// A dry run found something that would stop the real one.
    ProblemFound,
    /// The configuration or the package has problems, which are told.
    Misconfigured,
    /// Another holds the lock.
    Locked,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::SUCCESS,
            Outcome::Misconfigured => Self::from(USAGE),
            Outcome::ProblemFound => Self::from(3),
            Outcome::Locked => Self::from(4),
        }
    }
}

/// What is wrong with the command line beyond what clap can tell; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// An error of the command line, for a message that stands alone.
pub fn usage(what: &str) -> anyhow::Error {
    Usage(what.to_owned()).into()
}
