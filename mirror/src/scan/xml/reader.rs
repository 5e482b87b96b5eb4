//! The tags of XML, with their places.

use std::ops::Range;

use quick_xml::Reader;
use quick_xml::events::{self, BytesStart};

use super::super::html::{Attribute, Element};
use super::super::text::Text;

/// What a document tells, in its order.
pub(super) enum Event<'e, 't> {
    Open(Tag<'e, 't>),
    /// An end tag, by its local name in lower case, and where it begins.
    Close {
        name: String,
        at: usize,
    },
    /// What stands between `<?` and `?>`.
    Instruction(Range<usize>),
}

/// A start tag, or that of an empty element.
pub(super) struct Tag<'e, 't> {
    pub element: Element<'e, 't>,
    /// In lower case; empty where there is none.
    pub prefix: String,
    /// Where the element's content begins.
    pub end: usize,
    pub is_empty: bool,
}

/// Tells the tags of a document. A document that is broken is read as far as it can be.
pub(super) fn read<'t>(text: &Text<'t>, mut tell: impl FnMut(Event<'_, 't>)) {
    let mut reader = Reader::from_str(&text.text);
    let config = reader.config_mut();
    config.check_end_names = false;
    config.allow_unmatched_ends = true;
    config.allow_dangling_amp = true;
    let mut start = 0;
    loop {
        let event = reader.read_event();
        let end = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        match event {
            Ok(events::Event::Eof) => return,
            Ok(events::Event::Start(tag)) => tell(Event::Open(open(text, &tag, start, end, false))),
            Ok(events::Event::Empty(tag)) => tell(Event::Open(open(text, &tag, start, end, true))),
            Ok(events::Event::End(tag)) => tell(Event::Close {
                name: lower(tag.local_name().as_ref()),
                at: start,
            }),
            Ok(events::Event::PI(_)) => tell(Event::Instruction(start + 2..end.max(start + 4) - 2)),
            Err(_) if end <= start => return,
            _ => {}
        }
        start = end;
    }
}

fn open<'e, 't>(
    text: &'e Text<'t>,
    tag: &BytesStart<'_>,
    start: usize,
    end: usize,
    is_empty: bool,
) -> Tag<'e, 't> {
    let prefix = tag.name().prefix().map(|prefix| lower(prefix.as_ref()));
    let name_end = start + 1 + tag.name().as_ref().len();
    let mut element = Element::new(text, &lower(tag.local_name().as_ref()), name_end);
    element.is_xml = true;
    for attribute in tag.attributes().with_checks(false).flatten() {
        if let Some(value) = place(&text.text, &attribute.value) {
            let quote = text.text.as_bytes().get(value.end);
            let quote = quote.copied().map_or('"', char::from);
            let name = lower(attribute.key.as_ref());
            element.add(Attribute::new(&name, value, Some(quote)));
        }
    }
    let prefix = prefix.unwrap_or_default();
    Tag {
        element,
        prefix,
        end,
        is_empty,
    }
}

/// Where a slice of the text stands in it: the reader hands out slices of what it reads.
fn place(text: &str, slice: &[u8]) -> Option<Range<usize>> {
    let start = slice.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let range = start..start.checked_add(slice.len())?;
    text.get(range.clone()).map(|_| range)
}

fn lower(name: &[u8]) -> String {
    String::from_utf8_lossy(name).to_ascii_lowercase()
}

/// The text of an element without children: what stands as text, and what stands as CDATA. A comment
/// is neither.
pub(in crate::scan) fn pieces<'p>(text: &'p Text<'_>, range: Range<usize>) -> Vec<Text<'p>> {
    const SECTIONS: [(&str, &str); 2] = [("<![CDATA[", "]]>"), ("<!--", "-->")];
    let mut pieces = Vec::new();
    let mut start = range.start;
    while start < range.end {
        let rest = text.slice(start..range.end);
        let next = SECTIONS
            .iter()
            .filter_map(|(open, close)| Some((rest.find(open)?, open, close)))
            .min();
        let Some((at, open, close)) = next else {
            break;
        };
        if at > 0 {
            pieces.push(text.xml_text(start..start + at));
        }
        let inside = start + at + open.len();
        let length = text.slice(inside..range.end).find(close);
        let length = length.unwrap_or(range.end.saturating_sub(inside));
        if *open == SECTIONS[0].0 {
            pieces.push(text.part(inside..inside + length, super::CDATA));
        }
        start = inside + length + close.len();
    }
    if start < range.end {
        pieces.push(text.xml_text(start..range.end));
    }
    pieces
}
