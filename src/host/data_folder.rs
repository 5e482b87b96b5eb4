//! The releases that a data folder has seen, noted in a file of that folder: emptying, restoring or
//! copying the folder takes the note along.
//!
//! The folder is the app's: a link, a pipe or a folder in the file's place reads as no note and
//! holds nobody up. As with [`super::complete`], a note counts only until the machine restarts, and
//! for good once [`flush`] has put everything on disk.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use serde::{Deserialize, Serialize};

use super::complete::boot_id;
use super::files::{self, FileError};

const NAME: &str = ".spotboot-released";
/// The app's own account reads it, for a copy of the folder.
const MODE: u32 = 0o644;
/// Of releases; an older one that comes back is taken for a new one.
const REMEMBERED: usize = 100;
const LARGEST: u64 = 64 << 10;

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct SeenReleases {
    /// Oldest first.
    releases: Vec<String>,
    /// The boot of the machine in which it was written; None: everything is on disk.
    boot: Option<String>,
}

/// Tells whether the release's command has run on the folder's content.
pub fn has_seen(folder: &Path, version: &str) -> bool {
    trusted(folder).releases.iter().any(|seen| seen == version)
}

/// Notes that the release's command has run. Waits for no disk.
///
/// # Errors
/// The disk is full, or a folder stands in the file's place.
pub fn note(folder: &Path, version: &str) -> Result<(), FileError> {
    let mut releases = trusted(folder).releases;
    releases.retain(|seen| seen != version);
    releases.push(version.to_owned());
    releases.drain(..releases.len().saturating_sub(REMEMBERED));
    files::write_anew(
        &file(folder),
        &to_json(&SeenReleases {
            releases,
            boot: Some(boot_id()),
        }),
        MODE,
    )
}

/// Puts the folder's file system on disk, then has the file say so. Slow; does nothing where it is
/// done.
///
/// # Errors
/// As [`note`].
pub fn flush(folder: &Path) -> Result<(), FileError> {
    let seen = trusted(folder);
    if seen.boot.is_none() {
        return Ok(());
    }
    let syncing = |error| FileError::new("syncing", folder, error);
    nix::unistd::syncfs(File::open(folder).map_err(syncing)?)
        .map_err(|errno| syncing(errno.into()))?;
    files::write_atomic(
        &file(folder),
        &to_json(&SeenReleases { boot: None, ..seen }),
        MODE,
    )
}

/// The note, or an empty one where the machine has restarted since or the file cannot be read: the
/// command then runs once more.
fn trusted(folder: &Path) -> SeenReleases {
    let seen = read(&file(folder)).unwrap_or_default();
    let lasts = seen
        .boot
        .as_ref()
        .is_none_or(|boot| !boot.is_empty() && *boot == boot_id());
    if lasts { seen } else { SeenReleases::default() }
}

fn read(path: &Path) -> Option<SeenReleases> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(path)
        .ok()?;
    let mut bytes = Vec::new();
    file.metadata().ok().filter(std::fs::Metadata::is_file)?;
    file.take(LARGEST).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn file(folder: &Path) -> PathBuf {
    folder.join(NAME)
}

fn to_json(seen: &SeenReleases) -> Vec<u8> {
    serde_json::to_vec(seen).expect("strings have a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_remembers_every_release_until_it_is_emptied() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_seen(folder.path(), "v1"));
        for version in ["v1", "v2", "v1"] {
            note(folder.path(), version).unwrap();
        }
        assert!(
            has_seen(folder.path(), "v1")
                && has_seen(folder.path(), "v2")
                && !has_seen(folder.path(), "v")
        );
        assert_eq!(trusted(folder.path()).releases, ["v2", "v1"]);
        std::fs::remove_file(file(folder.path())).unwrap();
        assert!(!has_seen(folder.path(), "v1"));
    }

    #[test]
    fn only_so_many_releases_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        (0..=REMEMBERED).for_each(|number| note(folder.path(), &number.to_string()).unwrap());
        assert!(!has_seen(folder.path(), "0") && has_seen(folder.path(), "1"));
    }

    #[test]
    fn what_was_noted_counts_after_a_restart_of_the_machine_only_once_flushed() {
        let folder = tempfile::tempdir().unwrap();
        let written_in = |boot: &str| {
            let seen = SeenReleases {
                releases: vec!["v1".into()],
                boot: Some(boot.into()),
            };
            std::fs::write(file(folder.path()), to_json(&seen)).unwrap();
        };
        for boot in ["another", ""] {
            written_in(boot);
            assert!(!has_seen(folder.path(), "v1"));
            flush(folder.path()).unwrap();
            assert!(
                !has_seen(folder.path(), "v1"),
                "what did not count came to count"
            );
        }
        note(folder.path(), "v1").unwrap();
        flush(folder.path()).unwrap();
        assert_eq!(
            trusted(folder.path()),
            SeenReleases {
                releases: vec!["v1".into()],
                boot: None
            }
        );
    }

    #[test]
    fn what_the_app_puts_in_the_files_place_is_read_as_none_and_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let at = file(folder.path());
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(
            &elsewhere,
            to_json(&SeenReleases {
                releases: vec!["v1".into()],
                boot: None,
            }),
        )
        .unwrap();
        std::os::unix::fs::symlink(&elsewhere, &at).unwrap();
        assert!(!has_seen(folder.path(), "v1"), "a link was followed");
        std::fs::remove_file(&at).unwrap();
        nix::unistd::mkfifo(&at, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(!has_seen(folder.path(), "v1"));
        note(folder.path(), "v2").unwrap();
        assert!(
            has_seen(folder.path(), "v2")
                && std::fs::read_to_string(elsewhere).unwrap().contains("v1")
        );
        std::fs::write(&at, "{\"releases\":").unwrap();
        assert!(!has_seen(folder.path(), "v2"));
    }
}
