//! The URL of a meta refresh (HTML standard, 4.2.5.3, "shared declarative refresh steps").

use super::super::found::Found;
use super::super::text::Text;
use super::super::{Layer, Role};

/// Adds the URL of a refresh; without one, the page loads itself again.
pub(super) fn url(content: &Text<'_>, found: &mut Found) {
    let Some((start, quote)) = begin(&content.text) else {
        return;
    };
    let rest = &content.text[start..];
    let end = match quote {
        Some(quote) => rest.find(quote).unwrap_or(rest.len()),
        None => rest.len(),
    };
    let link = Role::Link { nofollow: false };
    let own = Some(Layer::Refresh(quote));
    found.plain(content, start..start + end, link, own);
}

/// Where the URL begins, and the quote before it.
fn begin(content: &str) -> Option<(usize, Option<char>)> {
    let rest = skip_space(content);
    let behind_time = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    if behind_time.len() == rest.len() && !rest.starts_with('.') {
        return None;
    }
    let rest = behind_time.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    if !rest.starts_with(|c: char| c == ';' || c == ',' || c.is_ascii_whitespace()) {
        return None;
    }
    let rest = skip_space(rest);
    let rest = skip_space(rest.strip_prefix([';', ',']).unwrap_or(rest));
    let named = strip_name(rest);
    let value = named.unwrap_or(rest);
    let position = |rest: &str| content.len() - rest.len();
    // A word that only begins as `url` is itself the URL, quotes and all.
    let begins = rest.starts_with(['u', 'U']) && named.is_none();
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) if !begins => Some((position(&value[1..]), Some(quote))),
        _ => Some((position(value), None)),
    }
}

/// What stands behind `url =`.
fn strip_name(rest: &str) -> Option<&str> {
    let name = rest.get(..3)?;
    let behind = skip_space(&rest[3..]);
    let behind = behind
        .strip_prefix('=')
        .filter(|_| name.eq_ignore_ascii_case("url"))?;
    Some(skip_space(behind))
}

fn skip_space(text: &str) -> &str {
    text.trim_start_matches(|c: char| c.is_ascii_whitespace())
}
