//! Folders that are whole: a mark beside each says that all of it was written, and survives only
//! what the folder survives. A folder that a killed process left half made has no mark, and is made
//! anew (invariant I8 of docs/ARCHITECTURE.md).
//!
//! Syncing thousands of files would hold up a boot, so a mark counts at first only until the
//! machine restarts; once [`flush`] has put everything on disk, it counts for good.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::files::{self, FileError};

#[derive(Serialize, Deserialize)]
struct CompletionMark {
    note: String,
    /// What became of the folder since.
    #[serde(default)]
    remarks: BTreeMap<String, String>,
    /// The boot in which it was written; None: it is on disk.
    boot: Option<String>,
}

/// Says that `folder` is whole, with a note of the caller's. A process may die at any time before
/// and after.
pub fn mark(folder: &Path, note: &str) -> Result<(), FileError> {
    write(
        folder,
        &CompletionMark {
            note: note.to_owned(),
            remarks: BTreeMap::new(),
            boot: Some(boot_id()),
        },
    )
}

/// Adds a remark to a folder that is whole: what has been done with it. It goes when the folder
/// goes.
pub fn remark(folder: &Path, name: &str, text: &str) -> Result<(), FileError> {
    let Some(mut mark) = read(folder) else {
        return Err(FileError::new(
            "marking",
            folder,
            std::io::ErrorKind::NotFound.into(),
        ));
    };
    mark.remarks.insert(name.to_owned(), text.to_owned());
    write(
        folder,
        &CompletionMark {
            boot: Some(boot_id()),
            ..mark
        },
    )
}

/// The text of a remark; `None` where the folder is not whole, or has no remark of that name.
pub fn remarked(folder: &Path, name: &str) -> Option<String> {
    marked(folder)?;
    read(folder)?.remarks.remove(name)
}

fn write(folder: &Path, mark: &CompletionMark) -> Result<(), FileError> {
    let aside = beside(folder, "mark.new");
    let writing = |error| FileError::new("marking", folder, error);
    fs::write(&aside, to_json(mark)).map_err(writing)?;
    fs::rename(&aside, beside(folder, "mark")).map_err(writing)
}

/// The note of a folder that is whole; None: it is not, or not for sure.
pub fn marked(folder: &Path) -> Option<String> {
    let mark = read(folder)?;
    let trusted = mark
        .boot
        .is_none_or(|boot| boot == boot_id() && !boot.is_empty());
    (trusted && folder.is_dir()).then_some(mark.note)
}

/// Puts the folder's file system on disk, then has the mark say so. Slow; does nothing where it is
/// done.
pub fn flush(folder: &Path) -> Result<(), FileError> {
    let Some(mark) = read(folder).filter(|mark| mark.boot.is_some()) else {
        return Ok(());
    };
    let writing = |error| FileError::new("syncing", folder, error);
    let handle = fs::File::open(folder).map_err(writing)?;
    nix::unistd::syncfs(handle).map_err(|errno| writing(errno.into()))?;
    files::write_atomic(
        &beside(folder, "mark"),
        &to_json(&CompletionMark { boot: None, ..mark }),
        0o600,
    )
}

/// Removes the folder, its mark first.
pub fn remove(folder: &Path) -> Result<(), FileError> {
    match fs::remove_file(beside(folder, "mark")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(FileError::new("unmarking", folder, error))
        }
        _ => files::remove_dir(folder),
    }
}

/// Where a folder of this name is made, before it is renamed to it.
pub fn aside(folder: &Path) -> PathBuf {
    beside(folder, "new")
}

