//! Reading a TOML document without stopping at the first problem.
//!
//! Knows lines, types and key names; what the keys mean is `parse`'s business. A key that the table
//! of keys lacks cannot be read, and a key of the table that the parser does not read fails the
//! tests.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::excerpt::Excerpt;
use super::keys::{self, SiteKey, ValueType};

/// The subject of a problem that concerns no key of the table of keys.
pub const SYNTAX: &str = "syntax";
/// The subject of a problem about a key that the table of keys lacks.
pub const UNKNOWN_KEY: &str = "unknown-key";

/// One thing wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    /// The path of the key, else [`SYNTAX`] or [`UNKNOWN_KEY`].
    pub about: &'static str,
    pub message: String,
    pub excerpt: Excerpt,
}

impl Problem {
    /// The type, default and sentence of the problem's key.
    pub fn help(&self) -> Option<String> {
        keys::find(self.about).map(SiteKey::help)
    }
}

/// Where every reader of one document leaves what it finds.
pub struct Findings<'s> {
    source: &'s str,
    problems: RefCell<Vec<Problem>>,
}

impl<'s> Findings<'s> {
    /// `source` is the whole document, from which excerpts are cut.
    pub fn new(source: &'s str) -> Self {
        Self {
            source,
            problems: RefCell::default(),
        }
    }

    /// Adds a problem at a span of the document, in bytes. `about` is a key's path, [`SYNTAX`] or
    /// [`UNKNOWN_KEY`].
    pub fn report(&self, span: &Range<usize>, about: &'static str, message: impl Into<String>) {
        let excerpt = Excerpt::of(self.source, span);
        self.problems.borrow_mut().push(Problem {
            line: excerpt.number(),
            about,
            message: message.into(),
            excerpt,
        });
    }

    /// All problems, sorted by line.
    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort_by(|a, b| (a.line, &a.message).cmp(&(b.line, &b.message)));
        problems
    }
}

/// A value with the place it stands at.
#[derive(Clone)]
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

