//! A sealed `.tar.zst` as [`super::pack`] writes it, unpacked while it streams in.
//!
//! Only what that writes is understood: files, folders, links, and GNU long names (of bounded
//! length, unlike the tar crate's own reading of them). What is written is not to be used before
//! the seal at the end has been found good.

use std::io::{self, BufReader, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::entry::{self, EntryKind, EntryName};
use super::ledger::{ArchiveLedger, Limits};
use super::pack::WINDOW_LOG;
use super::sealed::SealedReader;
use super::sink::Sink;
use super::{ArchiveError, Contents};

/// Files up to this size are written by other threads while the next are decompressed.
const SMALL: u64 = 64 << 10;
/// Bounds the memory of those that wait.
const WAITING: usize = 32;
const WRITERS: usize = 2;

struct SmallFile {
    name: String,
    mode: u32,
    modified: SystemTime,
    content: Vec<u8>,
}

/// Unpacks the archive sealed for `label` into `into`, which must not exist. After an error the
/// caller removes what is there.
pub(super) fn untar_zst(
    archive: impl Read,
    label: &str,
    into: &Path,
    limits: Limits,
    group: Option<u32>,
) -> Result<Contents, ArchiveError> {
    let sink = Sink::create(into, group)?;
    let (sender, receiver) = sync_channel(WAITING);
    let receiver = Mutex::new(receiver);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|_| scope.spawn(|| write_small_files(&sink, &receiver)))
            .collect();
        let read = TarReader {
            sink: &sink,
            ledger: ArchiveLedger::new(limits),
            sender: &sender,
            links: Vec::new(),
        }
        .read(archive, label);
        drop(sender);
        let written = writers.into_iter().try_for_each(|writer| {
            writer
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        written.and(read)
    })
}

/// To the end of the queue or the first error; the queue then fills up or closes, which the reader
/// notices.
fn write_small_files(
    sink: &Sink,
    receiver: &Mutex<Receiver<SmallFile>>,
) -> Result<(), ArchiveError> {
    let mut outcome = Ok(());
    loop {
        let next = receiver
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .recv();
        let Ok(file) = next else { return outcome };
        if outcome.is_ok() {
            let size = file.content.len() as u64;
            outcome = sink.file(
                &file.name,
                file.mode,
                Some(file.modified),
                size,
                &file.content[..],
            );
        }
    }
}

struct TarReader<'a> {
    sink: &'a Sink,
    ledger: ArchiveLedger,
    sender: &'a SyncSender<SmallFile>,
    /// Made when every file is written.
    links: Vec<(EntryName, String)>,
}

impl TarReader<'_> {
    fn read(mut self, archive: impl Read, label: &str) -> Result<Contents, ArchiveError> {
        let broken = |error| ArchiveError::broken("it is damaged", error);
        let sealed = BufReader::new(SealedReader::new(archive, label));
        let mut decoder = zstd::Decoder::with_buffer(sealed).map_err(broken)?;
        decoder.window_log_max(WINDOW_LOG).map_err(broken)?;
        self.read_entries(&mut decoder)?;
        read_padding(&mut decoder).map_err(broken)?;
        decoder.finish().into_inner().verify().map_err(broken)?;
        for (name, target) in &self.links {
            self.sink.link(name.as_str(), target)?;
        }
        Ok(self.ledger.contents())
    }

    fn read_entries(&mut self, decoder: &mut impl Read) -> Result<(), ArchiveError> {
        let broken = |error| ArchiveError::broken("it is damaged", error);
        let mut long = LongNames::default();
        let mut archive = tar::Archive::new(decoder);
        for entry in archive.entries().map_err(broken)?.raw(true) {
            let mut entry = entry.map_err(broken)?;
            match entry.header().entry_type() {
                tar::EntryType::GNULongName => long.name = Some(read_long(&mut entry)?),
                tar::EntryType::GNULongLink => long.link = Some(read_long(&mut entry)?),
                _ => self.admit(&mut entry, std::mem::take(&mut long))?,
            }
        }
        Ok(())
    }

    fn admit(
        &mut self,
        entry: &mut tar::Entry<'_, impl Read>,
        long: LongNames,
    ) -> Result<(), ArchiveError> {
        let raw = long
            .name
            .unwrap_or_else(|| String::from_utf8_lossy(&entry.header().path_bytes()).into_owned());
        let refuse = |why: String| ArchiveError::refused(&raw, why);
        let kind = kind(entry.header().entry_type()).map_err(refuse)?;
        let Some(name) = EntryName::parse(&raw).map_err(refuse)? else {
            return Ok(());
        };
        for folder in self.ledger.admit(&name, kind, entry.size())? {
            self.sink.folder(&folder)?;
        }
        match kind {
            EntryKind::Folder => Ok(()),
            EntryKind::File => self.file(name, entry),
            EntryKind::Link => {
                let header = entry.header().link_name_bytes().unwrap_or_default();
                let target = long
                    .link
                    .unwrap_or_else(|| String::from_utf8_lossy(&header).into_owned());
                entry::check_link(&name, &target).map_err(refuse)?;
                self.links.push((name, target));
                Ok(())
            }
        }
    }

    fn file(
        &self,
        name: EntryName,
        entry: &mut tar::Entry<'_, impl Read>,
    ) -> Result<(), ArchiveError> {
        let broken = |error| ArchiveError::broken("it is damaged", error);
        let mode = entry.header().mode().map_err(broken)?;
        let size = entry.size();
        // Python checks the time of a source file against the one its compiled form was made from.
        let modified = SystemTime::UNIX_EPOCH
            + Duration::from_secs(entry.header().mtime().map_err(broken)? & u64::from(u32::MAX));
        if size > SMALL {
            return self
                .sink
                .file(name.as_str(), mode, Some(modified), size, entry);
        }
        let mut content = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
        entry.read_to_end(&mut content).map_err(broken)?;
        if content.len() as u64 != size {
            return Err(ArchiveError::Broken("it is cut off".into()));
        }
        let file = SmallFile {
            name: name.as_str().to_owned(),
            mode,
            modified,
            content,
        };
        self.sender
            .send(file)
            .map_err(|_| ArchiveError::Broken("its files could not be written".into()))
    }
}

#[derive(Default)]
struct LongNames {
    name: Option<String>,
    link: Option<String>,
}

fn kind(kind: tar::EntryType) -> Result<EntryKind, String> {
    match kind {
        tar::EntryType::Regular => Ok(EntryKind::File),
        tar::EntryType::Directory => Ok(EntryKind::Folder),
        tar::EntryType::Symlink => Ok(EntryKind::Link),
        other => Err(format!(
            "is neither file, folder nor link (type {:?})",
            char::from(other.as_byte())
        )),
    }
}

fn read_long(entry: &mut impl Read) -> Result<String, ArchiveError> {
    const LONGEST: u64 = 4096;
    let mut bytes = Vec::new();
    entry
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| ArchiveError::broken("it is damaged", error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(ArchiveError::Broken(
            "it has a name of more than 4096 bytes".into(),
        ));
    }
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    String::from_utf8(bytes)
        .map_err(|error| ArchiveError::broken("it has an unreadable name", error))
}

/// The zeros after the last entry, so that the decoder comes to its own checksum.
fn read_padding(decoder: &mut impl Read) -> io::Result<()> {
    const MOST: u64 = 1 << 20;
    let read = io::copy(&mut decoder.take(MOST), &mut io::sink())?;
    if read < MOST {
        Ok(())
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "it goes on after its end",
        ))
    }
}

#[cfg(test)]
#[path = "untar_tests.rs"]
mod tests;
