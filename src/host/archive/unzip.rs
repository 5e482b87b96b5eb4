//! A zip file: judged whole by its central directory, then unpacked by several threads.

use std::cmp::Reverse;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use zip::read::ZipFileEntry;
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::entry::{self, EntryKind, EntryName};
use super::ledger::{ArchiveLedger, Limits, check_ratio};
use super::sink::{self, Sink};
use super::zipfile::ZipReader;
use super::{ArchiveError, Contents, error};
use crate::host::times;

/// What the directory of the largest package that we take may span; it bounds the memory that
/// reading it costs.
const LARGEST_DIRECTORY: u64 = 16 << 20;

/// A zip whose every entry has been found fit to unpack.
pub struct Zip {
    archive: ZipArchive<ZipReader>,
    folders: Vec<String>,
    files: Vec<ZippedFile>,
    links: Vec<(String, String)>,
    contents: Contents,
}

/// What a thread does with a file, by its own handle on the archive.
type FileWork<'a> =
    dyn Fn(&ZippedFile, &mut ZipArchive<ZipReader>) -> Result<(), ArchiveError> + Sync + 'a;

struct ZippedFile {
    /// In the archive's directory.
    index: usize,
    name: String,
    mode: u32,
    /// Unpacked.
    size: u64,
}

impl Zip {
    /// Reads and judges the central directory and every local header; nothing is unpacked yet.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(ArchiveError::disk("opening", path))?;
        let reader =
            ZipReader::new(file, LARGEST_DIRECTORY).map_err(ArchiveError::disk("reading", path))?;
        let packed = reader.length();
        let mut zip = Self {
            archive: read_directory(reader)?,
            folders: Vec::new(),
            files: Vec::new(),
            links: Vec::new(),
            contents: Contents::default(),
        };
        let mut ledger = ArchiveLedger::new(limits);
        for index in 0..zip.archive.len() {
            zip.admit(index, &mut ledger)?;
        }
        zip.contents = ledger.contents();
        check_ratio(packed, zip.contents.bytes)?;
        if zip.files.is_empty() {
            return Err(ArchiveError::Broken("it holds no files".into()));
        }
        Ok(zip)
    }

    fn admit(&mut self, index: usize, ledger: &mut ArchiveLedger) -> Result<(), ArchiveError> {
        let entry = self.archive.by_index_data(index).map_err(torn)?;
        let raw = entry_name(&entry)?;
        let refuse = |why: String| ArchiveError::refused(&raw, why);
        let Some(name) = EntryName::parse(&raw).map_err(refuse)? else {
            return Ok(());
        };
        // Windows tools leave the upper half 0; those that fill it mean a Unix mode, whatever
        // system they claim.
        let mode = entry.external_attributes() >> 16;
        let kind = entry::kind(mode, raw.ends_with(['/', '\\'])).map_err(refuse)?;
        check_packing(&entry).map_err(refuse)?;
        if name.is_mac_litter() {
            return Ok(());
        }
        self.folders
            .extend(ledger.admit(&name, kind, entry.size())?);
        match kind {
            EntryKind::Folder => {}
            EntryKind::Link => {
                let target = self.link_target(index, &raw)?;
                entry::check_link(&name, &target).map_err(refuse)?;
                self.links.push((name.into_string(), target));
            }
            EntryKind::File => {
                let mode = if mode == 0 { 0o644 } else { mode };
                self.files.push(ZippedFile {
                    index,
                    name: name.into_string(),
                    mode,
                    size: entry.size(),
                });
            }
        }
        Ok(())
    }

    fn link_target(&mut self, index: usize, raw: &str) -> Result<String, ArchiveError> {
        const LONGEST: u64 = 4096;
        let damaged = |error: &dyn std::fmt::Display| damaged(raw, error);
        let entry = self
            .archive
            .by_index(index)
            .map_err(|error| damaged(&error))?;
        if entry.size() > LONGEST {
            return Err(ArchiveError::refused(
                raw,
                "is a link with an unusable target",
            ));
        }
        let mut target = String::new();
        entry
            .take(LONGEST + 1)
            .read_to_string(&mut target)
            .map_err(|error| damaged(&error))?;
        Ok(target)
    }

    /// What unpacking will make, counted before anything is written.
    pub fn contents(&self) -> Contents {
        self.contents
    }

    /// How many regular files are inside: folders and links do not count.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// The largest files with their unpacked bytes, largest first.
    pub fn largest(&self, most: usize) -> Vec<(String, u64)> {
        let mut files: Vec<&ZippedFile> = self.files.iter().collect();
        files.sort_unstable_by_key(|file| (Reverse(file.size), &file.name));
        files
            .into_iter()
            .take(most)
            .map(|file| (file.name.clone(), file.size))
            .collect()
    }

    /// Unpacks into `into`, which must not exist, readable by `group`. After an error the caller
    /// removes what is there.
    pub fn unpack(&self, into: &Path, group: Option<u32>) -> Result<(), ArchiveError> {
        let sink = Sink::create(into, group)?;
        for folder in &self.folders {
            sink.folder(folder)?;
        }
        self.each_file(&|file, archive| file.unpack(archive, &sink))?;
        self.links
            .iter()
            .try_for_each(|(name, target)| sink.link(name, target))
    }

    /// Reads every file to its end, and so finds what unpacking would find.
    pub fn verify(&self) -> Result<(), ArchiveError> {
        self.each_file(&|file, archive| file.verify(archive))
    }

    fn each_file(&self, work: &FileWork<'_>) -> Result<(), ArchiveError> {
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.workers())
                .map(|_| scope.spawn(|| self.work(work, &next)))
                .collect();
            workers.into_iter().try_for_each(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            })
        })
    }

    fn workers(&self) -> usize {
        const MOST: usize = 4;
        const WORTH_A_THREAD: u64 = 1 << 20;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let worthwhile =
            usize::try_from(self.contents.footprint() / WORTH_A_THREAD).unwrap_or(MOST);
        worthwhile.clamp(1, processors.min(MOST))
    }

    /// One thread's share: the next file that no other has taken, until there is none or one of
    /// them is bad.
    fn work(&self, work: &FileWork<'_>, next: &AtomicUsize) -> Result<(), ArchiveError> {
        let mut archive = self.archive.clone();
        while let Some(file) = self.files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let done = work(file, &mut archive);
            if done.is_err() {
                next.store(self.files.len(), Ordering::Relaxed);
                return done;
            }
        }
        Ok(())
    }
}

