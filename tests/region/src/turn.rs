//! Whose turn it is: on one machine few crowds visit at a time, and few sites of a fleet run,
//! whichever tests and processes are behind them. Tests that wait for their turn cost nothing.
#![allow(
    clippy::disallowed_methods,
    reason = "the rule is about the product; tests wait in plain threads"
)]

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// Crowds at once; each asks for less than a third of what the machine answered before it came.
const CROWDS_PER_PROCESSOR: usize = 2;
/// Sites at once, each with a region, a CA, its instances and their apps. Sites wait for the most
/// part, but all of them boot at first.
const SITES_PER_PROCESSOR: usize = 5;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Longer than all crowds, or all sites, of a suite together, one after another.
const PATIENCE: Duration = Duration::from_secs(3600);

/// The right to visit, or to run a site, until it is dropped; the kernel takes it from a process
/// that dies.
pub struct Turn(#[expect(dead_code, reason = "the lock is held by the open file")] File);

impl Turn {
    /// Waits until few enough crowds visit.
    pub(crate) fn to_visit() -> io::Result<Self> {
        Self::wait("visitors", CROWDS_PER_PROCESSOR)
    }

    /// Waits until few enough sites run. Who has one waits for no second, or all would wait for
    /// each other.
    ///
    /// # Errors
    /// The lock files cannot be made, or no other site ended within an hour.
    pub fn to_run_a_site() -> io::Result<Self> {
        Self::wait("sites", SITES_PER_PROCESSOR)
    }

    fn wait(whose: &str, per_processor: usize) -> io::Result<Self> {
        let files = (0..at_once(per_processor))
            .map(|number| open(place(whose, number)))
            .collect::<io::Result<Vec<_>>>()?;
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
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("other {whose} have had their turn for {PATIENCE:?}"),
        ))
    }
}

/// By the number of processors, our affinity and a control group's quota.
fn at_once(per_processor: usize) -> usize {
    per_processor * thread::available_parallelism().map_or(1, usize::from)
}

/// Each user's own, for nobody may open another's file in a shared folder to write.
fn place(whose: &str, number: usize) -> PathBuf {
    std::env::temp_dir().join(format!(
        "spotboot-{whose}-{}-{number}.lock",
        nix::unistd::getuid()
    ))
}

fn open(path: PathBuf) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_waits_until_another_has_left() {
        let wait = || Turn::wait("tests", CROWDS_PER_PROCESSOR).unwrap();
        let held: Vec<Turn> = (0..at_once(CROWDS_PER_PROCESSOR)).map(|_| wait()).collect();
        let waiting = thread::spawn(wait);
        thread::sleep(LOOK_EVERY * 4);
        assert!(
            !waiting.is_finished(),
            "one crowd more than may be visits at once"
        );
        // Sites wait for sites only.
        drop(Turn::wait("other-tests", 1).unwrap());
        drop(held);
        drop(waiting.join().unwrap());
    }
}
