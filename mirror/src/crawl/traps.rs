//! Ends what has no end: calendars, filters that combine, paths that repeat themselves.
//!
//! A site's real pages can be numbered too, so that numbers alone say little. Two things tell a
//! trap: its pages are found by each other only, and they say nothing new. So an address that only
//! its siblings lead to, which lies on their [`Trail`], is tried when all else is done, and a trail
//! ends when its pages bring no word, and no link off the trail that its pages did not have before.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::words::{Word, of_link};
use crate::address::Address;

/// Pages of a trail that may bring nothing before one of them brings something.
const CREDIT: usize = 4;
/// What such a page takes of that where it leads on along the trail, as a trap's do.
const LEADING_ON: usize = 2;
/// How many pages that bring much a trail may have, as a multiple of the bound on its others.
const MOST_RICH: usize = 20;
/// New words, or links, by which a page brings much: the name of another month is one word.
const RICH: usize = 2;
/// Orders of one list (`?sort=name&page=2`) that are told apart. Filters that combine have more.
const MOST_ORDERS: usize = 6;

/// How an address comes from the page that leads to it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Trail {
    /// Another query of the same path.
    Query(String),
    /// Another path of the same pattern.
    Numbered(String),
    /// A path below this one in which a segment stands twice.
    Repeating(String),
}

impl Trail {
    /// The trail on which `found` lies when `from` leads to it; None where they are no siblings.
    pub(super) fn of(from: &Address, found: &Address) -> Option<Self> {
        if from.path() == found.path() {
            return found.query().map(|_| Self::Query(found.path().to_string()));
        }
        let (from, numbered) = (pattern(from.path()), pattern(found.path()));
        if numbered.contains('#')
            && (from == numbered || is_part(&from, &numbered) || is_part(&numbered, &from))
        {
            return Some(Self::Numbered(numbered));
        }
        above_a_repetition(found.path()).map(|above| Self::Repeating(above.to_string()))
    }

    /// Whether the page at `address` is like those of the trail.
    fn has(&self, address: &Address) -> bool {
        match self {
            Self::Query(path) => address.path() == path,
            Self::Numbered(numbered) => pattern(address.path()) == *numbered,
            Self::Repeating(above) => address.path().starts_with(above.as_str()),
        }
    }
}

/// The part of the path above the first segment that stands in it again. Numbers may: a day's can
/// be its month's.
fn above_a_repetition(path: &str) -> Option<&str> {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    let mut at = 0;
    let mut first = None;
    for segment in path.split('/') {
        if segment.contains(|character: char| !character.is_ascii_digit())
            && let Some(before) = seen.insert(segment, at)
        {
            first = Some(first.map_or(before, |first: usize| first.min(before)));
        }
        at += segment.len() + 1;
    }
    first.map(|first| &path[..first])
}

/// The text with each run of digits as `#`.
fn pattern(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character.is_ascii_digit() {
            true if out.ends_with('#') => {}
            true => out.push('#'),
            false => out.push(character),
        }
    }
    out
}

/// Whether `whole` goes on from the numbered pattern `part` by numbers only, as a day's page does
/// from its month's.
fn is_part(part: &str, whole: &str) -> bool {
    let rest = whole.strip_prefix(part.trim_end_matches('/'));
    part.contains('#')
        && rest.is_some_and(|rest| {
            let rest = rest.trim_matches(['/', '-']);
            !rest.is_empty() && rest.split(['/', '-']).all(|segment| segment == "#")
        })
}

/// Whether a segment stands in the path of `address` more than `most` times.
pub(super) fn repeats(address: &Address, most: usize) -> bool {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    address
        .path()
        .split('/')
        .filter(|segment| !segment.is_empty())
        .any(|segment| {
            let count = seen.entry(segment).or_default();
            *count += 1;
            *count > most
        })
}

/// The addresses on trails, and what the pages of each trail have brought.
#[derive(Debug)]
pub(super) struct Traps {
    most: usize,
    trails: BTreeMap<Trail, Brought>,
}

/// What a trail has brought.
#[derive(Debug)]
struct Brought {
    held: BTreeSet<Address>,
    /// What its pages said, and where they led off the trail, by the order of the list.
    said: HashSet<Word>,
    /// Queries without their numbers, of a list in more than one order.
    orders: BTreeSet<String>,
    /// Pages that may still bring nothing.
    credit: usize,
    /// Pages tried that brought a word at most, and those that brought more.
    poor: usize,
    rich: usize,
}

