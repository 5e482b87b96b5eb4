//! What can be wrong with an archive, or with the disk that it is unpacked to.

use std::io;
use std::path::{Path, PathBuf};

/// Why an archive is not unpacked, or not whole. Names from inside the archive are escaped and cut.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Made to do harm, or by a tool that we cannot follow: this entry is why.
    #[error("entry \"{name}\" {why}")]
    Refused { name: String, why: String },
    /// Torn, damaged, or no archive at all.
    #[error("{0}")]
    Broken(String),
    /// More than the limits allow.
    #[error("{0}")]
    TooLarge(String),
    #[error("{doing} {}: {cause}", path.display())]
    Disk {
        doing: &'static str,
        path: PathBuf,
        cause: io::Error,
    },
}

impl ArchiveError {
    pub(super) fn refused(name: &str, why: impl Into<String>) -> Self {
        Self::Refused {
            name: escaped(name),
            why: why.into(),
        }
    }

    pub(super) fn broken(doing: &str, cause: impl std::fmt::Display) -> Self {
        Self::Broken(format!("{doing}: {cause}"))
    }

    pub(super) fn disk(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |cause| Self::Disk { doing, path, cause }
    }

    /// Whether the disk or a quota has no room left: the archive itself may be sound.
    pub fn is_disk_full(&self) -> bool {
        matches!(self, Self::Disk { cause, .. } if matches!(cause.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded))
    }
}

/// A name from an archive, fit for a terminal: control characters escaped, cut to a readable
/// length.
pub(super) fn escaped(name: &str) -> String {
    const LONGEST: usize = 200;
    let mut shown: String = name
        .chars()
        .take(LONGEST)
        .flat_map(char::escape_debug)
        .collect();
    if name.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_an_archive_reaches_no_terminal_unescaped() {
        assert_eq!(escaped("a\x1b[2Jb\n"), "a\\u{1b}[2Jb\\n");
        assert!(escaped(&"x".repeat(5000)).len() < 220);
    }
}
