//! A guard rail over the sources: no other file of the product spells a key of the bucket.

use std::fs;
use std::path::{Path, PathBuf};

use super::{BOOT_LOG, EMERGENCY, LATEST, OWN_FOLDERS, PACKAGES};

/// Names of objects, without their folder.
const NAMES: [&str; 11] = [
    "current.json",
    "candidate.json",
    "account.json",
    "ledger.json",
    "refused.json",
    "pending.json",
    "deploy.json",
    EMERGENCY,
    BOOT_LOG,
    "trial.log",
    LATEST,
];
/// Literals that look like keys and are paths of this machine.
const PATHS: [&str; 3] = ["logs/access.log", "bin/python", "bin/activate"];
/// Modules that hold tests only: a test may spell what a reader of the bucket sees.
const TESTS: [&str; 6] = [
    "suite",
    "tests",
    "model",
    "simulation",
    "fixtures",
    "stand_in",
];

#[test]
fn no_other_source_spells_a_key() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let (mut seen, mut found) = (0, Vec::new());
    for path in sources(&root) {
        let name = path.strip_prefix(&root).expect("it lies below the root");
        let name = name.to_string_lossy();
        if name.starts_with("config/bucket") || is_test(&name) {
            continue;
        }
        seen += 1;
        let text = fs::read_to_string(&path).expect("a source can be read");
        let keys = literals(without_tests(&text)).into_iter();
        let keys = keys.filter(|literal| spells_a_key(literal) && !PATHS.contains(&&**literal));
        found.extend(keys.map(|literal| format!("{name}: {literal:?}")));
    }
    assert!(seen > 100, "only {seen} sources were found");
    assert!(
        found.is_empty(),
        "config::Bucket has a function for it: {found:#?}"
    );
}

#[test]
fn a_key_is_seen_wherever_it_begins() {
    for key in [
        "instances/{id}.json",
        "{prefix}logs/{id}/",
        "s3:certs/x",
        "s3://b/locks/deploy.json",
        "candidate.json",
        "{place}{name}-latest.zip",
    ] {
        assert!(spells_a_key(key), "{key}");
    }
    for other in [
        "/usr/local/bin/spotboot",
        "catalogs/x",
        "x",
        "/var/log/boot",
    ] {
        assert!(!spells_a_key(other), "{other}");
    }
}

#[test]
fn literals_are_told_from_comments_and_characters() {
    let source = r##"
        // "a comment"
        let quote = '"'; let name: &'static str = "one \"two\"";
        let raw = r#"three "four""#; /// "doc"
    "##;
    assert_eq!(literals(source), [r#"one \"two\""#, r#"three "four""#]);
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder can be listed");
    let mut found = Vec::new();
    for path in entries.map(|entry| entry.expect("an entry can be read").path()) {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn is_test(name: &str) -> bool {
    name.trim_end_matches(".rs")
        .split('/')
        .any(|part| TESTS.contains(&part) || part.ends_with("_tests"))
}

/// A source without the tests at its foot.
fn without_tests(text: &str) -> &str {
    text.find("\n#[cfg(test)]\nmod tests {")
        .map_or(text, |at| &text[..at])
}

/// Whether the name of an object stands in the text, or one of the bucket's folders begins there. A
/// `/` before a folder belongs to a path of this machine, unless the text is an address in S3.
fn spells_a_key(text: &str) -> bool {
    let in_s3 = text.contains("s3://");
    let may_precede = |before: char| {
        !before.is_alphanumeric() && !"-_.".contains(before) && (in_s3 || before != '/')
    };
    let begins = |folder: &str| {
        text.match_indices(folder)
            .any(|(at, _)| text[..at].chars().next_back().is_none_or(may_precede))
    };
    OWN_FOLDERS.iter().any(|folder| begins(folder))
        || begins(PACKAGES)
        || NAMES.iter().any(|name| text.contains(name))
}

/// The string literals of a source, as they are written.
fn literals(source: &str) -> Vec<String> {
    let mut literals = Vec::new();
    let mut rest = source;
    while let Some(at) = rest.find(['"', '/', '\'']) {
        let (before, here) = rest.split_at(at);
        let taken = if here.starts_with("//") {
            here.find('\n').unwrap_or(here.len())
        } else if here.starts_with("'\"'") {
            3
        } else if here.starts_with("'\\\"'") {
            4
        } else if let Some(text) = here.strip_prefix('"') {
            let head = before.trim_end_matches('#');
            let raw = head.ends_with('r');
            let hashes = if raw { before.len() - head.len() } else { 0 };
            let end = format!("\"{}", "#".repeat(hashes));
            let length = length_of(text, &end, raw);
            literals.push(text[..length].to_owned());
            1 + length + end.len()
        } else {
            1
        };
        rest = &here[taken.min(here.len())..];
    }
    literals
}

/// How many bytes the literal has whose text begins here; outside raw ones a backslash escapes.
fn length_of(text: &str, end: &str, raw: bool) -> usize {
    let mut escaped = false;
    for (at, char) in text.char_indices() {
        if !escaped && text[at..].starts_with(end) {
            return at;
        }
        escaped = !raw && !escaped && char == '\\';
    }
    text.len()
}