/// One table of the document. [`Table::finish`] reports the keys that the table of keys lacks.
pub struct Table<'t> {
    /// As the user wrote it.
    name: String,
    /// As the table of keys has it: `*` in place of names that the user chose.
    path: String,
    entries: Option<&'t DeTable<'t>>,
    span: Range<usize>,
    findings: &'t Findings<'t>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'t> Table<'t> {
    /// The document's outermost table.
    pub fn root(entries: &'t DeTable<'t>, findings: &'t Findings<'t>) -> Self {
        Self {
            name: String::new(),
            path: String::new(),
            entries: Some(entries),
            span: 0..0,
            findings,
            asked: RefCell::default(),
        }
    }

    /// A table by its key; an absent one reads as empty.
    pub fn table(&self, key: &'static str) -> Self {
        let found = self.get(key, DeValue::as_table);
        let span = found
            .as_ref()
            .map_or(self.span.clone(), |at| at.span.clone());
        Self {
            name: joined(&self.name, key),
            path: self.key(key).path.to_owned(),
            entries: found.map(|at| at.value),
            span,
            findings: self.findings,
            asked: RefCell::default(),
        }
    }

    /// Whether the document has the table, be it empty.
    pub fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    /// Whether the key stands in the table, whatever its value.
    pub fn has(&self, key: &'static str) -> bool {
        self.entries
            .is_some_and(|entries| entries.contains_key(key))
    }

    /// A string by its key; `None` where the key is absent, or of another type, which is reported.
    pub fn string(&self, key: &'static str) -> Option<At<String>> {
        self.get(key, |value| value.as_str().map(str::to_owned))
    }

    /// The same for a key without which the file is wrong: its absence is reported, too.
    pub fn required(&self, key: &'static str) -> Option<At<String>> {
        if !self.has(key) {
            self.lacks(key, format!("{} is missing", joined(&self.name, key)));
        }
        self.string(key)
    }

    /// A boolean by its key; `None` where the key is absent, or of another type, which is reported.
    pub fn boolean(&self, key: &'static str) -> Option<bool> {
        self.get(key, DeValue::as_bool).map(|at| at.value)
    }

    /// A whole number within the bounds of the table of keys.
    pub fn integer(&self, key: &'static str) -> Option<u32> {
        let ValueType::Integer { least, most } = self.key(key).value else {
            panic!("{key} is read as a number, and the table of keys calls it something else");
        };
        let in_range = |value: &DeValue<'_>| {
            let text = value.as_integer()?;
            u32::from_str_radix(text.as_str(), text.radix())
                .ok()
                .filter(|number| (least..=most).contains(number))
        };
        self.get(key, in_range).map(|at| at.value)
    }

    /// The meaning of a value that has to be one of a few words.
    pub fn one_of<T: Copy>(
        &self,
        key: &str,
        at: Option<At<String>>,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        debug_assert!(
            self.key(key).value.has_words(&words),
            "{key} is one of {words:?}, and the table of keys has other words"
        );
        let at = at?;
        let found = choices.iter().find(|(word, _)| *word == at.value);
        if found.is_none() {
            let hint = nearest(&at.value, &words)
                .map_or(String::new(), |near| format!("; did you mean {near}?"));
            let wanted = words.join(", ");
            self.reject(
                key,
                &at,
                format!("is {:?}; it is one of {wanted}{hint}", at.value),
            );
        }
        found.map(|(_, meaning)| *meaning)
    }

    /// A string, or a list of strings; an absent one is empty.
    pub fn one_or_more(&self, key: &'static str) -> Vec<At<String>> {
        match self
            .entries
            .and_then(|entries| entries.get(key))
            .map(Spanned::get_ref)
        {
            Some(DeValue::String(_)) => self.string(key).into_iter().collect(),
            _ => self.strings(key),
        }
    }

    /// Tables whose names are the user's own.
    pub fn tables(&self, key: &'static str) -> Vec<(String, Self)> {
        let Some(tables) = self.get(key, DeValue::as_table) else {
            return Vec::new();
        };
        let path = joined(self.key(key).path, "*");
        let entry = |(name, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let name: &str = AsRef::<str>::as_ref(name.get_ref() as &std::borrow::Cow<'_, str>);
            let whole = joined(&joined(&self.name, key), name);
            let entries = value.get_ref().as_table();
            if entries.is_none() {
                let found = value.get_ref().type_str();
                self.findings.report(
                    &value.span(),
                    self.key(key).path,
                    format!("{whole} is {found}; it wants a table"),
                );
            }
            let table = Self {
                name: whole,
                path: path.clone(),
                entries,
                span: value.span(),
                findings: self.findings,
                asked: RefCell::default(),
            };
            entries.map(|_| (name.to_owned(), table))
        };
        tables.value.iter().filter_map(entry).collect()
    }

    /// A list of strings; an absent one is empty.
    pub fn strings(&self, key: &'static str) -> Vec<At<String>> {
        let Some(list) = self.get(key, DeValue::as_array) else {
            return Vec::new();
        };
        let item = |item: &Spanned<DeValue<'_>>| {
            let text = item.get_ref().as_str().map(str::to_owned);
            if text.is_none() {
                let (name, found) = (joined(&self.name, key), item.get_ref().type_str());
                self.findings.report(
                    &item.span(),
                    self.key(key).path,
                    format!("{name} holds {found}, not a string"),
                );
            }
            text.map(|value| At {
                value,
                span: item.span(),
            })
        };
        list.value.iter().filter_map(item).collect()
    }

    /// A table of strings whose keys are the user's own.
    pub fn string_map(&self, key: &'static str) -> BTreeMap<String, At<String>> {
        let Some(map) = self.get(key, DeValue::as_table) else {
            return BTreeMap::new();
        };
        let entry = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let name: &str = AsRef::<str>::as_ref(name.get_ref() as &std::borrow::Cow<'_, str>);
            let Some(text) = value.get_ref().as_str() else {
                let whole = joined(&joined(&self.name, key), name);
                let found = value.get_ref().type_str();
                self.findings.report(
                    &value.span(),
                    self.key(key).path,
                    format!("{whole} is {found}, not a string"),
                );
                return None;
            };
            Some((
                name.to_owned(),
                At {
                    value: text.to_owned(),
                    span: value.span(),
                },
            ))
        };
        map.value.iter().filter_map(entry).collect()
    }

    /// Says what is wrong with a value that was read from this table.
    pub fn reject<T>(&self, key: &str, at: &At<T>, why: impl std::fmt::Display) {
        let message = format!("{} {why}", joined(&self.name, key));
        self.findings.report(&at.span, self.key(key).path, message);
    }

    /// Says what is wrong with the table as a whole.
    pub fn reject_table(&self, why: impl Into<String>) {
        let about = keys::find(&self.path).map_or(SYNTAX, |key| key.path);
        self.findings.report(&self.span, about, why);
    }

    /// Says that a key is missing that the table needs.
    pub fn lacks(&self, key: &str, why: impl Into<String>) {
        self.findings.report(&self.span, self.key(key).path, why);
    }

    /// Reports the keys that the table of keys lacks, each with the nearest known one.
    pub fn finish(self) {
        let known = keys::names_in(&self.path);
        for key in self.entries.into_iter().flat_map(DeTable::keys) {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let (whole, hint) = (joined(&self.name, name), self.hint(name, &known));
                self.findings.report(
                    &key.span(),
                    UNKNOWN_KEY,
                    format!("{whole} is not a key that spotboot knows; {hint}"),
                );
            }
        }
        let asked = self.asked.borrow();
        debug_assert!(
            self.entries.is_none() || known.iter().all(|name| asked.contains(name)),
            "[{}] has {known:?} by the table of keys, and only {asked:?} are read",
            self.path
        );
    }

    fn hint(&self, name: &str, known: &[&str]) -> String {
        if let Some(near) = nearest(name, known) {
            return format!("did you mean {near}?");
        }
        let elsewhere = match keys::tables_with(name, &self.path)[..] {
            [table] => format!("it stands in [{table}]; "),
            _ => String::new(),
        };
        format!("{elsewhere}known here: {}", known.join(", "))
    }

    fn get<T>(
        &self,
        key: &'static str,
        read: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<At<T>> {
        let known = self.key(key);
        self.asked.borrow_mut().push(key);
        let entry = self.entries?.get(key)?;
        let Some(value) = read(entry.get_ref()) else {
            let name = joined(&self.name, key);
            let (found, wanted) = (entry.get_ref().type_str(), known.value.wanted());
            self.findings.report(
                &entry.span(),
                known.path,
                format!("{name} is {found}; it wants {wanted}"),
            );
            return None;
        };
        Some(At {
            value,
            span: entry.span(),
        })
    }

    /// The row of the table of keys. A key without one cannot be read.
    fn key(&self, key: &str) -> &'static SiteKey {
        keys::find(&joined(&self.path, key))
            .unwrap_or_else(|| panic!("[{}] {key} is not in the table of keys", self.path))
    }
}

