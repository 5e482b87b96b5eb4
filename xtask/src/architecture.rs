//! What docs/ARCHITECTURE.md names: each file is there, each test of an invariant is a function of
//! the file that the page names for it, and the sources cite invariants that the page has.

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

/// The invariants are numbered without a gap: I1, I2, ….
const INVARIANTS: usize = 18;
/// How a path begins in a code span of the page; any other code span is no path.
const FOLDERS: [&str; 6] = [
    "src/",
    "tests/",
    "xtask/",
    "templates/",
    "launch-template/",
    ".ci/",
];
/// How the sources cite an invariant: this word, and its number.
const CITATION: &str = "invariant I";

/// An invariant, as a row of the page's tables states it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Invariant {
    /// `I4`.
    number: String,
    /// Paths from the workspace's root.
    kept_in: Vec<String>,
    /// Code spans of the cell: a path, then the names of tests in that file, and so on.
    shown_by: Vec<String>,
    /// The row says what is missing.
    is_open: bool,
}

fn parser(page: &str) -> Parser<'_> {
    Parser::new_ext(page, Options::ENABLE_TABLES)
}

fn is_path(code: &str) -> bool {
    FOLDERS.iter().any(|folder| code.starts_with(folder))
}

/// The paths among the page's code spans, also outside of tables.
fn paths(page: &str) -> Vec<String> {
    let code = |event| match event {
        Event::Code(code) if is_path(&code) => Some(code.into_string()),
        _ => None,
    };
    parser(page).filter_map(code).collect()
}

/// The rows of all tables whose first cell is the number of an invariant.
fn invariants(page: &str) -> Vec<Invariant> {
    let (mut found, mut row, mut column) = (Vec::new(), Invariant::default(), 0);
    for event in parser(page) {
        match event {
            Event::Start(Tag::TableRow) => (row, column) = (Invariant::default(), 0),
            Event::End(TagEnd::TableCell) => column += 1,
            Event::End(TagEnd::TableRow) if is_number(&row.number) => {
                found.push(std::mem::take(&mut row));
            }
            Event::Text(text) if column == 0 => row.number.push_str(&text),
            Event::Text(_) if column == 4 => row.is_open = true,
            Event::Code(code) if column == 2 && is_path(&code) => {
                row.kept_in.push(code.into_string());
            }
            Event::Code(code) if column == 3 => row.shown_by.push(code.into_string()),
            _ => {}
        }
    }
    found
}

fn is_number(text: &str) -> bool {
    text.strip_prefix('I')
        .is_some_and(|number| number.parse::<usize>().is_ok())
}

/// The invariants that a source cites, as `I4`; a citation may be broken over two lines of a
/// comment.
fn citations(source: &str) -> Vec<String> {
    let words: Vec<&str> = source
        .lines()
        .map(|line| line.trim().trim_start_matches(['/', '!']).trim())
        .collect();
    let number = |rest: &str| {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit());
        format!("I{}", &rest[..digits.unwrap_or(rest.len())])
    };
    let text = words.join(" ");
    text.split(CITATION)
        .skip(1)
        .map(number)
        .filter(|number| is_number(number))
        .collect()
}

/// What is wrong with the page, a line each. `read` gives the text of a file, and an empty one for
/// a folder.
fn problems(page: &str, read: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let is_missing = |path: &String| read(path).is_none();
    let missing = paths(page).into_iter().filter(is_missing);
    let mut problems: Vec<String> = missing.map(|path| format!("{path} is not there")).collect();
    for invariant in invariants(page) {
        let number = &invariant.number;
        let (mut tests, mut file) = (0, None);
        for code in &invariant.shown_by {
            if is_path(code) {
                file = Some((code, read(code).unwrap_or_default()));
                continue;
            }
            tests += 1;
            match &file {
                Some((_, text)) if text.contains(&format!("fn {code}(")) => {}
                Some((path, _)) => problems.push(format!("{number}: {path} has no test {code}")),
                None => problems.push(format!("{number}: no file stands before {code}")),
            }
        }
        if invariant.is_open {
            continue;
        }
        if tests == 0 {
            problems.push(format!("{number}: no test shows it"));
        }
        let silent =
            |path: &&String| !read(path).is_some_and(|text| citations(&text).contains(number));
        let silent = invariant.kept_in.iter().filter(silent);
        problems
            .extend(silent.map(|path| format!("{number}: {path} keeps it and does not cite it")));
    }
    problems
}

mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::run::root;

    fn page() -> String {
        fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap()
    }

    fn read(path: &str) -> Option<String> {
        let path = root().join(path);
        if path.is_dir() {
            return Some(String::new());
        }
        fs::read_to_string(path).ok()
    }

    /// Every source of the program below a folder, by its text.
    fn sources(folder: &Path, texts: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, texts);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                texts.push(fs::read_to_string(&path).unwrap());
            }
        }
    }

    #[test]
    fn every_file_and_test_that_the_page_names_is_there() {
        let problems = problems(&page(), read);
        assert!(problems.is_empty(), "\n{}", problems.join("\n"));
    }

    #[test]
    fn the_page_has_every_invariant_once_and_the_sources_cite_no_other() {
        let numbers: Vec<String> = (1..=INVARIANTS)
            .map(|number| format!("I{number}"))
            .collect();
        // Those that are kept whole stand first.
        let rows = invariants(&page()).into_iter();
        let mut told: Vec<String> = rows.map(|row| row.number).collect();
        told.sort_by_key(|number| number[1..].parse::<usize>().unwrap());
        assert_eq!(told, numbers);

        let mut texts = Vec::new();
        sources(&root().join("src"), &mut texts);
        let cited: Vec<String> = texts.iter().flat_map(|text| citations(text)).collect();
        assert!(!cited.is_empty(), "no source cites an invariant");
        let unknown: Vec<_> = cited
            .iter()
            .filter(|cited| !numbers.contains(cited))
            .collect();
        assert!(unknown.is_empty(), "the page lacks {unknown:?}");
    }

    #[test]
    fn what_the_page_names_and_nobody_has_is_told() {
        let row = "| I1 | x | `src/kept.rs`, `current.json` | `tests/a.rs`: `it_holds` |";
        let page =
            |rows: &str| format!("`src/kept.rs`\n\n| | | | | |\n| - | - | - | - | - |\n{rows}\n");
        let read = |path: &str| match path {
            "src/kept.rs" => Some("//! Keeps it (invariant\n//! I1).\n".to_owned()),
            "tests/a.rs" => Some("async fn it_holds() {}\nfn it_holds_too() {}\n".to_owned()),
            _ => None,
        };
        assert!(problems(&page(row), read).is_empty());
        let told = |from: &str, to: &str| problems(&page(&row.replace(from, to)), read);
        assert_eq!(told("src/kept.rs", "src/gone.rs").len(), 2);
        assert_eq!(
            told("it_holds", "it_hold"),
            ["I1: tests/a.rs has no test it_hold"]
        );
        assert_eq!(
            told("`tests/a.rs`: ", ""),
            ["I1: no file stands before it_holds"]
        );
        assert_eq!(
            told("I1 ", "I11 "),
            ["I11: src/kept.rs keeps it and does not cite it"]
        );
        assert_eq!(told(": `it_holds`", ""), ["I1: no test shows it"]);
        assert!(told(": `it_holds` |", " | all |").is_empty(), "it is open");
    }
}
