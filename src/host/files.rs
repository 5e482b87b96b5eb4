//! Files that are whole or not there: atomic writes and links, folders with their mode, a lock,
//! free space. No instant leaves a secret's file readable by others (invariant I7 of
//! docs/ARCHITECTURE.md).

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

/// `<doing> <path>: <cause>`.
#[derive(Debug, thiserror::Error)]
#[error("{doing} {}: {cause}", path.display())]
pub struct FileError {
    doing: &'static str,
    path: PathBuf,
    cause: io::Error,
}

impl FileError {
    /// `doing` begins the sentence that the path goes on, as in `writing`.
    pub fn new(doing: &'static str, path: &Path, cause: io::Error) -> Self {
        Self {
            doing,
            path: path.to_owned(),
            cause,
        }
    }

    #[cfg(test)]
    pub fn kind(&self) -> ErrorKind {
        self.cause.kind()
    }
}

/// Writes a file so that a reader, or a machine that dies, sees the old content or the new, with
/// its mode, and nothing between.
///
/// # Errors
/// The folder is missing or not ours, or the disk is full.
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    write_aside(path, bytes, mode, File::sync_all)
        .and_then(|()| sync_folder(path).map_err(|e| FileError::new("writing", path, e)))
}

/// The same for what every boot writes anew: a reader sees old or new, but a machine that dies may
/// lose it. Waits for no disk, where a sync would wait for all that was unpacked just before.
///
/// # Errors
/// As [`write_atomic`].
pub fn write_anew(path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
    write_aside(path, bytes, mode, |_| Ok(()))
}

fn write_aside(
    path: &Path,
    bytes: &[u8],
    mode: u32,
    sync: impl Fn(&File) -> io::Result<()>,
) -> Result<(), FileError> {
    let aside = beside(path);
    let write = || -> io::Result<()> {
        remove_if_there(&aside)?;
        // create_new is O_EXCL: it follows no symlink that someone else put there.
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&aside)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        sync(&file)?;
        fs::rename(&aside, path)
    };
    write().map_err(|e| {
        let _ = fs::remove_file(&aside);
        FileError::new("writing", path, e)
    })
}

/// Makes `link` point to `target`, replacing a link that stood there in one step.
///
/// # Errors
/// The folder is missing or not ours, or a folder stands in the link's place.
pub fn symlink_atomic(target: &Path, link: &Path) -> Result<(), FileError> {
    let aside = beside(link);
    let switch = || -> io::Result<()> {
        remove_if_there(&aside)?;
        symlink(target, &aside)?;
        fs::rename(&aside, link)?;
        sync_folder(link)
    };
    switch().map_err(|e| {
        let _ = fs::remove_file(&aside);
        FileError::new("linking", link, e)
    })
}

/// Makes a folder and its parents; sets its mode and, where given, its owner (uid, gid), also when
/// it was there already.
///
/// # Errors
/// It cannot be made, or belongs to someone else.
pub fn create_dir(path: &Path, mode: u32, owner: Option<(u32, u32)>) -> Result<(), FileError> {
    let create = || -> io::Result<()> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists || !path.is_dir() => return Err(e),
            _ => {}
        }
        if let Some((uid, gid)) = owner {
            chown(path, Some(uid), Some(gid))?;
        }
        fs::set_permissions(path, Permissions::from_mode(mode))
    };
    create().map_err(|e| FileError::new("making the folder", path, e))
}

/// Removes a folder with all it holds; one that is not there is no error. Symlinks are removed,
/// never followed.
///
/// # Errors
/// Something in it is not ours to remove.
pub fn remove_dir(path: &Path) -> Result<(), FileError> {
    let remove = || match fs::remove_dir_all(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        // A package may carry folders without the write bit; only root can remove from those as
        // they are.
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            make_writable(path)?;
            fs::remove_dir_all(path)
        }
        other => other,
    };
    remove().map_err(|e| FileError::new("removing", path, e))
}

