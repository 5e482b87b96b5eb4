//! What the package says it needs: which file, and a digest of all that decides what gets installed.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use sha2::{Digest, Sha256};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const LARGEST: u64 = 8 << 20;
const MOST_FILES: usize = 50;

/// Where the list of dependencies is taken from, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
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
    pub(super) source: Source,
    /// Of every file's name and content.
    pub(super) digest: [u8; 32],
    /// It names something inside the package itself (`-e .`), so that what is installed fits this release only.
    pub(super) local: bool,
}

/// Reads what stands in an unpacked release.
pub(super) fn find(release: &Path) -> anyhow::Result<Lock> {
    let mut files = Files { release, hash: Sha256::new(), read: Vec::new(), local: false };
    let source = if files.add(Path::new("requirements.txt"), true)? {
        Source::Requirements
    } else if files.add(Path::new("uv.lock"), false)? {
        ensure!(files.add(Path::new("pyproject.toml"), false)?, "the package has uv.lock but no pyproject.toml");
        Source::UvLock
    } else if files.add(Path::new("pylock.toml"), false)? {
        Source::PyLock
    } else if let Some(text) = super::read_text(&release.join("pyproject.toml"), LARGEST)? {
        files.enter("pyproject.toml", &text);
        Source::Project(project_dependencies(&text).context("reading the package's pyproject.toml")?)
    } else {
        refuse_foreign_locks(release)?;
        Source::Nothing
    };
    Ok(Lock { source, digest: files.hash.finalize().into(), local: files.local })
}

impl Lock {
    pub(super) fn describe(&self) -> &'static str {
        match self.source {
            Source::Requirements => "requirements.txt",
            Source::UvLock => "uv.lock",
            Source::PyLock => "pylock.toml",
            Source::Project(_) => "pyproject.toml",
            Source::Nothing => "no list of requirements",
        }
    }
}

fn refuse_foreign_locks(release: &Path) -> anyhow::Result<()> {
    for (name, command) in
        [("poetry.lock", "poetry export -o requirements.txt"), ("Pipfile.lock", "pipenv requirements > requirements.txt")]
    {
        if release.join(name).exists() {
            bail!("the package has {name}, which is not read here; add a requirements.txt to it: `{command}`");
        }
    }
    Ok(())
}

fn project_dependencies(text: &str) -> anyhow::Result<Vec<String>> {
    // Its full words would quote the file, which a build may have made a link to another.
    let document = DeTable::parse(text).map_err(|error| anyhow::anyhow!("{}", error.message()))?;
    let project = document.get_ref().get("project").and_then(|project| project.get_ref().get("dependencies"));
    let Some(list) = project else { return Ok(Vec::new()) };
    let list = list.get_ref().as_array().context("[project] dependencies is no list")?;
    let text =
        |item: &Spanned<DeValue<'_>>| item.get_ref().as_str().map(str::to_owned).context("[project] dependencies holds what is no text");
    list.iter().map(text).collect()
}

struct Files<'a> {
    release: &'a Path,
    hash: Sha256,
    read: Vec<PathBuf>,
    local: bool,
}

impl Files<'_> {
    /// Enters a file and, for requirements, all that it includes; false: it is not there.
    fn add(&mut self, relative: &Path, follow: bool) -> anyhow::Result<bool> {
        if self.read.iter().any(|read| read == relative) {
            return Ok(true);
        }
        ensure!(self.read.len() < MOST_FILES, "the package's requirements include more than {MOST_FILES} files");
        let Some(text) = super::read_text(&self.release.join(relative), LARGEST)? else { return Ok(false) };
        self.read.push(relative.to_owned());
        self.enter(&relative.to_string_lossy(), &text);
        if follow {
            self.follow(relative, &text)?;
        }
        Ok(true)
    }

    fn follow(&mut self, relative: &Path, text: &str) -> anyhow::Result<()> {
        for requirement in requirements(text) {
            match requirement {
                Requirement::Local => self.local = true,
                Requirement::Include(name) => {
                    let path = joined(relative.parent().unwrap_or(Path::new("")), &name)
                        .with_context(|| format!("{} includes {name}, outside of the package", relative.display()))?;
                    ensure!(self.add(&path, true)?, "{} includes {name}, which is not in the package", relative.display());
                }
            }
        }
        Ok(())
    }

    fn enter(&mut self, name: &str, text: &str) {
        self.hash.update(format!("{name}\n{}\n", text.len()));
        self.hash.update(text);
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Requirement {
    Include(String),
    Local,
}

/// The lines that reach beyond the file (pip's "Requirements File Format"): includes, constraints, and paths.
fn requirements(text: &str) -> Vec<Requirement> {
    let unfolded = text.replace("\\\r\n", " ").replace("\\\n", " ");
    unfolded.lines().filter_map(|line| requirement(without_comment(line).trim())).collect()
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with('#') { "" } else { line.split_once(" #").map_or(line, |(before, _)| before) }
}

fn requirement(line: &str) -> Option<Requirement> {
    for option in ["--requirement", "--constraint", "-r", "-c"] {
        if let Some(name) = argument(line, option) {
            return Some(if name.contains("://") { Requirement::Local } else { Requirement::Include(name.to_owned()) });
        }
    }
    let names_a_folder = ["--find-links", "-f"].iter().filter_map(|option| argument(line, option)).any(|place| !place.contains("://"));
    let is_local = line.starts_with("-e") || line.starts_with("--editable") || line.starts_with(['.', '/']) || line.contains("file:");
    (names_a_folder || is_local).then_some(Requirement::Local)
}

/// `--name value`, `--name=value`, `-n value`, `-nvalue`.
fn argument<'a>(line: &'a str, option: &str) -> Option<&'a str> {
    let rest = line.strip_prefix(option)?;
    let is_long = option.starts_with("--");
    let value = rest.strip_prefix([' ', '\t', '=']).or((!is_long).then_some(rest))?;
    Some(value.trim().trim_matches(['"', '\'']))
}

