//! Reads text of any syntax: words between spaces, quotes and brackets.
//!
//! A word that looks like a URL is read as the place where it leads. Which of them a page really
//! follows is not asked: the text is equal on both sides but for URLs that the mirror rewrites.

use std::borrow::Cow;

use super::{Reader, Sort};
use crate::compare::places::Use;

/// Where a word of a script, of JSON or of XML ends.
const ENDS: &[char] = &[
    '"', '\'', '`', '<', '>', '(', ')', '[', ']', '{', '}', ',', ';', '=',
];

pub(super) fn read(reader: &mut Reader<'_, '_>, text: &str, sort: Sort) {
    for word in text.split(|c: char| c.is_whitespace() || ENDS.contains(&c)) {
        if word.is_empty() {
            continue;
        }
        match url_in(word) {
            Some(url) => {
                let place = reader.place(&url, Use::Other);
                reader.push(sort, &place);
            }
            None if sort == Sort::Word => reader.text(word),
            None => reader.push(sort, word),
        }
    }
}

/// Returns a word that looks like a URL, with the escapes of XML and JSON taken out.
pub(super) fn url_in(word: &str) -> Option<Cow<'_, str>> {
    let plain = if word.contains("\\/") {
        Cow::Owned(word.replace("\\/", "/"))
    } else {
        Cow::Borrowed(word)
    };
    let starts = ["/", "./", "../", "http://", "https://"];
    starts
        .iter()
        .any(|start| plain.starts_with(start))
        .then(|| match plain {
            Cow::Borrowed(word) => htmlize::unescape_attribute(word),
            Cow::Owned(word) => Cow::Owned(htmlize::unescape_attribute(word).into_owned()),
        })
}
