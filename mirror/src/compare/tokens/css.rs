//! Reads a style sheet: its tokens by CSS Syntax Level 3, its URLs as the places where they lead.

use cssparser::{ParseError, Parser, ParserInput, ToCss, Token};

use super::Reader;
use crate::compare::places::Use;

/// Functions whose strings are URLs (CSS Images 4, CSS Values 5).
const OF_URLS: &[&str] = &["url", "src", "image", "image-set", "-webkit-image-set"];
/// Blocks within blocks that are read; what is deeper is left to its beginning.
const DEEPEST: usize = 64;

pub(super) fn read(reader: &mut Reader<'_, '_>, text: &str) {
    let mut input = ParserInput::new(text);
    let mut parser = Parser::new(&mut input);
    block(reader, &mut parser, false, 0);
}

/// Reads to the end of a block; `urls` says that its strings are URLs.
fn block(reader: &mut Reader<'_, '_>, parser: &mut Parser<'_, '_>, urls: bool, depth: usize) {
    let mut imports = false;
    while let Ok(token) = parser.next() {
        let token = token.clone();
        let (opens, inner_urls) = match &token {
            Token::Function(name) => (true, names(OF_URLS, name)),
            Token::ParenthesisBlock | Token::SquareBracketBlock | Token::CurlyBracketBlock => {
                (true, false)
            }
            _ => (false, false),
        };
        match &token {
            Token::UnquotedUrl(url) => place(reader, url),
            Token::QuotedString(url) if urls || imports => place(reader, url),
            Token::Function(name) if names(&["url"], name) => {}
            other => reader.structure(&other.to_css_string()),
        }
        imports = match &token {
            Token::AtKeyword(name) => name.eq_ignore_ascii_case("import"),
            _ => false,
        };
        if opens && depth < DEEPEST {
            let _: Result<(), ParseError<'_, ()>> = parser.parse_nested_block(|inner| {
                block(reader, inner, inner_urls, depth + 1);
                Ok(())
            });
        }
    }
}

fn names(list: &[&str], name: &str) -> bool {
    list.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Takes a URL, so that `url(a)`, `url("a")` and `"a"` are one.
fn place(reader: &mut Reader<'_, '_>, url: &str) {
    let place = reader.place(url, Use::Other);
    reader.structure(&format!("url({place})"));
}
