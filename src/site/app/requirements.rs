//! Lists of requirements as pip reads them (its "Requirements File Format"): their text, their
//! lines, and what a line reaches for beyond itself. uv reads the same lists. Opens nothing:
//! [`super::lockfile`] does.

mod encoding;
mod place;

pub(super) use encoding::decode;
pub(super) use place::{
    RequirementPlace, file_path, is_archive, is_remote, is_url, place, place_of_editable,
    without_passwords,
};

/// The logical lines: with their continuations, without comments, `${NAME}` replaced where the
/// installers have such a variable.
pub(super) fn lines(text: &str, variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut whole = Vec::new();
    let mut begun = String::new();
    for line in physical_lines(text) {
        let is_comment = line.trim_start().starts_with('#');
        if line.ends_with('\\') && !is_comment {
            begun.push_str(line.trim_matches('\\'));
            continue;
        }
        if is_comment {
            // A comment behind a line that goes on is still one.
            begun.push(' ');
        }
        begun.push_str(line);
        whole.push(std::mem::take(&mut begun));
    }
    whole.push(begun);
    let clean = whole
        .iter()
        .map(|line| without_comment(line).trim())
        .filter(|line| !line.is_empty());
    clean.map(|line| expanded(line, &variable)).collect()
}

/// Where Python's `str.splitlines` ends a line.
fn physical_lines(text: &str) -> impl Iterator<Item = &str> {
    let ends = [
        '\n', '\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e', '\u{85}', '\u{2028}', '\u{2029}',
    ];
    // The empty line within `\r\n` would end a continuation.
    text.split("\r\n").flat_map(move |line| line.split(ends))
}

fn without_comment(line: &str) -> &str {
    let starts = line.match_indices('#').map(|(at, _)| at);
    let comment = starts
        .filter(|at| {
            line[..*at]
                .chars()
                .next_back()
                .is_none_or(char::is_whitespace)
        })
        .min();
    comment.map_or(line, |at| &line[..at])
}

fn expanded(line: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("${") {
        text.push_str(before);
        let of_name = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let name = after
            .split_once('}')
            .map(|(name, _)| name)
            .filter(|name| !name.is_empty() && name.bytes().all(of_name));
        match name.and_then(|name| Some((name, variable(name).filter(|value| !value.is_empty())?)))
        {
            Some((name, value)) => {
                text.push_str(&value);
                rest = &after[name.len() + 1..];
            }
            None => {
                text.push_str("${");
                rest = after;
            }
        }
    }
    text + rest
}

/// What a line says that reaches beyond it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LineEntry {
    /// Another list: `-r` or `-c`.
    List(String),
    Editable(String),
    /// The requirement without its options, and whether hashes stand by it.
    Requirement(String, bool),
    /// `--find-links`: a folder, a page or a URL.
    Links(String),
    Index(String),
    /// An option that pip has learnt later.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    List,
    Editable,
    Links,
    Index,
    Hash,
    /// A value that decides on nothing but what the line says.
    Value,
    Nothing,
}

const LONG: [(&str, Takes); 19] = [
    ("requirement", Takes::List),
    ("constraint", Takes::List),
    ("editable", Takes::Editable),
    ("find-links", Takes::Links),
    ("index-url", Takes::Index),
    ("pypi-url", Takes::Index),
    ("extra-index-url", Takes::Index),
    ("hash", Takes::Hash),
    ("no-binary", Takes::Value),
    ("only-binary", Takes::Value),
    ("trusted-host", Takes::Value),
    ("use-feature", Takes::Value),
    ("global-option", Takes::Value),
    ("config-settings", Takes::Value),
    ("config-setting", Takes::Value),
    ("no-index", Takes::Nothing),
    ("prefer-binary", Takes::Nothing),
    ("require-hashes", Takes::Nothing),
    ("pre", Takes::Nothing),
];
const SHORT: [(char, Takes); 6] = [
    ('r', Takes::List),
    ('c', Takes::List),
    ('e', Takes::Editable),
    ('f', Takes::Links),
    ('i', Takes::Index),
    ('C', Takes::Value),
];

/// The entries of one line without its comment.
pub(super) fn entries(line: &str) -> Vec<LineEntry> {
    let options_at = line.split(' ').scan(0, |at, token| {
        let start = *at;
        *at += token.len() + 1;
        Some((start, token))
    });
    let options_at = options_at
        .filter(|(_, token)| token.starts_with('-'))
        .map(|(at, _)| at)
        .next();
    let (requirement, options) = options_at.map_or((line, ""), |at| line.split_at(at));
    let options = options_of(options);
    let requirement = requirement.trim();
    if requirement.is_empty() {
        let entry = |(takes, value): (Option<Takes>, String)| match takes {
            Some(Takes::List) => Some(LineEntry::List(value)),
            Some(Takes::Editable) => Some(LineEntry::Editable(value)),
            Some(Takes::Links) => Some(LineEntry::Links(value)),
            Some(Takes::Index) => Some(LineEntry::Index(value)),
            Some(Takes::Hash | Takes::Value | Takes::Nothing) => None,
            None => Some(LineEntry::Unknown),
        };
        return options.into_iter().filter_map(entry).collect();
    }
    let hashed = options.iter().any(|(takes, _)| *takes == Some(Takes::Hash));
    vec![LineEntry::Requirement(requirement.to_owned(), hashed)]
}

/// Python's optparse: `--name value`, `--name=value`, a beginning of the name that is no other's,
/// `-n value`, `-nvalue`.
fn options_of(text: &str) -> Vec<(Option<Takes>, String)> {
    let mut found = Vec::new();
    let mut words = words(text).into_iter();
    while let Some(word) = words.next() {
        let (takes, value) = if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long
                .split_once('=')
                .map_or((long, None), |(name, value)| (name, Some(value.to_owned())));
            (long_option(name), value)
        } else if let Some(short) = word.strip_prefix('-').and_then(|rest| rest.chars().next()) {
            let takes = SHORT
                .iter()
                .find(|(name, _)| *name == short)
                .map(|(_, takes)| *takes);
            let value = word[1 + short.len_utf8()..].trim_start_matches('=');
            (takes, (!value.is_empty()).then(|| value.to_owned()))
        } else {
            continue;
        };
        let wants = takes.is_some_and(|takes| takes != Takes::Nothing);
        let value = value.or_else(|| if wants { words.next() } else { None });
        found.push((takes, value.unwrap_or_default()));
    }
    found
}

fn long_option(name: &str) -> Option<Takes> {
    let exact = LONG.iter().find(|(known, _)| *known == name);
    let mut begun = LONG
        .iter()
        .filter(|(known, _)| !name.is_empty() && known.starts_with(name));
    match (exact, begun.next(), begun.next()) {
        (Some((_, takes)), ..) | (None, Some((_, takes)), None) => Some(*takes),
        _ => None,
    }
}

/// As a shell would split them (Python's `shlex`).
fn words(text: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
#[path = "requirements_tests.rs"]
mod tests;
