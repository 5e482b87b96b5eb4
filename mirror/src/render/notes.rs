//! What is to be told of a rendering.

use std::collections::BTreeMap;

use serde::Serialize;

/// How many examples a note has.
const EXAMPLES: usize = 5;

/// Something that a person should know of a rendering.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Note {
    pub what: What,
    pub count: u64,
    /// Addresses of the site, a few of them.
    pub examples: Vec<String>,
}

/// What a note tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Links and forms that lead to the dynamic origin; the examples are their targets.
    ToDynamic,
    /// Links and forms that lead to an outside form.
    ToForm,
    /// Links and forms that lead to the page that says what is off.
    ToOff,
    /// Forms with a password that send nothing, as a copy must not get one.
    PasswordOff,
    /// Redirects that lead to themselves.
    RedirectLoop,
    /// Redirects to what the mirror does not have.
    RedirectLost,
    /// Addresses that have another key, since theirs is that of another address.
    KeyTaken,
    /// Addresses that have another key, since theirs would be too long for S3, or is not UTF-8.
    KeyImpossible,
    /// Pages too large to be looked into.
    NotScanned,
    /// The site's answer to a missing path was not there: the error document is a plain one.
    PlainErrorPage,
}

impl What {
    /// Says it as the head of a line, before the count.
    pub fn told(self) -> &'static str {
        match self {
            Self::ToDynamic => "links and forms that lead to the dynamic name",
            Self::ToForm => "links and forms that lead to an outside form",
            Self::ToOff => "links and forms that lead to the page that says what is off",
            Self::PasswordOff => "forms with a password that send nothing",
            Self::RedirectLoop => "redirects that lead in a circle",
            Self::RedirectLost => "redirects to what the mirror does not have",
            Self::KeyTaken => "addresses under another key, as theirs is taken",
            Self::KeyImpossible => "addresses under another key, as theirs cannot be one",
            Self::NotScanned => "pages too large to be looked into",
            Self::PlainErrorPage => "the error document is a plain one",
        }
    }
}

/// Collects notes.
#[derive(Debug, Default)]
pub struct Notes(BTreeMap<What, (u64, Vec<String>)>);

impl Notes {
    /// Counts one, and keeps it as an example where few are kept yet.
    pub fn tell(&mut self, what: What, example: impl AsRef<str>) {
        let (count, examples) = self.0.entry(what).or_default();
        *count += 1;
        let example = example.as_ref();
        if examples.len() < EXAMPLES && !examples.iter().any(|kept| kept == example) {
            examples.push(example.to_owned());
        }
    }

    /// Whether one was told.
    pub fn has(&self, what: What) -> bool {
        self.0.contains_key(&what)
    }

    /// The notes, in the order of [`What`].
    pub fn into_list(self) -> Vec<Note> {
        let note = |(what, (count, examples))| Note {
            what,
            count,
            examples,
        };
        self.0.into_iter().map(note).collect()
    }
}
