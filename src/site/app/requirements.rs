//! Lists of requirements as pip reads them (its "Requirements File Format"): their text, their
//! lines, and what a line reaches for beyond itself. uv reads the same lists. Opens nothing:
//! [`super::lockfile`] does.

use std::borrow::Cow;

/// A list's text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    /// Whether every character is right; of an encoding that is not known here, ASCII alone is.
    pub(super) exact: bool,
}

/// Decodes by the byte order mark, else by a declaration as in PEP 263, else as UTF-8. None: the
/// bytes are no text in that encoding.
pub(super) fn decode(bytes: &[u8]) -> Option<Text> {
    let marked = |mark: &[u8]| bytes.strip_prefix(mark);
    let text = if let Some(rest) = marked(b"\xef\xbb\xbf") {
        str::from_utf8(rest).ok()?.to_owned()
    } else if let Some(rest) = marked(b"\xff\xfe") {
        utf_16(rest, u16::from_le_bytes)?
    } else if let Some(rest) = marked(b"\xfe\xff") {
        utf_16(rest, u16::from_be_bytes)?
    } else {
        return match declared(bytes).as_deref() {
            None | Some("utf-8" | "utf8" | "ascii" | "us-ascii") => Some(Text {
                text: str::from_utf8(bytes).ok()?.to_owned(),
                exact: true,
            }),
            Some("latin-1" | "latin1" | "iso-8859-1" | "iso8859-1") => Some(Text {
                text: latin_1(bytes),
                exact: true,
            }),
            Some(_) => Some(Text {
                text: latin_1(bytes),
                exact: false,
            }),
        };
    };
    Some(Text { text, exact: true })
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(pairs.iter().copied().map(unit))
        .collect::<Result<String, _>>()
        .ok()?;
    rest.is_empty().then_some(text)
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// `# -*- coding: latin-1 -*-` in one of the first two lines.
fn declared(bytes: &[u8]) -> Option<String> {
    bytes
        .split(|byte| *byte == b'\n')
        .take(2)
        .filter(|line| line.starts_with(b"#"))
        .find_map(|line| {
            let line = String::from_utf8_lossy(line);
            let after = line
                .split("coding")
                .skip(1)
                .find_map(|rest| rest.strip_prefix([':', '=']))?;
            let name: String = after
                .trim_start()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
                .collect();
            (!name.is_empty()).then(|| name.to_ascii_lowercase().replace('_', "-"))
        })
}

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
pub(super) enum Entry {
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
pub(super) fn entries(line: &str) -> Vec<Entry> {
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
            Some(Takes::List) => Some(Entry::List(value)),
            Some(Takes::Editable) => Some(Entry::Editable(value)),
            Some(Takes::Links) => Some(Entry::Links(value)),
            Some(Takes::Index) => Some(Entry::Index(value)),
            Some(Takes::Hash | Takes::Value | Takes::Nothing) => None,
            None => Some(Entry::Unknown),
        };
        return options.into_iter().filter_map(entry).collect();
    }
    let hashed = options.iter().any(|(takes, _)| *takes == Some(Takes::Hash));
    vec![Entry::Requirement(requirement.to_owned(), hashed)]
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

/// Where a requirement's files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// From the index, by a name.
    Index,
    /// The content may change, unless a hash or a commit pins it.
    Url { pinned: bool },
    /// On this machine.
    Path(String),
}

/// The place of a requirement without its options.
pub(super) fn place(requirement: &str, hashed: bool) -> Place {
    let separator = if is_url(requirement) { "; " } else { ";" };
    let bare = requirement
        .split_once(separator)
        .map_or(requirement, |(bare, _)| bare)
        .trim();
    if is_url(bare) {
        return place_of_url(bare, hashed);
    }
    // PEP 508's `name[extra] @ URL`; uv takes a path there too.
    if let Some((name, target)) = bare.split_once('@')
        && is_name(without_extras(name.trim()))
    {
        let target = target.trim();
        return if is_url(target) {
            place_of_url(target, hashed)
        } else {
            Place::Path(without_extras(target).to_owned())
        };
    }
    let path = without_extras(bare);
    let is_path = path.contains('/') || path.starts_with('.') || is_archive(path);
    if is_path {
        Place::Path(path.to_owned())
    } else {
        Place::Index
    }
}

/// The place of an editable requirement: a folder needs no `/` there.
pub(super) fn place_of_editable(requirement: &str) -> Place {
    match place(requirement, false) {
        Place::Index => Place::Path(without_extras(requirement).to_owned()),
        place => place,
    }
}

fn place_of_url(url: &str, hashed: bool) -> Place {
    if let Some(path) = file_path(url) {
        return Place::Path(path);
    }
    let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_hash = |part: &str| {
        let known = ["sha224", "sha256", "sha384", "sha512", "sha1", "md5"];
        part.split_once('=')
            .is_some_and(|(name, value)| known.contains(&name) && is_hex(value))
    };
    let is_commit = |revision: &str| [40, 64].contains(&revision.len()) && is_hex(revision);
    let pinned = if is_versioned(url) {
        address
            .rsplit_once('@')
            .is_some_and(|(_, revision)| is_commit(revision))
    } else {
        hashed || fragment.split('&').any(is_hash)
    };
    Place::Url { pinned }
}

/// The path of a `file:` URL; None: the URL is of another kind.
pub(super) fn file_path(url: &str) -> Option<String> {
    let rest = scheme(url)
        .filter(|scheme| scheme == "file")
        .map(|_| &url["file:".len()..])?;
    let rest = rest.split(['#', '?']).next().unwrap_or_default();
    if !rest.starts_with('/') {
        return Some(without_extras(rest).to_owned());
    }
    let path = url::Url::parse(&format!("file:{rest}"))
        .ok()
        .and_then(|url| url.to_file_path().ok());
    Some(path.map_or_else(
        || rest.to_owned(),
        |path| without_extras(&path.to_string_lossy()).to_owned(),
    ))
}

fn scheme(text: &str) -> Option<Cow<'_, str>> {
    let (scheme, _) = text.split_once(':')?;
    Some(if scheme.bytes().all(|byte| byte.is_ascii_lowercase()) {
        scheme.into()
    } else {
        scheme.to_ascii_lowercase().into()
    })
}

/// What pip takes for a URL, and not for a name or a path.
pub(super) fn is_url(text: &str) -> bool {
    scheme(text).is_some_and(|scheme| ["http", "https", "file", "ftp"].contains(&&*scheme))
        || is_versioned(text)
}

/// `git+https://…`
fn is_versioned(text: &str) -> bool {
    let systems = ["git", "hg", "svn", "bzr"];
    scheme(text).is_some_and(|scheme| {
        scheme
            .split_once('+')
            .is_some_and(|(system, _)| systems.contains(&system))
    })
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// `./lib[dev]` → `./lib`
fn without_extras(text: &str) -> &str {
    let extras = text
        .strip_suffix(']')
        .and_then(|rest| rest.rsplit_once('['))
        .filter(|(bare, _)| !bare.is_empty());
    extras.map_or(text, |(bare, _)| bare).trim_end()
}

/// A file that an installer unpacks, by its name.
pub(super) fn is_archive(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ends = [
        ".whl",
        ".zip",
        ".tar",
        ".tar.gz",
        ".tgz",
        ".tar.bz2",
        ".tbz",
        ".tar.xz",
        ".txz",
        ".tlz",
        ".tar.lz",
        ".tar.lzma",
    ];
    ends.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
#[path = "requirements_tests.rs"]
mod tests;
