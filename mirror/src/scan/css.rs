//! Style sheets and declarations, by the tokens of CSS.
//!
//! A URL stands in `url()`, in a string of `@import`, and in the strings of functions that take
//! images. Comments, other strings and namespaces hold none.

use std::ops::Range;

use cssparser::{ParseError, Parser, ParserInput, Token};

use super::found::Found;
use super::text::Text;
use super::{Layer, Role};

/// How deep blocks are followed. A browser's own limits are of this order.
const DEEPEST: usize = 128;

/// Finds the URLs of a style sheet.
pub(super) fn style(text: &Text<'_>, found: &mut Found) {
    let mut input = ParserInput::new(&text.text);
    let mut sheet = Sheet { text, found };
    sheet.read(&mut Parser::new(&mut input), Strings::Plain, 0);
}

/// Finds the URLs of a style attribute, or of a value.
pub(super) fn declarations(text: &Text<'_>, found: &mut Found) {
    if text.text.contains(['(', '\\']) {
        style(text, found);
    }
}

struct Sheet<'s, 't> {
    text: &'s Text<'t>,
    found: &'s mut Found,
}

/// What the strings at a place are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strings {
    Plain,
    /// All of them are URLs: those of `image-set()`.
    Urls,
    /// The first one is: that of `url()` and `@import`.
    First,
}

impl Sheet<'_, '_> {
    fn read(&mut self, parser: &mut Parser<'_, '_>, mut strings: Strings, depth: usize) {
        let mut in_namespace = false;
        loop {
            let start = parser.position().byte_index();
            let Ok(token) = parser.next_including_whitespace_and_comments() else {
                return;
            };
            let token = token.clone();
            let range = start..parser.position().byte_index();
            match token {
                Token::WhiteSpace(_) | Token::Comment(_) => continue,
                Token::Semicolon => in_namespace = false,
                Token::AtKeyword(name) => {
                    in_namespace = name.eq_ignore_ascii_case("namespace");
                    let imports = name.eq_ignore_ascii_case("import");
                    strings = if imports {
                        Strings::First
                    } else {
                        Strings::Plain
                    };
                    continue;
                }
                _ if in_namespace => continue,
                Token::QuotedString(url) if strings != Strings::Plain => self.quoted(range, &url),
                Token::UnquotedUrl(url) => self.unquoted(range, &url),
                Token::Function(name) => {
                    let strings = strings_of(&name);
                    self.enter(parser, strings, depth);
                }
                Token::CurlyBracketBlock | Token::ParenthesisBlock | Token::SquareBracketBlock => {
                    self.enter(parser, Strings::Plain, depth);
                }
                _ => {}
            }
            if strings == Strings::First {
                strings = Strings::Plain;
            }
        }
    }

    fn enter(&mut self, parser: &mut Parser<'_, '_>, strings: Strings, depth: usize) {
        if depth == DEEPEST {
            return;
        }
        let _ = parser.parse_nested_block(|block| {
            self.read(block, strings, depth + 1);
            Ok::<_, ParseError<'_, ()>>(())
        });
    }

    fn quoted(&mut self, token: Range<usize>, url: &str) {
        let raw = self.text.slice(token.clone());
        let Some(quote) = raw.chars().next().filter(|c| matches!(c, '"' | '\'')) else {
            return;
        };
        // The end of the sheet closes a string, too.
        let closed = usize::from(raw.len() > 1 && raw.ends_with(quote));
        self.add(token.start + 1..token.end - closed, url, Some(quote));
    }

    fn unquoted(&mut self, token: Range<usize>, url: &str) {
        let raw = self.text.slice(token.clone());
        let Some(open) = raw.find('(') else {
            return;
        };
        let inside = &raw[open + 1..];
        let start = open + 1 + (inside.len() - inside.trim_start_matches(is_space).len());
        let end = start + length_of_url(&raw[start..]);
        self.add(token.start + start..token.start + end, url, None);
    }

    fn add(&mut self, range: Range<usize>, url: &str, quote: Option<char>) {
        let own = Some(Layer::Css(quote));
        let url = url.trim_matches(|c: char| c <= ' ');
        self.found
            .escaped(self.text, range, url, Role::Resource, own);
    }
}

fn strings_of(function: &str) -> Strings {
    let name = function.to_ascii_lowercase();
    match name.strip_prefix("-webkit-").unwrap_or(&name) {
        "url" | "src" => Strings::First,
        "image-set" | "image" | "cross-fade" => Strings::Urls,
        _ => Strings::Plain,
    }
}

/// The length of a URL without quotes, up to white space or the parenthesis (CSS Syntax, 4.3.6).
fn length_of_url(raw: &str) -> usize {
    let mut characters = raw.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => skip_escape(&mut characters),
            c if is_space(c) || c == ')' => return at,
            _ => {}
        }
    }
    raw.len()
}

/// Skips what stands behind a backslash: a character, or up to six digits and one white space.
fn skip_escape(characters: &mut std::iter::Peekable<std::str::CharIndices<'_>>) {
    const DIGITS: usize = 6;
    let mut digits = 0;
    while digits < DIGITS && characters.next_if(|(_, c)| c.is_ascii_hexdigit()).is_some() {
        digits += 1;
    }
    if digits == 0 {
        characters.next();
    } else {
        characters.next_if(|(_, c)| is_space(*c));
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')
}