/// What a page of a trail brings.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Words that no page of the trail said before.
    pub words: usize,
    /// Links off the trail that no page of the trail had before.
    pub links: usize,
    /// Those of them to addresses that the crawl did not know.
    pub addresses: usize,
    /// Whether it leads to one on the trail.
    pub leads_on: bool,
}

impl Brought {
    /// The order in which the list on the trail stands at `address`: its query without the number of
    /// its part, as long as the list has few orders. None for all others.
    fn order(&mut self, trail: &Trail, address: &Address) -> Option<String> {
        let query = address.query().filter(|_| matches!(trail, Trail::Query(_)));
        let order = query
            .map(pattern)
            .filter(|order| order.matches('#').count() == 1)?;
        if self.orders.len() < MOST_ORDERS {
            self.orders.insert(order.clone());
        }
        self.orders.contains(&order).then_some(order)
    }

    fn next(&mut self, most: usize) -> Vec<Address> {
        let room = most.saturating_sub(1 + self.poor);
        let rich_room = (most * MOST_RICH).saturating_sub(self.rich);
        let count = self.credit.div_ceil(LEADING_ON);
        let count = count.min(room).min(rich_room).min(self.held.len());
        let step = self.held.len() / count.max(1);
        let next = self.held.iter().step_by(step.max(1)).take(count);
        let next: Vec<Address> = next.cloned().collect();
        for address in &next {
            self.held.remove(address);
        }
        next
    }
}

