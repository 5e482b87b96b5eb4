//! Writes the objects into a folder, with `DIR.meta.json` beside it: what a file's name cannot say
//! (its key, type and redirect) stands there.

mod names;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::objects::{ERROR, Headers, INDEX, Objects};
use names::{PART, names};

/// What stands in `DIR.meta.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    pub objects: BTreeMap<String, MetaObject>,
    /// The key that a folder is answered with, in that folder.
    pub index: String,
    /// The key that a missing one is answered with.
    pub error: String,
}

/// An object of the folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MetaObject {
    /// Its path in the folder.
    pub file: String,
    #[serde(flatten)]
    pub headers: Headers,
}

/// Writes the objects into the folder `out`. Files that are right already are not touched, and files
/// of a former copy that are no longer part of it are removed. The description is written last; what
/// a killed run left is known from the one that it began with, and the next run tidies it.
pub fn write(objects: &Objects, out: &Path) -> Result<()> {
    let place = Place::of(out)?;
    let meta = describe(objects);
    let former = place.former_files()?;
    let json = serde_json::to_vec_pretty(&meta).context("describing the objects")?;
    if former.unfinished || !place.has_meta(&json) {
        write_new(&place.begun, &json)?;
    }
    fs::create_dir_all(&place.folder)
        .with_context(|| format!("making the folder {}", place.folder.display()))?;
    let wanted: BTreeSet<&str> = meta.objects.values().map(|object| &*object.file).collect();
    for file in &former.files {
        if !wanted.contains(file.as_str()) {
            place.remove(file)?;
        }
    }
    let mut written = BTreeSet::new();
    for (key, object) in &objects.by_key {
        if let Some(of) = meta.objects.get(key)
            && written.insert(&of.file)
        {
            place.write(&of.file, &object.file)?;
        }
    }
    place.finish(&json)
}

/// Says what stands in `DIR.meta.json`.
fn describe(objects: &Objects) -> Meta {
    let names = names(objects);
    let object = |(key, file): (&str, String)| {
        let headers = objects.by_key.get(key)?.headers.clone();
        Some((key.to_owned(), MetaObject { file, headers }))
    };
    Meta {
        objects: names.into_iter().filter_map(object).collect(),
        index: INDEX.to_owned(),
        error: ERROR.to_owned(),
    }
}

/// A folder, and the files beside it.
struct Place {
    folder: PathBuf,
    meta: PathBuf,
    /// The description of a run that is under way.
    begun: PathBuf,
}

/// What earlier runs wrote.
struct Former {
    files: BTreeSet<String>,
    /// A run was killed.
    unfinished: bool,
}

impl Place {
    fn of(out: &Path) -> Result<Self> {
        let folder =
            std::path::absolute(out).with_context(|| format!("finding {}", out.display()))?;
        let name = folder
            .file_name()
            .with_context(|| format!("{} is no name for a folder", out.display()))?;
        let beside = |ending: &str| {
            let mut name = name.to_owned();
            name.push(ending);
            folder.with_file_name(name)
        };
        Ok(Self {
            meta: beside(".meta.json"),
            begun: beside(".meta.json.part"),
            folder,
        })
    }

    /// Refuses a folder with files of somebody else, as this one's files may be removed.
    fn former_files(&self) -> Result<Former> {
        let metas = [read_files(&self.meta)?, read_files(&self.begun)?];
        let unfinished = metas[1].is_some();
        let is_ours = metas.iter().any(Option::is_some);
        let is_empty = fs::read_dir(&self.folder).map_or(true, |mut files| files.next().is_none());
        ensure!(
            is_ours || is_empty,
            "writing into {}: it has files already, and no {} says that they are a mirror's",
            self.folder.display(),
            self.meta.display()
        );
        let objects = metas.into_iter().flatten().flat_map(|meta| meta.objects);
        let files = objects.map(|(_, WrittenFile { file })| file);
        Ok(Former {
            files: files.filter(|file| names::stays_inside(file)).collect(),
            unfinished,
        })
    }

    fn has_meta(&self, json: &[u8]) -> bool {
        fs::read(&self.meta).is_ok_and(|there| there == json)
    }

    fn write(&self, file: &str, from: &Path) -> Result<()> {
        let to = self.folder.join(file);
        let writing = || format!("writing {}", to.display());
        if is_same(from, &to).with_context(writing)? {
            return Ok(());
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent).with_context(writing)?;
        }
        let part = self.folder.join(PART);
        let copy = || -> io::Result<()> {
            io::copy(&mut File::open(from)?, &mut File::create(&part)?)?;
            fs::rename(&part, &to)
        };
        copy().with_context(writing)
    }

    /// Removes a file, and the folders that are empty then.
    fn remove(&self, file: &str) -> Result<()> {
        let path = self.folder.join(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", path.display()));
            }
            _ => {}
        }
        let folders = path.ancestors().skip(1);
        for folder in folders.take_while(|folder| *folder != self.folder) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
        Ok(())
    }

    fn finish(&self, json: &[u8]) -> Result<()> {
        remove_if_there(&self.folder.join(PART))?;
        if !self.has_meta(json) {
            fs::rename(&self.begun, &self.meta)
                .with_context(|| format!("writing {}", self.meta.display()))?;
        }
        remove_if_there(&self.begun)
    }
}

/// Of a [`Meta`], the files only: a large copy's headers need not lie in memory twice.
#[derive(Deserialize)]
struct WrittenFiles {
    objects: BTreeMap<String, WrittenFile>,
}

#[derive(Deserialize)]
struct WrittenFile {
    file: String,
}

fn read_files(path: &Path) -> Result<Option<WrittenFiles>> {
    match fs::read(path) {
        Ok(json) => Ok(serde_json::from_slice(&json).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
    }
}

/// Writes a file aside and moves it to its place.
fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    let folder = path.parent().with_context(writing)?;
    fs::create_dir_all(folder).with_context(writing)?;
    let mut aside = path.to_owned();
    aside.as_mut_os_string().push(".new");
    fs::write(&aside, bytes).with_context(writing)?;
    fs::rename(&aside, path).with_context(writing)
}

fn remove_if_there(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", path.display()))
        }
        _ => Ok(()),
    }
}

/// Whether both files hold the same bytes.
fn is_same(one: &Path, other: &Path) -> io::Result<bool> {
    let there = match fs::symlink_metadata(other) {
        Ok(there) if there.is_file() => there,
        Ok(there) if there.is_dir() => {
            return fs::remove_dir_all(other).map(|()| false);
        }
        Ok(_) => return Ok(false),
        Err(_) => return Ok(false),
    };
    if there.len() != fs::metadata(one)?.len() {
        return Ok(false);
    }
    let (mut one, mut other) = (open(one)?, open(other)?);
    let (mut a, mut b) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        let read = one.read(&mut a)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut b[..read])?;
        if a[..read] != b[..read] {
            return Ok(false);
        }
    }
}

fn open(path: &Path) -> io::Result<BufReader<File>> {
    File::open(path).map(BufReader::new)
}

#[cfg(test)]
mod tests;
