//! Decodes a text by the charset that a browser would read it with.

use encoding_rs::{Encoding, UTF_8, WINDOWS_1252};

use super::Body;

/// The bytes of a page in which a browser looks for `<meta charset>` (HTML standard, 13.2.3.2).
const PRESCAN: usize = 1024;

/// Returns the encoding of a body, by its Content-Type or (for HTML) its meta element. A byte order
/// mark goes before, and is heeded by the decoder.
pub(super) fn of(body: Body<'_>, html: bool) -> &'static Encoding {
    named(body.content_type)
        .or_else(|| html.then(|| in_meta(body.bytes)).flatten())
        .unwrap_or_else(|| fallback(body.bytes))
}

fn named(content_type: &str) -> Option<&'static Encoding> {
    let at = content_type.to_ascii_lowercase().find("charset=")?;
    let label = &content_type[at + "charset=".len()..];
    let label = label.trim_start_matches(['"', '\'', ' ']);
    Encoding::for_label(
        label
            .split(['"', '\'', ';', ' ', '>', '/'])
            .next()?
            .as_bytes(),
    )
}

fn in_meta(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = encoding_rs::mem::decode_latin1(&bytes[..bytes.len().min(PRESCAN)]);
    let lower = head.to_ascii_lowercase();
    lower.match_indices("<meta").find_map(|(at, _)| {
        let end = lower[at..].find('>').map_or(lower.len(), |end| at + end);
        named(&lower[at..end])
    })
}

/// Without a word of the site, both sides are read alike; a text that is UTF-8 is read as such, so
/// that its words can be told to a person.
fn fallback(bytes: &[u8]) -> &'static Encoding {
    match std::str::from_utf8(bytes) {
        Ok(_) => UTF_8,
        Err(_) => WINDOWS_1252,
    }
}
