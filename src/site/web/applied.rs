//! Which configuration nginx was last told to read: one that it has read already is no reason to
//! reload it, since whoever is about to ask on a connection that it keeps is failed by that, where
//! the machine is slow.
//!
//! The note goes before a change begins and comes back when nginx was told of it, so that none is
//! overlooked after a kill half-way.

use std::fs;
use std::path::PathBuf;

use crate::host::files::{self, FileError};
use crate::host::paths::Paths;

/// Whether nginx, if it has run on, serves by this text.
pub(super) fn is_applied(paths: &Paths, text: &str) -> bool {
    fs::read_to_string(note(paths)).is_ok_and(|applied| applied == text)
}

pub(super) fn apply(paths: &Paths, text: &str) -> Result<(), FileError> {
    files::write_anew(&note(paths), text.as_bytes(), 0o600)
}

/// The next start tells nginx in any case: what it serves is not known, or not good.
pub fn forget(paths: &Paths) {
    // What is not there need not go.
    let _ = fs::remove_file(note(paths));
}

/// It goes with the machine's boot, as nginx does.
fn note(paths: &Paths) -> PathBuf {
    paths.runtime.join("nginx.applied")
}
