//! Writes other URLs into a body. All bytes outside of the edits stay as they are.

use std::borrow::Cow;
use std::ops::Range;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

use super::{Layer, Scan};

/// A change of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edit {
    /// The bytes that are replaced; none of them for an insertion.
    pub at: Range<usize>,
    /// What stands there then, before it is escaped.
    pub text: String,
    /// The layers for which the text is escaped, the innermost first.
    pub written_in: Vec<Layer>,
}

/// Makes the edits in a body, in the encoding by which it was read. The edits may come in any order;
/// of two that overlap, the first in the body counts.
pub fn rewrite(body: &[u8], scan: &Scan, edits: &[Edit]) -> Vec<u8> {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.at.start);
    let mut written = Vec::with_capacity(body.len());
    let mut copied = 0;
    for edit in edits {
        if edit.at.start < copied || edit.at.end > body.len() || edit.at.end < edit.at.start {
            continue;
        }
        written.extend_from_slice(&body[copied..edit.at.start]);
        let text = escaped(&edit.text, &edit.written_in);
        encode(&text, scan.encoding.unwrap_or(UTF_8), &mut written);
        copied = edit.at.end;
    }
    written.extend_from_slice(&body[copied..]);
    written
}

/// Writes a text as it must stand within the layers, the innermost first.
pub(super) fn escaped(text: &str, layers: &[Layer]) -> String {
    let mut text = text.to_owned();
    for layer in layers {
        text = within(&text, *layer);
    }
    text
}

fn within(text: &str, layer: Layer) -> String {
    match layer {
        Layer::HtmlAttribute(Some(quote)) => attribute(text, quote),
        Layer::HtmlAttribute(None) => unquoted_attribute(text),
        Layer::XmlText => replaced(text, |c| match c {
            '&' => Some("&amp;".into()),
            '<' => Some("&lt;".into()),
            '>' => Some("&gt;".into()),
            _ => None,
        }),
        Layer::Raw => text.replace("]]>", "%5D%5D%3E"),
        Layer::Srcset => candidate(text),
        Layer::Refresh(quote) => refresh(text, quote),
        Layer::Css(quote) => css(text, quote),
        Layer::Script(quote) => script(text, quote),
        Layer::Json => json(text),
        Layer::Line => replaced(text, |c| c.is_control().then(|| percent(c))),
        Layer::XmlInstruction(quote) => attribute(text, quote),
    }
}

fn replaced(text: &str, by: impl Fn(char) -> Option<Cow<'static, str>>) -> String {
    let mut written = String::with_capacity(text.len());
    for c in text.chars() {
        match by(c) {
            Some(other) => written.push_str(&other),
            None => written.push(c),
        }
    }
    written
}

fn attribute(text: &str, quote: char) -> String {
    replaced(text, |c| match c {
        '&' => Some("&amp;".into()),
        '<' => Some("&lt;".into()),
        '>' => Some("&gt;".into()),
        '"' if quote == '"' => Some("&quot;".into()),
        '\'' if quote == '\'' => Some("&#39;".into()),
        _ => None,
    })
}

fn unquoted_attribute(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    replaced(text, |c| match c {
        '&' => Some("&amp;".into()),
        c if c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '=' | '`') => {
            Some(format!("&#{};", u32::from(c)).into())
        }
        _ => None,
    })
}

fn candidate(text: &str) -> String {
    let bare = text.trim_matches(',');
    let start = text.len() - text.trim_start_matches(',').len();
    let commas = |count| ",".repeat(count).replace(',', "%2C");
    let end = text.len() - start - bare.len();
    let bare = replaced(bare, |c| c.is_ascii_whitespace().then(|| percent(c)));
    format!("{}{bare}{}", commas(start), commas(end))
}

fn refresh(text: &str, quote: Option<char>) -> String {
    match quote {
        Some(quote) => replaced(text, |c| (c == quote).then(|| percent(c))),
        None => match text.chars().next() {
            Some(first @ ('"' | '\'')) => format!("{}{}", percent(first), &text[1..]),
            _ => text.to_owned(),
        },
    }
}

fn css(text: &str, quote: Option<char>) -> String {
    replaced(text, |c| {
        let special = match quote {
            Some(quote) => c == quote,
            None => c.is_ascii_whitespace() || matches!(c, '"' | '\'' | '(' | ')'),
        };
        // A `<` could end the element that the style stands in.
        let escape = special || c == '\\' || c == '<' || c.is_control();
        escape.then(|| format!("\\{:x} ", u32::from(c)).into())
    })
}

fn script(text: &str, quote: char) -> String {
    replaced(text, |c| match c {
        '\\' => Some("\\\\".into()),
        c if c == quote => Some(format!("\\{c}").into()),
        c if c == '<' || c.is_ascii_control() => Some(format!("\\x{:02x}", u32::from(c)).into()),
        '\u{2028}' | '\u{2029}' => Some(format!("\\u{:04x}", u32::from(c)).into()),
        _ => None,
    })
}

fn json(text: &str) -> String {
    replaced(text, |c| match c {
        '\\' => Some("\\\\".into()),
        '"' => Some("\\\"".into()),
        c if c == '<' || c.is_control() => Some(format!("\\u{:04x}", u32::from(c)).into()),
        _ => None,
    })
}

fn percent(c: char) -> Cow<'static, str> {
    let mut buffer = [0; 4];
    let bytes = c.encode_utf8(&mut buffer).bytes();
    bytes
        .map(|byte| format!("%{byte:02X}"))
        .collect::<String>()
        .into()
}

/// Adds a text in an encoding. What the encoding lacks is written as UTF-8 in percents, which is
/// what a URL's parser makes of it, too.
fn encode(text: &str, encoding: &'static Encoding, written: &mut Vec<u8>) {
    if encoding == UTF_16LE {
        written.extend(text.encode_utf16().flat_map(u16::to_le_bytes));
    } else if encoding == UTF_16BE {
        written.extend(text.encode_utf16().flat_map(u16::to_be_bytes));
    } else if encoding == UTF_8 || text.is_ascii() {
        written.extend_from_slice(text.as_bytes());
    } else {
        let mut buffer = [0; 4];
        for c in text.chars() {
            let (bytes, _, lacks) = encoding.encode(c.encode_utf8(&mut buffer));
            match lacks {
                true => written.extend_from_slice(percent(c).as_bytes()),
                false => written.extend_from_slice(&bytes),
            }
        }
    }
}
