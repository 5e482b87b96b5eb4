//! Character references, with the way back to what they were decoded from.

use std::borrow::Cow;

use super::text::{Piece, Pieces};

/// Decodes the value of an attribute of HTML (HTML standard, 13.2.5.72 and on): `&copy=` stays.
pub(super) fn of_html_attribute(raw: &str) -> (Cow<'_, str>, Pieces) {
    decoded(raw, html_reference)
}

/// Decodes text or a value of XML: the five entities and the numbers; others stay as they are.
pub(super) fn of_xml(raw: &str) -> (Cow<'_, str>, Pieces) {
    decoded(raw, xml_reference)
}

/// The length of the reference that a text begins with, and what it stands for.
type Reference = fn(&str) -> Option<(usize, Cow<'_, str>)>;

fn decoded(raw: &str, reference: Reference) -> (Cow<'_, str>, Pieces) {
    if !raw.contains('&') {
        return (Cow::Borrowed(raw), Pieces::Same);
    }
    let mut text = String::with_capacity(raw.len());
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut piece = |at, from, same| Pieces::push(&mut pieces, Piece { at, from, same });
    for (at, _) in raw.match_indices('&') {
        let Some((length, stands_for)) = reference(&raw[at..]) else {
            continue;
        };
        piece(text.len(), from, true);
        text.push_str(&raw[from..at]);
        piece(text.len(), at, false);
        text.push_str(&stands_for);
        from = at + length;
    }
    piece(text.len(), from, true);
    text.push_str(&raw[from..]);
    (Cow::Owned(text), Pieces::Differ(pieces))
}

fn html_reference(text: &str) -> Option<(usize, Cow<'_, str>)> {
    let length = reference_length(text)?;
    // The character behind a name without a semicolon decides whether the name is a reference.
    let behind = text[length..].chars().next().map_or(0, char::len_utf8);
    let decoded = htmlize::unescape_attribute(&text[..length + behind]);
    if decoded == text[..length + behind] {
        return None;
    }
    let stands_for = decoded[..decoded.len() - behind].to_owned();
    Some((length, Cow::Owned(stands_for)))
}

fn xml_reference(text: &str) -> Option<(usize, Cow<'_, str>)> {
    let length = reference_length(text)?;
    let name = text[1..length].strip_suffix(';')?;
    let stands_for = match name {
        "amp" => "&",
        "lt" => "<",
        "gt" => ">",
        "quot" => "\"",
        "apos" => "'",
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            return Some((length, Cow::Owned(char::from_u32(code)?.to_string())));
        }
    };
    Some((length, Cow::Borrowed(stands_for)))
}

/// The longest run that could be a reference: `&`, perhaps `#`, letters and digits, perhaps `;`.
fn reference_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut end = 1;
    let alphanumeric = if bytes.get(1) == Some(&b'#') {
        end = 2;
        let hexadecimal = matches!(bytes.get(2), Some(b'x' | b'X'));
        end += usize::from(hexadecimal);
        if hexadecimal {
            u8::is_ascii_hexdigit
        } else {
            u8::is_ascii_digit
        }
    } else {
        u8::is_ascii_alphanumeric
    };
    let begin = end;
    while bytes.get(end).is_some_and(alphanumeric) {
        end += 1;
    }
    if end == begin {
        return None;
    }
    Some(end + usize::from(bytes.get(end) == Some(&b';')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(raw: &str) -> String {
        of_html_attribute(raw).0.into_owned()
    }

    #[test]
    fn a_name_without_a_semicolon_before_an_equals_sign_is_no_reference() {
        assert_eq!(html("?a=1&copy=2"), "?a=1&copy=2");
        assert_eq!(html("?a=1&copyx"), "?a=1&copyx");
        assert_eq!(html("?a=1&copy"), "?a=1©");
        assert_eq!(html("?a=1&amp;copy=2"), "?a=1&copy=2");
    }

    #[test]
    fn names_and_numbers_are_decoded_as_a_browser_does() {
        assert_eq!(html("a&period;html"), "a.html");
        assert_eq!(html("&#x2F;a&#47b"), "/a/b");
        assert_eq!(html("&nosuch;&#;&"), "&nosuch;&#;&");
        assert_eq!(html("&#x80;&#0;"), "\u{20ac}\u{fffd}");
    }

    #[test]
    fn xml_knows_five_entities_and_the_numbers() {
        let (text, _) = of_xml("a&amp;b&lt;&#x41;&#66;&nbsp;&apos;&quot;&gt;&amp");
        assert_eq!(text, "a&b<AB&nbsp;'\">&amp");
    }
}
