//! In the foreground, what is said goes to a file too, for whoever ships it: a kill -9 does not
//! take it along.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

use crate::host::spool::Entry;

/// Where nobody sets the file aside, further lines are dropped and counted.
const MOST: u64 = 16 << 20;

static SPOOL: Mutex<Option<Spool>> = Mutex::new(None);

struct Spool {
    path: PathBuf,
    file: File,
    size: u64,
    dropped: u64,
}

/// From now on, and what was `said` already.
///
/// # Errors
/// The file cannot be opened.
pub fn keep_in(path: &Path, said: &[u8]) -> io::Result<()> {
    let mut spool = Spool::open(path)?;
    spool.tell("spotboot", said);
    *lock() = Some(spool);
    Ok(())
}

/// The file was renamed: the next line begins another.
///
/// # Errors
/// The file cannot be opened; then the old one is written on.
pub fn open_anew() -> io::Result<()> {
    let mut kept = lock();
    if let Some(spool) = &mut *kept {
        let dropped = spool.dropped;
        *spool = Spool::open(&spool.path)?;
        if dropped > 0 {
            spool.tell(
                "spotboot",
                format!("{dropped} lines were dropped here: nobody took the log in time")
                    .as_bytes(),
            );
        }
    }
    Ok(())
}

/// One or more lines of a kind.
pub(super) fn tell(kind: &str, text: &[u8]) {
    if let Some(spool) = &mut *lock() {
        spool.tell(kind, text);
    }
}

fn lock() -> std::sync::MutexGuard<'static, Option<Spool>> {
    SPOOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Spool {
    fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            file,
            size,
            dropped: 0,
        })
    }

    /// Never logs itself: it is what logging ends in.
    fn tell(&mut self, kind: &str, text: &[u8]) {
        let now = OffsetDateTime::now_utc();
        for line in String::from_utf8_lossy(text).lines() {
            let line = Entry::new(now, kind, line).to_line();
            if self.size < MOST && self.file.write_all(&line).is_ok() {
                self.size += line.len() as u64;
            } else {
                self.dropped += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_bound_are_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output.log");
        let mut spool = Spool::open(&path).unwrap();
        spool.tell("app", b"one\ntwo\n");
        spool.size = MOST;
        spool.tell("app", b"three\n");
        assert_eq!(
            (
                std::fs::read_to_string(&path).unwrap().lines().count(),
                spool.dropped
            ),
            (2, 1)
        );
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