fn joined(table: &str, key: &str) -> String {
    if table.is_empty() {
        key.to_owned()
    } else {
        format!("{table}.{key}")
    }
}

/// The candidate most like `word`, if any is near enough to have been meant.
pub fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let scored = candidates
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate));
    let (distance, best) = scored.min()?;
    let near = distance <= 1 + best.len() / 4 || best.starts_with(word) || word.starts_with(best);
    near.then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_root(text: &str, read: impl FnOnce(Table<'_>)) -> Vec<Problem> {
        let findings = Findings::new(text);
        let document = DeTable::parse(text).expect("it is TOML");
        read(Table::root(document.get_ref(), &findings));
        findings.into_problems()
    }

    #[test]
    #[should_panic(expected = "[dns] colour is not in the table of keys")]
    fn a_key_that_the_table_of_keys_lacks_cannot_be_read() {
        with_root("[dns]\n", |root| {
            root.table("dns").string("colour");
        });
    }

    #[test]
    #[should_panic(expected = "and only [\"ttl\"] are read")]
    fn a_key_of_the_table_of_keys_is_read_by_the_parser() {
        with_root("[dns]\n", |root| {
            let table = root.table("dns");
            table.integer("ttl");
            table.finish();
        });
    }

    #[test]
    fn a_key_of_another_table_is_told_with_its_table() {
        let unknown = |text| {
            let problems = with_root(text, |root| {
                let table = root.table("host");
                table.strings("packages");
                table.finish();
            });
            problems.into_iter().next().expect("a problem").message
        };
        assert_eq!(
            unknown("[host]\nmetrics_port = 0\n"),
            "host.metrics_port is not a key that spotboot knows; it stands in [web]; known here: packages"
        );
        assert!(!unknown("[host]\nname = 0\n").contains("stands in [host]"));
    }

    #[test]
    fn the_nearest_key_is_offered_only_when_it_is_near() {
        assert_eq!(
            nearest("domain", &["name", "domains", "bucket"]),
            Some("domains")
        );
        assert_eq!(
            nearest("buckte", &["name", "domains", "bucket"]),
            Some("bucket")
        );
        assert_eq!(nearest("colour", &["name", "domains", "bucket"]), None);
    }
}
