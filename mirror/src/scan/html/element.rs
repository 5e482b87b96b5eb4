//! An element, and the attributes of HTML and SVG that hold URLs.

use std::ops::Range;

use super::super::found::Found;
use super::super::text::Text;
use super::super::{Integrity, Role, css};
use super::{Language, form, lazy, link, meta, srcset};

/// A start tag of HTML, or of XML that a browser shows.
pub(in crate::scan) struct Element<'p, 't> {
    pub text: &'p Text<'t>,
    /// In lower case, without a prefix.
    pub name: String,
    /// Where the tag's name ends.
    pub name_end: usize,
    /// Whether only XML's references are decoded.
    pub is_xml: bool,
    attributes: Vec<Attribute>,
}

/// An attribute of an element.
pub(in crate::scan) struct Attribute {
    /// In lower case.
    name: String,
    value: Range<usize>,
    quote: Option<char>,
}

impl Attribute {
    pub fn new(name: &str, value: Range<usize>, quote: Option<char>) -> Self {
        Self {
            name: name.to_ascii_lowercase(),
            value,
            quote,
        }
    }

    /// One without a value.
    pub fn empty(name: &str) -> Self {
        Self::new(name, 0..0, None)
    }
}

impl<'p, 't> Element<'p, 't> {
    pub fn new(text: &'p Text<'t>, name: &str, name_end: usize) -> Self {
        Self {
            text,
            name: name.to_ascii_lowercase(),
            name_end,
            is_xml: false,
            attributes: Vec::new(),
        }
    }

    /// Adds an attribute; the first of a name counts (HTML standard, 13.2.5.33).
    pub fn add(&mut self, attribute: Attribute) {
        if !self.has(&attribute.name) {
            self.attributes.push(attribute);
        }
    }

    pub fn has(&self, name: &str) -> bool {
        self.attributes
            .iter()
            .any(|attribute| attribute.name == name)
    }

