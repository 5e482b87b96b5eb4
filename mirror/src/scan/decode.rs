//! The text of a body, with the way back to its bytes.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8};

use super::text::{Piece, Pieces, Text};

/// Decodes a body. Bytes that the encoding does not know become U+FFFD, as in a browser.
pub(super) fn decode<'b>(body: &'b [u8], encoding: &'static Encoding) -> Text<'b> {
    let mark = Encoding::for_bom(body).map_or(0, |(_, length)| length);
    let bytes = &body[mark..];
    if encoding != UTF_8 {
        let (text, pieces) = decode_by_character(bytes, encoding);
        return Text::of_body(Cow::Owned(text), pieces, mark);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Text::of_body(Cow::Borrowed(text), Pieces::Same, mark),
        Err(_) => {
            let (text, pieces) = decode_broken_utf8(bytes);
            Text::of_body(Cow::Owned(text), pieces, mark)
        }
    }
}

fn decode_broken_utf8(bytes: &[u8]) -> (String, Pieces) {
    let mut text = String::with_capacity(bytes.len());
    let mut pieces = Vec::new();
    let mut from = 0;
    for chunk in bytes.utf8_chunks() {
        piece(&mut pieces, text.len(), from, true);
        text.push_str(chunk.valid());
        from += chunk.valid().len();
        if !chunk.invalid().is_empty() {
            piece(&mut pieces, text.len(), from, false);
            text.push('\u{fffd}');
            from += chunk.invalid().len();
        }
    }
    piece(&mut pieces, text.len(), bytes.len(), true);
    (text, Pieces::Differ(pieces))
}

/// Gives the decoder a byte at a time, since only so it says which bytes a character came from.
/// Runs of ASCII pass it by, where the encoding has ASCII and the decoder waits for nothing.
fn decode_by_character(bytes: &[u8], encoding: &'static Encoding) -> (String, Pieces) {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut text = String::with_capacity(bytes.len());
    let mut pieces = Vec::new();
    let mut waits = false;
    let (mut from, mut next) = (0, 0);
    let mut buffer = [0_u8; 32];
    while next < bytes.len() {
        let ascii = match encoding.is_ascii_compatible() && !waits {
            true => Encoding::ascii_valid_up_to(&bytes[next..]),
            false => 0,
        };
        if ascii > 0 {
            piece(&mut pieces, text.len(), next, true);
            text.extend(
                bytes[next..next + ascii]
                    .iter()
                    .map(|&byte| char::from(byte)),
            );
            next += ascii;
            from = next;
            continue;
        }
        let (_, _, written, _) = decoder.decode_to_utf8(&bytes[next..=next], &mut buffer, false);
        let last = bytes[next];
        next += 1;
        waits = true;
        if let Ok(written) = std::str::from_utf8(&buffer[..written])
            && !written.is_empty()
        {
            push_characters(&mut text, &mut pieces, written, from, next, last);
            waits = written.contains('\u{fffd}');
            from = next;
        }
    }
    let (_, _, written, _) = decoder.decode_to_utf8(&[], &mut buffer, true);
    if written > 0 {
        piece(&mut pieces, text.len(), from, false);
        text.push_str(&String::from_utf8_lossy(&buffer[..written]));
    }
    piece(&mut pieces, text.len(), bytes.len(), true);
    (text, Pieces::Differ(pieces))
}

/// Adds what came of `from..next`. An ASCII byte that ended a broken character is its own piece.
fn push_characters(
    text: &mut String,
    pieces: &mut Vec<Piece>,
    written: &str,
    from: usize,
    next: usize,
    last: u8,
) {
    piece(pieces, text.len(), from, false);
    let own = next - from > 1 && last.is_ascii() && written.len() > 1;
    match written.strip_suffix(char::from(last)) {
        Some(before) if own => {
            text.push_str(before);
            piece(pieces, text.len(), next - 1, true);
            text.push(char::from(last));
        }
        _ => text.push_str(written),
    }
}

fn piece(pieces: &mut Vec<Piece>, at: usize, from: usize, same: bool) {
    Pieces::push(pieces, Piece { at, from, same });
}
