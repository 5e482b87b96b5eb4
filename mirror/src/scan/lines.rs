//! Plain text with a URL on a line: robots.txt, and sitemaps that are lists.

use super::found::Found;
use super::text::Text;
use super::{Layer, Role};

/// The `Sitemap:` lines of a robots.txt (sitemaps.org, "Specifying the Sitemap location").
pub(super) fn robots(text: &Text<'_>, found: &mut Found) {
    for (start, line) in lines(&text.text) {
        let code = line.split('#').next().unwrap_or_default();
        let Some((name, _)) = code.split_once(':') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("sitemap") {
            let range = start + name.len() + 1..start + code.len();
            found.plain(text, range, Role::Stated, Some(Layer::Line));
        }
    }
}

/// A sitemap that is a list of URLs.
pub(super) fn list(text: &Text<'_>, found: &mut Found) {
    for (start, line) in lines(&text.text) {
        if is_absolute(line.trim()) {
            let range = start..start + line.len();
            found.plain(text, range, Role::Stated, Some(Layer::Line));
        }
    }
}

/// Whether a text is a list of URLs of the web, and of nothing else.
pub(super) fn is_list(text: &str) -> bool {
    let mut filled = text
        .trim_start_matches('\u{feff}')
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .peekable();
    filled.peek().is_some() && filled.all(is_absolute)
}

fn is_absolute(line: &str) -> bool {
    let lower = line.get(..8).unwrap_or(line).to_ascii_lowercase();
    (lower.starts_with("http://") || lower.starts_with("https://")) && !line.contains([' ', '\t'])
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut start = 0;
    text.split(['\n', '\r']).map(move |line| {
        let begin = start;
        start += line.len() + 1;
        (begin, line)
    })
}
