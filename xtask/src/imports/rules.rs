//! What is wrong with the imports between the product's files, a sentence each.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

use super::resolve::Import;

/// The module of `site` that the others may import: handovers read the note of an interrupted
/// instance, and the instance's report holds it.
const BELOW_SITE: &str = "note";

/// Which folders and files right below src/ may import which, highest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Table(Vec<(String, BTreeSet<String>)>);

impl Table {
    /// Reads the first table of the page whose head names "may import" in its second column. Names
    /// stand in backticks.
    pub fn read(page: &str) -> Self {
        let names = |cell: &str| -> Vec<String> {
            let parts = cell.split('`').skip(1).step_by(2);
            parts.map(str::to_owned).collect()
        };
        let rows = page
            .lines()
            .skip_while(|line| !line.contains("| may import |"))
            .skip(2)
            .map_while(|line| line.strip_prefix("| "));
        let row = |row: &str| {
            let mut cells = row.split(" | ");
            let name = names(cells.next()?).pop()?;
            Some((name, names(cells.next()?).into_iter().collect()))
        };
        Self(rows.filter_map(row).collect())
    }

    /// Arrows that the table lacks, that it has and nothing uses, or that it has upwards; and rows
    /// for what does not stand in src/, and the other way round.
    pub fn problems(&self, files: &[PathBuf], imports: &[Import]) -> Vec<String> {
        let mut problems = self.crooked_rows(files);
        let allowed: BTreeMap<&str, &BTreeSet<String>> = self
            .0
            .iter()
            .map(|(name, below)| (name.as_str(), below))
            .collect();
        let mut unused: BTreeSet<(&str, &str)> = allowed
            .iter()
            .flat_map(|(from, below)| below.iter().map(|to| (*from, to.as_str())))
            .collect();
        for import in imports {
            let (from, to) = (room(&import.from), room(&import.to));
            unused.remove(&(from, to));
            if from != to && !allowed.get(from).is_some_and(|below| below.contains(to)) {
                problems.push(format!("{}: `{from}` may not import `{to}`", told(import)));
            }
        }
        let unused = unused.into_iter().map(|(from, to)| {
            format!("no file of `{from}` imports `{to}`: the table shall not allow it")
        });
        problems.extend(unused);
        problems
    }

    fn crooked_rows(&self, files: &[PathBuf]) -> Vec<String> {
        let mut problems = Vec::new();
        let rooms: BTreeSet<&str> = files.iter().map(|file| room(file)).collect();
        let rows: Vec<&str> = self.0.iter().map(|(name, _)| name.as_str()).collect();
        for name in &rooms {
            if !rows.contains(name) {
                problems.push(format!("the table has no row for `{name}`"));
            }
        }
        for (row, (name, below)) in self.0.iter().enumerate() {
            if !rooms.contains(name.as_str()) {
                problems.push(format!(
                    "the table has a row for `{name}`, which src/ lacks"
                ));
            }
            for to in below {
                if rows[..=row].contains(&to.as_str()) {
                    problems.push(format!("the table lets `{name}` import `{to}`, upwards"));
                }
            }
        }
        problems
    }
}

/// The folder or file right below src/.
fn room(file: &Path) -> &str {
    name_of_component(file, 0).unwrap_or_default()
}

fn name_of_component(file: &Path, index: usize) -> Option<&str> {
    let name = file.iter().nth(index)?.to_str()?;
    Some(name.strip_suffix(".rs").unwrap_or(name))
}

fn told(import: &Import) -> String {
    let (from, to) = (import.from.display(), import.to.display());
    format!("src/{from}:{} imports src/{to}", import.line)
}

/// Modules of `site` that import each other.
pub fn between_nouns(imports: &[Import]) -> Vec<String> {
    let noun = |file| match (room(file), name_of_component(file, 1)) {
        ("site", Some(noun)) if noun != "mod" => Some(noun.to_owned()),
        _ => None,
    };
    imports
        .iter()
        .filter(|import| match (noun(&import.from), noun(&import.to)) {
            (Some(from), Some(to)) => from != to && to != BELOW_SITE,
            _ => false,
        })
        .map(|import| {
            let told = told(import);
            format!("{told}: the modules of `site` do not import each other")
        })
        .collect()
}

/// Circles of files that import each other, each told once by all of its imports.
///
/// A module and the modules below it may import each other: a folder's mod.rs hands on what its
/// files hold, and these extend the type that it defines. A circle that runs through a module
/// beside them is none of that; so circles are looked for twice, without the imports of a module
/// above, and without those of a module below.
pub fn circles(imports: &[Import]) -> Vec<String> {
    let without_above = imports.iter().filter(|i| !is_above(&i.to, &i.from));
    let without_below = imports.iter().filter(|i| !is_above(&i.from, &i.to));
    let mut told = BTreeSet::new();
    told.extend(circles_of(&without_above.collect::<Vec<_>>()));
    told.extend(circles_of(&without_below.collect::<Vec<_>>()));
    told.into_iter().collect()
}

/// Whether the first file's module has the second's below it.
fn is_above(above: &Path, below: &Path) -> bool {
    let module = |file: &Path| match file.file_name().and_then(|name| name.to_str()) {
        Some("mod.rs" | "main.rs") => file.parent().map(Path::to_owned),
        _ => Some(file.with_extension("")),
    };
    match (module(above), module(below)) {
        (Some(above), Some(below)) => above != below && below.starts_with(above),
        _ => false,
    }
}

fn circles_of(imports: &[&Import]) -> BTreeSet<String> {
    let mut onward: BTreeMap<&Path, Vec<&Import>> = BTreeMap::new();
    for import in imports {
        onward.entry(&import.from).or_default().push(import);
    }
    let mut in_a_circle: BTreeSet<&Import> = BTreeSet::new();
    let mut circles = BTreeSet::new();
    for import in imports {
        if in_a_circle.contains(import) {
            continue;
        }
        let Some(back) = way(&onward, &import.to, &import.from) else {
            continue;
        };
        let circle: Vec<&Import> = [*import].into_iter().chain(back).collect();
        let told: Vec<String> = circle.iter().map(|import| told(import)).collect();
        circles.insert(format!("a circle: {}", told.join(", ")));
        in_a_circle.extend(circle);
    }
    circles
}

/// The fewest imports that lead from one file to another.
fn way<'a>(
    onward: &BTreeMap<&'a Path, Vec<&'a Import>>,
    from: &'a Path,
    to: &Path,
) -> Option<Vec<&'a Import>> {
    let mut reached_by: BTreeMap<&Path, &Import> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(file) = queue.pop_front() {
        if file == to {
            let mut way = Vec::new();
            let mut at = to;
            while at != from {
                let import = reached_by[at];
                way.push(import);
                at = &import.from;
            }
            way.reverse();
            return Some(way);
        }
        for import in onward.get(file).into_iter().flatten().copied() {
            let next = import.to.as_path();
            if next != from && !reached_by.contains_key(next) {
                reached_by.insert(next, import);
                queue.push_back(next);
            }
        }
    }
    None
}
