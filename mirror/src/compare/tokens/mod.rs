//! Reads a body as a sequence of tokens: the words that a visitor reads, and the structure around
//! them, with each URL replaced by where it leads.
//!
//! Comments of HTML are no tokens: no visitor sees them, and caches write their times there.

mod charset;
mod css;
mod html;
mod loose;

use std::collections::HashMap;
use std::io::Read as _;

use sha2::{Digest, Sha256};

use super::places::{Base, Places, Side, Use};
use crate::address::Address;

/// A longer text is compared as bytes. The time and the memory of a comparison are bounded by this.
const LONGEST_TEXT: usize = 16 << 20;

/// What a token is to a visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Sort {
    /// Text.
    Word,
    /// Tags, attributes, scripts, styles.
    Structure,
}

/// A token, by its number in a [`Vocabulary`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Token(u32);

/// The tokens that the answers and the object of one page are made of, each with a number.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    numbers: [HashMap<Box<str>, u32>; 2],
    texts: Vec<(Sort, Box<str>)>,
}

impl Vocabulary {
    pub(super) fn number(&mut self, sort: Sort, text: &str) -> Token {
        let numbers = &mut self.numbers[sort as usize];
        if let Some(number) = numbers.get(text) {
            return Token(*number);
        }
        let number = u32::try_from(self.texts.len()).expect("a text is shorter than 4 GiB");
        numbers.insert(text.into(), number);
        self.texts.push((sort, text.into()));
        Token(number)
    }

    pub(super) fn sort(&self, token: Token) -> Sort {
        self.texts[token.0 as usize].0
    }

    pub(super) fn text(&self, token: Token) -> &str {
        &self.texts[token.0 as usize].1
    }
}

/// A body, with what must be known to read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body<'a> {
    pub side: Side,
    pub address: &'a Address,
    pub content_type: &'a str,
    pub bytes: &'a [u8],
}

/// Reads a body as tokens.
pub(super) fn tokens(body: Body<'_>, places: &Places<'_>, words: &mut Vocabulary) -> Vec<Token> {
    if let Some(unpacked) = unpacked(body) {
        let body = Body {
            content_type: "text/plain",
            bytes: &unpacked,
            ..body
        };
        return tokens(body, places, words);
    }
    let form = Form::of(body);
    let encoding = charset::of(body, form == Form::Html);
    let url = places.base(body.side, body.address);
    let mut reader = Reader {
        places,
        side: body.side,
        document: url.to_string(),
        base: Base { url, encoding },
        based: false,
        words,
        tokens: Vec::new(),
    };
    let text = || encoding.decode(body.bytes).0;
    match form {
        Form::Html => html::read(&mut reader, &text()),
        Form::Css => css::read(&mut reader, &text()),
        Form::Text => loose::read(&mut reader, &text(), Sort::Word),
        Form::Bytes => {
            let sum = hex::encode(Sha256::digest(body.bytes));
            reader.push(Sort::Word, &format!("bytes {sum}"));
        }
    }
    reader.tokens
}

/// Opens a packed sitemap, in which the mirror rewrites URLs; another archive stays closed.
fn unpacked(body: Body<'_>) -> Option<Vec<u8>> {
    let path = body.address.path();
    if !body.bytes.starts_with(&[0x1f, 0x8b])
        || !(path.ends_with(".xml.gz") || path.ends_with(".txt.gz"))
    {
        return None;
    }
    let mut plain = Vec::new();
    let mut bytes = flate2::read::MultiGzDecoder::new(body.bytes).take(LONGEST_TEXT as u64);
    bytes.read_to_end(&mut plain).ok()?;
    Some(plain)
}

/// How a body is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Html,
    Css,
    /// Text of another syntax: scripts, JSON, XML, plain text.
    Text,
    Bytes,
}

impl Form {
    /// Tells by the Content-Type how a body is read; without a type, by its first bytes.
    pub(super) fn of(body: Body<'_>) -> Self {
        if body.bytes.len() > LONGEST_TEXT {
            return Self::Bytes;
        }
        let essence = body.content_type.split(';').next().unwrap_or_default();
        match essence.trim().to_ascii_lowercase().as_str() {
            "text/html" | "application/xhtml+xml" => Self::Html,
            "" if looks_like_html(body.bytes) => Self::Html,
            "text/css" => Self::Css,
            "application/json" | "application/javascript" | "application/xml" => Self::Text,
            other if other.starts_with("text/") => Self::Text,
            other if other.ends_with("+json") || other.ends_with("+xml") => Self::Text,
            _ => Self::Bytes,
        }
    }
}

fn looks_like_html(bytes: &[u8]) -> bool {
    let head = bytes[..bytes.len().min(1024)].to_ascii_lowercase();
    let head = head.trim_ascii_start();
    head.starts_with(b"<!doctype html") || head.starts_with(b"<html")
}

/// Collects the tokens of one body.
struct Reader<'r, 'p> {
    places: &'r Places<'p>,
    side: Side,
    /// The URL of the body itself.
    document: String,
    base: Base,
    /// Whether a `<base>` was met; the first one counts.
    based: bool,
    words: &'r mut Vocabulary,
    tokens: Vec<Token>,
}

impl Reader<'_, '_> {
    fn push(&mut self, sort: Sort, text: &str) {
        let token = self.words.number(sort, text);
        self.tokens.push(token);
    }

    fn structure(&mut self, text: &str) {
        self.push(Sort::Structure, text);
    }

    /// Takes the words of a text that a visitor reads.
    fn text(&mut self, text: &str) {
        for word in text.split_whitespace() {
            for part in parts(word) {
                self.push(Sort::Word, part);
            }
        }
    }

    fn place(&self, url: &str, used: Use) -> String {
        self.places.place(self.side, &self.base, url, used)
    }
}

/// Splits a word where its script has no spaces: each character of Chinese, Japanese, Thai, Lao,
/// Khmer and Burmese is a part, or else a paragraph would be one word.
fn parts(word: &str) -> impl Iterator<Item = &str> {
    let mut rest = word;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = if unspaced(first) {
            first.len_utf8()
        } else {
            rest.find(unspaced).unwrap_or(rest.len())
        };
        let (part, behind) = rest.split_at(end);
        rest = behind;
        Some(part)
    })
}

fn unspaced(character: char) -> bool {
    matches!(character,
        '\u{e00}'..='\u{eff}'
        | '\u{1000}'..='\u{109f}'
        | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}')
}
