//! The addresses that the crawl knows: which one is asked next, and by which rule others are not.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap};

use super::leads::{Lead, Reading};
use super::robots::Robots;
use super::traps::{News, Trail, Traps, repeats};
use super::{Finding, Rule, never};
use crate::address::{Address, Folded};
use crate::settings::Settings;

/// Addresses that a finding names.
const EXAMPLES: usize = 10;

/// What the crawl knows of the site's addresses.
#[derive(Debug)]
pub(super) struct Frontier<'a> {
    settings: &'a Settings,
    robots: Robots,
    traps: Traps,
    /// What pages on trails said, until all that is under way has come: the order of answers must
    /// not decide which of a trail's pages are kept.
    tried: BTreeMap<Address, Reading>,
    known: HashMap<Address, Known>,
    /// By depth, and then in the order of their finding.
    waiting: BinaryHeap<Reverse<(u32, u64, Address)>>,
    found: u64,
    taken: usize,
    closed: Option<Rule>,
    folds: BTreeMap<Folded, BTreeSet<Address>>,
}

/// An address that the crawl knows.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub depth: u32,
    pub found_on: Option<Address>,
    pub resource: bool,
    pub asked: Option<Address>,
    /// The trail on which the address lies, where only siblings lead to it.
    trail: Option<Trail>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Waiting,
    /// Back on its trail.
    Held,
    Taken,
    Left(Rule),
}

impl Known {
    /// An address that no page led to.
    pub(super) fn given(depth: u32) -> Self {
        let state = State::Taken;
        Self {
            depth,
            found_on: None,
            resource: false,
            asked: None,
            trail: None,
            state,
        }
    }

    /// The rule that leaves the address out, as things are.
    fn left(&self) -> Option<Rule> {
        match self.state {
            State::Left(rule) => Some(rule),
            State::Held => Some(Rule::Variants),
            State::Waiting | State::Taken => None,
        }
    }
}

/// What leads to an address.
#[derive(Debug, Clone, Copy)]
pub(super) enum From<'a> {
    /// A person, a log, or a list of the site's own, as a sitemap: bounds on depth and variants do
    /// not count.
    Given { depth: u32 },
    /// A page, or a redirect.
    Page(&'a Address),
}

impl<'a> Frontier<'a> {
    /// Knows of nothing yet.
    pub(super) fn new(settings: &'a Settings, robots: Robots) -> Self {
        Self {
            settings,
            robots,
            traps: Traps::new(settings.bounds.variants),
            tried: BTreeMap::new(),
            known: HashMap::new(),
            waiting: BinaryHeap::new(),
            found: 0,
            taken: 0,
            closed: None,
            folds: BTreeMap::new(),
        }
    }

    /// Takes the next address, with what is known of it. Once a bound is reached there is none.
    pub(super) fn next(&mut self) -> Option<(Address, Known)> {
        while let Some(Reverse((_, _, address))) = self.waiting.pop() {
            if self.taken >= self.settings.bounds.pages {
                self.close(Rule::Pages);
            }
            let known = self.known.get_mut(&address).expect("what waits is known");
            match self.closed {
                Some(rule) => known.state = State::Left(rule),
                None => {
                    known.state = State::Taken;
                    self.taken += 1;
                    return Some((address, known.clone()));
                }
            }
        }
        None
    }

    /// Goes on when nothing waits and nothing is under way: with what the pages on trails lead to,
    /// or else with further pages on trails. False where the crawl is done.
    pub(super) fn resume(&mut self) -> bool {
        for (at, reading) in std::mem::take(&mut self.tried) {
            self.settle(&at, reading);
        }
        if self.waiting.is_empty() && self.closed.is_none() {
            for address in self.traps.next() {
                self.queue(&address);
            }
        }
        !self.waiting.is_empty()
    }

