//! The words of a body, by which the crawl tells whether a page says anything that its siblings do
//! not ([`super::traps`]).

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::address::Address;
use crate::scan::Kind;
use crate::spool::BodyId;

/// A word's hash: a page is not kept for its words.
pub(super) type Word = u32;

/// The words of a body, each once, without numbers and without the words of its own address: a
/// page that names its month or its filter says nothing by that.
pub(super) fn words(body: &[u8], kind: Kind, address: &Address) -> Vec<Word> {
    let own: HashSet<Word> = split(address.as_str().as_bytes()).collect();
    let mut said = HashSet::new();
    if matches!(kind, Kind::Html | Kind::Xml) {
        for text in texts(body) {
            said.extend(split(text));
        }
    } else {
        said.extend(split(body));
    }
    said.difference(&own).copied().collect()
}

/// Stands for the words of a body that has none: another body says something else.
pub(super) fn of_body(id: &BodyId) -> Vec<Word> {
    let (one, other) = id.sha256.as_bytes().split_at(id.sha256.len() / 2);
    vec![word(one), word(other)]
}

/// Stands for a link, in one order of a list or in all.
pub(super) fn of_link(order: Option<&str>, link: &Address) -> Word {
    let mut hasher = DefaultHasher::new();
    (order, link).hash(&mut hasher);
    hasher.finish() as Word
}

/// Runs of letters and digits that are no numbers. Bytes beyond ASCII are letters, in whichever
/// charset.
fn split(text: &[u8]) -> impl Iterator<Item = Word> {
    text.split(|byte| byte.is_ascii() && !byte.is_ascii_alphanumeric())
        .filter(|run| run.iter().any(|byte| !byte.is_ascii_digit()))
        .map(word)
}

fn word(run: &[u8]) -> Word {
    let mut hasher = DefaultHasher::new();
    run.to_ascii_lowercase().hash(&mut hasher);
    hasher.finish() as Word
}

/// The text between tags, without scripts and styles.
fn texts(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut unseen = false;
    body.split(|byte| *byte == b'<').filter_map(move |part| {
        let name = part[..part.len().min(6)].to_ascii_lowercase();
        let is_start = name.starts_with(b"script") || name.starts_with(b"style");
        let is_end = name.starts_with(b"/scrip") || name.starts_with(b"/style");
        unseen = is_start || unseen && !is_end;
        let end = part.iter().position(|byte| *byte == b'>');
        (!unseen).then(|| end.map_or(part, |end| &part[end + 1..]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> HashSet<Word> {
        let address = Address::new("/shop?color=red");
        words(body.as_bytes(), Kind::Html, &address)
            .into_iter()
            .collect()
    }

    fn expected(words: &[&str]) -> HashSet<Word> {
        words.iter().map(|text| word(text.as_bytes())).collect()
    }

    #[test]
    fn words_are_those_that_are_read_but_not_numbers_and_not_the_addresss_own() {
        let body = "<p class=x>Shop 2026: <b>RED</b> caf\u{e9} b2<script>if (a<b) c</script><style>d</style> caf\u{e9}";
        assert_eq!(of(body), expected(&["caf\u{e9}", "b2"]));
    }
}
