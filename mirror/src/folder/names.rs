//! The names of files. A file is named as its key, where a file system can hold that, so that a
//! person finds it; else by a hash.

use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

use crate::objects::{INDEX, Objects};
use crate::render::keys::extension_of;

/// The file that is being written.
pub(super) const PART: &str = ".spotboot-part";
/// Where the files stand whose keys are no names.
const BY_HASH: &str = "_";
/// The longest name that file systems hold, in bytes (Linux's NAME_MAX).
const LONGEST_NAME: usize = 255;

/// The file of each key.
pub(super) fn names(objects: &Objects) -> BTreeMap<&str, String> {
    let mut taken = Taken::default();
    for key in objects.by_key.keys().filter(|key| is_path(key)) {
        taken.add_folders(key);
    }
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    for key in objects.by_key.keys() {
        let name = match is_path(key) && taken.take(key) {
            true => key.clone(),
            false => by_hash(objects, key),
        };
        names.insert(key, name);
    }
    share_folders(objects, &mut names);
    names
}

/// Whether a path of a description leads into the folder, and only there.
pub(super) fn stays_inside(file: &str) -> bool {
    file.split('/').all(is_name)
}

/// `x/` and `x/index.html` are the same page for S3's two interfaces: one file is enough.
fn share_folders<'o>(objects: &'o Objects, names: &mut BTreeMap<&'o str, String>) {
    for (key, object) in objects.by_key.iter().filter(|(key, _)| key.ends_with('/')) {
        let index = format!("{key}{INDEX}");
        let other = objects.by_key.get(&index);
        if other.is_some_and(|other| other.sha256 == object.sha256)
            && let Some(name) = names.get(index.as_str()).cloned()
        {
            names.insert(key, name);
        }
    }
}

fn is_path(key: &str) -> bool {
    let first = key.split('/').next().unwrap_or_default();
    first != BY_HASH && key != PART && stays_inside(key)
}

fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= LONGEST_NAME && !name.contains(['\0', '\\'])
}

fn by_hash(objects: &Objects, key: &str) -> String {
    let mut hash = hex::encode(Sha256::digest(key));
    hash.truncate(32);
    let object = objects.by_key.get(key);
    let is_html = object.is_some_and(|object| object.headers.content_type.starts_with("text/html"));
    let extension = match extension_of(key) {
        none if none.is_empty() && is_html => ".html".to_owned(),
        some => some,
    };
    format!("{BY_HASH}/{hash}{extension}")
}

/// Names that are taken. Some file systems do not tell upper from lower case, nor the forms of
/// Unicode: names that differ in no more are one.
#[derive(Default)]
struct Taken {
    files: HashSet<String>,
    /// The spelling of each folder: a second one would be another folder, or the same.
    folders: HashMap<String, String>,
}

impl Taken {
    fn add_folders(&mut self, key: &str) {
        for (slash, _) in key.match_indices('/') {
            let folder = &key[..slash];
            let spelling = self.folders.entry(folded(folder));
            spelling.or_insert_with(|| folder.to_owned());
        }
    }

    fn take(&mut self, key: &str) -> bool {
        let folders_fit = key.match_indices('/').all(|(slash, _)| {
            let folder = &key[..slash];
            self.folders
                .get(&folded(folder))
                .is_some_and(|spelling| spelling == folder)
        });
        let name = folded(key);
        folders_fit && !self.folders.contains_key(&name) && self.files.insert(name)
    }
}

fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}
