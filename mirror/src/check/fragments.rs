//! Looks for the places that fragments name. Those of other pages are looked for at the end, page
//! by page, so that no page's anchors stay in memory.

use std::collections::BTreeMap;

use anyhow::Result;
use percent_encoding::percent_decode_str;

use super::report::Problem;
use crate::objects::Objects;
use crate::render::body::{Looked, look};
use crate::scan::{Kind, scan};

/// A link that is a problem if its fragment is missing.
#[derive(Debug)]
pub struct Seen(pub Problem);

/// The fragments that are to be looked for, by the key of their page.
#[derive(Debug, Default)]
pub struct Fragments(BTreeMap<String, BTreeMap<String, Vec<Seen>>>);

impl Fragments {
    /// Remembers a link until the end.
    pub fn look_for(&mut self, key: &str, fragment: &str, seen: Seen) {
        if !self.0.contains_key(key) {
            self.0.insert(key.to_owned(), BTreeMap::new());
        }
        if let Some(of_page) = self.0.get_mut(key) {
            of_page.entry(fragment.to_owned()).or_default().push(seen);
        }
    }

    /// The links whose fragments are missing.
    pub fn missing(&mut self, objects: &Objects) -> Result<Vec<Problem>> {
        let mut missing = Vec::new();
        for (key, fragments) in std::mem::take(&mut self.0) {
            let Some(object) = objects.by_key.get(&key) else {
                continue;
            };
            let said = &object.headers.content_type;
            // What a fragment means in a PDF or a film, only its viewer knows.
            let Looked::Open { kind, body } = look(&object.file, said, &format!("/{key}"))? else {
                continue;
            };
            if !matches!(kind, Kind::Html | Kind::Xml) {
                continue;
            }
            let anchors = scan(&body, kind, said).anchors;
            let lost = fragments
                .into_iter()
                .filter(|(fragment, _)| !has(&anchors, fragment));
            missing.extend(lost.flat_map(|(_, seen)| seen).map(|seen| seen.0));
        }
        Ok(missing)
    }
}

/// The fragment that names a place of the page. None for the top, for a text directive, for an SVG's
/// view, and for routes that a script reads.
pub fn wanted(fragment: &str) -> Option<&str> {
    let fragment = fragment
        .split_once(":~:")
        .map_or(fragment, |(place, _)| place);
    let is_other = fragment.is_empty()
        || fragment.eq_ignore_ascii_case("top")
        || fragment.starts_with(['!', '/'])
        || fragment.starts_with("svgView(");
    (!is_other).then_some(fragment)
}

/// Whether the page has such a place: by the fragment as it is, or decoded (HTML standard, 7.4.6.4).
pub fn has(anchors: &[String], fragment: &str) -> bool {
    let decoded = percent_decode_str(fragment).decode_utf8_lossy();
    anchors
        .iter()
        .any(|anchor| anchor == fragment || *anchor == decoded)
}
