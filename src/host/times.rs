//! Files' times, made to follow from their content: the same on every instance, and another one for
//! another content.
//!
//! nginx knows a file by its time and its size, and so does a browser that asks whether its copy is
//! still good. Tools for reproducible archives give every file one time, for ever: a changed file
//! of the same size would be taken for the one before.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::fcntl::OFlag;

use super::files::FileError;

/// The first moment that a zip can tell, where the times begin: 1980.
const EPOCH: u64 = 315_532_800;
/// Of seconds: 34 years, as RFC 9110 (8.8.2.1) allows no time in the future.
const SPAN: u32 = 1 << 30;
const BUFFER: usize = 64 << 10;

/// The time of a file with that checksum.
pub fn of_content(crc32: u32) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(EPOCH + u64::from(crc32 % SPAN))
}

/// Gives every file beneath a folder the time of its content. Follows no links.
///
/// # Errors
/// A file or folder cannot be read, or its time not be set.
pub fn settle(folder: &Path) -> Result<(), FileError> {
    let reading = |error| FileError::new("reading", folder, error);
    for entry in fs::read_dir(folder).map_err(reading)? {
        let entry = entry.map_err(reading)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(reading)?);
        if kind.is_dir() {
            settle(&path)?;
        } else if kind.is_file() {
            settle_file(&path)
                .map_err(|error| FileError::new("setting the time of", &path, error))?;
        }
    }
    Ok(())
}

fn settle_file(path: &Path) -> io::Result<()> {
    let mut file = File::options()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    // Under another name such a file may stand where its time must not change.
    let ours = |metadata: &Metadata| metadata.is_file() && metadata.nlink() == 1;
    if !ours(&file.metadata()?) {
        return Ok(());
    }
    let (mut hasher, mut buffer) = (crc32fast::Hasher::new(), vec![0; BUFFER]);
    loop {
        match file.read(&mut buffer)? {
            0 => return file.set_modified(of_content(hasher.finalize())),
            read => hasher.update(&buffer[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_files_time_is_its_contents_and_no_other_files_time_changes() {
        let folder = tempfile::tempdir().unwrap();
        let (served, outside) = (folder.path().join("served"), folder.path().join("outside"));
        fs::create_dir_all(served.join("sub")).unwrap();
        for (name, content) in [
            ("a", "one"),
            ("sub/b", "one"),
            ("sub/c", "two"),
            ("twin", "one"),
        ] {
            fs::write(served.join(name), content).unwrap();
        }
        fs::write(&outside, "one").unwrap();
        std::os::unix::fs::symlink(&outside, served.join("link")).unwrap();
        fs::hard_link(served.join("twin"), folder.path().join("twin")).unwrap();
        let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
        let before = time(&outside);
        settle(&served).unwrap();
        assert_eq!(
            [time(&served.join("a")), time(&served.join("sub/b"))],
            [of_content(0x7a6c_86f1); 2]
        );
        assert_ne!(time(&served.join("sub/c")), time(&served.join("a")));
        assert_eq!(time(&outside), before);
        assert_ne!(time(&folder.path().join("twin")), time(&served.join("a")));
    }

    #[test]
    fn no_time_is_in_the_future() {
        assert!(
            [0, 1, SPAN - 1, u32::MAX]
                .into_iter()
                .all(|crc32| of_content(crc32) < SystemTime::now())
        );
    }
}