impl ZippedFile {
    fn unpack(&self, archive: &mut ZipArchive<ZipReader>, sink: &Sink) -> Result<(), ArchiveError> {
        let entry = archive
            .by_index(self.index)
            .map_err(|error| damaged(&self.name, error))?;
        // The time that the zip tells does not count: tools make it up, ours among them.
        let modified = times::of_content(entry.crc32());
        sink.file(&self.name, self.mode, Some(modified), self.size, entry)
    }

    fn verify(&self, archive: &mut ZipArchive<ZipReader>) -> Result<(), ArchiveError> {
        let entry = archive
            .by_index(self.index)
            .map_err(|error| damaged(&self.name, error))?;
        sink::copy(
            &self.name,
            Path::new(&self.name),
            entry,
            &mut std::io::sink(),
            self.size,
        )
    }
}

/// The central directory, each entry's local header found to say the same, and no entry hidden or
/// there twice.
fn read_directory(reader: ZipReader) -> Result<ZipArchive<ZipReader>, ArchiveError> {
    let allowance = reader.allowance();
    let mut archive = ZipArchive::new(reader).map_err(torn)?;
    allowance.store(u64::MAX, Ordering::Relaxed);
    if archive.has_duplicate_names() {
        return Err(ArchiveError::Broken("it holds a name twice".into()));
    }
    // Also refuses entries that share bytes, which unpack a small file to a huge one (Fifield, "A
    // better zip bomb", 2019).
    archive.validate_header_consistency().map_err(torn)?;
    Ok(archive)
}

fn torn(error: ZipError) -> ArchiveError {
    ArchiveError::broken("it is not a whole zip file", error)
}

fn damaged(name: &str, error: impl std::fmt::Display) -> ArchiveError {
    ArchiveError::broken(
        &format!("entry \"{}\" is damaged", error::escaped(name)),
        error,
    )
}

/// UTF-8 whether or not flagged so (macOS and many libraries do not flag it), else as the flagless
/// code page says.
fn entry_name(entry: &ZipFileEntry<'_>) -> Result<String, ArchiveError> {
    match std::str::from_utf8(entry.name_raw()) {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => entry
            .name()
            .map(|name| name.into_owned())
            .map_err(|error| ArchiveError::broken("an entry has an unreadable name", error)),
    }
}

fn check_packing(entry: &ZipFileEntry<'_>) -> Result<(), String> {
    if entry.encrypted() {
        return Err("is encrypted; make the package without a password".into());
    }
    match entry.compression() {
        CompressionMethod::Stored | CompressionMethod::Deflated => Ok(()),
        other => Err(format!(
            "is compressed by {other}; make the package with deflate"
        )),
    }
}

#[cfg(test)]
#[path = "unzip_tests.rs"]
mod tests;
