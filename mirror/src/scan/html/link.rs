//! What `<link>` wants of its URL, by its `rel`.

use super::super::Role;
use super::Element;

/// The role of a link's href.
pub(super) fn role(element: &Element<'_, '_>) -> Role {
    let rel: Vec<String> = element.rel().collect();
    let has = |tokens: &[&str]| rel.iter().any(|token| tokens.contains(&token.as_str()));
    if has(&RESOURCE) || rel.iter().any(|token| token.starts_with("apple-touch-")) {
        return Role::Resource;
    }
    if has(&["preload", "prefetch"]) {
        return match element.keyword("as").as_deref() {
            Some("document" | "iframe" | "frame") => Role::Link { nofollow: false },
            _ => Role::Resource,
        };
    }
    if has(&["image_src"]) {
        return Role::StatedResource;
    }
    if has(&["alternate"]) && is_machines(element) {
        return Role::Hint;
    }
    if has(&["alternate"]) && is_own_feed(element) {
        return Role::Link { nofollow: false };
    }
    if has(&["canonical", "alternate", "amphtml"]) || element.has("itemprop") {
        return Role::Stated;
    }
    if has(&LINK) {
        return Role::Link { nofollow: false };
    }
    Role::Hint
}

/// What a browser fetches for the page.
const RESOURCE: [&str; 8] = [
    "stylesheet",
    "icon",
    "mask-icon",
    "fluid-icon",
    "manifest",
    "modulepreload",
    "search",
    "subresource",
];

/// Where a visitor may go. All others (preconnect, dns-prefetch, shortlink, pingback, EditURI, …)
/// name no page of their own.
const LINK: [&str; 18] = [
    "prerender",
    "next",
    "prev",
    "previous",
    "first",
    "last",
    "start",
    "index",
    "contents",
    "up",
    "home",
    "help",
    "author",
    "license",
    "copyright",
    "bookmark",
    "privacy-policy",
    "terms-of-service",
];

/// An alternate that answers programs, with a query for each page: oEmbed and WordPress' API.
fn is_machines(element: &Element<'_, '_>) -> bool {
    let kind = element.keyword("type").unwrap_or_default();
    kind.contains("oembed") || kind == "application/json"
}

/// A feed of the page that is named without a host: it has stayed with the page, and goes on so.
fn is_own_feed(element: &Element<'_, '_>) -> bool {
    let kind = element.keyword("type").unwrap_or_default();
    let href = element.keyword("href").unwrap_or_default();
    let has_host = href.contains("://") || href.starts_with("//");
    ["application/rss+xml", "application/atom+xml"].contains(&kind.as_str()) && !has_host
}
