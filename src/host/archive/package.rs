//! A release's package: made from a folder, the same bytes for the same content on any machine, or
//! a zip that was made elsewhere.

use std::fs::{File, Metadata};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::tree::{Item, ItemKind, walk};
use super::{ArchiveError, Limits, Zip};

/// Part of the bytes, as is the deflater: a change of either makes other packages of the same
/// content.
const LEVEL: i64 = 6;
const BUFFER: usize = 256 << 10;
const LARGEST_SHOWN: usize = 10;

/// A package that every instance will take.
#[derive(Debug)]
pub struct Packed {
    place: PackageFile,
    /// Of the zip, in lower-case hex.
    pub sha256: String,
    /// Of the zip, in bytes.
    pub size: u64,
    pub files: usize,
    /// The largest files, largest first, with their bytes unpacked.
    pub largest: Vec<(String, u64)>,
}

#[derive(Debug)]
enum PackageFile {
    /// Gone with its last user.
    Made(NamedTempFile),
    Given(PathBuf),
}

impl Packed {
    /// The zip's place: a temporary file that goes with this value, or the file that was given.
    pub fn path(&self) -> &Path {
        match &self.place {
            PackageFile::Made(file) => file.path(),
            PackageFile::Given(path) => path,
        }
    }

    fn judged(place: PackageFile, zip: &Zip) -> Result<Self, ArchiveError> {
        let mut packed = Self {
            place,
            sha256: String::new(),
            size: 0,
            files: zip.files(),
            largest: zip.largest(LARGEST_SHOWN),
        };
        let path = packed.path().to_owned();
        (packed.sha256, packed.size) = hash(&path).map_err(ArchiveError::disk("reading", &path))?;
        Ok(packed)
    }
}

/// Packs what `.gitignore` and `.spotbootignore` do not leave out; `.git` is never packed. Whatever
/// an instance would refuse is an error.
pub fn pack_folder(root: &Path) -> Result<Packed, ArchiveError> {
    let items = walk(root, Limits::PACKAGE)?;
    let mut file = NamedTempFile::new().map_err(ArchiveError::disk(
        "making a file in",
        &std::env::temp_dir(),
    ))?;
    write(root, &items, file.as_file_mut())?;
    let zip = Zip::open(file.path(), Limits::PACKAGE)?;
    Packed::judged(PackageFile::Made(file), &zip)
}

/// Judges a zip as an instance does, its content included, and unpacks nothing.
pub fn check_package(path: &Path) -> Result<Packed, ArchiveError> {
    let zip = Zip::open(path, Limits::PACKAGE)?;
    zip.verify()?;
    Packed::judged(PackageFile::Given(path.to_owned()), &zip)
}

fn write(root: &Path, items: &[Item], out: &mut File) -> Result<(), ArchiveError> {
    let writing =
        |error: &dyn std::fmt::Display| ArchiveError::broken("writing the package", error);
    let mut zip = ZipWriter::new(BufWriter::with_capacity(BUFFER, out));
    for Item { name, what } in items {
        match what {
            ItemKind::Folder => zip
                .add_directory(name.as_str(), options(0o755))
                .map_err(|error| writing(&error))?,
            ItemKind::Link(target) => zip
                .add_symlink(name, target, options(0o777))
                .map_err(|error| writing(&error))?,
            ItemKind::File(seen) => {
                let mode = if seen.mode() & 0o100 == 0 {
                    0o644
                } else {
                    0o755
                };
                let large = seen.len() >= u64::from(u32::MAX);
                zip.start_file(name, options(mode).large_file(large))
                    .map_err(|error| writing(&error))?;
                copy(root, name, seen, &mut zip)?;
            }
        }
    }
    let mut out = zip.finish().map_err(|error| writing(&error))?;
    out.flush().map_err(|error| writing(&error))
}

/// The time is the earliest that a zip can tell. It stands for none: the instance has its own, from
/// the content.
fn options(mode: u32) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(DateTime::DEFAULT)
        .unix_permissions(mode)
}

/// Copies a file that is still the one that was judged, before and after.
fn copy(
    root: &Path,
    name: &str,
    seen: &Metadata,
    out: &mut impl Write,
) -> Result<(), ArchiveError> {
    let path = root.join(name);
    let changed = || ArchiveError::refused(name, "changed while it was being packed");
    let file = File::options()
        .read(true)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(&path);
    let file = file.map_err(ArchiveError::disk("opening", &path))?;
    let is_same = |file: &File| {
        file.metadata()
            .is_ok_and(|now| identity(&now) == identity(seen))
    };
    if !is_same(&file) {
        return Err(changed());
    }
    let mut copied = 0;
    let mut buffer = Vec::with_capacity(BUFFER);
    // Whole buffers, for what the deflater makes of them may depend on where they end.
    while (&file)
        .take(BUFFER as u64)
        .read_to_end(&mut buffer)
        .map_err(ArchiveError::disk("reading", &path))?
        > 0
    {
        copied += buffer.len() as u64;
        if copied > seen.len() {
            return Err(changed());
        }
        out.write_all(&buffer)
            .map_err(|error| ArchiveError::broken("writing the package", error))?;
        buffer.clear();
    }
    if copied == seen.len() && is_same(&file) {
        Ok(())
    } else {
        Err(changed())
    }
}

fn identity(metadata: &Metadata) -> (u64, u64, u64, i64, i64) {
    (
        metadata.dev(),
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
    )
}

fn hash(path: &Path) -> io::Result<(String, u64)> {
    let (file, mut hash, mut size) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = Vec::with_capacity(BUFFER);
    while (&file).take(BUFFER as u64).read_to_end(&mut buffer)? > 0 {
        hash.update(&buffer);
        size += buffer.len() as u64;
        buffer.clear();
    }
    Ok((hex::encode(hash.finalize()), size))
}

#[cfg(test)]
#[path = "package_tests.rs"]
mod tests;
