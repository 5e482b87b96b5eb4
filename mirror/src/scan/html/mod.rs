//! Pages: the tokens of HTML, and which of their parts hold URLs.
//!
//! lol_html tells the tags; what stands in their attributes is read here. Text of raw text elements
//! goes to the scanners of its own language.

mod element;
mod form;
mod lazy;
mod link;
mod meta;
mod refresh;
mod srcset;

use std::cell::{Cell, RefCell};
use std::ops::Range;
use std::rc::Rc;

use lol_html::html_content::{Element as Tag, TextChunk};
use lol_html::{HandlerResult, HtmlRewriter, Settings, element, text};

use super::found::Found;
use super::text::Text;
use super::{Layer, css, json, script, xml};

pub(super) use element::{Attribute, Element};
pub(super) use form::controls;

/// The namespace of HTML's own elements.
const HTML: &str = "http://www.w3.org/1999/xhtml";
/// How many documents may stand in one another, as srcdoc in srcdoc.
const DEEPEST: usize = 8;

/// Finds the URLs of a page.
pub(super) fn document(text: &Text<'_>, found: &mut Found) {
    walk(text, found, 0, true);
}

/// Finds the URLs of a piece of HTML that stands in another document.
pub(super) fn fragment(text: &Text<'_>, found: &mut Found) {
    walk(text, found, 1, false);
}

fn walk(text: &Text<'_>, found: &mut Found, depth: usize, main: bool) {
    if depth > DEEPEST {
        return;
    }
    let page = RefCell::new(Page {
        text,
        found,
        depth,
        main,
        from: 0,
        again_from: None,
        open_form: Rc::new(Cell::new(None)),
        content: None,
    });
    loop {
        let from = page.borrow().from;
        read(&text.text[from..], &page);
        let mut page = page.borrow_mut();
        page.end_content();
        match page.again_from.take() {
            Some(again_from) => page.from = again_from,
            None => return,
        }
    }
}

fn read(html: &str, page: &RefCell<Page<'_, '_>>) {
    let settings = Settings::new()
        .append_element_content_handler(element!("*", |tag| page.borrow_mut().tag(tag)))
        .append_element_content_handler(text!("style, script, noscript", |chunk| {
            page.borrow_mut().chunk(chunk);
            Ok(())
        }))
        // A browser reads on where strict parsing gives up.
        .with_strict(false);
    let mut rewriter = HtmlRewriter::new(settings, |_: &[u8]| {});
    // What an error leaves unread holds nothing that could be rewritten.
    if rewriter.write(html.as_bytes()).is_ok() {
        let _ = rewriter.end();
    }
}

/// A page that is being read.
struct Page<'p, 't> {
    text: &'p Text<'t>,
    found: &'p mut Found,
    depth: usize,
    /// Whether it is the document itself: only its base, anchors and metas count.
    main: bool,
    /// Where the part begins that is being read.
    from: usize,
    /// Where to begin again: behind an empty `<svg/>`, which lol_html takes for an open one.
    again_from: Option<usize>,
    /// The form that is open, as its index among those found.
    open_form: Rc<Cell<Option<usize>>>,
    /// The raw text element that is open.
    content: Option<Content>,
}

/// The content of a raw text element.
struct Content {
    language: Language,
    /// Whether it stands in SVG, where references and CDATA are read as in XML.
    is_foreign: bool,
    range: Option<Range<usize>>,
}

/// The language of a raw text element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Css,
    Classic,
    Module,
    ImportMap,
    SpeculationRules,
    /// What a browser shows that runs no scripts.
    Noscript,
}

impl Page<'_, '_> {
    fn tag(&mut self, tag: &mut Tag<'_, '_>) -> HandlerResult {
        self.end_content();
        let element = element_of(tag, self.text, self.from);
        if let Some(language) = element.language() {
            self.content = Some(Content {
                language,
                is_foreign: tag.namespace_uri() != HTML,
                range: None,
            });
        }
        if self.main {
            element.state(self.found);
        }
        element.urls(self.found);
        if let Some(srcdoc) = element.value("srcdoc").filter(|_| element.name == "iframe") {
            walk(&srcdoc, self.found, self.depth + 1, false);
        }
        form::controls(&element, &self.open_form, self.found);
        if element.name == "form" {
            let open = Rc::clone(&self.open_form);
            // Only a void element has no end tag.
            let _ = tag.on_end_tag(Box::new(move |_| {
                open.set(None);
                Ok(())
            }));
        }
        if matches!(element.name.as_str(), "svg" | "math") && tag.is_self_closing() {
            self.again_from = Some(self.from + tag.source_location().bytes().end);
            return Err("an empty element of another namespace".into());
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: &TextChunk<'_>) {
        let Some(content) = &mut self.content else {
            return;
        };
        let bytes = chunk.source_location().bytes();
        let start = content
            .range
            .as_ref()
            .map_or(bytes.start + self.from, |range| range.start);
        content.range = Some(start..self.from + bytes.end);
    }

    /// Reads a raw text element, now that its text is known.
    fn end_content(&mut self) {
        let Some(Content {
            language,
            is_foreign,
            range: Some(range),
        }) = self.content.take()
        else {
            return;
        };
        if is_foreign {
            for piece in xml::pieces(self.text, range) {
                content(&piece, language, self.found);
            }
            return;
        }
        let part = self.text.part(range, Some(Layer::Raw));
        match language {
            Language::Noscript => walk(&part, self.found, self.depth + 1, self.main),
            language => content(&part, language, self.found),
        }
    }
}

/// Finds the URLs of an element's text.
pub(super) fn content(text: &Text<'_>, language: Language, found: &mut Found) {
    match language {
        Language::Css => css::style(text, found),
        Language::Classic => script::script(text, script::Sort::Classic, found),
        Language::Module => script::script(text, script::Sort::Module, found),
        Language::ImportMap => json::import_map(text, found),
        Language::SpeculationRules => json::speculation_rules(text, found),
        Language::Noscript => fragment(text, found),
    }
}

fn element_of<'p, 't>(tag: &Tag<'_, '_>, text: &'p Text<'t>, from: usize) -> Element<'p, 't> {
    let begin = from + tag.source_location().bytes().start;
    let name = tag.tag_name();
    let mut element = Element::new(text, &name, begin + 1 + name.len());
    for attribute in tag.attributes() {
        let Some(value) = attribute.value_source_location() else {
            element.add(Attribute::empty(&attribute.name()));
            continue;
        };
        let value = from + value.bytes().start..from + value.bytes().end;
        let before = value.start.checked_sub(1);
        let quote = match before.map(|before| text.text.as_bytes()[before]) {
            Some(b'"') => Some('"'),
            Some(b'\'') => Some('\''),
            _ => None,
        };
        element.add(Attribute::new(&attribute.name(), value, quote));
    }
    element
}
