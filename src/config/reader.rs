//! Reading a TOML document without stopping at the first problem.
//!
//! Knows lines, types and key names; what the keys mean is `parse`'s business.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// One thing wrong with the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// Counted from 1.
    pub line: usize,
    pub message: String,
}

/// Where every reader of one document leaves what it finds.
pub struct Findings<'s> {
    source: &'s str,
    problems: RefCell<Vec<Problem>>,
}

impl<'s> Findings<'s> {
    pub fn new(source: &'s str) -> Self {
        Self {
            source,
            problems: RefCell::default(),
        }
    }

    pub fn report(&self, span: &Range<usize>, message: impl Into<String>) {
        let before = self.source.as_bytes().iter().take(span.start);
        let line = 1 + before.filter(|&&byte| byte == b'\n').count();
        self.problems.borrow_mut().push(Problem {
            line,
            message: message.into(),
        });
    }

    pub fn into_problems(self) -> Vec<Problem> {
        let mut problems = self.problems.into_inner();
        problems.sort();
        problems
    }
}

/// A value with the place it stands at.
#[derive(Clone)]
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

/// One table of the document. Every key that is asked for counts as known; [`Table::finish`]
/// reports the others.
pub struct Table<'t> {
    name: String,
    entries: Option<&'t DeTable<'t>>,
    span: Range<usize>,
    findings: &'t Findings<'t>,
    known: RefCell<Vec<&'static str>>,
}

impl<'t> Table<'t> {
    pub fn root(entries: &'t DeTable<'t>, findings: &'t Findings<'t>) -> Self {
        Self {
            name: String::new(),
            entries: Some(entries),
            span: 0..0,
            findings,
            known: RefCell::default(),
        }
    }

    /// A table by its key; an absent one reads as empty.
    pub fn table(&self, key: &'static str) -> Self {
        let found = self.get(key, "a table", DeValue::as_table);
        let span = found
            .as_ref()
            .map_or(self.span.clone(), |at| at.span.clone());
        Self {
            name: self.path(key),
            entries: found.map(|at| at.value),
            span,
            findings: self.findings,
            known: RefCell::default(),
        }
    }

    pub fn is_present(&self) -> bool {
        self.entries.is_some()
    }

    pub fn string(&self, key: &'static str) -> Option<At<String>> {
        self.get(key, "a string", |value| value.as_str().map(str::to_owned))
    }

    pub fn required(&self, key: &'static str) -> Option<At<String>> {
        let present = self
            .entries
            .is_some_and(|entries| entries.contains_key(key));
        if !present {
            self.findings
                .report(&self.span, format!("{} is missing", self.path(key)));
        }
        self.string(key)
    }

    pub fn boolean(&self, key: &'static str) -> Option<bool> {
        self.get(key, "true or false", DeValue::as_bool)
            .map(|at| at.value)
    }

    /// A whole number within `allowed`.
    pub fn integer(
        &self,
        key: &'static str,
        allowed: std::ops::RangeInclusive<u32>,
    ) -> Option<u32> {
        let wanted = format!(
            "a whole number from {} to {}",
            allowed.start(),
            allowed.end()
        );
        let in_range = |value: &DeValue<'_>| {
            let text = value.as_integer()?;
            u32::from_str_radix(text.as_str(), text.radix())
                .ok()
                .filter(|number| allowed.contains(number))
        };
        self.get(key, &wanted, in_range).map(|at| at.value)
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

    /// Tables whose keys are the user's own.
    pub fn tables(&self, key: &'static str) -> Vec<(String, Self)> {
        let Some(tables) = self.get(key, "a table of tables", DeValue::as_table) else {
            return Vec::new();
        };
        let entry = |(name, value): (&'t Spanned<_>, &'t Spanned<DeValue<'t>>)| {
            let name: &str = AsRef::<str>::as_ref(name.get_ref() as &std::borrow::Cow<'_, str>);
            let path = format!("{}.{name}", self.path(key));
            let entries = value.get_ref().as_table();
            if entries.is_none() {
                self.findings.report(
                    &value.span(),
                    format!("{path} is {}; it wants a table", value.get_ref().type_str()),
                );
            }
            let table = Self {
                name: path,
                entries,
                span: value.span(),
                findings: self.findings,
                known: RefCell::default(),
            };
            entries.map(|_| (name.to_owned(), table))
        };
        tables.value.iter().filter_map(entry).collect()
    }

    /// A list of strings; an absent one is empty.
    pub fn strings(&self, key: &'static str) -> Vec<At<String>> {
        let Some(list) = self.get(key, "a list of strings", DeValue::as_array) else {
            return Vec::new();
        };
        let item = |item: &Spanned<DeValue<'_>>| {
            let text = item.get_ref().as_str().map(str::to_owned);
            if text.is_none() {
                self.findings.report(
                    &item.span(),
                    format!(
                        "{} holds {}, not a string",
                        self.path(key),
                        item.get_ref().type_str()
                    ),
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
        let Some(map) = self.get(key, "a table of strings", DeValue::as_table) else {
            return BTreeMap::new();
        };
        let entry = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
            let name: &str = AsRef::<str>::as_ref(name.get_ref() as &std::borrow::Cow<'_, str>);
            let Some(text) = value.get_ref().as_str() else {
                self.findings.report(
                    &value.span(),
                    format!(
                        "{}.{name} is {}, not a string",
                        self.path(key),
                        value.get_ref().type_str()
                    ),
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
        self.findings
            .report(&at.span, format!("{} {why}", self.path(key)));
    }

    /// Says what is wrong with the table as a whole.
    pub fn reject_table(&self, why: impl Into<String>) {
        self.findings.report(&self.span, why);
    }

    /// Reports the keys that nobody asked for, each with the nearest known one.
    pub fn finish(self) {
        let known = self.known.borrow();
        for key in self.entries.into_iter().flat_map(DeTable::keys) {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let hint = nearest(name, &known).map_or_else(
                    || format!("known here: {}", known.join(", ")),
                    |near| format!("did you mean {near}?"),
                );
                self.findings.report(
                    &key.span(),
                    format!(
                        "{} is not a key that spotboot knows; {hint}",
                        self.path(name)
                    ),
                );
            }
        }
    }

    fn get<T>(
        &self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<At<T>> {
        self.known.borrow_mut().push(key);
        let entry = self.entries?.get(key)?;
        let Some(value) = read(entry.get_ref()) else {
            self.findings.report(
                &entry.span(),
                format!(
                    "{} is {}; it wants {wanted}",
                    self.path(key),
                    entry.get_ref().type_str()
                ),
            );
            return None;
        };
        Some(At {
            value,
            span: entry.span(),
        })
    }

    fn path(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
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
