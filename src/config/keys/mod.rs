//! The keys of site.toml as one table: each key's type, default and purpose. Which part of the
//! configuration a key belongs to stands there, too (invariant I13 of docs/ARCHITECTURE.md).
//!
//! The table feeds the parser (known keys and their types), the nearest-key hints, `check` and the
//! reference page in `docs/`. The rules for values beyond their type are `values`' business.

mod app;
mod failover;
#[cfg(test)]
mod reference;
mod site;
mod tls;
mod web;

use std::fmt;

/// A key or a table of site.toml.
#[derive(Debug, PartialEq, Eq)]
pub struct SiteKey {
    /// From the file's root, as in `app.health.path`; `*` stands for a name that the user chooses.
    pub path: &'static str,
    pub value: ValueType,
    pub absent: Absent,
    /// The first version of spotboot that knows the key.
    pub since: &'static str,
    pub part: ConfigPart,
    /// The key's purpose.
    pub sentence: &'static str,
    /// The value may be a secret by mistake, so no message repeats it (invariant I7).
    is_private: bool,
}

/// The TOML type of a key's value.
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

/// The meaning of a file without the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Absent {
    /// The file is wrong.
    Refused,
    /// The default is this value, in TOML.
    Is(&'static str),
    /// These words say the default, which is no single value.
    Means(&'static str),
}

/// The owner of a key, who changes its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigPart {
    /// The release: the key is tried, promoted and rolled back with it.
    Release,
    /// The site: a person changes the key, and CI's role is not to.
    Site,
}

/// The version in which the table of keys was begun.
const FIRST: &str = "0.1.0";

/// Each table of the file before its keys, in the order of the reference page.
const ALL: [&[SiteKey]; 5] = [site::KEYS, tls::KEYS, app::KEYS, web::KEYS, failover::KEYS];

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
    /// The key's type, default and sentence, in one line.
    pub fn help(&self) -> String {
        let absent = match self.absent {
            Absent::Refused => "required".to_owned(),
            Absent::Is(value) => format!("by default {value}"),
            Absent::Means(words) => format!("without it {words}"),
        };
        format!(
            "{} is {}, {absent}. {}",
            self.path, self.value, self.sentence
        )
    }

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
    /// The type in the words of the error about a value of another type.
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
