//! The pieces that wait, as files, in the order of their names.

use std::fs;
use std::path::{Path, PathBuf};

use crate::host::files::{self, FileError};

/// What a finished piece's name ends in.
const FINISHED: &str = ".zst";

/// A folder that only its owner can look into.
#[derive(Debug, Clone)]
pub struct Outbox {
    folder: PathBuf,
}

/// A finished piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub name: String,
    pub size: u64,
}

impl Outbox {
    /// Makes its folder.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn open(folder: PathBuf) -> Result<Self, FileError> {
        files::create_dir(&folder, 0o700, None)?;
        Ok(Self { folder })
    }

    /// Where something stands under a name, be it finished or not.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The finished pieces, by name.
    ///
    /// # Errors
    /// The folder is gone.
    pub fn waiting(&self) -> Result<Vec<Waiting>, FileError> {
        let listing = |e| FileError::new("listing", &self.folder, e);
        let mut waiting = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(listing)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(FINISHED) && !name.starts_with('.') {
                waiting.push(Waiting {
                    name,
                    size: entry.metadata().map_or(0, |meta| meta.len()),
                });
            }
        }
        waiting.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(waiting)
    }

    /// # Errors
    /// It is not there, or cannot be read.
    pub fn read(&self, piece: &Waiting) -> Result<Vec<u8>, FileError> {
        let path = self.path(&piece.name);
        fs::read(&path).map_err(|e| FileError::new("reading", &path, e))
    }

    /// Finishes what stands at `part` as a piece of this name.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn finish(&self, part: &Path, name: &str) -> Result<(), FileError> {
        fs::rename(part, self.path(name)).map_err(|e| FileError::new("finishing", part, e))
    }

    /// For a piece that somebody has taken.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn remove(&self, name: &str) -> Result<(), FileError> {
        let path = self.path(name);
        fs::remove_file(&path).map_err(|e| FileError::new("removing", &path, e))
    }

    /// Removes the oldest pieces until no more than `most` bytes wait; how many went.
    ///
    /// # Errors
    /// Those of the disk.
    pub fn keep_within(&self, most: u64) -> Result<usize, FileError> {
        let waiting = self.waiting()?;
        let excess = too_many(&waiting, most);
        for piece in &waiting[..excess] {
            self.remove(&piece.name)?;
        }
        Ok(excess)
    }
}

/// How many of the first have to go for the others to fit.
fn too_many(waiting: &[Waiting], most: u64) -> usize {
    let mut left: u64 = waiting.iter().map(|piece| piece.size).sum();
    let mut gone = 0;
    while left > most {
        left -= waiting[gone].size;
        gone += 1;
    }
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_and_only_as_many_as_must() {
        let pieces: Vec<Waiting> = ["1", "2", "3"]
            .map(|name| Waiting {
                name: name.into(),
                size: 10,
            })
            .into();
        assert_eq!(
            [30, 29, 20, 19, 0].map(|most| too_many(&pieces, most)),
            [0, 1, 1, 2, 3]
        );
        assert_eq!(too_many(&[], 0), 0);
    }

    #[test]
    fn unfinished_pieces_do_not_wait() {
        let dir = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(dir.path().join("outbox")).unwrap();
        for name in ["2.zst", "1.zst", ".part", ".ready-3.zst"] {
            fs::write(outbox.path(name), "12345").unwrap();
        }
        let names: Vec<String> = outbox
            .waiting()
            .unwrap()
            .into_iter()
            .map(|piece| piece.name)
            .collect();
        assert_eq!(names, ["1.zst", "2.zst"]);
        assert_eq!(outbox.keep_within(5).unwrap(), 1);
        assert!(!outbox.path("1.zst").exists() && outbox.path(".part").exists());
    }
}
