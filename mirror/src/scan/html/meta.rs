//! `<meta>`: refreshes, what the page states to machines, and robots.

use super::super::Role;
use super::super::found::Found;
use super::{Element, refresh};

/// Adds the URLs of a meta's content.
pub(super) fn urls(element: &Element<'_, '_>, found: &mut Found) {
    let Some(content) = element.value("content") else {
        return;
    };
    if element.keyword("http-equiv").as_deref() == Some("refresh") {
        refresh::url(&content, found);
        return;
    }
    let names = ["property", "name", "itemprop"];
    let role = names
        .iter()
        .filter_map(|name| element.keyword(name))
        .find_map(|name| role(&name));
    if let Some(role) = role
        && content.text.trim() != "none"
    {
        found.plain(&content, 0..content.text.len(), role, None);
    }
}

/// Open Graph, Twitter's cards, microdata, and the tiles of Windows.
fn role(name: &str) -> Option<Role> {
    Some(match name {
        "og:url" | "twitter:url" | "twitter:player" | "url" | "al:web:url" => Role::Stated,
        "og:image" | "og:image:url" | "og:image:secure_url" | "og:logo" => Role::StatedResource,
        "og:video" | "og:video:url" | "og:video:secure_url" => Role::StatedResource,
        "og:audio" | "og:audio:url" | "og:audio:secure_url" => Role::StatedResource,
        "twitter:image" | "twitter:image:src" | "twitter:player:stream" => Role::StatedResource,
        "image" | "thumbnail" | "thumbnailurl" | "contenturl" | "logo" => Role::StatedResource,
        "msapplication-tileimage" | "msapplication-config" => Role::Resource,
        "msapplication-starturl" => Role::Link { nofollow: false },
        name if name.starts_with("msapplication-") && name.ends_with("logo") => Role::Resource,
        _ => return None,
    })
}

/// Whether it asks robots not to follow the page's links.
pub(super) fn is_nofollow(element: &Element<'_, '_>) -> bool {
    let content = element.keyword("content").unwrap_or_default();
    let mut rules = content.split([',', ' ']).map(str::trim);
    element.keyword("name").as_deref() == Some("robots")
        && rules.any(|rule| matches!(rule, "nofollow" | "none"))
}
