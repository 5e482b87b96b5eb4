//! What the template of nginx's configuration is given of the copy.

use std::collections::BTreeMap;

use mirror::address::TRACKING;
use serde::Serialize;

use super::super::spelling::{matched, text};
use super::layout::LONGEST_QUERY;
use super::{CopyTables, DiskCopy};

/// Seconds until a visitor is asked to come again: an app that fell is up by then, as a rule.
const RETRY_AFTER: u32 = 30;

#[derive(Serialize)]
pub struct CopyValues<'a> {
    root: String,
    retry_after: u32,
    longest_query: usize,
    /// A pattern of the parameters' names.
    tracking: String,
    /// A pattern of whose requests the copy may answer.
    for_all: String,
    endings: Vec<String>,
    types: Vec<SharedValue<'a>>,
    charsets: Vec<SharedValue<'a>>,
    cachings: Vec<SharedValue<'a>>,
    dispositions: Vec<SingleValue<'a>>,
    redirects: Vec<SingleValue<'a>>,
}

/// A value of every file with one of these endings.
#[derive(Serialize)]
struct SharedValue<'a> {
    value: &'a str,
    endings: String,
}

/// A value of one file.
#[derive(Serialize)]
struct SingleValue<'a> {
    file: &'a str,
    value: &'a str,
}

impl<'a> CopyValues<'a> {
    pub fn of(copy: &'a DiskCopy) -> Result<Self, String> {
        let CopyTables {
            classes,
            dispositions,
            redirects,
        } = &copy.tables;
        let shared = |value: fn(&'a super::tables::CopyClass) -> &'a str, separator: &str| {
            let mut endings: BTreeMap<&str, Vec<String>> = BTreeMap::new();
            for (number, class) in classes.iter().enumerate() {
                endings
                    .entry(value(class))
                    .or_default()
                    .push(CopyTables::ending(number));
            }
            let told = endings.into_iter().filter(|(value, _)| !value.is_empty());
            told.map(|(value, endings)| SharedValue {
                value,
                endings: endings.join(separator),
            })
            .collect()
        };
        let single = |lines: &'a BTreeMap<String, String>| {
            let lines = lines.iter();
            lines
                .map(|(file, value)| SingleValue { file, value })
                .collect()
        };
        Ok(Self {
            root: text(&copy.current)?,
            retry_after: RETRY_AFTER,
            longest_query: LONGEST_QUERY,
            tracking: tracking(),
            for_all: for_all(&copy.session_cookies),
            endings: (0..classes.len()).map(CopyTables::ending).collect(),
            types: shared(|class| &class.content_type, " "),
            charsets: shared(|class| &class.charset, "|"),
            cachings: shared(|class| &class.cache_control, "|"),
            dispositions: single(dispositions),
            redirects: single(redirects),
        })
    }
}

fn tracking() -> String {
    let names: Vec<String> = TRACKING.iter().map(|name| matched(name)).collect();
    format!("utm_[a-z_]+|{}", names.join("|"))
}

/// Of method, authorization and cookies: who asks with a session, or another way of being known, is
/// not everybody.
fn for_all(session_cookies: &[String]) -> String {
    let names: Vec<String> = session_cookies.iter().map(|name| matched(name)).collect();
    let unknown = if names.is_empty() {
        String::new()
    } else {
        format!(r"(?!(?:.*;)?\s*(?:{})=)", names.join("|"))
    };
    format!("~^(?:GET|HEAD) ;{unknown}")
}