impl Traps {
    /// Lets each trail bring `most` addresses that add nothing, or close to it, the address that it
    /// begins with among them.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            trails: BTreeMap::new(),
        }
    }

    /// Holds an address back until all else is done.
    pub(super) fn hold(&mut self, trail: &Trail, address: Address) {
        self.trail(trail).held.insert(address);
    }

    /// Lets go of an address that more than siblings lead to.
    pub(super) fn release(&mut self, trail: &Trail, address: &Address) {
        self.trail(trail).held.remove(address);
    }

    /// Takes in what a page of a trail says. Returns how many of its words are new there.
    pub(super) fn hear(&mut self, trail: &Trail, words: &[Word]) -> usize {
        let said = &mut self.trail(trail).said;
        words.iter().filter(|word| said.insert(**word)).count()
    }

    /// Takes in where a page that no trail led to leads: to what each page of the trail may lead,
    /// too.
    pub(super) fn pass(&mut self, trail: &Trail, links: &[Address]) {
        let said = &mut self.trail(trail).said;
        said.extend(links.iter().map(|link| of_link(None, link)));
    }

    /// Takes in where the page at `address`, on a trail, leads off it. Returns how many of the links
    /// are new there, and in the page's order of the list.
    pub(super) fn follow(&mut self, trail: &Trail, address: &Address, links: &[Address]) -> usize {
        let brought = self.trail(trail);
        let order = brought.order(trail, address);
        let said = &mut brought.said;
        let is_new = |link: &&Address| {
            !said.contains(&of_link(None, link)) && said.insert(of_link(order.as_deref(), link))
        };
        links.iter().filter(is_new).count()
    }

    /// Settles what a page that was tried has brought.
    pub(super) fn settle(&mut self, trail: &Trail, news: &News) {
        let most = self.most;
        let brought = self.trail(trail);
        if news.addresses > 0 || news.words.max(news.links) >= RICH {
            // What says much and leads to much that is new is a part of the site.
            brought.rich += usize::from(news.addresses.min(news.words) < RICH);
            brought.credit = most.min(brought.credit + 1);
            return;
        }
        brought.poor += 1;
        let cost = match (news.words, news.leads_on) {
            (0, true) => LEADING_ON,
            (0, false) => 1,
            _ => 0,
        };
        brought.credit = brought.credit.saturating_sub(cost);
    }

    /// Takes the addresses that are tried next: of each trail as many as it has credit for, from
    /// all parts of what it holds.
    pub(super) fn next(&mut self) -> Vec<Address> {
        let most = self.most;
        let trails = self.trails.values_mut();
        trails.flat_map(|brought| brought.next(most)).collect()
    }

    /// The trails of siblings to which the page at `address` leads, and which it is like.
    pub(super) fn own(address: &Address, siblings: &BTreeSet<Trail>) -> Vec<Trail> {
        siblings
            .iter()
            .filter(|trail| trail.has(address))
            .cloned()
            .collect()
    }

    fn trail(&mut self, trail: &Trail) -> &mut Brought {
        self.trails.entry(trail.clone()).or_insert_with(|| Brought {
            held: BTreeSet::new(),
            said: HashSet::new(),
            orders: BTreeSet::new(),
            credit: CREDIT,
            poor: 0,
            rich: 0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(from: &str, found: &str) -> Option<Trail> {
        Trail::of(&Address::new(from), &Address::new(found))
    }

    /// Tries a trail of `held` addresses, each of which says so many new words; returns how many
    /// were tried.
    fn tried(held: usize, leads_on: bool, words: impl Fn(usize) -> usize) -> usize {
        let mut traps = Traps::new(60);
        let trail = trail("/s", "/s?a=1").unwrap();
        for n in 0..held {
            traps.hold(&trail, Address::new(format!("/s?a={n}")));
        }
        let mut tried = 0;
        loop {
            let next = traps.next();
            if next.is_empty() {
                return tried;
            }
            for _ in next {
                let news = News {
                    words: words(tried),
                    leads_on,
                    ..News::default()
                };
                traps.settle(&trail, &news);
                tried += 1;
            }
        }
    }

    #[test]
    fn siblings_are_queries_of_one_path_numbered_paths_and_paths_that_repeat() {
        let numbered = |text: &str| Some(Trail::Numbered(text.to_string()));
        let query = |text: &str| Some(Trail::Query(text.to_string()));
        let repeating = |text: &str| Some(Trail::Repeating(text.to_string()));
        for (from, found, expected) in [
            ("/shop", "/shop?a=1", query("/shop")),
            ("/shop?a=1", "/shop?b=1", query("/shop")),
            ("/item/7", "/item/7?a=1", query("/item/7")),
            ("/cal/2026/11", "/cal/2026/12", numbered("/cal/#/#")),
            ("/cal/2026/11?v=1", "/cal/2026/12?v=1", numbered("/cal/#/#")),
            ("/cal/2026/11/", "/cal/2026/11/30/", numbered("/cal/#/#/#/")),
            ("/cal/2026/11/30", "/cal/2026/11", numbered("/cal/#/#")),
            ("/cal/2026-11/", "/cal/2026-11-30/", numbered("/cal/#-#-#/")),
            ("/d/a/b/", "/d/a/b/a/", repeating("/d/")),
            ("/d/", "/d/x/a/x/", repeating("/d/")),
            ("/", "/2026/11/11/", None),
            ("/shop?a=1", "/shop", None),
            ("/list", "/post/7", None),
            ("/cal/", "/cal/2026/11", None),
            ("/2026/11/a-story", "/2026/11/another", None),
            ("/2026/", "/2026/talks/17", None),
            ("/shop", "/item?a=1", None),
        ] {
            assert_eq!(trail(from, found), expected, "{from} → {found}");
        }
    }

    #[test]
    fn a_trail_ends_soon_where_nothing_is_new_and_at_its_bound_where_little_is() {
        assert_eq!(tried(2000, true, |_| 0), 2);
        assert_eq!(tried(2000, false, |_| 0), 4);
        assert_eq!(tried(2000, true, |n| usize::from(n < 12)), 12 + 2);
        assert_eq!(tried(2000, true, |_| 1), 59);
    }

    #[test]
    fn a_trail_that_brings_much_goes_on_over_some_that_bring_nothing() {
        let some = |n: usize| if n % 5 == 4 { 0 } else { RICH };
        assert_eq!(tried(1000, true, |_| RICH), 1000);
        assert_eq!(tried(200, true, some), 200);
        assert_eq!(tried(2000, true, |_| RICH), 60 * MOST_RICH);
    }

    #[test]
    fn a_word_is_new_once() {
        let mut traps = Traps::new(60);
        let trail = trail("/s", "/s?a=1").unwrap();
        assert_eq!(traps.hear(&trail, &[1, 2, 3]), 3);
        assert_eq!(traps.hear(&trail, &[2, 3, 4]), 1);
    }

    #[test]
    fn a_path_that_repeats_itself_is_seen() {
        assert!(!repeats(&Address::new("/a/b/a/b/a/b"), 3));
        assert!(repeats(&Address::new("/a/b/a/b/a/b/a"), 3));
        assert!(!repeats(&Address::new("/a////b"), 3));
    }
}
