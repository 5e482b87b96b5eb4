//! What the package says it needs: which file, and a digest of all that decides what gets
//! installed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};

use super::project::{Local, locked_folders, project_dependencies};
use super::requirements::{self, LineEntry, RequirementPlace, is_remote, without_passwords};

const LARGEST: u64 = 8 << 20;
const MOST_FILES: usize = 50;

/// Where the list of dependencies is taken from, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LockSource {
    /// requirements.txt and what it includes.
    Requirements,
    /// uv.lock with its pyproject.toml: needs uv.
    UvLock,
    /// pylock.toml (PEP 751): needs uv.
    PyLock,
    /// pyproject.toml's `[project] dependencies`, unlocked.
    Project(Vec<String>),
    /// No list: the web server for Python alone.
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) source: LockSource,
    /// Of every file's name and content, and of what else steers the installers.
    pub(super) digest: [u8; 32],
    /// The next release may have something else under the same digest, so that what is installed
    /// fits this release only.
    pub(super) tied: bool,
    pub(super) local: Local,
}

/// What steers the installers beside the package: the machine and the site.toml.
#[derive(Debug, Clone, Default)]
pub(super) struct Installers {
    /// Their variables that decide on what gets installed.
    pub(super) variables: BTreeMap<String, String>,
    /// uv reads settings of its own from the package.
    pub(super) is_uv: bool,
}

/// Reads what stands in an unpacked release.
pub(super) fn find(release: &Path, installers: &Installers) -> anyhow::Result<Lock> {
    let mut files = PackageFiles {
        release,
        variables: &installers.variables,
        hash: Sha256::new(),
        read: Vec::new(),
        tied: false,
        local: Local::No,
    };
    let source = files.find_source()?;
    if installers.is_uv {
        files.enter_settings_of_uv(&source)?;
    }
    files.enter_variables()?;
    Ok(Lock {
        source,
        digest: files.hash.finalize().into(),
        tied: files.tied,
        local: files.local,
    })
}

impl Lock {
    pub(super) fn describe(&self) -> &'static str {
        match self.source {
            LockSource::Requirements => "requirements.txt",
            LockSource::UvLock => "uv.lock",
            LockSource::PyLock => "pylock.toml",
            LockSource::Project(_) => "pyproject.toml",
            LockSource::Nothing => "no list of requirements",
        }
    }
}

fn refuse_foreign_locks(release: &Path) -> anyhow::Result<()> {
    for (name, command) in [
        ("poetry.lock", "poetry export -o requirements.txt"),
        ("Pipfile.lock", "pipenv requirements > requirements.txt"),
    ] {
        if release.join(name).exists() {
            bail!(
                "the package has {name}, which is not read here; add a requirements.txt to it: `{command}`"
            );
        }
    }
    Ok(())
}

struct PackageFiles<'a> {
    release: &'a Path,
    variables: &'a BTreeMap<String, String>,
    hash: Sha256,
    read: Vec<PathBuf>,
    tied: bool,
    local: Local,
}