    /// The decoded value of an attribute.
    pub fn value(&self, name: &str) -> Option<Text<'_>> {
        let mut named = self.attributes.iter();
        let attribute = named.find(|attribute| attribute.name == name)?;
        Some(self.decoded(attribute))
    }

    /// The value as a word that the standard compares without regard to case.
    pub fn keyword(&self, name: &str) -> Option<String> {
        let value = self.value(name)?;
        Some(value.text.trim().to_ascii_lowercase())
    }

    fn decoded(&self, attribute: &Attribute) -> Text<'_> {
        match self.is_xml {
            true => self
                .text
                .xml_attribute(attribute.value.clone(), attribute.quote.unwrap_or('"')),
            false => self
                .text
                .html_attribute(attribute.value.clone(), attribute.quote),
        }
    }

    /// The language of the element's text, where it is one that holds URLs.
    pub fn language(&self) -> Option<Language> {
        let kind = self.keyword("type").unwrap_or_default();
        match (self.name.as_str(), kind.as_str()) {
            ("style", "" | "text/css") => Some(Language::Css),
            ("noscript", _) => Some(Language::Noscript),
            ("script", _) if self.has("src") => None,
            ("script", "module") => Some(Language::Module),
            ("script", "importmap") => Some(Language::ImportMap),
            ("script", "speculationrules") => Some(Language::SpeculationRules),
            ("script", "") => Some(Language::Classic),
            ("script", kind) if kind.ends_with("javascript") || kind.ends_with("ecmascript") => {
                Some(Language::Classic)
            }
            _ => None,
        }
    }

    /// What the element says of the whole document: its base, where fragments lead, its robots.
    pub fn state(&self, found: &mut Found) {
        let anchors = ["id", "name", "xml:id"];
        for name in anchors {
            let Some(value) = self
                .value(name)
                .filter(|_| name != "name" || self.name == "a")
            else {
                continue;
            };
            if !value.text.is_empty() {
                found.anchors.push(value.text.into_owned());
            }
        }
        if self.name == "meta" {
            found.nofollow |= meta::is_nofollow(self);
        }
        if self.name == "base" && found.base.is_none() {
            self.base(found);
        }
    }

    fn base(&self, found: &mut Found) {
        let Some(href) = self.value("href") else {
            return;
        };
        let next = found.references.len();
        found.plain(&href, 0..href.text.len(), Role::Hint, None);
        found.base_reference = (found.references.len() > next).then_some(next);
        found.base = Some(href.text.trim().to_owned());
    }

    /// Adds the URLs of the element's attributes.
    pub fn urls(&self, found: &mut Found) {
        for attribute in &self.attributes {
            let (value, next) = (self.decoded(attribute), found.references.len());
            if !value.text.is_empty() {
                self.url(attribute, &value, found);
            }
            let names = (self.name.as_str(), attribute.name.as_str());
            let is_checked = matches!(names, ("script", "src") | ("link", "href"));
            if is_checked && found.references.len() > next {
                self.integrity(next, found);
            }
        }
        if self.name == "meta" {
            meta::urls(self, found);
        }
    }

    /// Adds the digest of what a reference leads to.
    fn integrity(&self, of: usize, found: &mut Found) {
        let value = self.value("integrity");
        let Some(value) = value.filter(|value| !value.text.is_empty()) else {
            return;
        };
        found.integrities.push(Integrity {
            of,
            span: value.span(0..value.text.len()),
            written_in: value.layers(),
        });
    }

    fn url(&self, attribute: &Attribute, value: &Text<'_>, found: &mut Found) {
        let everything = 0..value.text.len();
        match self.holds(&attribute.name) {
            Holds::Url(role) => found.plain(value, everything, role, None),
            Holds::Srcset => srcset::urls(value, Role::Resource, found),
            Holds::Several(role) => several(value, role, found),
            Holds::Css => css::declarations(value, found),
            Holds::Lazy => lazy::urls(&attribute.name, value, found),
            Holds::Nothing => {}
        }
    }

    fn holds(&self, attribute: &str) -> Holds {
        let link = || Holds::Url(self.link_role());
        let resource = Holds::Url(Role::Resource);
        match (self.name.as_str(), attribute) {
            (_, "style") => Holds::Css,
            ("a" | "area", "href" | "xlink:href") => link(),
            ("a" | "area", "ping") => Holds::Several(Role::Hint),
            ("link", "href") => Holds::Url(link::role(self)),
            ("link", "imagesrcset") | ("img" | "source", "srcset") => Holds::Srcset,
            // A browser shows srcdoc in place of src.
            ("iframe", "src") if self.has("srcdoc") => Holds::Url(Role::Hint),
            ("iframe" | "frame" | "turbo-frame", "src") => link(),
            ("img" | "image" | "video" | "audio" | "source" | "track", "src")
            | ("embed" | "script" | "bgsound", "src")
            | ("video", "poster")
            | ("object", "data")
            | ("html", "manifest") => resource,
            ("input", "src") if self.keyword("type").as_deref() == Some("image") => resource,
            ("body" | "table" | "thead" | "tbody" | "tfoot" | "tr" | "td" | "th", "background") => {
                resource
            }
            ("blockquote" | "q" | "ins" | "del", "cite") | (_, "longdesc") => link(),
            ("form", "action") | ("button" | "input", "formaction") => {
                Holds::Url(form::role(self, attribute))
            }
            (name, "src" | "poster") if name.starts_with("amp-") => resource,
            (name, "srcset") if name.starts_with("amp-") => Holds::Srcset,
            (name, "href") if is_svg_reference(name) => resource,
            (_, href) if href.ends_with(":href") => resource,
            (_, paint) if is_svg_paint(paint) => Holds::Css,
            (_, get) if form::is_htmx(get, &["get"]) => link(),
            (_, act) if form::is_htmx(act, &form::ACTING) => Holds::Url(Role::Acts),
            (_, lazy) if lazy::is_one(lazy) => Holds::Lazy,
            _ => Holds::Nothing,
        }
    }

    fn link_role(&self) -> Role {
        if form::acts(self) {
            return Role::Acts;
        }
        Role::Link {
            nofollow: self.rel().any(|token| token == "nofollow"),
        }
    }

    /// The tokens of `rel`, in lower case.
    pub fn rel(&self) -> impl Iterator<Item = String> {
        let rel = self.keyword("rel").unwrap_or_default();
        let tokens: Vec<String> = rel.split_ascii_whitespace().map(str::to_owned).collect();
        tokens.into_iter()
    }
}

/// What an attribute's value is.
enum Holds {
    Url(Role),
    Srcset,
    /// URLs with white space between them.
    Several(Role),
    Css,
    Lazy,
    Nothing,
}

fn several(value: &Text<'_>, role: Role, found: &mut Found) {
    let mut start = 0;
    for word in value.text.split(|c: char| c.is_ascii_whitespace()) {
        found.plain(value, start..start + word.len(), role, None);
        start += word.len() + 1;
    }
}

/// Elements of SVG whose `href` is fetched (SVG 2, 16.1.6); `a` and `script` stand above.
fn is_svg_reference(name: &str) -> bool {
    matches!(
        name,
        "image"
            | "use"
            | "feimage"
            | "script"
            | "lineargradient"
            | "radialgradient"
            | "pattern"
            | "textpath"
            | "mpath"
            | "filter"
            | "tref"
            | "cursor"
            | "font-face-uri"
    )
}

/// Presentation attributes whose values are CSS with `url()`.
fn is_svg_paint(name: &str) -> bool {
    matches!(
        name,
        "fill"
            | "stroke"
            | "filter"
            | "mask"
            | "clip-path"
            | "cursor"
            | "marker"
            | "marker-start"
            | "marker-mid"
            | "marker-end"
    )
}