/// The bytes that an unprivileged user may still write to the file system that holds `path`.
///
/// # Errors
/// The path is missing.
pub fn free_bytes(path: &Path) -> Result<u64, FileError> {
    let stat = nix::sys::statvfs::statvfs(path)
        .map_err(|e| FileError::new("asking for free space at", path, e.into()))?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

/// An exclusive lock on a file, held until it is dropped or its process dies, however it dies.
#[derive(Debug)]
pub struct FileLock {
    _file: File,
}

impl FileLock {
    /// Whether another process holds the lock at that path; false where nobody ever did, or where
    /// it cannot be looked at.
    pub fn is_held(path: &Path) -> bool {
        let looked = File::open(path).map(|file| file.try_lock_shared());
        matches!(looked, Ok(Err(TryLockError::WouldBlock)))
    }

    /// `None`: another process holds it.
    ///
    /// # Errors
    /// The file cannot be made or opened.
    pub fn try_acquire(path: &Path) -> Result<Option<Self>, FileError> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(path)
            .map_err(|e| FileError::new("opening the lock", path, e))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(e)) => Err(FileError::new("locking", path, e)),
        }
    }
}

/// Always the same name, so that what a killed run left behind is written over and not collected.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    path.with_file_name(name)
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// A rename lasts only once its folder is on disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    // A bare name's parent is empty: it stands in the working folder.
    let folder = path.parent().map_or(Path::new("/"), |parent| {
        if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        }
    });
    File::open(folder)?.sync_all()
}

fn make_writable(folder: &Path) -> io::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_writable(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_secret_is_never_readable_by_others_even_where_an_open_file_stood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key.pem");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        write_atomic(&path, b"new", 0o600).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_link_planted_at_the_aside_name_is_not_written_through() {
        let dir = tempfile::tempdir().unwrap();
        let victim = dir.path().join("victim");
        fs::write(&victim, "untouched").unwrap();
        let path = dir.path().join("file");
        symlink(&victim, beside(&path)).unwrap();
        write_atomic(&path, b"new", 0o644).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"untouched");
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    #[test]
    fn a_failed_write_names_the_file_and_leaves_nothing_aside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("taken");
        fs::create_dir(&path).unwrap();
        let error = write_atomic(&path, b"x", 0o600).unwrap_err().to_string();
        assert!(
            error.starts_with("writing ") && error.contains("taken"),
            "{error}"
        );
        assert!(!beside(&path).exists());
    }

    #[test]
    fn a_link_is_switched_over_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("current");
        symlink_atomic(Path::new("one"), &link).unwrap();
        symlink_atomic(Path::new("two"), &link).unwrap();
        assert_eq!(fs::read_link(&link).unwrap(), Path::new("two"));
    }

    #[test]
    fn one_holder_at_a_time_and_the_lock_goes_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("up.lock");
        let held = FileLock::try_acquire(&path).unwrap().unwrap();
        assert!(FileLock::try_acquire(&path).unwrap().is_none());
        drop(held);
        assert!(FileLock::try_acquire(&path).unwrap().is_some());
    }

    #[test]
    fn removing_a_folder_leaves_what_its_links_point_to() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        fs::create_dir_all(tree.join("sealed/inner")).unwrap();
        fs::write(&outside, "kept").unwrap();
        symlink(&outside, tree.join("sealed/link")).unwrap();
        fs::set_permissions(tree.join("sealed"), Permissions::from_mode(0o500)).unwrap();
        remove_dir(&tree).unwrap();
        remove_dir(&tree).unwrap();
        assert!(!tree.exists() && outside.exists());
    }

    #[test]
    fn free_space_is_told_of_folders_that_exist() {
        assert!(free_bytes(Path::new("/")).unwrap() > 0);
        assert_eq!(
            free_bytes(Path::new("/no/such/place")).unwrap_err().kind(),
            ErrorKind::NotFound
        );
    }
}