    /// Takes an address out of turn. False where a rule forbids it.
    pub(super) fn take(&mut self, lead: Lead, from: From<'_>) -> bool {
        let address = lead.address.clone();
        self.meet(lead, from);
        self.waiting
            .retain(|Reverse((_, _, waiting))| *waiting != address);
        match self.known.get_mut(&address) {
            Some(known) if known.state == State::Waiting => {
                known.state = State::Taken;
                self.taken += 1;
                true
            }
            // The address is no link of the site's, and nothing is to be told of it.
            _ => {
                self.known.remove(&address);
                false
            }
        }
    }

    /// Leaves out by `rule` all that was not asked yet.
    pub(super) fn close(&mut self, rule: Rule) {
        self.closed.get_or_insert(rule);
    }

    /// Leaves out by `rule` an address that was taken.
    pub(super) fn leave(&mut self, address: &Address, rule: Rule) {
        if let Some(known) = self.known.get_mut(address) {
            known.state = State::Left(rule);
        }
    }

    /// Takes in what the body at `at` says.
    pub(super) fn read(&mut self, at: &Address, mut reading: Reading) {
        for (folded, address) in std::mem::take(&mut reading.folds) {
            self.folds.entry(folded).or_default().insert(address);
        }
        if reading.listing {
            for lead in reading.leads {
                self.meet(lead, From::Given { depth: 1 });
            }
            return;
        }
        if self
            .known
            .get(at)
            .is_some_and(|known| known.trail.is_some())
        {
            self.tried.insert(at.clone(), reading);
            return;
        }
        let trails = reading.leads.iter();
        let trails = trails.filter_map(|lead| Trail::of(at, &lead.address));
        let links = off_trails(at, &reading);
        for trail in Traps::own(at, &trails.collect()) {
            self.traps.hear(&trail, &reading.words);
            self.traps.pass(&trail, &links);
        }
        for lead in reading.leads {
            self.meet(lead, From::Page(at));
        }
    }

    /// Takes in what a page on a trail says.
    fn settle(&mut self, at: &Address, reading: Reading) {
        let Some(trail) = self.known.get(at).and_then(|known| known.trail.clone()) else {
            return;
        };
        let mut news = News {
            words: self.traps.hear(&trail, &reading.words),
            ..News::default()
        };
        let mut links = off_trails(at, &reading);
        for lead in reading.leads {
            let is_query = lead.address.query().is_some();
            let is_known = self.known.contains_key(&lead.address);
            news.leads_on |= !is_known && Trail::of(at, &lead.address).is_some();
            let is_new = self.meet(lead, From::Page(at));
            news.addresses += usize::from(is_new && !is_query);
        }
        // What is not asked for, a trap may name without end.
        links.retain(|link| {
            self.known
                .get(link)
                .is_some_and(|known| known.left().is_none())
        });
        news.links = self.traps.follow(&trail, at, &links);
        self.traps.settle(&trail, &news);
    }

    /// Takes in one lead. True where it makes an address known that is to be asked for, and is on
    /// no trail.
    pub(super) fn meet(&mut self, lead: Lead, from: From<'_>) -> bool {
        let barred = lead.barred.or_else(|| self.forbidden(&lead));
        let (depth, trail) = self.way(&lead, from);
        let bounded = barred.or_else(|| self.bounded(&lead.address, depth, from));
        let is_free = bounded.is_none() && trail.is_none();
        let address = lead.address;
        let Some(known) = self.known.get_mut(&address) else {
            let found_on = match from {
                From::Given { .. } => None,
                From::Page(page) => Some(page.clone()),
            };
            let known = Known {
                depth,
                found_on,
                resource: lead.resource,
                asked: lead.asked,
                trail: None,
                state: State::Waiting,
            };
            self.known.insert(address.clone(), known);
            self.decide(&address, bounded, trail);
            return is_free;
        };
        known.resource |= lead.resource;
        let again = match known.state {
            State::Left(Rule::Acts | Rule::Nofollow) => true,
            State::Left(Rule::Depth | Rule::Repeats) => bounded.is_none(),
            State::Held => is_free,
            State::Waiting | State::Taken | State::Left(_) => false,
        };
        if again {
            known.depth = depth;
            if let Some(former) = known.trail.take() {
                self.traps.release(&former, &address);
            }
            self.decide(&address, bounded, trail);
        }
        false
    }

