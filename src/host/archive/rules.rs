//! Which files of a folder are left out of a package: `.gitignore`, and above it `.spotbootignore`,
//! each for its folder and below.
//!
//! Nothing outside the packed folder counts, no global gitignore and no parent's, so that every
//! machine packs the same.

use std::path::{Path, PathBuf};

use ignore::gitignore::{Gitignore, GitignoreBuilder};

use super::ArchiveError;

pub(super) const OURS: &str = ".spotbootignore";
const GIT: &str = ".gitignore";

/// The rules of one folder and of those above it.
#[derive(Debug, Default)]
pub(super) struct Rules {
    /// Outermost first.
    ours: Vec<Gitignore>,
    git: Vec<Gitignore>,
}

/// How many rule files a folder added.
#[derive(Debug, Clone, Copy)]
pub(super) struct Added {
    ours: bool,
    git: bool,
}

impl Rules {
    /// Takes the rule files in `folder` into account, until [`Rules::leave`].
    pub(super) fn enter(&mut self, folder: &Path) -> Result<Added, ArchiveError> {
        let (ours, git) = (read(folder, OURS)?, read(folder, GIT)?);
        let added = Added {
            ours: ours.is_some(),
            git: git.is_some(),
        };
        self.ours.extend(ours);
        self.git.extend(git);
        Ok(added)
    }

    pub(super) fn leave(&mut self, added: Added) {
        self.ours
            .truncate(self.ours.len() - usize::from(added.ours));
        self.git.truncate(self.git.len() - usize::from(added.git));
    }

    /// The rule that leaves it out, in words. The innermost rule file decides, and in it the last
    /// rule, as git has it.
    pub(super) fn against(&self, path: &Path, is_folder: bool, root: &Path) -> Option<String> {
        let deciding = |files: &[Gitignore]| {
            files
                .iter()
                .rev()
                .find_map(|file| match file.matched(path, is_folder) {
                    ignore::Match::None => None,
                    ignore::Match::Whitelist(_) => Some(None),
                    ignore::Match::Ignore(rule) => Some(Some(in_words(rule, root))),
                })
        };
        deciding(&self.ours)
            .or_else(|| deciding(&self.git))
            .flatten()
    }
}

fn in_words(rule: &ignore::gitignore::Glob, root: &Path) -> String {
    let file = rule.from().map(|file| {
        file.strip_prefix(root)
            .unwrap_or(file)
            .display()
            .to_string()
    });
    format!(
        "\"{}\" in {}",
        rule.original().escape_debug(),
        file.unwrap_or_default()
    )
}

/// A rule that cannot be read is an error: to ignore it could publish what was to stay private.
fn read(folder: &Path, name: &str) -> Result<Option<Gitignore>, ArchiveError> {
    let path: PathBuf = folder.join(name);
    if !path.is_file() {
        return Ok(None);
    }
    let mut builder = GitignoreBuilder::new(folder);
    match builder.add(&path).map_or_else(|| builder.build(), Err) {
        Ok(rules) => Ok(Some(rules)),
        Err(error) => Err(ArchiveError::broken(
            "reading what is to be left out",
            error,
        )),
    }
}
