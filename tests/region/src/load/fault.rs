//! What failed a visitor.

use std::error::Error;
use std::fmt;
use std::io;

/// Why a request failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// The name did not lead to an address.
    Name,
    Refused,
    /// The connection was lost under a request that had been sent, or during the handshake.
    Reset,
    TimedOut,
    Certificate,
    /// 5xx, or any other that was not asked for.
    Status,
    /// The answer is not the one to this request: cut short, or with a wrong hash.
    Body,
    Other,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub kind: Kind,
    pub detail: String,
}

impl Fault {
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    /// Of an error with all its causes.
    pub(super) fn of(doing: &str, error: &(dyn Error + 'static)) -> Self {
        let (mut causes, mut next) = (Vec::new(), Some(error));
        while let Some(cause) = next {
            causes.push(cause);
            next = cause.source();
        }
        let words: Vec<_> = causes.iter().map(ToString::to_string).collect();
        let kind = causes
            .iter()
            .find_map(|cause| kind(*cause))
            .unwrap_or(Kind::Other);
        Self::new(kind, format!("{doing}: {}", words.join(": ")))
    }
}

fn kind(error: &(dyn Error + 'static)) -> Option<Kind> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return matches!(error, rustls::Error::InvalidCertificate(_)).then_some(Kind::Certificate);
    }
    if let Some(error) = error.downcast_ref::<hyper::Error>()
        && (error.is_incomplete_message() || error.is_closed() || error.is_canceled())
    {
        return Some(Kind::Reset);
    }
    // Its own source is what it wraps, but for an error it was made from: that one is asked
    // directly.
    let error = error.downcast_ref::<io::Error>()?;
    if let Some(kind) = error.get_ref().and_then(|inner| kind(inner)) {
        return Some(kind);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Kind::Refused),
        io::ErrorKind::TimedOut => Some(Kind::TimedOut),
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => Some(Kind::Reset),
        _ => None,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.detail)
    }
}
