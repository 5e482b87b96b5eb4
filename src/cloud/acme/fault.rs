//! What a request to a CA can end in before instant-acme reads anything.

use std::time::Duration;

/// Why there is no answer for instant-acme to read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Fault {
    /// None came, or one that decides nothing. Asking again may help.
    #[error("{detail}")]
    Down {
        status: Option<u16>,
        retry_after: Option<Duration>,
        detail: String,
    },
    /// The same would happen again.
    #[error("{0}")]
    Wrong(String),
}
