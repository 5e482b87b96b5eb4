//! The entries of one archive together: no name twice, nothing beneath a file or a link, and within
//! the limits (invariant I9 of docs/ARCHITECTURE.md). Pure.

use std::collections::HashMap;

use super::entry::{EntryKind, EntryName};
use super::{ArchiveError, Contents};

/// How much an archive may hold.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Files, folders and links, implied folders included.
    pub entries: usize,
    /// Of all files, unpacked.
    pub bytes: u64,
}

impl Limits {
    /// A package or a set of dependencies of a small site, with much room: what no honest one comes
    /// near, and what a cheap instance's disk still takes.
    pub const PACKAGE: Self = Self {
        entries: 100_000,
        bytes: 4 << 30,
    };
}

pub(super) struct ArchiveLedger {
    limits: Limits,
    seen: HashMap<Box<str>, EntryKind>,
    bytes: u64,
}

impl ArchiveLedger {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            seen: HashMap::new(),
            bytes: 0,
        }
    }

    /// Enters one more entry; the folders that must be made for it (itself included, where it is
    /// one), outermost first.
    pub(super) fn admit(
        &mut self,
        name: &EntryName,
        kind: EntryKind,
        size: u64,
    ) -> Result<Vec<String>, ArchiveError> {
        let mut folders = Vec::new();
        for (end, _) in name.as_str().match_indices('/') {
            let above = &name.as_str()[..end];
            match self.seen.get(above) {
                Some(EntryKind::Folder) => {}
                Some(_) => {
                    return Err(ArchiveError::refused(
                        name.as_str(),
                        "stands beneath a file or a link of the same archive",
                    ));
                }
                None => self.enter(above, EntryKind::Folder, &mut folders)?,
            }
        }
        match (self.seen.get(name.as_str()), kind) {
            (None, _) => self.enter(name.as_str(), kind, &mut folders)?,
            (Some(EntryKind::Folder), EntryKind::Folder) => {}
            (Some(_), _) => return Err(ArchiveError::refused(name.as_str(), "is there twice")),
        }
        self.weigh(size)?;
        Ok(folders)
    }

    fn enter(
        &mut self,
        name: &str,
        kind: EntryKind,
        folders: &mut Vec<String>,
    ) -> Result<(), ArchiveError> {
        if self.seen.len() >= self.limits.entries {
            return Err(ArchiveError::TooLarge(format!(
                "it holds more than {} files",
                self.limits.entries
            )));
        }
        self.seen.insert(name.into(), kind);
        if kind == EntryKind::Folder {
            folders.push(name.to_owned());
        }
        Ok(())
    }

    fn weigh(&mut self, size: u64) -> Result<(), ArchiveError> {
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.bytes {
            return Err(ArchiveError::TooLarge(format!(
                "it unpacks to more than {} MiB",
                self.limits.bytes >> 20
            )));
        }
        Ok(())
    }

    pub(super) fn contents(&self) -> Contents {
        Contents {
            entries: self.seen.len(),
            bytes: self.bytes,
        }
    }
}

/// Whether `unpacked` bytes from `packed` ones look like content and not like a bomb. Deflate
/// reaches 1032:1; text and source code reach about 10:1 and a sparse database file perhaps 100:1,
/// so small archives may exceed the ratio.
pub(super) fn check_ratio(packed: u64, unpacked: u64) -> Result<(), ArchiveError> {
    const RATIO: u64 = 100;
    const ALWAYS_ALLOWED: u64 = 64 << 20;
    if unpacked > ALWAYS_ALLOWED.max(packed.saturating_mul(RATIO)) {
        return Err(ArchiveError::TooLarge(format!(
            "it unpacks {packed} bytes to {unpacked}, more than {RATIO} times its size"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> ArchiveLedger {
        ArchiveLedger::new(Limits {
            entries: 5,
            bytes: 100,
        })
    }

    fn name(raw: &str) -> EntryName {
        EntryName::parse(raw).unwrap().unwrap()
    }

    #[test]
    fn implied_folders_are_made_once_and_outermost_first() {
        let mut ledger = ledger();
        assert_eq!(
            ledger.admit(&name("a/b/c"), EntryKind::File, 1).unwrap(),
            ["a", "a/b"]
        );
        assert_eq!(
            ledger.admit(&name("a/b/d"), EntryKind::File, 1).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(
            ledger.admit(&name("a/"), EntryKind::Folder, 0).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(
            ledger.contents(),
            Contents {
                entries: 4,
                bytes: 2
            }
        );
    }

    #[test]
    fn nothing_is_there_twice_nor_beneath_a_file_or_link() {
        let mut ledger = ledger();
        ledger.admit(&name("f"), EntryKind::File, 1).unwrap();
        ledger.admit(&name("l"), EntryKind::Link, 0).unwrap();
        for (raw, kind) in [
            ("f", EntryKind::File),
            ("./f", EntryKind::File),
            ("f", EntryKind::Folder),
            ("f/x", EntryKind::File),
            ("l/x", EntryKind::File),
            ("l", EntryKind::File),
        ] {
            assert!(ledger.admit(&name(raw), kind, 0).is_err(), "{raw}");
        }
        ledger.admit(&name("d"), EntryKind::Folder, 0).unwrap();
        assert!(ledger.admit(&name("d"), EntryKind::Link, 0).is_err());
    }

    #[test]
    fn names_that_differ_in_case_only_are_two_files_as_on_any_linux_disk() {
        let mut ledger = ledger();
        ledger.admit(&name("readme"), EntryKind::File, 1).unwrap();
        ledger.admit(&name("README"), EntryKind::File, 1).unwrap();
        assert_eq!(ledger.contents().entries, 2);
    }

    #[test]
    fn too_many_entries_or_bytes_are_refused_implied_folders_counted() {
        let mut ledger = ledger();
        assert!(
            ledger
                .admit(&name("a/b/c/d/e/f"), EntryKind::File, 0)
                .is_err()
        );
        let mut ledger = self::ledger();
        ledger.admit(&name("a"), EntryKind::File, 60).unwrap();
        assert!(ledger.admit(&name("b"), EntryKind::File, 41).is_err());
        assert!(ledger.admit(&name("c"), EntryKind::File, u64::MAX).is_err());
    }

    #[test]
    fn a_bomb_is_told_from_content_by_its_ratio() {
        assert!(check_ratio(10 << 20, 900 << 20).is_ok());
        assert!(check_ratio(10 << 20, 1001 << 20).is_err());
        assert!(
            check_ratio(1 << 10, 60 << 20).is_ok(),
            "a small one may hold zeros"
        );
        assert!(check_ratio(1 << 10, 65 << 20).is_err());
        assert!(check_ratio(u64::MAX, u64::MAX).is_ok());
    }
}
