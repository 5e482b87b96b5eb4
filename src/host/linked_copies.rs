//! Folders of links to one store, in which a content stands once, under its hash: a new copy is made
//! whole beside the former one, and takes its place in one step. A process may be killed at any
//! instant (invariant I8 of docs/ARCHITECTURE.md); what it left half made is cleared away by the
//! next copy. What the contents are, and whether they are right, is the caller's business.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use super::files::{self, FileError};

/// Whoever may enter the outer folder may read.
const FOLDER_MODE: u32 = 0o755;
const FILE_MODE: u32 = 0o644;
/// A content that is on its way here.
const PART: &str = "part";

/// The copies of one kind.
#[derive(Debug, Clone)]
pub struct LinkedCopies {
    folder: PathBuf,
}

impl LinkedCopies {
    /// The folder has to be there before a copy is made.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The link to the copy that is whole; it need not be there. The name of the folder to which it
    /// leads is the copy's, perhaps with an `_` and more behind it.
    pub fn current(&self) -> PathBuf {
        self.folder.join("current")
    }

    /// What the caller noted of that copy.
    pub fn note(&self) -> Option<String> {
        let copy = fs::read_link(self.current()).ok()?;
        let name = copy.file_name()?.to_str()?;
        self.current().is_dir().then_some(())?;
        fs::read_to_string(self.note_of(name)).ok()
    }

    /// Whether the store has a content of that hash and size.
    pub fn has(&self, hash: &str, size: u64) -> bool {
        fs::symlink_metadata(self.content(hash))
            .is_ok_and(|metadata| metadata.is_file() && metadata.len() == size)
    }

    /// Where a content is to be written before [`Self::keep`] takes it.
    ///
    /// # Errors
    /// The store cannot be made.
    pub fn part(&self, hash: &str) -> Result<PathBuf, FileError> {
        files::create_dir(&self.contents(), FOLDER_MODE, None)?;
        Ok(self.content(hash).with_extension(PART))
    }

    /// Takes what was written into the store.
    ///
    /// # Errors
    /// It is not there, or not ours.
    pub fn keep(&self, hash: &str) -> Result<(), FileError> {
        let (part, content) = (self.content(hash).with_extension(PART), self.content(hash));
        fs::set_permissions(&part, Permissions::from_mode(FILE_MODE))
            .and_then(|()| fs::rename(&part, &content))
            .map_err(|error| FileError::new("keeping", &content, error))
    }

    /// Makes the copy `name`, whose `files` (paths below it) hold the contents of these hashes, or
    /// nothing; has the link lead there once all of it is on the disk; and removes what no copy
    /// needs any more. Slow.
    ///
    /// # Errors
    /// A content is missing, a path leads out of the copy, the disk is full. The former copy stays.
    pub fn replace(
        &self,
        name: &str,
        files: &BTreeMap<String, Option<String>>,
        note: &str,
    ) -> Result<(), FileError> {
        let name = &self.unused(name);
        let aside = self.copies().join(".new");
        files::create_dir(&self.copies(), FOLDER_MODE, None)?;
        files::remove_dir(&aside)?;
        make_folder(&aside)?;
        self.link_all(&aside, files)?;
        let syncing = |error| FileError::new("syncing", &aside, error);
        let handle = File::open(&aside).map_err(syncing)?;
        nix::unistd::syncfs(handle).map_err(|errno| syncing(errno.into()))?;
        let copy = self.copies().join(name);
        // There only where a run was killed before the link led to it.
        files::remove_dir(&copy)?;
        fs::rename(&aside, &copy).map_err(|error| FileError::new("naming", &copy, error))?;
        files::write_atomic(&self.note_of(name), note.as_bytes(), 0o600)?;
        files::symlink_atomic(&Path::new("copies").join(name), &self.current())?;
        self.sweep(name)
    }

    fn link_all(
        &self,
        copy: &Path,
        files: &BTreeMap<String, Option<String>>,
    ) -> Result<(), FileError> {
        let mut made = BTreeSet::from([copy.to_owned()]);
        for (path, hash) in files {
            let inside = Path::new(path);
            let file = copy.join(inside);
            let linking = |error| FileError::new("linking", &file, error);
            if !inside
                .components()
                .all(|part| matches!(part, Component::Normal(_)))
            {
                return Err(linking(ErrorKind::InvalidInput.into()));
            }
            for folder in folders(copy, inside) {
                if made.insert(folder.clone()) {
                    make_folder(&folder)?;
                }
            }
            match hash {
                Some(hash) => fs::hard_link(self.content(hash), &file).map_err(linking)?,
                None => File::create_new(&file)
                    .and_then(|file| file.set_permissions(Permissions::from_mode(FILE_MODE)))
                    .map_err(linking)?,
            }
        }
        Ok(())
    }

    fn sweep(&self, name: &str) -> Result<(), FileError> {
        let note = self.note_of(name);
        for entry in entries(&self.copies())? {
            let stays = entry.file_name() == Some(name.as_ref()) || entry == note;
            if !stays {
                remove(&entry)?;
            }
        }
        for content in entries(&self.contents())? {
            let reading = |error| FileError::new("reading", &content, error);
            let unused = fs::symlink_metadata(&content).map_err(reading)?.nlink() == 1;
            if unused {
                remove(&content)?;
            }
        }
        Ok(())
    }

    /// A name for the folder of a new copy: never that of the folder to which the link leads, which
    /// would have to be removed while it is still in use.
    fn unused(&self, name: &str) -> String {
        let current = fs::read_link(self.current()).ok();
        if current.is_some_and(|copy| copy.file_name() == Some(name.as_ref())) {
            format!("{name}_2")
        } else {
            name.to_owned()
        }
    }

