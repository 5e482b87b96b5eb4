//! A zip file: judged whole by its central directory, then unpacked by several threads.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use zip::read::{OwnedZipFileEntry, ZipIterable};
use zip::{CompressionMethod, ZipReadOptions};

use super::entry::{self, Kind, Name};
use super::ledger::{Ledger, Limits, check_ratio};
use super::sink::Sink;
use super::{ArchiveError, Contents};

/// A zip whose every entry has been found fit to unpack.
#[derive(Debug)]
pub struct Zip {
    file: File,
    folders: Vec<String>,
    files: Vec<ZippedFile>,
    links: Vec<(String, String)>,
    contents: Contents,
}

#[derive(Debug)]
struct ZippedFile {
    name: String,
    mode: u32,
    modified: Option<SystemTime>,
    entry: OwnedZipFileEntry,
}

impl Zip {
    /// Reads and judges the central directory and every local header; nothing is unpacked yet.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, ArchiveError> {
        let file = File::open(path).map_err(ArchiveError::disk("opening", path))?;
        let packed = file.metadata().map_err(ArchiveError::disk("reading", path))?.len();
        let entries = read_directory(&file, limits)?;
        check_overlaps(&entries)?;
        let mut zip = Self { file, folders: Vec::new(), files: Vec::new(), links: Vec::new(), contents: Contents::default() };
        let mut ledger = Ledger::new(limits);
        for entry in entries {
            zip.admit(entry, &mut ledger)?;
        }
        zip.contents = ledger.contents();
        check_ratio(packed, zip.contents.bytes)?;
        if zip.files.is_empty() {
            return Err(ArchiveError::Broken("it holds no files".into()));
        }
        Ok(zip)
    }

    fn admit(&mut self, entry: OwnedZipFileEntry, ledger: &mut Ledger) -> Result<(), ArchiveError> {
        let raw = entry_name(&entry)?;
        let refuse = |why: String| ArchiveError::refused(&raw, why);
        let Some(name) = Name::parse(&raw).map_err(refuse)? else { return Ok(()) };
        // Windows tools leave the upper half 0; those that fill it mean a Unix mode, whatever system they claim.
        let mode = entry.external_attributes() >> 16;
        let kind = entry::kind(mode, raw.ends_with(['/', '\\'])).map_err(refuse)?;
        check_packing(&entry).map_err(refuse)?;
        if name.is_mac_litter() {
            return Ok(());
        }
        self.folders.extend(ledger.admit(&name, kind, entry.size())?);
        let name_text = name.as_str().to_owned();
        match kind {
            Kind::Folder => {}
            Kind::Link => {
                let target = self.link_target(&entry, &raw)?;
                entry::check_link(&name, &target).map_err(refuse)?;
                self.links.push((name_text, target));
            }
            Kind::File => {
                let mode = if mode == 0 { 0o644 } else { mode };
                self.files.push(ZippedFile { name: name_text, mode, modified: modified(&entry), entry });
            }
        }
        Ok(())
    }

    fn link_target(&self, entry: &OwnedZipFileEntry, raw: &str) -> Result<String, ArchiveError> {
        const LONGEST: u64 = 4096;
        if entry.size() > LONGEST {
            return Err(ArchiveError::refused(raw, "is a link with an unusable target"));
        }
        let mut file = &self.file;
        let damaged = |error: &dyn std::fmt::Display| ArchiveError::broken(&format!("entry \"{}\" is damaged", super::error::escaped(raw)), error);
        let reader = entry.as_ref().with_reader(&mut file, ZipReadOptions::new()).map_err(|error| damaged(&error))?;
        let mut target = String::new();
        reader.take(LONGEST + 1).read_to_string(&mut target).map_err(|error| damaged(&error))?;
        Ok(target)
    }

    pub fn contents(&self) -> Contents {
        self.contents
    }

    /// Unpacks into `into`, which must not exist, readable by `group`. After an error the caller removes what is there.
    pub fn unpack(&self, path: &Path, into: &Path, group: Option<u32>) -> Result<(), ArchiveError> {
        let sink = Sink::create(into, group)?;
        for folder in &self.folders {
            sink.folder(folder)?;
        }
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.workers()).map(|_| scope.spawn(|| self.unpack_files(path, &sink, &next))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
        })?;
        self.links.iter().try_for_each(|(name, target)| sink.link(name, target))
    }

    fn workers(&self) -> usize {
        const MOST: usize = 4;
        const WORTH_A_THREAD: u64 = 1 << 20;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let worthwhile = usize::try_from(self.contents.footprint() / WORTH_A_THREAD).unwrap_or(MOST);
        worthwhile.clamp(1, processors.min(MOST))
    }

    fn unpack_files(&self, path: &Path, sink: &Sink, next: &AtomicUsize) -> Result<(), ArchiveError> {
        let mut file = File::open(path).map_err(ArchiveError::disk("opening", path))?;
        while let Some(item) = self.files.get(next.fetch_add(1, Ordering::Relaxed)) {
            let done = item.unpack(&mut file, sink);
            if done.is_err() {
                next.store(self.files.len(), Ordering::Relaxed);
                return done;
            }
        }
        Ok(())
    }
}

