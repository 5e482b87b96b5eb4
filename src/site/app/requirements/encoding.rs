//! The text of a list, in whichever encoding pip would read it.

/// A list's text.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct ListText {
    pub(in super::super) text: String,
    /// Whether every character is right; of an encoding that is not known here, ASCII alone is.
    pub(in super::super) exact: bool,
}

/// Decodes by the byte order mark, else by a declaration as in PEP 263, else as UTF-8. None: the
/// bytes are no text in that encoding.
pub(in super::super) fn decode(bytes: &[u8]) -> Option<ListText> {
    let marked = |mark: &[u8]| bytes.strip_prefix(mark);
    let text = if let Some(rest) = marked(b"\xef\xbb\xbf") {
        str::from_utf8(rest).ok()?.to_owned()
    } else if let Some(rest) = marked(b"\xff\xfe") {
        utf_16(rest, u16::from_le_bytes)?
    } else if let Some(rest) = marked(b"\xfe\xff") {
        utf_16(rest, u16::from_be_bytes)?
    } else {
        return match declared(bytes).as_deref() {
            None | Some("utf-8" | "utf8" | "ascii" | "us-ascii") => Some(ListText {
                text: str::from_utf8(bytes).ok()?.to_owned(),
                exact: true,
            }),
            Some("latin-1" | "latin1" | "iso-8859-1" | "iso8859-1") => Some(ListText {
                text: latin_1(bytes),
                exact: true,
            }),
            Some(_) => Some(ListText {
                text: latin_1(bytes),
                exact: false,
            }),
        };
    };
    Some(ListText { text, exact: true })
}

fn utf_16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(pairs.iter().copied().map(unit))
        .collect::<Result<String, _>>()
        .ok()?;
    rest.is_empty().then_some(text)
}

fn latin_1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// `# -*- coding: latin-1 -*-` in one of the first two lines.
fn declared(bytes: &[u8]) -> Option<String> {
    bytes
        .split(|byte| *byte == b'\n')
        .take(2)
        .filter(|line| line.starts_with(b"#"))
        .find_map(|line| {
            let line = String::from_utf8_lossy(line);
            let after = line
                .split("coding")
                .skip(1)
                .find_map(|rest| rest.strip_prefix([':', '=']))?;
            let name: String = after
                .trim_start()
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "-_.".contains(*c))
                .collect();
            (!name.is_empty()).then(|| name.to_ascii_lowercase().replace('_', "-"))
        })
}
