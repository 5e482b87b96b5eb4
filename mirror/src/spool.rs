//! Bodies on disk, by their hash. What the bodies mean stands in the crawl's index, whose file lies
//! beside them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use std::{fs, io};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

use crate::fetch::Body;

/// How long a body that is being written may lie aside. An older one belongs to a killed process.
const LONGEST_WRITE: Duration = Duration::from_secs(60 * 60);

/// A body that a spool holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BodyId {
    /// In hexadecimal.
    pub sha256: String,
    pub size: u64,
}

/// A folder of bodies, each under its SHA-256. A body is written aside and then moved to its place,
/// so that a killed process leaves no torn one.
#[derive(Debug, Clone)]
pub struct Spool {
    pub folder: PathBuf,
}

impl BodyId {
    /// The id of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self {
            sha256: hex::encode(Sha256::digest(bytes)),
            size: bytes.len() as u64,
        }
    }
}

impl Spool {
    /// Opens the spool at `folder`, which is made where it is missing.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self> {
        let spool = Self {
            folder: folder.into(),
        };
        for folder in [spool.bodies(), spool.aside()] {
            fs::create_dir_all(&folder)
                .with_context(|| format!("making the folder {}", folder.display()))?;
        }
        Ok(spool)
    }

    /// Keeps `bytes`.
    pub fn put(&self, bytes: &[u8]) -> Result<BodyId> {
        let id = BodyId::of(bytes);
        if !self.has(&id) {
            let written = NamedTempFile::new_in(self.aside()).and_then(|mut file| {
                io::Write::write_all(&mut file, bytes)?;
                Ok(file)
            });
            self.place(written.with_context(|| self.writing(&id))?, &id)?;
        }
        Ok(id)
    }

    /// Keeps the body of an answer. One that lies in a file of [`Spool::aside`] is moved.
    pub fn keep(&self, body: Body) -> Result<BodyId> {
        let id = body.id().clone();
        match body.into_file() {
            Ok(file) if !self.has(&id) && file.path().starts_with(self.aside()) => {
                self.place(file, &id)?;
            }
            Ok(file) => {
                if !self.has(&id) {
                    let copy = NamedTempFile::new_in(self.aside())?;
                    fs::copy(file.path(), copy.path()).with_context(|| self.writing(&id))?;
                    self.place(copy, &id)?;
                }
            }
            Err(bytes) => {
                self.put(&bytes)?;
            }
        }
        Ok(id)
    }

    /// The bytes of a body, which are as many as its id says.
    pub fn read(&self, id: &BodyId) -> Result<Vec<u8>> {
        let path = self.path(id);
        let bytes = fs::read(&path).with_context(|| format!("reading {}", path.display()))?;
        ensure!(
            bytes.len() as u64 == id.size,
            "reading {}: it is torn",
            path.display()
        );
        Ok(bytes)
    }

    /// The file of a body.
    pub fn path(&self, id: &BodyId) -> PathBuf {
        self.bodies().join(&id.sha256)
    }

    /// Whether the body is there, and whole.
    pub fn has(&self, id: &BodyId) -> bool {
        fs::metadata(self.path(id)).is_ok_and(|file| file.len() == id.size)
    }

    /// Where bodies are written before they are moved to their places.
    pub fn aside(&self) -> PathBuf {
        self.folder.join("aside")
    }

    /// The file of the index that belongs to the bodies.
    pub fn index(&self) -> PathBuf {
        self.folder.join("index.json")
    }

    /// Removes the bodies that are not in `kept`, and what killed processes left.
    pub fn sweep(&self, kept: &HashSet<&BodyId>) -> Result<()> {
        let names: HashSet<&str> = kept.iter().map(|id| id.sha256.as_str()).collect();
        remove_files(&self.bodies(), |file| {
            !names.contains(&*file.file_name().to_string_lossy())
        })?;
        let torn = |file: &fs::DirEntry| {
            let written = file.metadata().and_then(|metadata| metadata.modified());
            written.is_ok_and(|at| {
                SystemTime::now()
                    .duration_since(at)
                    .is_ok_and(|age| age > LONGEST_WRITE)
            })
        };
        remove_files(&self.aside(), torn)
    }

    fn place(&self, file: NamedTempFile, id: &BodyId) -> Result<()> {
        file.persist(self.path(id))
            .map_err(|error| error.error)
            .with_context(|| self.writing(id))?;
        Ok(())
    }

    fn writing(&self, id: &BodyId) -> String {
        format!("writing {}", self.path(id).display())
    }

    fn bodies(&self) -> PathBuf {
        self.folder.join("bodies")
    }
}

fn remove_files(folder: &Path, which: impl Fn(&fs::DirEntry) -> bool) -> Result<()> {
    let sweep = || -> io::Result<()> {
        for file in fs::read_dir(folder)? {
            let file = file?;
            if which(&file) {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    };
    sweep().with_context(|| format!("sweeping {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spool() -> (tempfile::TempDir, Spool) {
        let folder = tempfile::tempdir().unwrap();
        let spool = Spool::open(folder.path().join("spool")).unwrap();
        (folder, spool)
    }

    #[test]
    fn a_body_is_kept_once_under_its_hash() {
        let (_folder, spool) = spool();
        let id = spool.put(b"page").unwrap();
        assert_eq!(id, spool.put(b"page").unwrap());
        assert_eq!(spool.read(&id).unwrap(), b"page");
        assert_eq!(fs::read_dir(spool.bodies()).unwrap().count(), 1);
        assert_eq!(fs::read_dir(spool.aside()).unwrap().count(), 0);
    }

    #[test]
    fn a_torn_body_is_not_there_and_is_written_again() {
        let (_folder, spool) = spool();
        let id = spool.put(b"a whole page").unwrap();
        fs::write(spool.path(&id), b"a who").unwrap();
        assert!(!spool.has(&id));
        assert!(spool.read(&id).is_err());
        spool.put(b"a whole page").unwrap();
        assert_eq!(spool.read(&id).unwrap(), b"a whole page");
    }

    #[test]
    fn a_sweep_leaves_what_is_kept() {
        let (_folder, spool) = spool();
        let (kept, gone) = (spool.put(b"kept").unwrap(), spool.put(b"gone").unwrap());
        let (fresh, torn) = (spool.aside().join("fresh"), spool.aside().join("torn"));
        fs::write(&fresh, b"").unwrap();
        fs::write(&torn, b"").unwrap();
        let old = SystemTime::now() - 2 * LONGEST_WRITE;
        fs::File::options()
            .write(true)
            .open(&torn)
            .unwrap()
            .set_modified(old)
            .unwrap();
        spool.sweep(&HashSet::from([&kept])).unwrap();
        assert!(spool.has(&kept) && !spool.has(&gone));
        assert!(fresh.exists() && !torn.exists());
    }
}
