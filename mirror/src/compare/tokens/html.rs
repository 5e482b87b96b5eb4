//! Reads a page: start tags, their attributes, words, end tags.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use htmlize::{unescape, unescape_attribute};
use lol_html::html_content::{Element, TextType};
use lol_html::{HtmlRewriter, Settings, doc_text, element};

use super::{Reader, Sort, css, loose};
use crate::compare::places::Use;

/// Documents within documents (`srcdoc`, `<noscript>`) that are read.
const DEEPEST: usize = 3;

/// Attributes that hold one URL.
const OF_A_URL: &[&str] = &[
    "href",
    "src",
    "action",
    "formaction",
    "poster",
    "data",
    "cite",
    "background",
    "longdesc",
    "manifest",
    "xlink:href",
    "classid",
    "codebase",
    "profile",
    "usemap",
];

pub(super) fn read(reader: &mut Reader<'_, '_>, page: &str) {
    nested(reader, page, 0);
}

fn nested(reader: &mut Reader<'_, '_>, page: &str, depth: usize) {
    for piece in pieces(page) {
        match piece {
            Piece::Start(tag, attributes) => start(reader, &tag, &attributes, depth),
            Piece::End(tag) => reader.structure(&format!("</{tag}>")),
            Piece::Text(text) => reader.text(&unescape(&text)),
            Piece::Raw(tag, text) => raw(reader, &tag, &text, depth),
        }
    }
}

/// What a page consists of, as it is written.
enum Piece {
    Start(String, Vec<(String, String)>),
    End(String),
    Text(String),
    /// The text of an element that holds no markup (HTML standard, 13.1.2).
    Raw(String, String),
}

/// Takes a page apart. A page that the parser gives up is read as far as it goes.
fn pieces(page: &str) -> Vec<Piece> {
    let found = Rc::new(RefCell::new(Vec::new()));
    let text = RefCell::new(String::new());
    let tags = element!("*", |element| {
        start_tag(element, &found);
        Ok(())
    });
    let texts = doc_text!(|chunk| {
        text.borrow_mut().push_str(chunk.as_str());
        if chunk.last_in_text_node() {
            let text = std::mem::take(&mut *text.borrow_mut());
            let piece = text_piece(text, chunk.text_type(), &found.borrow());
            found.borrow_mut().extend(piece);
        }
        Ok(())
    });
    let settings = Settings::new()
        .append_element_content_handler(tags)
        .append_document_content_handler(texts)
        .with_strict(false);
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    if rewriter.write(page.as_bytes()).is_ok() {
        let _ = rewriter.end();
    }
    found.take()
}

fn start_tag(element: &mut Element<'_, '_>, found: &Rc<RefCell<Vec<Piece>>>) {
    let tag = element.tag_name();
    let attributes = element
        .attributes()
        .iter()
        .map(|attribute| (attribute.name(), attribute.value()))
        .collect();
    found.borrow_mut().push(Piece::Start(tag, attributes));
    if let Some(handlers) = element.end_tag_handlers() {
        let found = Rc::clone(found);
        handlers.push(Box::new(move |end| {
            found.borrow_mut().push(Piece::End(end.name()));
            Ok(())
        }));
    }
}

fn text_piece(text: String, sort: TextType, before: &[Piece]) -> Option<Piece> {
    if text.trim().is_empty() {
        return None;
    }
    Some(match (sort, before.last()) {
        (TextType::RawText | TextType::ScriptData, Some(Piece::Start(tag, _))) => {
            Piece::Raw(tag.clone(), text)
        }
        _ => Piece::Text(text),
    })
}

fn raw(reader: &mut Reader<'_, '_>, tag: &str, text: &str, depth: usize) {
    match tag {
        "style" => css::read(reader, text),
        "noscript" | "noframes" | "noembed" if depth < DEEPEST => nested(reader, text, depth + 1),
        _ => loose::read(reader, text, Sort::Structure),
    }
}

fn start(reader: &mut Reader<'_, '_>, tag: &str, attributes: &[(String, String)], depth: usize) {
    reader.structure(&format!("<{tag}"));
    if tag == "base" {
        // Its effect on the links is compared; how it is written is the mirror's affair.
        return set_base(reader, attributes);
    }
    for (name, value) in in_order(tag, attributes) {
        attribute(
            reader,
            tag,
            attributes,
            name,
            &unescape_attribute(value),
            depth,
        );
    }
}

/// Returns the attributes in an order of their own: that in which a page has them means nothing.
/// The first of two attributes of one name counts, and a form without an action has an empty one.
fn in_order<'a>(tag: &str, attributes: &'a [(String, String)]) -> BTreeMap<&'a str, &'a str> {
    let mut ordered = BTreeMap::new();
    for (name, value) in attributes {
        ordered.entry(name.as_str()).or_insert(value.as_str());
    }
    // It goes with the bytes of what it is beside, which the mirror may have rewritten.
    ordered.remove("integrity");
    if tag == "form" {
        ordered.entry("action").or_insert("");
        // What stands in for the site takes no POST, so that the mirror changes the method with it.
        ordered.remove("method");
    }
    ordered
}

