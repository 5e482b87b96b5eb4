//! Compares the answers of one page with its object.
//!
//! The answers' common subsequence of tokens is what the site says to everybody, and the object
//! must hold it in order. Little may be missing: a counter, or "3 minutes ago", may have gone on
//! since the crawl. Four words of a row are a sentence, and make a page unlike, however long the
//! page is.

use super::alignment::Alignment;
use super::places::{Places, Side};
use super::report::Outcome;
use super::tokens::{Body, Sort, Token, Vocabulary, tokens};
use crate::address::Address;

/// So many missing tokens make a page unlike where nothing stands in their place, or where they
/// stand within [`WINDOW`] of each other. (A diff may match a lost word with the same word nearby,
/// and so tear a run.)
const RUN: usize = 4;
const WINDOW: usize = 8;
/// So many missing tokens, scattered, are borne on a page of [`WHOLE`] tokens or more …
const FEW: usize = 3;
/// … and one in ten on a shorter one.
const WHOLE: usize = 30;
/// On a long page, one in a hundred is borne.
const SHARE: usize = 100;
/// An answer that shares less than one word in ten with another is made anew each time.
const LEAST_SHARED: usize = 10;

/// Excerpts of what a page lacks: how many, and their words.
const EXCERPTS: usize = 3;
const EXCERPT_WORDS: usize = 16;
/// Characters of one word of an excerpt.
const EXCERPT_WORD: usize = 60;

/// An answer of the site, or an object of the mirror.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub content_type: String,
    pub bytes: Vec<u8>,
}

/// What has been learned of one page.
pub(super) struct Page<'a> {
    address: &'a Address,
    places: &'a Places<'a>,
    words: Vocabulary,
    /// What all answers share.
    shared: Vec<Token>,
    /// Words, and all tokens, of the shortest answer.
    shortest: (usize, usize),
}

impl<'a> Page<'a> {
    /// Begins with a page's first answer.
    pub(super) fn new(address: &'a Address, places: &'a Places<'a>, first: &Text) -> Self {
        let mut page = Self {
            address,
            places,
            words: Vocabulary::default(),
            shared: Vec::new(),
            shortest: (0, 0),
        };
        page.shared = page.read(Side::Live, first);
        page.shortest = page.size(&page.shared);
        page
    }

    /// Takes a further answer: what it does not share counts no more.
    pub(super) fn also(&mut self, answer: &Text) {
        let answer = self.read(Side::Live, answer);
        self.shortest = self.shortest.min(self.size(&answer));
        let lost = Alignment::of(&self.shared, &answer).missing();
        let mut lost = lost.into_iter();
        self.shared.retain(|_| !lost.next().unwrap_or(false));
    }

    /// Judges the page's object by what its answers share.
    pub(super) fn judge(&mut self, object: &Text) -> Outcome {
        let object = self.read(Side::Mirror, object);
        if self.shares_nothing() {
            return Outcome::NothingShared;
        }
        let alignment = Alignment::of(&self.shared, &object);
        let missing = alignment.missing();
        let words = self.loss(&alignment, &missing, &object, Sort::Word);
        let structure = self.loss(&alignment, &missing, &object, Sort::Structure);
        if words.borne() && structure.borne() {
            return Outcome::Alike;
        }
        Outcome::Unlike {
            missing_words: words.missing() as u64,
            shared_words: words.flags.len() as u64,
            missing_structure: structure.missing() as u64,
            shared_structure: structure.flags.len() as u64,
            missing: self.excerpts(&missing, words.missing() > 0),
        }
    }

    fn read(&mut self, side: Side, text: &Text) -> Vec<Token> {
        let body = Body {
            side,
            address: self.address,
            content_type: &text.content_type,
            bytes: &text.bytes,
        };
        tokens(body, self.places, &mut self.words)
    }

    fn size(&self, tokens: &[Token]) -> (usize, usize) {
        let words = tokens
            .iter()
            .filter(|token| self.words.sort(**token) == Sort::Word)
            .count();
        (words, tokens.len())
    }

    /// Asks the words; of a page that scripts fill, and which has none, all tokens.
    fn shares_nothing(&self) -> bool {
        let (words, tokens) = self.size(&self.shared);
        match self.shortest {
            (0, shortest) => tokens * LEAST_SHARED < shortest,
            (shortest, _) => words * LEAST_SHARED < shortest,
        }
    }

    /// Collects what is missing of one sort.
    fn loss(&self, alignment: &Alignment, missing: &[bool], object: &[Token], sort: Sort) -> Loss {
        let of_sort = |token: &&Token| self.words.sort(**token) == sort;
        let count = |tokens: &[Token]| tokens.iter().filter(of_sort).count();
        let flags = self.shared.iter().zip(missing);
        Loss {
            flags: flags
                .filter(|(token, _)| of_sort(token))
                .map(|(_, missing)| *missing)
                .collect(),
            unreplaced: alignment
                .gaps()
                .map(|(lost, instead)| {
                    count(&self.shared[lost]).saturating_sub(count(&object[instead]))
                })
                .sum(),
        }
    }

    /// Returns the longest runs of what is missing, in the order of the page.
    fn excerpts(&self, missing: &[bool], words: bool) -> Vec<String> {
        let wanted = if words { Sort::Word } else { Sort::Structure };
        let mut runs: Vec<Vec<&str>> = Vec::new();
        let mut open = false;
        for (token, missing) in self.shared.iter().zip(missing) {
            if self.words.sort(*token) != wanted {
                continue;
            }
            match (missing, open) {
                (true, true) => runs
                    .last_mut()
                    .into_iter()
                    .for_each(|run| run.push(self.words.text(*token))),
                (true, false) => runs.push(vec![self.words.text(*token)]),
                (false, _) => {}
            }
            open = *missing;
        }
        runs.sort_by_key(|run| std::cmp::Reverse(run.len()));
        runs.truncate(EXCERPTS);
        runs.iter().map(|run| excerpt(run)).collect()
    }
}

fn excerpt(run: &[&str]) -> String {
    let mut words: Vec<String> = run
        .iter()
        .take(EXCERPT_WORDS)
        .map(|word| word.chars().take(EXCERPT_WORD).collect())
        .collect();
    if run.len() > EXCERPT_WORDS {
        words.push("…".to_owned());
    }
    words.join(" ")
}

/// What an object lacks of one sort of tokens.
struct Loss {
    /// Of each shared token, in order, whether it is missing.
    flags: Vec<bool>,
    /// Missing tokens in whose place the object has nothing.
    unreplaced: usize,
}

impl Loss {
    fn missing(&self) -> usize {
        self.flags.iter().filter(|missing| **missing).count()
    }

    /// Says whether so little is missing that time alone explains it.
    fn borne(&self) -> bool {
        let borne = match self.flags.len() {
            few if few < WHOLE => few / 10,
            many => FEW.max(many / SHARE),
        };
        let run = self
            .flags
            .windows(WINDOW)
            .any(|window| window.iter().filter(|missing| **missing).count() >= RUN);
        self.missing() <= borne && self.unreplaced < RUN && !run
    }
}