impl ZippedFile {
    fn unpack(&self, file: &mut File, sink: &Sink) -> Result<(), ArchiveError> {
        let entry = self.entry.as_ref();
        let size = entry.size();
        let damaged = |error| ArchiveError::broken(&format!("entry \"{}\" is damaged", super::error::escaped(&self.name)), error);
        let content = entry.with_reader(file, ZipReadOptions::new()).map_err(damaged)?;
        sink.file(&self.name, self.mode, self.modified, size, content)
    }
}

/// Every entry of the central directory, its local header found to say the same.
fn read_directory(file: &File, limits: Limits) -> Result<Vec<OwnedZipFileEntry>, ArchiveError> {
    let torn = |error| ArchiveError::broken("it is not a whole zip file", error);
    let mut reader = BufReader::new(file);
    reader.rewind().map_err(|error| ArchiveError::broken("reading it", error))?;
    let mut zip = ZipIterable::try_new(reader, zip::read::Config::default()).map_err(torn)?.enforce_header_consistency(true);
    if zip.len() > limits.entries {
        return Err(ArchiveError::TooLarge(format!("it holds {} entries, more than {}", zip.len(), limits.entries)));
    }
    zip.files().map_err(torn)?.map(|entry| entry.map(OwnedZipFileEntry::from).map_err(torn)).collect()
}

/// UTF-8 whether or not flagged so (macOS and many libraries do not flag it), else as the flagless code page says.
fn entry_name(entry: &OwnedZipFileEntry) -> Result<String, ArchiveError> {
    match std::str::from_utf8(entry.name_raw()) {
        Ok(name) => Ok(name.to_owned()),
        Err(_) => entry.name().map(|name| name.into_owned()).map_err(|error| ArchiveError::broken("an entry has an unreadable name", error)),
    }
}

fn check_packing(entry: &OwnedZipFileEntry) -> Result<(), String> {
    if entry.encrypted() {
        return Err("is encrypted; make the package without a password".into());
    }
    match entry.compression() {
        CompressionMethod::Stored | CompressionMethod::Deflated => Ok(()),
        other => Err(format!("is compressed by {other}; make the package with deflate")),
    }
}

/// Entries that share bytes unpack a small file to a huge one (Fifield, "A better zip bomb", 2019); no tool makes them.
fn check_overlaps(entries: &[OwnedZipFileEntry]) -> Result<(), ArchiveError> {
    const LOCAL_HEADER: u64 = 30;
    let mut spans: Vec<(u64, u64, &OwnedZipFileEntry)> = entries
        .iter()
        .map(|entry| {
            let length = LOCAL_HEADER + entry.name_raw().len() as u64;
            (entry.header_start(), entry.header_start().saturating_add(length).saturating_add(entry.compressed_size()), entry)
        })
        .collect();
    spans.sort_unstable_by_key(|(start, ..)| *start);
    let directory = entries.iter().map(OwnedZipFileEntry::central_header_start).min().unwrap_or(0);
    let starts = spans.iter().skip(1).map(|(start, ..)| *start).chain([directory]);
    for ((_, end, entry), next) in spans.iter().zip(starts) {
        if *end > next {
            return Err(ArchiveError::refused(&String::from_utf8_lossy(entry.name_raw()), "shares its bytes with another entry"));
        }
    }
    Ok(())
}

/// Zip times have no zone; taken as UTC they are the same on every instance, so that a web server's validators agree.
fn modified(entry: &OwnedZipFileEntry) -> Option<SystemTime> {
    let stamp = entry.last_modified()?;
    let month = time::Month::try_from(stamp.month()).ok()?;
    let date = time::Date::from_calendar_date(i32::from(stamp.year()), month, stamp.day()).ok()?;
    let moment = date.with_hms(stamp.hour(), stamp.minute(), stamp.second()).ok()?.assume_utc();
    Some(SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(moment.unix_timestamp()).ok()?))
}

#[cfg(test)]
#[path = "unzip_tests.rs"]
mod tests;
