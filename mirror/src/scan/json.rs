//! URLs in JSON: web app manifests, import maps, speculation rules.

use std::ops::Range;

use serde::de::IgnoredAny;

use super::found::Found;
use super::script::is_url_like;
use super::text::Text;
use super::{Layer, Role};

/// A step from the root of a document to a value.
#[derive(Debug, Clone)]
enum Step {
    Key(String),
    Item,
}

/// Finds the URLs of a web app manifest (its members of section 1, and those that browsers add).
pub(super) fn manifest(text: &Text<'_>, found: &mut Found) {
    let link = Role::Link { nofollow: false };
    let post = shares_by_post(&text.text);
    strings(text, |path, range, value| {
        let role = match path.join("/").as_str() {
            "start_url" | "shortcuts/*/url" | "file_handlers/*/action" => link,
            "note_taking/new_note_url" | "related_applications/*/url" => link,
            "icons/*/src" | "screenshots/*/src" | "shortcuts/*/icons/*/src" => Role::Resource,
            "serviceworker/src" => Role::Resource,
            "share_target/action" => Role::Form { post },
            "scope" | "protocol_handlers/*/url" => Role::Hint,
            _ => return,
        };
        found.escaped(text, range, value, role, Some(Layer::Json));
    });
}

fn shares_by_post(text: &str) -> bool {
    let manifest: serde_json::Value = serde_json::from_str(unmarked(text)).unwrap_or_default();
    let method = manifest["share_target"]["method"].as_str();
    method.is_some_and(|method| method.eq_ignore_ascii_case("post"))
}

/// Finds the modules of an import map. A key that ends in a slash stands for a folder, which is no
/// resource.
pub(super) fn import_map(text: &Text<'_>, found: &mut Found) {
    strings(text, |path, range, value| {
        let depth = match path.first().copied() {
            Some("imports") => 2,
            Some("scopes") => 3,
            _ => return,
        };
        if path.len() != depth || !is_url_like(value) {
            return;
        }
        let role = match value.ends_with('/') {
            true => Role::Hint,
            false => Role::Resource,
        };
        found.escaped(text, range, value, role, Some(Layer::Json));
    });
}

/// Finds the pages that speculation rules list.
pub(super) fn speculation_rules(text: &Text<'_>, found: &mut Found) {
    strings(text, |path, range, value| {
        if matches!(path, [_, "*", "urls", "*"]) {
            found.escaped(text, range, value, Role::Hint, Some(Layer::Json));
        }
    });
}

/// Tells each string value with its path (`*` for an item of an array) and its range without quotes.
/// A document that is no JSON has none.
fn strings(text: &Text<'_>, mut tell: impl FnMut(&[&str], Range<usize>, &str)) {
    let json = unmarked(&text.text);
    if serde_json::from_str::<IgnoredAny>(json).is_err() {
        return;
    }
    let begin = text.text.len() - json.len();
    let bytes = json.as_bytes();
    let mut path: Vec<Step> = Vec::new();
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'{' => path.push(Step::Key(String::new())),
            b'[' => path.push(Step::Item),
            b'}' | b']' => drop(path.pop()),
            b'"' => {
                let end = end_of_string(bytes, at);
                let value: String = serde_json::from_str(&json[at..end]).unwrap_or_default();
                match path.last_mut() {
                    Some(Step::Key(key)) if is_key(bytes, end) => *key = value,
                    _ => tell(&names(&path), begin + at + 1..begin + end - 1, &value),
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
}

fn names(path: &[Step]) -> Vec<&str> {
    let names = path.iter().map(|step| match step {
        Step::Key(key) => key.as_str(),
        Step::Item => "*",
    });
    names.collect()
}

/// Behind the closing quote of a string of valid JSON.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') => return at + 1,
            Some(_) => at += 1,
            None => return bytes.len(),
        }
    }
}

fn is_key(bytes: &[u8], end: usize) -> bool {
    let mut rest = bytes.iter().skip(end);
    rest.find(|byte| !byte.is_ascii_whitespace()) == Some(&b':')
}

fn unmarked(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