/// Removes what an earlier run left unfinished in `parent`: folders aside, and folders without a
/// good mark.
pub fn sweep(parent: &Path) -> Result<(), FileError> {
    for (path, name) in entries(parent)? {
        let unfinished = if name.starts_with('.') {
            name.ends_with(".new")
        } else {
            path.is_dir() && !path.is_symlink() && marked(&path).is_none()
        };
        if unfinished && path.is_dir() {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes all but the `keep` newest whole folders of `parent`, never `current`; the names of those
/// that went.
pub fn retain(parent: &Path, current: &str, keep: usize) -> Result<Vec<String>, FileError> {
    let whole = entries(parent)?
        .into_iter()
        .filter(|(path, name)| !name.starts_with('.') && path.is_dir() && !path.is_symlink());
    let dated = whole.map(|(path, name)| {
        let marked_at = beside(&path, "mark")
            .metadata()
            .and_then(|metadata| metadata.modified());
        (name, marked_at.unwrap_or(SystemTime::UNIX_EPOCH))
    });
    let surplus = surplus(dated.collect(), current, keep);
    surplus
        .iter()
        .try_for_each(|name| remove(&parent.join(name)))?;
    Ok(surplus)
}

fn surplus(mut found: Vec<(String, SystemTime)>, current: &str, keep: usize) -> Vec<String> {
    found.sort_by(|(name, time), (other, other_time)| {
        (name != current, other_time, other).cmp(&(other != current, time, name))
    });
    found
        .into_iter()
        .skip(keep.max(1))
        .map(|(name, _)| name)
        .filter(|name| name != current)
        .collect()
}

fn entries(parent: &Path) -> Result<Vec<(PathBuf, String)>, FileError> {
    let reading = |error| FileError::new("reading", parent, error);
    let found = fs::read_dir(parent)
        .map_err(reading)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(reading)?;
    Ok(found
        .into_iter()
        .map(|entry| {
            (
                entry.path(),
                entry.file_name().to_string_lossy().into_owned(),
            )
        })
        .collect())
}

fn read(folder: &Path) -> Option<CompletionMark> {
    serde_json::from_slice(&fs::read(beside(folder, "mark")).ok()?).ok()
}

fn to_json(mark: &CompletionMark) -> Vec<u8> {
    serde_json::to_vec(mark).expect("strings have a JSON form")
}

fn beside(folder: &Path, what: &str) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    folder.with_file_name(format!(".{name}.{what}"))
}

/// Empty where the kernel does not say: nothing unflushed is then trusted.
pub(super) fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_mark_counts_in_its_own_boot_and_after_a_restart_only_once_flushed() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("1.0");
        fs::create_dir(&folder).unwrap();
        assert_eq!(marked(&folder), None);
        mark(&folder, "note").unwrap();
        assert_eq!(marked(&folder).as_deref(), Some("note"));
        let restarted =
            |mark: CompletionMark| fs::write(beside(&folder, "mark"), to_json(&mark)).unwrap();
        restarted(CompletionMark {
            note: "note".into(),
            remarks: BTreeMap::new(),
            boot: Some("another".into()),
        });
        assert_eq!(marked(&folder), None);
        flush(&folder).unwrap();
        assert_eq!(marked(&folder).as_deref(), Some("note"));
        assert!(read(&folder).unwrap().boot.is_none());
    }

    #[test]
    fn remarks_go_with_the_folder() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("1.0");
        assert!(remark(&folder, "built", "x").is_err());
        fs::create_dir(&folder).unwrap();
        mark(&folder, "note").unwrap();
        remark(&folder, "built", "x").unwrap();
        assert_eq!(
            (
                marked(&folder).as_deref(),
                remarked(&folder, "built").as_deref()
            ),
            (Some("note"), Some("x"))
        );
        remove(&folder).unwrap();
        fs::create_dir(&folder).unwrap();
        mark(&folder, "note").unwrap();
        assert_eq!(remarked(&folder, "built"), None);
    }

    #[test]
    fn a_mark_without_its_folder_or_half_a_mark_counts_for_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("1.0");
        mark(&folder, "note").unwrap();
        assert_eq!(marked(&folder), None);
        fs::create_dir(&folder).unwrap();
        fs::write(beside(&folder, "mark"), "{\"note\":").unwrap();
        assert_eq!(marked(&folder), None);
    }

    #[test]
    fn a_sweep_takes_what_is_unfinished_and_nothing_else() {
        let parent = tempfile::tempdir().unwrap();
        for name in ["whole", "unmarked", ".whole.new"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        mark(&parent.path().join("whole"), "").unwrap();
        std::os::unix::fs::symlink("whole", parent.path().join("current")).unwrap();
        sweep(parent.path()).unwrap();
        let mut left: Vec<String> = entries(parent.path())
            .unwrap()
            .into_iter()
            .map(|(_, name)| name)
            .collect();
        left.sort();
        assert_eq!(left, [".whole.mark", "current", "whole"]);
    }

    #[test]
    fn the_current_one_stays_however_old_and_of_the_others_the_newest() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let found = vec![
            ("a".to_owned(), at(1)),
            ("b".to_owned(), at(2)),
            ("c".to_owned(), at(3)),
            ("d".to_owned(), at(4)),
        ];
        assert_eq!(surplus(found.clone(), "a", 2), ["c", "b"]);
        assert_eq!(surplus(found.clone(), "d", 2), ["b", "a"]);
        assert_eq!(surplus(found.clone(), "d", 0), ["c", "b", "a"]);
        assert_eq!(surplus(found, "none of them", 9), Vec::<String>::new());
    }
}
