//! Writes the judged entries of an archive beneath one folder: creating only, never following, with
//! modes that are ours.

use std::fs::{self, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, lchown, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::ArchiveError;

const FOLDER_MODE: u32 = 0o750;
/// What is made in such a folder gets the folder's group: that spares a system call for each of
/// thousands of files.
const SET_GROUP: u32 = 0o2000;
const BUFFER: usize = 64 << 10;

/// A new folder to unpack into.
#[derive(Debug, Clone)]
pub(super) struct Sink {
    root: PathBuf,
    folder_mode: u32,
    /// Taken away by the kernel from every mode that we give.
    umask: u32,
}

/// The mode that a file from elsewhere gets: readable by the group, writable by nobody but its
/// owner, executable where it was, never setuid, setgid or sticky.
pub fn settled_mode(mode: u32) -> u32 {
    let group_executes = (mode & 0o100) >> 3;
    (mode & 0o755) | 0o640 | group_executes
}

impl Sink {
    /// Makes `root`, which must not exist. All in it will have `group`; None: the one that this
    /// process has.
    pub(super) fn create(root: &Path, group: Option<u32>) -> Result<Self, ArchiveError> {
        let folder_mode = if group.is_some() {
            FOLDER_MODE | SET_GROUP
        } else {
            FOLDER_MODE
        };
        let sink = Self {
            root: root.to_owned(),
            folder_mode,
            umask: own_umask(),
        };
        let make = || {
            fs::DirBuilder::new().mode(0o700).create(root)?;
            lchown(root, None, group)?;
            fs::set_permissions(root, Permissions::from_mode(folder_mode))
        };
        make().map_err(ArchiveError::disk("creating the folder", root))?;
        Ok(sink)
    }

    pub(super) fn folder(&self, name: &str) -> Result<(), ArchiveError> {
        let path = self.root.join(name);
        let make = || {
            fs::DirBuilder::new().mode(FOLDER_MODE).create(&path)?;
            if self.umask & FOLDER_MODE == 0 {
                Ok(())
            } else {
                fs::set_permissions(&path, Permissions::from_mode(self.folder_mode))
            }
        };
        make().map_err(ArchiveError::disk("creating the folder", &path))
    }

    /// Copies `content` to its end, at most `size` bytes: other than exactly `size` is an error, as
    /// is a failing `content`.
    pub(super) fn file(
        &self,
        name: &str,
        mode: u32,
        modified: Option<SystemTime>,
        size: u64,
        content: impl Read,
    ) -> Result<(), ArchiveError> {
        let path = self.root.join(name);
        let mode = settled_mode(mode);
        let mut file = File::options()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&path)
            .map_err(ArchiveError::disk("creating", &path))?;
        copy(name, &path, content, &mut file, size)?;
        self.finish(&file, mode, modified)
            .map_err(ArchiveError::disk("setting mode and time of", &path))
    }

    fn finish(&self, file: &File, mode: u32, modified: Option<SystemTime>) -> io::Result<()> {
        if self.umask & mode != 0 {
            file.set_permissions(Permissions::from_mode(mode))?;
        }
        modified.map_or(Ok(()), |time| file.set_modified(time))
    }

    /// Only after all files are written, so that none is written through it.
    pub(super) fn link(&self, name: &str, target: &str) -> Result<(), ArchiveError> {
        let path = self.root.join(name);
        symlink(target, &path).map_err(ArchiveError::disk("linking", &path))
    }
}

/// Asking by umask(2) would change it for every thread; where the kernel does not say (before 4.7),
/// every mode is set again.
fn own_umask() -> u32 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let umask = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    umask
        .and_then(|umask| u32::from_str_radix(umask.trim(), 8).ok())
        .unwrap_or(0o777)
}

/// Reads one byte past `size`, so that the reader sees its own end and checks its own checksum.
pub(super) fn copy(
    name: &str,
    path: &Path,
    content: impl Read,
    file: &mut impl Write,
    size: u64,
) -> Result<(), ArchiveError> {
    let mut content = content.take(size.saturating_add(1));
    let mut buffer = vec![0; BUFFER.min(usize::try_from(size).unwrap_or(BUFFER).saturating_add(1))];
    let mut written = 0;
    loop {
        let read = match content.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                return Err(ArchiveError::Broken(format!(
                    "entry \"{}\" is damaged: {error}",
                    super::error::escaped(name)
                )));
            }
        };
        written += read as u64;
        if written > size {
            break;
        }
        file.write_all(&buffer[..read])
            .map_err(ArchiveError::disk("writing", path))?;
    }
    if written != size {
        return Err(ArchiveError::Broken(format!(
            "entry \"{}\" does not have the {size} bytes that it claims",
            super::error::escaped(name)
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn modes_keep_what_executes_and_lose_what_is_dangerous() {
        for (given, settled) in [
            (0, 0o640),
            (0o644, 0o644),
            (0o755, 0o755),
            (0o4755, 0o755),
            (0o777, 0o755),
            (0o600, 0o640),
            (0o700, 0o750),
            (0o444, 0o644),
        ] {
            assert_eq!(settled_mode(given), settled, "{given:o}");
        }
    }

    #[test]
    fn modes_and_group_hold_whatever_the_umask_is() {
        let folder = tempfile::tempdir().unwrap();
        let is_root = crate::host::account::is_root();
        let group = is_root.then_some(65534);
        for umask in [own_umask(), 0o077, 0o777] {
            let root = folder.path().join(umask.to_string());
            // A wrong belief about the umask that is too strict must do no harm.
            let sink = Sink {
                umask,
                ..Sink::create(&root, group).unwrap()
            };
            sink.folder("sub").unwrap();
            sink.file("sub/file", 0o755, None, 0, &b""[..]).unwrap();
            let modes = ["", "sub", "sub/file"].map(|name| fs::metadata(root.join(name)).unwrap());
            assert_eq!(
                [0, 1, 2].map(|at| modes[at].mode() & 0o777),
                [0o750, 0o750, 0o755]
            );
            assert!(
                modes
                    .iter()
                    .all(|metadata| !is_root || metadata.gid() == 65534)
            );
        }
    }

    #[test]
    fn a_file_is_never_written_over_another_nor_through_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        let sink = Sink::create(&folder.path().join("in"), None).unwrap();
        sink.file("a", 0o644, None, 1, &b"1"[..]).unwrap();
        assert!(sink.file("a", 0o644, None, 1, &b"2"[..]).is_err());
        symlink(&outside, folder.path().join("in/l")).unwrap();
        assert!(sink.file("l", 0o644, None, 1, &b"2"[..]).is_err());
        assert!(!outside.exists());
        assert_eq!(fs::read(folder.path().join("in/a")).unwrap(), b"1");
    }

    #[test]
    fn content_longer_or_shorter_than_claimed_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let sink = Sink::create(&folder.path().join("in"), None).unwrap();
        assert!(sink.file("long", 0o644, None, 2, &b"123"[..]).is_err());
        assert!(sink.file("short", 0o644, None, 4, &b"123"[..]).is_err());
        assert!(sink.file("exact", 0o644, None, 3, &b"123"[..]).is_ok());
        assert!(sink.file("empty", 0o644, None, 0, &b""[..]).is_ok());
    }
}
