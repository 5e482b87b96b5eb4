//! XML: SVG and XHTML, sitemaps, feeds, and the instructions that name style sheets.

mod feed;
mod reader;
mod sitemap;

use std::cell::Cell;

use super::found::Found;
use super::html::{self, Language};
use super::text::Text;
use super::{Layer, Role};
use reader::{Event, Tag};

pub(super) use feed::feed;
pub(super) use reader::pieces;
pub(super) use sitemap::sitemap;

/// Finds the URLs of an SVG, an XHTML page, or XML of no kind that is known.
pub(super) fn document(text: &Text<'_>, found: &mut Found) {
    let open_form = Cell::new(None);
    let mut content: Option<(Language, usize)> = None;
    reader::read(text, |event| match event {
        Event::Instruction(range) => instruction(text, range, found),
        Event::Open(tag) => {
            content = None;
            tag.element.state(found);
            tag.element.urls(found);
            other(&tag, found);
            html::controls(&tag.element, &open_form, found);
            let language = tag.element.language();
            // What XHTML has in a noscript is read as its elements are.
            let read = language.filter(|language| *language != Language::Noscript && !tag.is_empty);
            content = read.map(|language| (language, tag.end));
        }
        Event::Close { name, at } => {
            if name == "form" {
                open_form.set(None);
            }
            if let Some((language, start)) = content.take() {
                for piece in reader::pieces(text, start..at) {
                    html::content(&piece, language, found);
                }
            }
        }
    });
}

/// What neither HTML nor SVG has: the tiles of a browserconfig.xml, and parts of XSLT, whose
/// attributes may be templates.
fn other(tag: &Tag<'_, '_>, found: &mut Found) {
    let name = tag.element.name.as_str();
    if tag.prefix == "xsl" {
        found.templates = true;
    }
    let attribute = match (tag.prefix.as_str(), name) {
        ("xsl", "import" | "include") => "href",
        ("", "tileimage") => "src",
        ("", name) if name.ends_with("logo") => "src",
        _ => return,
    };
    if let Some(value) = tag.element.value(attribute) {
        found.plain(&value, 0..value.text.len(), Role::Resource, None);
    }
}

/// `<?xml-stylesheet href="…"?>` (Associating Style Sheets with XML documents, 3).
fn instruction(text: &Text<'_>, range: std::ops::Range<usize>, found: &mut Found) {
    let raw = text.slice(range.clone());
    let Some(attributes) = raw.strip_prefix("xml-stylesheet") else {
        return;
    };
    let mut rest = attributes;
    while let Some((name, value)) = rest.split_once('=') {
        let value = value.trim_start();
        let Some(quote @ ('"' | '\'')) = value.chars().next() else {
            return;
        };
        let Some(length) = value[1..].find(quote) else {
            return;
        };
        let start = range.end - value.len() + 1;
        if name.trim() == "href" {
            let href = text.xml_instruction(start..start + length, quote);
            found.plain(&href, 0..href.text.len(), Role::Resource, None);
        }
        rest = &value[length + 2..];
    }
}

/// The layer of a piece of CDATA.
const CDATA: Option<Layer> = Some(Layer::Raw);
