//! A log file that is written on and on: it is set aside by a rename, and the writer opens it anew.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::host::files::FileError;

/// A log under the name that its writer knows.
#[derive(Debug, Clone)]
pub struct Rotated {
    live: PathBuf,
}

impl Rotated {
    /// `live` is the path that the writer opens; nothing need stand there yet.
    pub fn new(live: PathBuf) -> Self {
        Self { live }
    }

    /// Where it stands once it is set aside; one at a time.
    pub fn aside(&self) -> PathBuf {
        let mut name = self.live.clone().into_os_string();
        name.push(".1");
        name.into()
    }

    /// Whether a log is set aside, of a run that was killed it may be.
    pub fn is_aside(&self) -> bool {
        self.aside().exists()
    }

    /// In bytes; 0 where there is none.
    pub fn size(&self) -> u64 {
        fs::metadata(&self.live).map_or(0, |meta| meta.len())
    }

    /// Also an empty one: its writer may have lines in memory, which it writes out when it opens
    /// the log anew. False: one is aside already, or there is none.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn set_aside(&self) -> Result<bool, FileError> {
        if !self.live.exists() || self.is_aside() {
            return Ok(false);
        }
        fs::rename(&self.live, self.aside())
            .map_err(|e| FileError::new("setting aside", &self.live, e))?;
        Ok(true)
    }

    /// Gives up what was written, for a disk that must not fill; whoever writes at the end of a
    /// file goes on at its start.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn empty(&self) -> Result<(), FileError> {
        let file = fs::OpenOptions::new().write(true).open(&self.live);
        match file.and_then(|file| file.set_len(0)) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(FileError::new("emptying", &self.live, e))
            }
            _ => Ok(()),
        }
    }
}

/// Whether one of these processes has the file open. One that is gone, or not ours to look at, has
/// nothing.
pub fn is_open(path: &Path, processes: &[u32]) -> bool {
    let holds = |pid: &u32| {
        let files = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        files
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target == path)
    };
    processes.iter().any(holds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_aside_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = Rotated::new(path.clone());
        assert!(!log.set_aside().unwrap());
        fs::write(&path, "one").unwrap();
        assert!(log.set_aside().unwrap() && log.is_aside() && log.size() == 0);
        fs::write(&path, "two").unwrap();
        assert!(!log.set_aside().unwrap());
        assert_eq!(fs::read_to_string(log.aside()).unwrap(), "one");
        log.empty().unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "");
    }

    #[test]
    fn who_holds_a_file_is_known_after_its_rename() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("access.log");
        let log = Rotated::new(path.clone());
        fs::write(&path, "one").unwrap();
        let (held, me) = (fs::File::open(&path).unwrap(), [std::process::id()]);
        assert!(log.set_aside().unwrap() && is_open(&log.aside(), &me));
        drop(held);
        assert!(!is_open(&log.aside(), &me));
    }
}