    fn copies(&self) -> PathBuf {
        self.folder.join("copies")
    }

    fn note_of(&self, name: &str) -> PathBuf {
        self.copies().join(format!("{name}.note"))
    }

    fn contents(&self) -> PathBuf {
        self.folder.join("contents")
    }

    fn content(&self, hash: &str) -> PathBuf {
        self.contents().join(hash)
    }
}

/// The folders on the way to a file, the outermost first.
fn folders(copy: &Path, file: &Path) -> Vec<PathBuf> {
    let mut above: Vec<PathBuf> = file
        .ancestors()
        .skip(1)
        .filter(|folder| !folder.as_os_str().is_empty())
        .map(|folder| copy.join(folder))
        .collect();
    above.reverse();
    above
}

fn make_folder(path: &Path) -> Result<(), FileError> {
    fs::create_dir(path)
        .and_then(|()| fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE)))
        .map_err(|error| FileError::new("making the folder", path, error))
}

/// None where there is no such folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, FileError> {
    let reading = |error| FileError::new("reading", folder, error);
    match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        found => found
            .map_err(reading)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<io::Result<_>>()
            .map_err(reading),
    }
}

fn remove(path: &Path) -> Result<(), FileError> {
    if path.is_dir() && !path.is_symlink() {
        return files::remove_dir(path);
    }
    fs::remove_file(path).map_err(|error| FileError::new("removing", path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies() -> (tempfile::TempDir, LinkedCopies) {
        let folder = tempfile::tempdir().unwrap();
        let copies = LinkedCopies::new(folder.path().to_owned());
        (folder, copies)
    }

    fn store(copies: &LinkedCopies, hash: &str, content: &str) {
        fs::write(copies.part(hash).unwrap(), content).unwrap();
        copies.keep(hash).unwrap();
    }

    fn files(list: &[(&str, Option<&str>)]) -> BTreeMap<String, Option<String>> {
        let owned =
            |(path, hash): &(&str, Option<&str>)| (path.to_string(), hash.map(str::to_owned));
        list.iter().map(owned).collect()
    }

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<String> = entries(folder)
            .unwrap()
            .iter()
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_copy_takes_the_place_of_the_one_before_with_all_that_it_needs_and_no_more() {
        let (folder, copies) = copies();
        assert_eq!(copies.note(), None);
        store(&copies, "aa", "front");
        store(&copies, "bb", "old");
        copies
            .replace(
                "one",
                &files(&[("=d.t0", Some("aa")), ("x/y/z.t0", Some("bb"))]),
                "first",
            )
            .unwrap();
        assert_eq!(copies.note().as_deref(), Some("first"));
        store(&copies, "cc", "new");
        let second = files(&[
            ("=d.t0", Some("aa")),
            ("x/q.t0", Some("cc")),
            ("gone", None),
        ]);
        copies.replace("two", &second, "second").unwrap();
        let read = |path: &str| fs::read_to_string(copies.current().join(path)).ok();
        assert_eq!(read("=d.t0").as_deref(), Some("front"));
        assert_eq!(read("x/q.t0").as_deref(), Some("new"));
        assert_eq!(
            (read("gone").as_deref(), read("x/y/z.t0")),
            (Some(""), None)
        );
        assert_eq!(copies.note().as_deref(), Some("second"));
        assert_eq!(names(&folder.path().join("copies")), ["two", "two.note"]);
        assert_eq!(names(&folder.path().join("contents")), ["aa", "cc"]);
    }

    #[test]
    fn a_copy_of_the_same_name_never_takes_the_folder_to_which_the_link_leads() {
        let (folder, copies) = copies();
        store(&copies, "aa", "front");
        let leads = || fs::read_link(copies.current()).unwrap();
        for (file, note, folder_name) in [
            ("a", "first", "one"),
            ("b", "second", "one_2"),
            ("c", "third", "one"),
        ] {
            copies
                .replace("one", &files(&[(file, Some("aa"))]), note)
                .unwrap();
            assert_eq!(leads(), Path::new("copies").join(folder_name));
            assert_eq!(names(&copies.current()), [file]);
            assert_eq!(copies.note().as_deref(), Some(note));
            assert_eq!(
                names(&folder.path().join("copies")),
                [folder_name.to_owned(), format!("{folder_name}.note")]
            );
        }
    }

    #[test]
    fn a_copy_that_cannot_be_made_leaves_the_former_one_and_the_next_one_comes() {
        let (folder, copies) = copies();
        store(&copies, "aa", "front");
        copies
            .replace("one", &files(&[("=d.t0", Some("aa"))]), "first")
            .unwrap();
        let outside = folder.path().join("out");
        for path in ["../../out", "/out", "a/../../../out"] {
            let bad = files(&[("0", Some("aa")), (path, Some("aa"))]);
            assert!(copies.replace("two", &bad, "x").is_err(), "{path}");
            assert!(!outside.exists(), "{path}");
        }
        let absent = files(&[("=d.t0", Some("aa")), ("x", Some("dd"))]);
        assert!(copies.replace("two", &absent, "second").is_err());
        assert_eq!(copies.note().as_deref(), Some("first"));
        fs::write(copies.part("ee").unwrap(), "half of it").unwrap();
        assert!(
            !copies.has("ee", 10),
            "what is on its way counts for nothing"
        );
        copies
            .replace("one", &files(&[("a", Some("aa"))]), "again")
            .unwrap();
        assert_eq!(copies.note().as_deref(), Some("again"));
        assert_eq!(names(&copies.current()), ["a"]);
        assert_eq!(
            names(&folder.path().join("contents")),
            ["aa"],
            "the half one is gone"
        );
    }
}