fn set_base(reader: &mut Reader<'_, '_>, attributes: &[(String, String)]) {
    if reader.based {
        return;
    }
    let href = attributes.iter().find(|(name, _)| name == "href");
    if let Some(url) = href.and_then(|(_, href)| {
        let href = unescape_attribute(href);
        reader.base.url.join(href.trim()).ok()
    }) {
        reader.base.url = url;
        reader.based = true;
    }
}

fn attribute(
    reader: &mut Reader<'_, '_>,
    tag: &str,
    others: &[(String, String)],
    name: &str,
    value: &str,
    depth: usize,
) {
    match name {
        "srcset" | "imagesrcset" => srcset(reader, name, value),
        "style" => {
            reader.structure("style=");
            css::read(reader, value);
        }
        "srcdoc" if depth < DEEPEST => {
            reader.structure("srcdoc=");
            nested(reader, value, depth + 1);
        }
        "content" if tag == "meta" && is_refresh(others) => refresh(reader, value),
        name if OF_A_URL.contains(&name) => {
            let used = use_of(tag, name, others);
            let place = match (used, value.trim()) {
                // An empty action sends to the page itself (HTML standard, 4.10.21.3).
                (Use::Act, "") => reader.place(&reader.document, used),
                (_, value) => reader.place(value, used),
            };
            reader.structure(&format!("{name}={place}"));
        }
        _ => other(reader, name, value),
    }
}

fn use_of(tag: &str, name: &str, others: &[(String, String)]) -> Use {
    match (tag, name) {
        (_, "action" | "formaction") => Use::Act,
        ("a" | "area", "href" | "xlink:href") if acts(others) => Use::Act,
        ("a" | "area", "href" | "xlink:href") | ("iframe" | "frame", "src") => Use::Link,
        _ => Use::Other,
    }
}

/// Says whether following an element does something: Rails, Turbo, htmx.
fn acts(attributes: &[(String, String)]) -> bool {
    attributes.iter().any(|(name, value)| match name.as_str() {
        "data-method" | "data-turbo-method" => {
            !matches!(value.trim().to_ascii_lowercase().as_str(), "" | "get")
        }
        "data-confirm" | "data-turbo-confirm" => true,
        name => acts_itself(name),
    })
}

fn acts_itself(name: &str) -> bool {
    let verb = name
        .strip_prefix("data-")
        .unwrap_or(name)
        .strip_prefix("hx-");
    matches!(verb, Some("post" | "put" | "patch" | "delete"))
}

/// Takes an attribute that no standard gives a URL. Scripts read URLs there (`data-src`), and `meta`
/// states them.
fn other(reader: &mut Reader<'_, '_>, name: &str, value: &str) {
    match loose::url_in(value.trim()) {
        Some(url) if !url.contains(char::is_whitespace) => {
            let used = if acts_itself(name) {
                Use::Act
            } else {
                Use::Other
            };
            let place = reader.place(&url, used);
            reader.structure(&format!("{name}={place}"));
        }
        _ => reader.structure(&format!("{name}={value}")),
    }
}

fn is_refresh(attributes: &[(String, String)]) -> bool {
    attributes
        .iter()
        .any(|(name, value)| name == "http-equiv" && value.trim().eq_ignore_ascii_case("refresh"))
}

/// Reads `5; url='/x'` (HTML standard, 4.2.5.3).
fn refresh(reader: &mut Reader<'_, '_>, value: &str) {
    let (seconds, rest) = value.split_once([';', ',']).unwrap_or((value, ""));
    reader.structure(&format!("refresh={}", seconds.trim()));
    let rest = rest.trim();
    let url = match rest.get(..3) {
        Some(start) if start.eq_ignore_ascii_case("url") => rest[3..]
            .trim_start()
            .strip_prefix('=')
            .unwrap_or(rest)
            .trim(),
        _ => rest,
    };
    let url = match url.chars().next() {
        Some(quote @ ('"' | '\'')) => url[1..].split(quote).next().unwrap_or_default(),
        _ => url,
    };
    if !url.is_empty() {
        let place = reader.place(url, Use::Link);
        reader.structure(&format!("refresh to {place}"));
    }
}

/// Reads the candidates of a srcset (HTML standard, 4.8.4.2.3).
fn srcset(reader: &mut Reader<'_, '_>, name: &str, value: &str) {
    let mut rest = value;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        if rest.is_empty() {
            return;
        }
        let end = rest
            .find(|c: char| c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        let (url, behind) = rest.split_at(end);
        let bare = url.trim_end_matches(',');
        let (size, next) = if bare.len() < url.len() {
            ("", behind)
        } else {
            behind.split_once(',').unwrap_or((behind, ""))
        };
        let place = reader.place(bare, Use::Other);
        reader.structure(&format!("{name}={place} {}", size.trim()));
        rest = next;
    }
}
