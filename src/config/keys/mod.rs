//! The keys of site.toml, as one table: what each is, what holds without it, and what it is for.
//!
//! The table feeds the parser (which keys there are, and the type that each wants), the nearest-key
//! hints, `check` and the reference page in `docs/`. What a value may be beyond its type is
//! `values`' business.

mod app;
#[cfg(test)]
mod reference;
mod site;
mod tls;
mod web;

use std::fmt;

/// One key of site.toml, or one table.
#[derive(Debug, PartialEq, Eq)]
pub struct SiteKey {
    /// From the file's root, as in `app.health.path`; `*` stands for a name that the user chooses.
    pub path: &'static str,
    pub value: ValueType,
    pub absent: Absent,
    /// The first version of spotboot that knows the key.
    pub since: &'static str,
    pub part: ConfigPart,
    /// What the key is for.
    pub sentence: &'static str,
    /// Its value may be a secret by mistake, which no message repeats (invariant I7).
    is_private: bool,
}

/// What a key's value is in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    Text,
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A whole number within these bounds.
    Integer {
        least: u32,
        most: u32,
    },
    Boolean,
    Texts,
    /// One string, or a list of them.
    TextOrTexts,
    /// Strings under names that the user chooses.
    TextMap,
    /// A table whose keys stand in the table of keys.
    Table,
    /// Such tables under names that the user chooses.
    Tables,
}

/// What holds where a key is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// The file is wrong.
    Refused,
    /// The same as with this value, in TOML.
    Is(&'static str),
    /// What these words say.
    Means(&'static str),
}

/// Who changes a key, and how the change reaches the instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigPart {
    /// It belongs to a release, with which it is tried, promoted and rolled back.
    Release,
    /// It belongs to the site; CI's role is not to change it.
    Site,
}

/// The version in which the table of keys was begun.
const FIRST: &str = "0.1.0";

/// Each table of the file before its keys, in the order of the reference page.
const ALL: [&[SiteKey]; 4] = [site::KEYS, tls::KEYS, app::KEYS, web::KEYS];

/// Every key and every table.
pub fn all() -> impl Iterator<Item = &'static SiteKey> {
    ALL.into_iter().flatten()
}

/// The key of that path, in which `*` stands for each name that the user chose.
pub fn find(path: &str) -> Option<&'static SiteKey> {
    all().find(|key| key.path == path)
}

/// The names of the keys that may stand in a table; the root's path is empty.
pub fn names_in(table: &str) -> Vec<&'static str> {
    let name = |key: &SiteKey| {
        let (parent, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        (parent == table && name != "*").then_some(name)
    };
    all().filter_map(name).collect()
}

/// The tables, but for this one, in which a key has that name.
pub fn tables_with(name: &str, but: &str) -> Vec<&'static str> {
    let table = |key: &'static SiteKey| {
        let (parent, last) = key.path.rsplit_once('.')?;
        (last == name && parent != but && !parent.contains('*')).then_some(parent)
    };
    all().filter_map(table).collect()
}

/// Whether a value at this path may hold a secret: of a private key, of a table with one in it, and
/// of everything that is no key.
pub fn hides(path: &[&str]) -> bool {
    let mut known = false;
    for key in all() {
        let mut pairs = key.path.split('.').zip(path);
        if !pairs.all(|(wanted, given)| wanted == "*" || wanted == *given) {
            continue;
        }
        if key.is_private {
            return true;
        }
        let is_below = path.len() > key.path.split('.').count();
        known |= !is_below || key.value == ValueType::TextMap;
    }
    !known
}

impl SiteKey {
    const fn private(self) -> Self {
        Self {
            is_private: true,
            ..self
        }
    }
}

const fn key(
    path: &'static str,
    value: ValueType,
    absent: Absent,
    since: &'static str,
    part: ConfigPart,
    sentence: &'static str,
) -> SiteKey {
    SiteKey {
        path,
        value,
        absent,
        since,
        part,
        sentence,
        is_private: false,
    }
}

impl ValueType {
    /// What the parser says that it wants where it finds a value of another type.
    pub fn wanted(self) -> String {
        match self {
            Self::Text | Self::OneOf(_) => "a string".to_owned(),
            other => other.to_string(),
        }
    }

    /// Whether these are the words of a [`ValueType::OneOf`], in whatever order.
    pub fn has_words(self, words: &[&str]) -> bool {
        let Self::OneOf(known) = self else {
            return false;
        };
        known.len() == words.len() && known.iter().all(|word| words.contains(word))
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Text => "a string",
            Self::OneOf(words) => return write!(f, "one of {}", words.join(", ")),
            Self::Integer { least, most } => {
                return write!(f, "a whole number from {least} to {most}");
            }
            Self::Boolean => "true or false",
            Self::Texts => "a list of strings",
            Self::TextOrTexts => "a string or a list of strings",
            Self::TextMap => "a table of strings",
            Self::Table => "a table",
            Self::Tables => "a table of tables",
        };
        f.write_str(words)
    }
}
