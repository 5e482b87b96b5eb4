//! By which encoding a body is read.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252, X_USER_DEFINED};

use super::Kind;

/// How far the encoding's name is looked for in a page. A browser looks at the first 1,024 bytes,
/// and reads the page again when it meets the name later.
const PRESCAN: usize = 16 << 10;

/// Decides by which encoding a body is read: byte order mark, header, the body's own declaration
/// (HTML standard, 13.2.3.2; CSS Syntax, 3.2; XML, appendix F), and `fallback`.
pub(super) fn encoding_of(
    body: &[u8],
    kind: Kind,
    content_type: &str,
    fallback: Option<&'static Encoding>,
) -> &'static Encoding {
    if let Some((encoding, _)) = Encoding::for_bom(body) {
        return encoding;
    }
    if matches!(kind, Kind::Manifest | Kind::Robots) {
        return UTF_8;
    }
    of_header(content_type)
        .or_else(|| declared(body, kind))
        .unwrap_or_else(|| match kind {
            Kind::Html if std::str::from_utf8(body).is_err() => fallback.unwrap_or(WINDOWS_1252),
            Kind::Css | Kind::Script => fallback.unwrap_or(UTF_8),
            _ => UTF_8,
        })
}

/// The charset of a Content-Type, or of a meta's copy of it.
fn of_header(content_type: &str) -> Option<&'static Encoding> {
    let mut rest = content_type;
    loop {
        let at = rest.to_ascii_lowercase().find("charset")?;
        rest = rest[at + "charset".len()..].trim_start();
        let Some(value) = rest.strip_prefix('=') else {
            continue;
        };
        let value = value.trim_start();
        let label = match value.chars().next()? {
            quote @ ('"' | '\'') => value[1..].split(quote).next()?,
            _ => value.split([';', ' ', '\t', '\n', ',']).next()?,
        };
        return Encoding::for_label(label.as_bytes());
    }
}

fn declared(body: &[u8], kind: Kind) -> Option<&'static Encoding> {
    let head = &body[..body.len().min(PRESCAN)];
    let encoding = match kind {
        Kind::Html => of_meta(head),
        Kind::Css => of_css(head),
        Kind::Xml | Kind::Sitemap | Kind::Feed => return of_xml(head),
        _ => None,
    }?;
    // What could be read as ASCII is no UTF-16 (HTML standard, 13.2.3.2).
    Some(match encoding {
        encoding if encoding == UTF_16LE || encoding == UTF_16BE => UTF_8,
        encoding if encoding == X_USER_DEFINED => WINDOWS_1252,
        encoding => encoding,
    })
}

/// `@charset "…";` counts only as the very first bytes, and only in this spelling.
fn of_css(head: &[u8]) -> Option<&'static Encoding> {
    let rest = head.strip_prefix(b"@charset \"")?;
    let end = rest.windows(2).position(|two| two == b"\";")?;
    Encoding::for_label(&rest[..end])
}

fn of_xml(head: &[u8]) -> Option<&'static Encoding> {
    // UTF-16 without a mark shows by its first character, which is `<`.
    match head {
        [b'<', 0, ..] => return Some(UTF_16LE),
        [0, b'<', ..] => return Some(UTF_16BE),
        _ => {}
    }
    let head = std::str::from_utf8(&head[..Encoding::ascii_valid_up_to(head)]).ok()?;
    let declaration = head.strip_prefix("<?xml")?.split("?>").next()?;
    let value = declaration.split_once("encoding")?.1.trim_start();
    let value = value.strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    Encoding::for_label(value[1..].split(quote).next()?.as_bytes())
}

/// Looks for the encoding in the metas of a page's beginning (HTML standard, 13.2.3.2, prescan).
fn of_meta(head: &[u8]) -> Option<&'static Encoding> {
    let text = Encoding::for_label(b"latin1")?
        .decode_without_bom_handling(head)
        .0;
    let mut rest: &str = &text;
    while let Some(at) = rest.find('<') {
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->")?.1;
            continue;
        }
        let tag = tag_of(&rest[1..]);
        if let Some(encoding) = tag.as_ref().and_then(encoding_of_meta) {
            return Some(encoding);
        }
        rest = tag.map_or(&rest[1..], |tag| tag.behind);
    }
    None
}

/// A start tag, read for the prescan.
struct Tag<'t> {
    is_meta: bool,
    attributes: Vec<(String, &'t str)>,
    behind: &'t str,
}

fn tag_of(text: &str) -> Option<Tag<'_>> {
    let name_end = text.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>'))?;
    let name = &text[..name_end];
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return None;
    }
    let mut tag = Tag {
        is_meta: name.eq_ignore_ascii_case("meta"),
        attributes: Vec::new(),
        behind: &text[name_end..],
    };
    loop {
        let rest = tag
            .behind
            .trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '/');
        if rest.is_empty() || rest.starts_with('>') {
            tag.behind = rest;
            return Some(tag);
        }
        let (name, value, behind) = attribute_of(rest);
        tag.attributes.push((name.to_ascii_lowercase(), value));
        tag.behind = behind;
    }
}

fn attribute_of(text: &str) -> (&str, &str, &str) {
    let ends_name = |c: char| c.is_ascii_whitespace() || matches!(c, '/' | '>' | '=');
    let first = text.chars().next().map_or(0, char::len_utf8);
    let end = text[first..]
        .find(ends_name)
        .map_or(text.len(), |at| first + at);
    let (name, rest) = text.split_at(end);
    let Some(value) = rest.trim_start().strip_prefix('=') else {
        return (name, "", rest);
    };
    let value = value.trim_start();
    match value.chars().next() {
        Some(quote @ ('"' | '\'')) => match value[1..].split_once(quote) {
            Some((value, rest)) => (name, value, rest),
            None => (name, &value[1..], ""),
        },
        _ => {
            let end = value
                .find(|c: char| c.is_ascii_whitespace() || c == '>')
                .unwrap_or(value.len());
            (name, &value[..end], &value[end..])
        }
    }
}

fn encoding_of_meta(tag: &Tag<'_>) -> Option<&'static Encoding> {
    let value = |wanted: &str| {
        let mut found = tag.attributes.iter().filter(|(name, _)| name == wanted);
        found.next().map(|(_, value)| *value)
    };
    if !tag.is_meta {
        return None;
    }
    if let Some(label) = value("charset") {
        return Encoding::for_label(label.as_bytes());
    }
    value("http-equiv").filter(|name| name.eq_ignore_ascii_case("content-type"))?;
    of_header(value("content")?)
}
