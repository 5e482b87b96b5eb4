//! The bodies that a rendering wrote, by their hash: a body that is there already is not written
//! again.

use std::collections::HashSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;

/// A body on disk.
#[derive(Debug, Clone)]
pub struct Stored {
    pub file: PathBuf,
    /// In hexadecimal.
    pub sha256: String,
    pub size: u64,
}

/// The path without the room that joining left behind it: it is kept for each object.
pub fn slim(path: PathBuf) -> PathBuf {
    path.into_boxed_path().into_path_buf()
}

/// A folder of bodies.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    used: HashSet<String>,
}

impl Store {
    /// Opens the store at `folder`, which is made where it is missing.
    pub fn open(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("making the folder {}", folder.display()))?;
        Ok(Self {
            folder: folder.to_owned(),
            used: HashSet::new(),
        })
    }

    /// Keeps a body. It is written aside and then moved, so that a killed process leaves no torn one.
    pub fn put(&mut self, body: &[u8]) -> Result<Stored> {
        let sha256 = hex::encode(Sha256::digest(body));
        let file = self.folder.join(&sha256);
        let size = body.len() as u64;
        if !fs::metadata(&file).is_ok_and(|there| there.len() == size) {
            self.write(body, &file)
                .with_context(|| format!("writing {}", file.display()))?;
        }
        self.used.insert(sha256.clone());
        Ok(Stored {
            file: slim(file),
            sha256,
            size,
        })
    }

    /// Removes what earlier renderings wrote and this one did not.
    pub fn sweep(self) -> Result<()> {
        let sweep = || -> std::io::Result<()> {
            for file in fs::read_dir(&self.folder)? {
                let file = file?;
                let name = file.file_name();
                if !name.to_str().is_some_and(|name| self.used.contains(name)) {
                    fs::remove_file(file.path())?;
                }
            }
            Ok(())
        };
        sweep().with_context(|| format!("sweeping {}", self.folder.display()))
    }

    fn write(&self, body: &[u8], file: &Path) -> std::io::Result<()> {
        let mut aside = NamedTempFile::new_in(&self.folder)?;
        aside.write_all(body)?;
        aside.persist(file)?;
        Ok(())
    }
}