impl PackageFiles<'_> {
    fn find_source(&mut self) -> anyhow::Result<LockSource> {
        if self.add_list(Path::new("requirements.txt"))? {
            return Ok(LockSource::Requirements);
        }
        if let Some(text) = self.add_text("uv.lock")? {
            ensure!(
                self.add_text("pyproject.toml")?.is_some(),
                "the package has uv.lock but no pyproject.toml"
            );
            self.installs(locked_folders(&text));
            return Ok(LockSource::UvLock);
        }
        if let Some(text) = self.add_text("pylock.toml")? {
            self.installs(locked_folders(&text));
            return Ok(LockSource::PyLock);
        }
        if let Some(text) = self.add_text("pyproject.toml")? {
            let list =
                project_dependencies(&text).context("reading the package's pyproject.toml")?;
            self.follow(Path::new(""), &list.join("\n"))?;
            return Ok(LockSource::Project(list));
        }
        refuse_foreign_locks(self.release)?;
        Ok(LockSource::Nothing)
    }

    /// Enters a list and all that it includes; false: it is not there.
    fn add_list(&mut self, relative: &Path) -> anyhow::Result<bool> {
        if self.read.iter().any(|read| read == relative) {
            return Ok(true);
        }
        ensure!(
            self.read.len() < MOST_FILES,
            "the package's requirements include more than {MOST_FILES} files"
        );
        let Some(bytes) = read(&self.release.join(relative))? else {
            return Ok(false);
        };
        self.read.push(relative.to_owned());
        self.enter(&relative.to_string_lossy(), &bytes);
        let list = requirements::decode(&bytes).with_context(|| {
            format!(
                "reading {}: it is not UTF-8; save it as UTF-8",
                relative.display()
            )
        })?;
        self.tied |= !list.exact;
        self.follow(relative, &list.text)?;
        Ok(true)
    }

    /// Enters a file in UTF-8.
    fn add_text(&mut self, name: &str) -> anyhow::Result<Option<String>> {
        let text = super::read_text(&self.release.join(name), LARGEST)?;
        text.iter()
            .for_each(|text| self.enter(name, text.as_bytes()));
        Ok(text)
    }

    fn follow(&mut self, list: &Path, text: &str) -> anyhow::Result<()> {
        let folder = list.parent().unwrap_or(Path::new("")).to_owned();
        let variables = self.variables;
        for line in requirements::lines(text, |name| variables.get(name).cloned()) {
            for entry in requirements::entries(&line) {
                match entry {
                    LineEntry::List(name) => {
                        self.include(&folder, &name, &list.to_string_lossy())?
                    }
                    LineEntry::Editable(name) => {
                        self.enter_place(requirements::place_of_editable(&name), Local::Editable)?
                    }
                    LineEntry::Requirement(name, hashed) => {
                        self.enter_place(requirements::place(&name, hashed), Local::Built)?
                    }
                    LineEntry::Links(place) => self.enter_links(&folder, &place)?,
                    LineEntry::Index(url) => self.tied |= !is_remote(&url),
                    LineEntry::Unknown => self.tied = true,
                }
            }
        }
        Ok(())
    }

    fn include(&mut self, folder: &Path, name: &str, by: &str) -> anyhow::Result<()> {
        if requirements::is_url(name) {
            self.tied = true;
            return Ok(());
        }
        let path = joined(folder, name)
            .with_context(|| format!("{by} includes {name}, outside of the package"))?;
        ensure!(
            self.add_list(&path)?,
            "{by} includes {name}, which is not in the package"
        );
        Ok(())
    }

    /// A file counts by its content; a folder, and a URL whose content may change, tie the
    /// dependencies to the release.
    fn enter_place(&mut self, place: RequirementPlace, if_folder: Local) -> anyhow::Result<()> {
        match place {
            RequirementPlace::Index => {}
            RequirementPlace::Url { pinned } => self.tied |= !pinned,
            RequirementPlace::Path(path) => match self.inside(Path::new(""), &path) {
                Some((_, metadata)) if metadata.is_dir() => self.installs(if_folder),
                Some((relative, metadata)) if metadata.is_file() => self.enter_file(&relative)?,
                _ => self.tied = true,
            },
        }
        Ok(())
    }

    fn installs(&mut self, local: Local) {
        self.local = self.local.max(local);
        self.tied |= local != Local::No;
    }

    /// pip looks beside the list first, then in the folder where it runs.
    fn enter_links(&mut self, folder: &Path, place: &str) -> anyhow::Result<()> {
        if is_remote(place) {
            return Ok(());
        }
        let path = requirements::file_path(place).unwrap_or_else(|| place.to_owned());
        match self
            .inside(folder, &path)
            .or_else(|| self.inside(Path::new(""), &path))
        {
            Some((relative, metadata)) if metadata.is_dir() => self.enter_archives(&relative),
            _ => {
                self.tied = true;
                Ok(())
            }
        }
    }

    /// The files that installers look for in a folder of `--find-links`.
    fn enter_archives(&mut self, folder: &Path) -> anyhow::Result<()> {
        let path = self.release.join(folder);
        let reading = || format!("reading {}", path.display());
        let names = fs::read_dir(&path).and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.file_name()))
                .collect::<Result<Vec<_>, _>>()
        });
        let mut names = names.with_context(reading)?;
        names.sort();
        for relative in names.iter().map(|name| folder.join(name)) {
            let name = relative.to_string_lossy();
            // A page may lead anywhere.
            self.tied |= name.ends_with(".html");
            if requirements::is_archive(&name) && self.release.join(&relative).is_file() {
                self.enter_file(&relative)?;
            }
        }
        Ok(())
    }

    /// A path in the release, where something stands.
    fn inside(&self, folder: &Path, path: &str) -> Option<(PathBuf, fs::Metadata)> {
        let path = Path::new(path);
        let relative = match path.strip_prefix(self.release) {
            Ok(relative) => relative.to_owned(),
            Err(_) => joined(folder, path.to_str()?)?,
        };
        let metadata = self.release.join(&relative).metadata().ok()?;
        Some((relative, metadata))
    }

    fn enter_settings_of_uv(&mut self, source: &LockSource) -> anyhow::Result<()> {
        let settings = self.add_text("uv.toml")?;
        let project = match source {
            // It is entered already.
            LockSource::UvLock | LockSource::Project(_) => None,
            _ => super::read_text(&self.release.join("pyproject.toml"), LARGEST)?
                .filter(|text| text.contains("tool.uv")),
        };
        project
            .iter()
            .for_each(|text| self.enter("pyproject.toml", text.as_bytes()));
        let reaches_further = |text: &String| {
            ["find-links", "path", "workspace", "git", "file:"]
                .iter()
                .any(|word| text.contains(word))
        };
        self.tied |= settings.iter().chain(&project).any(reaches_further);
        Ok(())
    }

    fn enter_variables(&mut self) -> anyhow::Result<()> {
        const LISTS: [&str; 6] = [
            "PIP_REQUIREMENT",
            "PIP_CONSTRAINT",
            "PIP_BUILD_CONSTRAINT",
            "UV_CONSTRAINT",
            "UV_BUILD_CONSTRAINT",
            "UV_OVERRIDE",
        ];
        for (name, value) in self.variables {
            self.enter(name, without_passwords(value).as_bytes());
            let words: Vec<&str> = value
                .split([' ', ',', '\t', '\n'])
                .filter(|word| !word.is_empty())
                .collect();
            for word in words {
                if LISTS.contains(&name.as_str()) && joined(Path::new(""), word).is_some() {
                    self.include(Path::new(""), word, name)?;
                } else if name.ends_with("FIND_LINKS") {
                    self.enter_links(Path::new(""), word)?;
                } else {
                    self.tied |= !is_remote(word) && self.release.join(word).exists();
                }
            }
        }
        Ok(())
    }

    fn enter_file(&mut self, relative: &Path) -> anyhow::Result<()> {
        let path = self.release.join(relative);
        let reading = || format!("reading {}", path.display());
        let mut file = File::open(&path).with_context(reading)?;
        let length = file.metadata().with_context(reading)?.len();
        self.hash
            .update(format!("{}\n{length}\n", relative.display()));
        let mut buffer = vec![0; 64 << 10];
        loop {
            match file.read(&mut buffer).with_context(reading)? {
                0 => return Ok(()),
                count => self.hash.update(&buffer[..count]),
            }
        }
    }

    fn enter(&mut self, name: &str, content: &[u8]) {
        self.hash.update(format!("{name}\n{}\n", content.len()));
        self.hash.update(content);
    }
}

/// A small file of the package; None: there is none. The site's build may have put anything in its
/// place.
fn read(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let reading = || format!("reading {}", path.display());
    match path.metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(reading),
        Ok(metadata) => ensure!(
            metadata.is_file(),
            "reading {}: it is no file",
            path.display()
        ),
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(LARGEST + 1).read_to_end(&mut bytes))
        .with_context(reading)?;
    ensure!(
        bytes.len() as u64 <= LARGEST,
        "reading {}: it has more than {} KiB",
        path.display(),
        LARGEST >> 10
    );
    Ok(Some(bytes))
}

/// Relative to the package; None: it leads out of it.
fn joined(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut path = folder.to_owned();
    for component in Path::new(name).components() {
        match component {
            Component::Normal(part) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
#[path = "lockfile_tests.rs"]
mod tests;
