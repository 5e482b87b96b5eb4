//! Packs a folder into a sealed `.tar.zst` stream: sorted, owned by nobody in particular, times
//! kept.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::entry::{self, EntryName};
use super::sealed::SealedWriter;
use super::{ArchiveError, settled_mode};

/// 2 MiB: what bounds the memory on both sides.
pub(super) const WINDOW_LOG: u32 = 21;
/// About 70 MB/s on one processor while the site serves already; a boot then reads a fifth less
/// than at level 3.
const LEVEL: i32 = 6;

/// What of a folder goes into the archive, and what for.
pub(super) struct Packing<'a> {
    pub(super) root: &'a Path,
    /// Sealed in: the archive is good for nothing else.
    pub(super) label: &'a str,
    /// By path relative to `root`; a folder that is left out is left out whole.
    pub(super) leave_out: &'a dyn Fn(&str) -> bool,
}

/// Writes the archive, its seal included. A link that unpacking would refuse is an error.
pub(super) fn pack(packing: &Packing<'_>, out: impl Write) -> Result<(), ArchiveError> {
    let writing = |error| ArchiveError::broken("writing the archive", error);
    let mut encoder =
        zstd::Encoder::new(SealedWriter::new(out, packing.label), LEVEL).map_err(writing)?;
    encoder.window_log(WINDOW_LOG).map_err(writing)?;
    encoder.include_checksum(true).map_err(writing)?;
    let mut tar = tar::Builder::new(encoder);
    pack_folder(packing, "", &mut tar)?;
    let encoder = tar.into_inner().map_err(writing)?;
    encoder.finish().map_err(writing)?.seal().map_err(writing)?;
    Ok(())
}

fn pack_folder(
    packing: &Packing<'_>,
    relative: &str,
    tar: &mut tar::Builder<impl Write>,
) -> Result<(), ArchiveError> {
    let folder = packing.root.join(relative);
    let reading = || ArchiveError::disk("reading", &folder);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).map_err(reading())? {
        let name = entry.map_err(reading())?.file_name();
        names.push(name.into_string().map_err(|name| {
            ArchiveError::refused(&name.to_string_lossy(), "has a name that is not UTF-8")
        })?);
    }
    names.sort_unstable();
    for name in names {
        let path = if relative.is_empty() {
            name
        } else {
            format!("{relative}/{name}")
        };
        if !(packing.leave_out)(&path) {
            pack_entry(packing, &path, tar)?;
        }
    }
    Ok(())
}

fn pack_entry(
    packing: &Packing<'_>,
    relative: &str,
    tar: &mut tar::Builder<impl Write>,
) -> Result<(), ArchiveError> {
    let path = packing.root.join(relative);
    let reading = || ArchiveError::disk("reading", &path);
    let writing = |error| ArchiveError::broken("writing the archive", error);
    let refuse = |why| ArchiveError::refused(relative, why);
    let name = EntryName::parse(relative)
        .map_err(refuse)?
        .ok_or_else(|| refuse("has no name".into()))?;
    let metadata = path.symlink_metadata().map_err(reading())?;
    let mut header = header(&metadata);
    if metadata.is_dir() {
        tar.append_data(&mut header, relative, io::empty())
            .map_err(writing)?;
        return pack_folder(packing, relative, tar);
    }
    if metadata.is_symlink() {
        let target = fs::read_link(&path).map_err(reading())?;
        entry::check_link(&name, &target.to_string_lossy()).map_err(refuse)?;
        return tar
            .append_link(&mut header, relative, &target)
            .map_err(writing);
    }
    if !metadata.is_file() {
        return Err(refuse("is neither file, folder nor link".into()));
    }
    let file = File::open(&path).map_err(reading())?;
    tar.append_data(&mut header, relative, file.take(metadata.len()))
        .map_err(writing)
}

fn header(metadata: &Metadata) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    let (kind, size) = match metadata.file_type() {
        kind if kind.is_dir() => (tar::EntryType::Directory, 0),
        kind if kind.is_symlink() => (tar::EntryType::Symlink, 0),
        _ => (tar::EntryType::Regular, metadata.len()),
    };
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(settled_mode(metadata.permissions().mode()));
    header.set_mtime(u64::try_from(metadata.mtime()).unwrap_or(0));
    header
}
