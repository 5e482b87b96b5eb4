//! Whose turn it is: on one machine few crowds visit at a time, whichever tests and processes send them. Tests that wait for their turn cost nothing.
#![allow(clippy::disallowed_methods, reason = "the rule is about the product; tests wait in plain threads")]

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Crowds at once; each asks for less than a third of what the machine answered before it came.
const PER_PROCESSOR: usize = 2;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longer than all crowds of a suite together, one after another.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The right to visit, until it is dropped; the kernel takes it from a process that dies.
pub(super) struct Turn(#[expect(dead_code, reason = "the lock is held by the open file")] File);

impl Turn {
    /// Waits until few enough crowds visit.
    pub(super) fn wait() -> io::Result<Self> {
        let files = (0..crowds()).map(place).map(open).collect::<io::Result<Vec<_>>>()?;
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            for file in &files {
                match file.try_lock() {
                    Ok(()) => return Ok(Self(file.try_clone()?)),
                    Err(TryLockError::WouldBlock) => {}
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
            thread::sleep(LOOK_EVERY);
        }
        Err(io::Error::new(io::ErrorKind::TimedOut, format!("other crowds have visited for {PATIENCE:?}")))
    }
}

/// By the number of processors, our affinity and a control group's quota.
fn crowds() -> usize {
    PER_PROCESSOR * thread::available_parallelism().map_or(1, usize::from)
}

/// Each user's own, for nobody may open another's file in a shared folder to write.
fn place(number: usize) -> PathBuf {
    std::env::temp_dir().join(format!("spotboot-visitors-{}-{number}.lock", nix::unistd::getuid()))
}

fn open(path: PathBuf) -> io::Result<File> {
    OpenOptions::new().create(true).truncate(false).write(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_waits_until_another_has_left() {
        let held: Vec<Turn> = (0..crowds()).map(|_| Turn::wait().unwrap()).collect();
        let waiting = thread::spawn(|| Turn::wait().unwrap());
        thread::sleep(LOOK_EVERY * 4);
        assert!(!waiting.is_finished(), "one crowd more than may be visits at once");
        drop(held);
        drop(waiting.join().unwrap());
    }
}
