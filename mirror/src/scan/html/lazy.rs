//! Attributes by which scripts load images late.
//!
//! No standard knows them. An attribute counts when its name is one that such scripts use, and its
//! value is plainly a URL: it begins as a path or with a scheme of the web, or it ends in the
//! extension of a medium, and nothing in it looks like a template.

use super::super::found::Found;
use super::super::text::Text;
use super::super::{Role, css};
use super::srcset;

const URLS: [&str; 20] = [
    "data-src",
    "data-lazy",
    "data-lazy-src",
    "data-original",
    "data-orig-file",
    "data-large-file",
    "data-medium-file",
    "data-poster",
    "data-bg",
    "data-bg-image",
    "data-bgimage",
    "data-background",
    "data-background-image",
    "data-image",
    "data-img",
    "data-image-src",
    "data-full-src",
    "data-large-src",
    "data-hires",
    "data-zoom-image",
];

const SRCSETS: [&str; 4] = [
    "data-srcset",
    "data-lazy-srcset",
    "data-original-set",
    "data-bgset",
];

const MEDIA: [&str; 18] = [
    "png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico", "bmp", "apng", "mp4", "webm", "ogv",
    "mp3", "ogg", "m4a", "wav", "m4v",
];

/// Whether an attribute's name is one of those.
pub(super) fn is_one(name: &str) -> bool {
    name.starts_with("data-") && (URLS.contains(&name) || SRCSETS.contains(&name))
}

/// Adds the URLs of such an attribute's value.
pub(super) fn urls(name: &str, value: &Text<'_>, found: &mut Found) {
    if SRCSETS.contains(&name) {
        let candidates = srcset::candidates(&value.text);
        if candidates
            .iter()
            .all(|range| is_plain(&value.text[range.clone()]))
        {
            srcset::urls(value, Role::Resource, found);
        }
    } else if value.text.trim_start().starts_with("url(") {
        css::declarations(value, found);
    } else if is_plain(value.text.trim()) {
        found.plain(value, 0..value.text.len(), Role::Resource, None);
    }
}

/// Whether a value is plainly a URL.
fn is_plain(value: &str) -> bool {
    let template = |c: char| c.is_whitespace() || matches!(c, '{' | '}' | '`' | '$' | '|');
    if value.contains(template) || value.contains("<%") {
        return false;
    }
    let begins = ["/", "./", "../", "http://", "https://"];
    begins.iter().any(|begin| value.starts_with(begin)) || is_medium(value)
}

fn is_medium(value: &str) -> bool {
    let path = value.split(['?', '#']).next().unwrap_or_default();
    let extension = path.rsplit_once('.').map(|(_, extension)| extension);
    let extension = extension.unwrap_or_default().to_ascii_lowercase();
    !path.contains(':') && MEDIA.contains(&extension.as_str())
}