/// Relative to the package; None: it leads out of it.
fn joined(folder: &Path, name: &str) -> Option<PathBuf> {
    let mut path = folder.to_owned();
    for component in Path::new(name).components() {
        match component {
            std::path::Component::Normal(part) => path.push(part),
            std::path::Component::CurDir => {}
            std::path::Component::ParentDir if path.pop() => {}
            _ => return None,
        }
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        folder
    }

    fn lock(files: &[(&str, &str)]) -> anyhow::Result<Lock> {
        find(package(files).path())
    }

    #[test]
    fn every_file_that_decides_changes_the_digest_and_no_other_does() {
        let files = [
            ("requirements.txt", "-r requirements/prod.txt\n"),
            ("requirements/prod.txt", "-c ../limits.txt\ndjango==5.2\n"),
            ("limits.txt", "x<2\n"),
        ];
        let digest = lock(&files).unwrap().digest;
        for at in 0..3 {
            let mut changed = files;
            let longer = format!("{}# more\n", files[at].1);
            changed[at].1 = &longer;
            assert_ne!(lock(&changed).unwrap().digest, digest, "{}", files[at].0);
        }
        let with_other = [&files[..], &[("app.py", "x"), ("uv.lock", "x")]].concat();
        assert_eq!(lock(&with_other).unwrap().digest, digest);
    }

    #[test]
    fn the_first_list_that_stands_counts() {
        let project = "[project]\nname = \"x\"\ndependencies = [\"django~=5.2\"]\n";
        assert_eq!(lock(&[("uv.lock", ""), ("pyproject.toml", project)]).unwrap().source, Source::UvLock);
        assert_eq!(lock(&[("pylock.toml", ""), ("pyproject.toml", project)]).unwrap().source, Source::PyLock);
        assert_eq!(lock(&[("pyproject.toml", project)]).unwrap().source, Source::Project(vec!["django~=5.2".into()]));
        assert_eq!(lock(&[("pyproject.toml", "[tool.ruff]\n")]).unwrap().source, Source::Project(vec![]));
        assert_eq!(lock(&[("app.py", "")]).unwrap().source, Source::Nothing);
        assert!(lock(&[("uv.lock", "")]).is_err());
        assert!(lock(&[("pyproject.toml", "[project]\ndependencies = 3")]).is_err());
        assert!(lock(&[("poetry.lock", "")]).unwrap_err().to_string().contains("poetry export"));
    }

    #[test]
    fn what_lies_in_the_package_ties_the_dependencies_to_its_release() {
        for line in ["-e .", "--editable=./lib", "./wheels/x.whl", "/opt/x", "x @ file:///opt/x", "--find-links vendor", "-f vendor"] {
            assert!(lock(&[("requirements.txt", line)]).unwrap().local, "{line}");
        }
        for line in ["django==5.2 --hash=sha256:ab", "# -e .", "--index-url https://x/simple", "--find-links=https://x/", "x # ./y", "fire"]
        {
            assert!(!lock(&[("requirements.txt", line)]).unwrap().local, "{line}");
        }
    }

    #[test]
    fn includes_that_are_missing_lead_out_or_go_in_circles_do_no_harm() {
        assert!(lock(&[("requirements.txt", "-r other.txt")]).unwrap_err().to_string().contains("not in the package"));
        for name in ["../other.txt", "/etc/passwd", "a/../../x"] {
            assert!(lock(&[("requirements.txt", &format!("-r {name}"))]).unwrap_err().to_string().contains("outside"), "{name}");
        }
        assert!(lock(&[("requirements.txt", "-r a.txt"), ("a.txt", "-rrequirements.txt\n--constraint=a.txt")]).is_ok());
    }
}
