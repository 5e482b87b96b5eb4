//! How a CA says no.

use std::time::Duration;

/// Variants only where callers branch.
#[derive(Debug, thiserror::Error)]
pub enum AcmeError {
    /// Ask again after `retry_after`, not before.
    #[error("{doing}: {detail}")]
    RateLimited { doing: String, retry_after: Option<Duration>, detail: String },
    /// The CA is down, slow or out of reach: nothing was decided.
    #[error("{doing}: {detail}")]
    Unavailable { doing: String, retry_after: Option<Duration>, detail: String },
    /// The CA does not know the account (any more): register a new one.
    #[error("{doing}: {detail}")]
    UnknownAccount { doing: String, detail: String },
    /// The CA refused, or what we hold does not fit it: asking again changes nothing.
    #[error("{doing}: {detail}")]
    Rejected { doing: String, detail: String },
}
