//! What of a folder goes into a package, judged as the instance will judge the zip; nothing is
//! packed yet.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::entry::{self, EntryKind, EntryName};
use super::ledger::{ArchiveLedger, Limits};
use super::rules::{OURS, Rules};
use super::{ArchiveError, error};

/// One thing to pack.
#[derive(Debug)]
pub(super) struct Item {
    /// Relative to the root.
    pub(super) name: String,
    pub(super) what: ItemKind,
}

#[derive(Debug)]
pub(super) enum ItemKind {
    /// One that holds nothing; the others follow from what they hold.
    Folder,
    File(Metadata),
    /// With its target.
    Link(String),
}

struct TreeWalk<'a> {
    root: &'a Path,
    rules: Rules,
    ledger: ArchiveLedger,
    items: Vec<Item>,
    /// The first rule that left something out.
    left_out: Option<String>,
}

/// All that is to be packed, in the order of the names' bytes.
pub(super) fn walk(root: &Path, limits: Limits) -> Result<Vec<Item>, ArchiveError> {
    let root = &root
        .canonicalize()
        .map_err(ArchiveError::disk("reading", root))?;
    let mut walk = TreeWalk {
        root,
        rules: Rules::default(),
        ledger: ArchiveLedger::new(limits),
        items: Vec::new(),
        left_out: None,
    };
    match walk.folder("") {
        Err(ArchiveError::TooLarge(why)) => {
            return Err(ArchiveError::TooLarge(format!(
                "{why}; most of it: {}",
                walk.bulk(limits)
            )));
        }
        done => done?,
    };
    let TreeWalk {
        mut items,
        left_out,
        ..
    } = walk;
    if !items
        .iter()
        .any(|item| matches!(item.what, ItemKind::File(_)))
    {
        return Err(ArchiveError::Broken(nothing(left_out)));
    }
    items.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Ok(items)
}

fn nothing(left_out: Option<String>) -> String {
    match left_out {
        Some(rule) => {
            format!(
                "it holds no file that is not left out, the first by {rule}; say in {OURS} what is to be shipped all the same, as in !dist/**"
            )
        }
        None => "it holds no files".into(),
    }
}

impl TreeWalk<'_> {
    /// Whether it has anything to pack, or is empty in truth. A folder of which the rules leave
    /// nothing is left out, as git does.
    fn folder(&mut self, relative: &str) -> Result<bool, ArchiveError> {
        let folder = self.root.join(relative);
        let names = names(&folder)?;
        if names.is_empty() {
            return Ok(true);
        }
        let added = self.rules.enter(&folder)?;
        let mut any = false;
        for name in names {
            any |= self.entry(relative, &folder.join(&name), name)?;
        }
        self.rules.leave(added);
        Ok(any)
    }

    /// Whether it is to be packed.
    fn entry(&mut self, folder: &str, path: &Path, name: OsString) -> Result<bool, ArchiveError> {
        if name == ".git" || name == OURS {
            return Ok(false);
        }
        let metadata = path
            .symlink_metadata()
            .map_err(ArchiveError::disk("reading", path))?;
        if let Some(rule) = self.rules.against(path, metadata.is_dir(), self.root) {
            self.left_out.get_or_insert(rule);
            return Ok(false);
        }
        let shown = || {
            path.strip_prefix(self.root)
                .unwrap_or(path)
                .to_string_lossy()
                .into_owned()
        };
        let refuse = |why: String| ArchiveError::refused(&shown(), why);
        let name = name
            .into_string()
            .map_err(|_| refuse("has a name that is not UTF-8".into()))?;
        if name.contains('\\') {
            return Err(refuse("has a backslash in its name".into()));
        }
        let relative = if folder.is_empty() {
            name
        } else {
            format!("{folder}/{name}")
        };
        let name = EntryName::parse(&relative)
            .map_err(refuse)?
            .ok_or_else(|| refuse("has no name".into()))?;
        let kind = entry::kind(metadata.permissions().mode(), metadata.is_dir()).map_err(refuse)?;
        if name.is_mac_litter() {
            return Ok(false);
        }
        self.admit(relative, &name, kind, path, metadata)
    }

    fn admit(
        &mut self,
        relative: String,
        name: &EntryName,
        kind: EntryKind,
        path: &Path,
        metadata: Metadata,
    ) -> Result<bool, ArchiveError> {
        let what = match kind {
            EntryKind::Folder => {
                let before = self.items.len();
                if !self.folder(&relative)? {
                    return Ok(false);
                }
                if self.items.len() > before {
                    return Ok(true);
                }
                ItemKind::Folder
            }
            EntryKind::File => ItemKind::File(metadata),
            EntryKind::Link => ItemKind::Link(link_target(name, path)?),
        };
        let size = if let ItemKind::File(metadata) = &what {
            metadata.len()
        } else {
            0
        };
        self.items.push(Item {
            name: relative,
            what,
        });
        self.ledger.admit(name, kind, size)?;
        Ok(true)
    }

    /// The root's entries that fill most of the limits.
    fn bulk(&self, limits: Limits) -> String {
        const SHOWN: usize = 3;
        let mut parts: HashMap<&str, (usize, u64)> = HashMap::new();
        for item in &self.items {
            let (files, bytes) = parts
                .entry(item.name.split('/').next().unwrap_or_default())
                .or_default();
            *files += 1;
            *bytes += if let ItemKind::File(metadata) = &item.what {
                metadata.len()
            } else {
                0
            };
        }
        let mut parts: Vec<_> = parts.into_iter().collect();
        let share = |files: usize, bytes: u64| {
            (files as u64 * 1000 / limits.entries.max(1) as u64)
                .max(bytes / (limits.bytes / 1000).max(1))
        };
        parts.sort_unstable_by_key(|&(name, (files, bytes))| (Reverse(share(files, bytes)), name));
        let shown = parts.iter().take(SHOWN);
        let shown = shown.map(|(name, (files, bytes))| {
            format!(
                "{} ({} MiB, files: {files})",
                error::escaped(name),
                bytes >> 20
            )
        });
        shown.collect::<Vec<_>>().join(", ")
    }
}

/// Sorted, so that of several errors always the same one is told.
fn names(folder: &Path) -> Result<Vec<OsString>, ArchiveError> {
    let reading = || ArchiveError::disk("reading", folder);
    let entries = fs::read_dir(folder).map_err(reading())?;
    let mut names = entries
        .map(|entry| Ok(entry.map_err(reading())?.file_name()))
        .collect::<Result<Vec<_>, ArchiveError>>()?;
    names.sort_unstable();
    Ok(names)
}

fn link_target(name: &EntryName, path: &Path) -> Result<String, ArchiveError> {
    let target: PathBuf = fs::read_link(path).map_err(ArchiveError::disk("reading", path))?;
    let refuse = |why: String| ArchiveError::refused(name.as_str(), why);
    let target = target
        .into_os_string()
        .into_string()
        .map_err(|_| refuse("is a link to a name that is not UTF-8".into()))?;
    entry::check_link(name, &target).map_err(refuse)?;
    Ok(target)
}
