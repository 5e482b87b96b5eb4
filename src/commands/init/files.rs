//! Files that `init` makes: nothing of somebody else's is overwritten unasked.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::host::files;
use crate::output::out;

/// A file that `init` makes: its path, and the content that it is to have.
pub struct File {
    pub path: PathBuf,
    bytes: Vec<u8>,
}

/// What writing a file would do to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    New,
    Same,
    Differs,
}

impl File {
    pub fn new(path: PathBuf, bytes: Vec<u8>) -> Self {
        Self { path, bytes }
    }

    /// Compares the content with what stands at the path now.
    pub fn fate(&self) -> Fate {
        match std::fs::read(&self.path) {
            Ok(there) if there == self.bytes => Fate::Same,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Fate::New,
            // What cannot be read is there.
            Ok(_) | Err(_) => Fate::Differs,
        }
    }
}

/// What [`write()`] would do.
pub fn show(files: &[File], force: bool) {
    for file in files {
        let (path, size) = (file.path.display(), file.bytes.len());
        match file.fate() {
            Fate::New => out!("would write {path} ({size} bytes)"),
            Fate::Same => out!("would keep {path}, which is the same"),
            Fate::Differs if force => out!("would overwrite {path}, which differs ({size} bytes)"),
            Fate::Differs => out!("would stop: {path} is there and differs; --force overwrites it"),
        }
    }
}

/// Writes those that are not there yet, and with `force` those that differ; all or, where one is in
/// the way, none.
///
/// # Errors
/// Files that are there and differ, or that cannot be written.
pub fn write(files: &[File], force: bool) -> Result<()> {
    let in_the_way: Vec<String> = files
        .iter()
        .filter(|file| !force && file.fate() == Fate::Differs)
        .map(|file| file.path.display().to_string())
        .collect();
    if !in_the_way.is_empty() {
        bail!(
            "these files are there and differ: {}; --force overwrites them, --out names another folder",
            in_the_way.join(", ")
        );
    }
    for file in files.iter().filter(|file| file.fate() != Fate::Same) {
        let folder = file
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        folder
            .map_or(Ok(()), std::fs::create_dir_all)
            .with_context(|| format!("making the folder of {}", file.path.display()))?;
        files::write_atomic(&file.path, &file.bytes, 0o644)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_in_the_way_keeps_all_others_from_being_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| File::new(folder.path().join(name), text.into());
        std::fs::write(folder.path().join("b"), "theirs").unwrap();
        let files = [file("sub/a", "ours"), file("b", "ours")];
        let error = write(&files, false).unwrap_err().to_string();
        assert!(error.contains("/b; --force"), "{error}");
        assert!(!folder.path().join("sub").exists());
        write(&files, true).unwrap();
        assert!(files.iter().all(|file| file.fate() == Fate::Same));
        write(&files, false).expect("what is the same is in nobody's way");
    }
}
