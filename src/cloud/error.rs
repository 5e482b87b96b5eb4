//! What every call to AWS can end in: what was being done, the service's code and words, and what the user can do.

use std::fmt;

/// A call to AWS that gave no usable answer. Never holds a credential or a body.
#[derive(Debug, thiserror::Error)]
pub struct Error {
    /// What was being done to what: `reading s3://bucket/key`.
    pub doing: String,
    /// The service's error code, where it gave one.
    pub code: Option<String>,
    /// The service's words, or the transport's.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl Error {
    /// The credentials are good, a policy is not.
    pub fn is_access_denied(&self) -> bool {
        unimplemented!()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!()
    }
}
