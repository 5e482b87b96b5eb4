//! Where the URLs stand in a body, found as a browser finds them.
//!
//! A [`Scan`] says of each URL the bytes that hold it, what the page wants of it, and how a
//! replacement must be written there. Nothing in comments, plain strings or text areas is a URL.

mod charset;
mod css;
mod decode;
mod found;
mod html;
mod json;
mod kind;
mod lines;
mod references;
mod rewrite;
mod script;
mod text;
mod xml;

#[cfg(test)]
mod tests;

use std::ops::Range;

use encoding_rs::Encoding;

pub use rewrite::{Edit, rewrite};

use found::{Found, Lines};

/// What a body is, by its Content-Type (and, where that is missing, by its first bytes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Html,
    /// XHTML served as XML, SVG, and XML of no kind below.
    Xml,
    Css,
    /// A classic script or a module: static imports, and dynamic imports of a plain string.
    Script,
    /// A web app manifest.
    Manifest,
    /// A sitemap or an index of sitemaps, in XML; or a list of URLs in plain text.
    Sitemap,
    /// RSS or Atom.
    Feed,
    Robots,
    /// Everything that holds no URL: images, fonts, downloads, plain text.
    Opaque,
}

/// What stands in a body.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// The URL of `<base href>`, as written; the first one counts (HTML standard, 4.2.3).
    pub base: Option<String>,
    /// The index of the base's URL among the references.
    pub base_reference: Option<usize>,
    /// In the order of their spans; spans do not overlap.
    pub references: Vec<Reference>,
    /// Values of `id`, and of `name` on anchors: where fragments lead.
    pub anchors: Vec<String>,
    /// The encoding by which the body was read (header, byte order mark, meta, in the standard's
    /// order): also that of the queries of its URLs.
    pub encoding: Option<&'static encoding_rs::Encoding>,
    /// Forms of the page.
    pub forms: Vec<Form>,
    /// Digests beside URLs.
    pub integrities: Vec<Integrity>,
    /// `<meta name="robots">` asks for no following of links.
    pub nofollow: bool,
}

/// Finds the URLs of a body. A body that is broken has those that a browser would still find.
pub fn scan(body: &[u8], kind: Kind, content_type: &str) -> Scan {
    scan_within(body, kind, content_type, None)
}

/// Finds the URLs of a body that names no charset, and stands in a page with `fallback`: a style
/// sheet has its page's encoding then (CSS Syntax, 3.2).
pub fn scan_within(
    body: &[u8],
    kind: Kind,
    content_type: &str,
    fallback: Option<&'static Encoding>,
) -> Scan {
    if kind == Kind::Opaque {
        return Scan::default();
    }
    let encoding = charset::encoding_of(body, kind, content_type, fallback);
    let text = decode::decode(body, encoding);
    let mut found = Found::default();
    match kind {
        Kind::Html => html::document(&text, &mut found),
        Kind::Xml => xml::document(&text, &mut found),
        Kind::Css => css::style(&text, &mut found),
        Kind::Script => script::script(&text, script::Sort::Either, &mut found),
        Kind::Manifest => json::manifest(&text, &mut found),
        Kind::Sitemap => xml::sitemap(&text, &mut found),
        Kind::Feed => xml::feed(&text, &mut found),
        Kind::Robots => lines::robots(&text, &mut found),
        Kind::Opaque => {}
    }
    Scan {
        encoding: Some(encoding),
        ..found.into_scan(&mut Lines::new(body, encoding))
    }
}

/// A URL in a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The bytes of the body that hold the URL: without quotes, without white space around it.
    pub span: Range<usize>,
    /// The URL as the URL parser gets it: references, escapes and the charset are decoded.
    pub url: String,
    pub role: Role,
    /// How a replacement is written at this place, the innermost layer first: a URL in a style
    /// attribute is text of CSS inside of an attribute of HTML.
    pub written_in: Vec<Layer>,
    /// The line of `span`, counted from 1.
    pub line: u32,
}

/// What a page wants of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// A visitor goes there: anchors, areas, frames, refreshes.
    Link {
        /// `rel="nofollow"`, or the page's own meta robots.
        nofollow: bool,
    },
    /// The element has `data-method`, `data-confirm`, `hx-post` or the like: following it does
    /// something.
    Acts,
    /// The page shows or runs it: images, style sheets, scripts, fonts, media, manifests.
    Resource,
    /// A form sends there.
    Form { post: bool },
    /// The page states it to machines, and it stays absolute: canonical, hreflang, Open Graph, the
    /// entries of sitemaps and feeds. A crawl follows it.
    Stated,
    /// The page states it and shows it, as og:image or a sitemap's images: it stays absolute.
    StatedResource,
    /// A hint without a resource: preconnect, dns-prefetch; also `<a ping>`.
    Hint,
}

/// A layer of syntax around a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layer {
    /// An attribute's value in these quotes; none for an unquoted one.
    HtmlAttribute(Option<char>),
    /// Text of an element whose text has character references.
    XmlText,
    /// CDATA of XML, or an element of HTML whose text is raw.
    Raw,
    /// One candidate of a srcset: white space and a comma at an end would end it.
    Srcset,
    /// The URL of a meta refresh, in these quotes.
    Refresh(Option<char>),
    /// A string of CSS in these quotes; none for the URL in `url(…)` without quotes.
    Css(Option<char>),
    /// A string of JavaScript in these quotes, or of JSON.
    Script(char),
    Json,
    /// A line of its own.
    Line,
    /// An instruction of XML, as xml-stylesheet's `href="…"`.
    XmlInstruction(char),
}

/// A digest by which a browser checks what it fetched (Subresource Integrity, 3.5): a body that is
/// rewritten has another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Integrity {
    /// The index of the URL among the references.
    pub of: usize,
    /// The bytes of the body that hold the attribute's value.
    pub span: Range<usize>,
    /// How a replacement is written there, as [`Reference::written_in`].
    pub written_in: Vec<Layer>,
}

/// A form of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Form {
    /// The index of its action among the references; none where the form has no action, and sends
    /// to the page itself.
    pub action: Option<usize>,
    /// Where an action is written that the form lacks: right behind the tag's name.
    pub insert_at: usize,
    /// How such an action is written there, where the form stands in a layer itself.
    pub written_in: Vec<Layer>,
    pub post: bool,
    /// A field for a password is in it.
    pub password: bool,
    pub line: u32,
}
