//! Where the paths lead that the program's code mentions: from file to file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::source::{Name, Program};

/// A file's first mention of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// Paths from src/.
    pub from: PathBuf,
    pub to: PathBuf,
    /// Of `from`, from 1.
    pub line: usize,
}

/// What the program's files import of each other.
#[derive(Default)]
pub struct Imports {
    /// What the product is built from.
    pub product: Vec<Import>,
    /// Between files that are built for tests only.
    pub tests: Vec<Import>,
    /// A sentence for each path within the program whose end is not found: a guard that overlooked
    /// some would be none.
    pub unresolved: Vec<String>,
}

/// Where a path ends: in a definition, or with a module itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    Module(usize),
    DefinitionIn(usize),
}

impl Imports {
    /// A name that a module passes on (`pub use`) is imported from the file that defines it, and
    /// another crate's name from the file that passes it on.
    pub fn of(program: &Program) -> Self {
        let mut found = Self::default();
        let mut lines: BTreeMap<(bool, &Path, &Path), usize> = BTreeMap::new();
        for mention in &program.mentions {
            let from = program.modules[mention.module].file.as_path();
            let ends = program.ends(mention.module, &mention.path, &mut BTreeSet::new());
            let within = matches!(mention.path[0].as_str(), "crate" | "self" | "super");
            if ends.is_empty() && within {
                let path = mention.path.join("::");
                let place = format!("src/{}:{}", from.display(), mention.line);
                found.unresolved.push(format!(
                    "{place}: no module or definition is known as {path}"
                ));
            }
            for end in ends {
                let (End::Module(module) | End::DefinitionIn(module)) = end;
                let to = program.modules[module].file.as_path();
                if to != from {
                    let line = lines
                        .entry((mention.test, from, to))
                        .or_insert(mention.line);
                    *line = mention.line.min(*line);
                }
            }
        }
        let is_test = |file: &Path| program.test_files.iter().any(|test| test == file);
        for ((test, from, to), line) in lines {
            let import = Import {
                from: from.to_owned(),
                to: to.to_owned(),
                line,
            };
            match test {
                false => found.product.push(import),
                true if is_test(from) && is_test(to) => found.tests.push(import),
                true => {}
            }
        }
        found
    }
}

impl Program {
    /// Where the path leads from that module; nowhere for the paths of other crates. `trail` holds
    /// the names that are being followed.
    fn ends(
        &self,
        module: usize,
        path: &[String],
        trail: &mut BTreeSet<(usize, String)>,
    ) -> BTreeSet<End> {
        let (mut at, mut rest) = (module, path);
        while let Some((first, more)) = rest.split_first() {
            at = match first.as_str() {
                "crate" => 0,
                "self" => at,
                "super" => self.modules[at].parent.unwrap_or(at),
                _ => break,
            };
            rest = more;
        }
        self.ends_below(at, rest, trail)
    }

    fn ends_below(
        &self,
        at: usize,
        path: &[String],
        trail: &mut BTreeSet<(usize, String)>,
    ) -> BTreeSet<End> {
        let Some((first, more)) = path.split_first() else {
            return [End::Module(at)].into();
        };
        let step = (at, first.clone());
        if !trail.insert(step.clone()) {
            return BTreeSet::new();
        }
        let mut ends = BTreeSet::new();
        for name in self.modules[at].names.get(first).into_iter().flatten() {
            match name {
                Name::Module(below) => ends.extend(self.ends_below(*below, more, trail)),
                Name::Defined => _ = ends.insert(End::DefinitionIn(at)),
                Name::Imported(imported) => {
                    let passed_on = self.ends(at, imported, trail);
                    if passed_on.is_empty() {
                        ends.insert(End::DefinitionIn(at));
                    }
                    for end in passed_on {
                        match end {
                            End::Module(module) => {
                                ends.extend(self.ends_below(module, more, trail));
                            }
                            End::DefinitionIn(_) => _ = ends.insert(end),
                        }
                    }
                }
            }
        }
        if ends.is_empty() {
            for glob in &self.modules[at].globs {
                for end in self.ends(at, glob, trail) {
                    if let End::Module(module) = end {
                        ends.extend(self.ends_below(module, path, trail));
                    }
                }
            }
        }
        trail.remove(&step);
        ends
    }
}
