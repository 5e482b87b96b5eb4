//! RSS and Atom.
//!
//! All URLs of a feed are statements, those of the HTML in it too: readers show it in places where a
//! relative URL leads nowhere.

use super::super::Role;
use super::super::found::Found;
use super::super::html::{self, Element};
use super::super::text::Text;
use super::reader::{self, Event, Tag};

/// Finds the URLs of a feed.
pub(in crate::scan) fn feed(text: &Text<'_>, found: &mut Found) {
    let mut leaf: Option<(Holds, usize)> = None;
    let mut xhtml = Xhtml::default();
    found.stated = true;
    reader::read(text, |event| match event {
        Event::Instruction(range) => {
            // A browser applies the style sheet to the feed itself.
            found.stated = false;
            super::instruction(text, range, found);
            found.stated = true;
        }
        Event::Open(tag) => {
            if found.base.is_none() {
                found.base = tag
                    .element
                    .value("xml:base")
                    .map(|base| base.text.into_owned());
            }
            leaf = holds(&tag)
                .filter(|_| !tag.is_empty)
                .map(|holds| (holds, tag.end));
            match xhtml.is_open() {
                true => tag.element.urls(found),
                false => attributes(&tag, found),
            }
            xhtml.open(&tag);
        }
        Event::Close { at, .. } => {
            xhtml.close();
            let Some((holds, start)) = leaf.take() else {
                return;
            };
            for piece in reader::pieces(text, start..at) {
                match holds {
                    Holds::Url(role) => found.plain(&piece, 0..piece.text.len(), role, None),
                    Holds::Html if piece.text.contains('<') => html::fragment(&piece, found),
                    Holds::Html => {}
                }
            }
        }
    });
}

/// What the text of an element is.
#[derive(Debug, Clone, Copy)]
enum Holds {
    Url(Role),
    Html,
}

fn holds(tag: &Tag<'_, '_>) -> Option<Holds> {
    let element = &tag.element;
    match (tag.prefix.as_str(), element.name.as_str()) {
        ("" | "atom", "icon" | "logo") | ("", "url") => Some(Holds::Url(Role::StatedResource)),
        ("" | "atom", "link" | "comments" | "uri") | ("wfw", "commentrss") => {
            Some(Holds::Url(Role::Stated))
        }
        ("", "guid") if is_permanent_link(element) => Some(Holds::Url(Role::Stated)),
        ("", "description") | ("content", "encoded") => Some(Holds::Html),
        ("" | "atom", "content" | "summary") if is_html(element) => Some(Holds::Html),
        _ => None,
    }
}

/// An item's guid is its address unless it says otherwise (RSS 2.0, "guid").
fn is_permanent_link(guid: &Element<'_, '_>) -> bool {
    guid.keyword("ispermalink").as_deref() != Some("false")
}

fn is_html(element: &Element<'_, '_>) -> bool {
    matches!(
        element.keyword("type").as_deref(),
        Some("html" | "text/html")
    )
}

fn attributes(tag: &Tag<'_, '_>, found: &mut Found) {
    let (attribute, role) = match (tag.prefix.as_str(), tag.element.name.as_str()) {
        ("" | "atom" | "atom10", "link") => ("href", role_of_link(&tag.element)),
        ("", "enclosure") | ("media", "content" | "thumbnail") => ("url", Role::StatedResource),
        ("", "source") | ("media", "player") => ("url", Role::Stated),
        ("itunes" | "googleplay", "image") => ("href", Role::StatedResource),
        ("" | "atom", "content") => ("src", Role::Stated),
        _ => return,
    };
    if let Some(value) = tag.element.value(attribute) {
        found.plain(&value, 0..value.text.len(), role, None);
    }
}

fn role_of_link(link: &Element<'_, '_>) -> Role {
    match link.keyword("rel").as_deref() {
        Some("enclosure") => Role::StatedResource,
        // A hub and an editor answer programs (WebSub; RFC 5023, 11.1).
        Some("hub" | "edit" | "edit-media" | "replies" | "service.post") => Role::Hint,
        _ => Role::Stated,
    }
}

/// Whether the reader is in Atom's content of type xhtml, whose elements are those of a page.
#[derive(Debug, Default)]
struct Xhtml {
    /// Elements that are open, from the content itself on.
    depth: usize,
}

impl Xhtml {
    fn is_open(&self) -> bool {
        self.depth > 0
    }

    fn open(&mut self, tag: &Tag<'_, '_>) {
        let begins = tag.element.keyword("type").as_deref() == Some("xhtml");
        if !tag.is_empty && (self.is_open() || begins) {
            self.depth += 1;
        }
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}
