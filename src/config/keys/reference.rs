//! The reference page of site.toml, rendered from the table of keys; and what the table promises.

use std::fmt::Write as _;
use std::path::Path;

use super::{Absent, ConfigPart, SiteKey, ValueType, all, find, hides, names_in};
use crate::config::Site;
use crate::config::parse::fixtures::{SMALLEST, problems};

const PAGE: &str = "docs/site-toml-reference.md";
const HEAD: &str = "# site.toml: every key

This page is written by `UPDATE_REFERENCE=1 cargo test --workspace --bins --locked the_reference_page`
from the table in `src/config/keys/`; change the table, not this page.

A site's file stands in its repository as `site.toml`. A key that is not on this page is an error, which names the nearest key.
`spotboot check` says every problem of the file at once, each with its line.

The *part* says who changes a key: keys of the **release** belong to what a deploy brings; keys of the **site** are changed by a person,
and CI's role is not to change them. *Since* is the first version of spotboot that knows the key.
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for key in all() {
        match key.value {
            ValueType::Table | ValueType::Tables if !key.path.contains('.') => {
                heading(&mut page, key)
            }
            _ => row(&mut page, key),
        }
    }
    page
}

fn heading(page: &mut String, table: &SiteKey) {
    let absent = match table.absent {
        Absent::Refused => "The table is required.".to_owned(),
        Absent::Is(value) => format!("Without the table: `{value}`."),
        Absent::Means(words) => format!("Without the table: {words}."),
    };
    let _ = write!(
        page,
        "\n## [{}]\n\n{} {absent}\n\n| key | type | default | since | part | what |\n| --- | --- | --- | --- | --- | --- |\n",
        table.path, table.sentence
    );
}

fn row(page: &mut String, key: &SiteKey) {
    let name = key.path.split_once('.').expect("a table is a heading").1;
    let absent = match key.absent {
        Absent::Refused => "required".to_owned(),
        Absent::Is(value) => format!("`{value}`"),
        Absent::Means(words) => words.to_owned(),
    };
    let part = match key.part {
        ConfigPart::Release => "release",
        ConfigPart::Site => "site",
    };
    let value = match key.value {
        ValueType::OneOf(words) => words
            .iter()
            .map(|word| format!("`\"{word}\"`"))
            .collect::<Vec<_>>()
            .join(", "),
        other => other.to_string(),
    };
    let _ = writeln!(
        page,
        "| `{}` | {value} | {absent} | {} | {part} | {} |",
        name.replace('*', "<ca>"),
        key.since,
        key.sentence
    );
}

#[test]
fn the_reference_page_is_what_the_table_renders() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    if std::env::var_os("UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, page()).expect("the page is written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == page(),
        "{PAGE} is not what the table of keys renders; write it anew by\n    UPDATE_REFERENCE=1 cargo test --workspace --bins --locked the_reference_page"
    );
}

#[test]
fn a_key_stands_once_below_a_table_that_is_known_and_says_what_it_is_for() {
    let mut paths: Vec<&str> = all().map(|key| key.path).collect();
    paths.sort_unstable();
    assert!(paths.windows(2).all(|pair| pair[0] != pair[1]), "{paths:?}");
    for key in all() {
        if let Some((table, _)) = key.path.rsplit_once('.') {
            let table = find(table).unwrap_or_else(|| panic!("{table} of {} is no key", key.path));
            assert!(matches!(table.value, ValueType::Table | ValueType::Tables));
        }
        assert!(
            key.sentence.ends_with('.') && !key.sentence.contains('|'),
            "{}",
            key.path
        );
    }
}

/// The file with a line in one of its tables.
fn with_line(text: &str, table: &str, line: &str) -> String {
    let header = format!("[{table}]\n");
    if text.contains(&header) {
        text.replacen(&header, &format!("{header}{line}\n"), 1)
    } else {
        format!("{text}{header}{line}\n")
    }
}

#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let smallest = format!("{SMALLEST}[failover]\nbucket = \"mirror\"\n");
    let bare = format!("{:?}", Site::parse("site.toml", &smallest).unwrap());
    let mut written_out = 0;
    for key in all() {
        let Absent::Is(value) = key.absent else {
            continue;
        };
        let (table, name) = key.path.rsplit_once('.').expect("a key stands in a table");
        let text = with_line(&smallest, table, &format!("{name} = {value}"));
        let site =
            Site::parse("site.toml", &text).unwrap_or_else(|why| panic!("{}: {why}", key.path));
        assert_eq!(format!("{site:?}"), bare, "{}", key.path);
        written_out += 1;
    }
    assert!(written_out > 12, "{written_out}");
}

#[test]
fn a_key_that_has_to_be_there_is_missed() {
    for key in all().filter(|key| key.absent == Absent::Refused && !key.path.contains('*')) {
        let found = match key.path.split_once('.') {
            None => problems(""),
            Some((table, _)) => problems(&format!("[{table}]\n")),
        };
        assert!(
            found.contains(key.path) && found.contains("is missing"),
            "{}: {found}",
            key.path
        );
    }
}

#[test]
fn a_value_of_another_type_and_an_unknown_key_are_reported_in_every_table() {
    let full = include_str!("../../../tests/site/full.toml");
    let full = format!("{full}\n[tls.eab.letsencrypt]\nkid = \"k\"\nhmac_key = \"ssm:/key\"\n");
    assert!(Site::parse("site.toml", &full).is_ok());
    for key in all() {
        let path = key.path.replace('*', "letsencrypt");
        if key.value == ValueType::Table && key.path != "app.health" {
            let found = problems(&with_line(&full, &path, "zzz = 1"));
            assert!(
                found.contains(&format!(
                    "{path}.zzz is not a key that spotboot knows; known here: "
                )),
                "{found}"
            );
        }
        if path.contains('.') && names_in(key.path).is_empty() {
            let (table, name) = path.rsplit_once('.').expect("looked at");
            let others = SMALLEST.lines().filter(|line| !line.starts_with(name));
            let others: String = others.map(|line| format!("{line}\n")).collect();
            let found = problems(&with_line(&others, table, &format!("{name} = 1979-05-27")));
            assert!(
                found.contains(&format!(
                    "{path} is datetime; it wants {}",
                    key.value.wanted()
                )),
                "{path}: {found}"
            );
        }
    }
}

#[test]
fn values_that_may_be_secrets_are_hidden_and_so_is_what_is_no_key() {
    for path in [
        &["app", "secrets"][..],
        &["app", "secrets", "TOKEN"],
        &["app", "env", "A"],
        &["tls", "eab", "zerossl", "hmac_key"],
        &["tls", "eab"],
        &["app"],
        &["app", "secretes"],
        &["secrets"],
        &["site", "name", "x"],
    ] {
        assert!(hides(path), "{path:?}");
    }
    for path in [
        &["site", "name"][..],
        &["app", "kind"],
        &["app", "health", "path"],
        &["app", "static", "/static/"],
        &["tls", "eab", "zerossl", "kid"],
        &["site"],
    ] {
        assert!(!hides(path), "{path:?}");
    }
}