    /// What is to be told of the crawl's rules and folds.
    pub(super) fn findings(&self) -> Vec<Finding> {
        let mut left: BTreeMap<Rule, BTreeSet<&Address>> = BTreeMap::new();
        for (address, known) in &self.known {
            if let Some(rule) = known.left() {
                left.entry(rule).or_default().insert(address);
            }
        }
        let left = left.into_iter().map(|(rule, addresses)| Finding::LeftOut {
            rule,
            count: addresses.len() as u64,
            examples: addresses.into_iter().take(EXAMPLES).cloned().collect(),
        });
        let folds = self.folds.iter().filter_map(|(folded, addresses)| {
            Some(Finding::Folded {
                folded: folded.clone(),
                count: addresses.len() as u64,
                example: addresses.first()?.clone(),
            })
        });
        left.chain(folds).collect()
    }

    /// The addresses that rules left out.
    pub(super) fn left(&self) -> impl Iterator<Item = (&Address, &Known, Rule)> {
        self.known
            .iter()
            .filter_map(|(address, known)| Some((address, known, known.left()?)))
    }

    /// What is known of an address.
    pub(super) fn known(&self, address: &Address) -> Option<&Known> {
        self.known.get(address)
    }

    fn forbidden(&self, lead: &Lead) -> Option<Rule> {
        let manners = &self.settings.manners;
        let spellings = std::iter::once(&lead.address).chain(&lead.asked);
        if never::forbids(&lead.address, &manners.never) {
            return Some(Rule::Never);
        }
        let disallowed =
            manners.obey_robots && !spellings.into_iter().all(|a| self.robots.allow(a));
        disallowed.then_some(Rule::Robots)
    }

    /// The depth of a lead's address, and the trail on which it lies. A trail has its own bound, and
    /// does not lead deeper: a list's hundredth page is no deeper than its first.
    fn way(&self, lead: &Lead, from: From<'_>) -> (u32, Option<Trail>) {
        let page = match from {
            From::Given { depth } => return (depth, None),
            From::Page(page) => page,
        };
        let depth = self.known.get(page).map_or(0, |page| page.depth);
        // What a page shows is bounded by the pages.
        let trail = Trail::of(page, &lead.address).filter(|_| !lead.resource);
        (depth + u32::from(trail.is_none()), trail)
    }

    fn bounded(&self, address: &Address, depth: u32, from: From<'_>) -> Option<Rule> {
        let bounds = &self.settings.bounds;
        match from {
            From::Given { .. } => None,
            From::Page(_) if depth as usize > bounds.depth => Some(Rule::Depth),
            From::Page(_) if repeats(address, bounds.repeats) => Some(Rule::Repeats),
            From::Page(_) => None,
        }
    }

    fn decide(&mut self, address: &Address, rule: Option<Rule>, trail: Option<Trail>) {
        match (rule, trail) {
            (Some(rule), _) => self.leave(address, rule),
            (None, None) => self.queue(address),
            (None, Some(trail)) => self.hold(address, trail),
        }
    }

    fn hold(&mut self, address: &Address, trail: Trail) {
        if let Some(known) = self.known.get_mut(address) {
            self.traps.hold(&trail, address.clone());
            (known.state, known.trail) = (State::Held, Some(trail));
        }
    }

    fn queue(&mut self, address: &Address) {
        if let Some(known) = self.known.get_mut(address) {
            known.state = State::Waiting;
            self.found += 1;
            self.waiting
                .push(Reverse((known.depth, self.found, address.clone())));
        }
    }
}

/// Where a body's plain links lead that name no query, and no sibling of the page.
fn off_trails(at: &Address, reading: &Reading) -> Vec<Address> {
    let leads = reading.leads.iter();
    let leads = leads.filter(|lead| !lead.resource && lead.barred.is_none());
    let links = leads.map(|lead| lead.address.clone());
    links
        .filter(|link| link.query().is_none() && Trail::of(at, link).is_none())
        .collect()
}

#[cfg(test)]
mod tests;
