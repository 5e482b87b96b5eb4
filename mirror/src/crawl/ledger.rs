//! Writes down what visits bring, and what is to be told of them at the end.

use std::collections::{BTreeMap, HashSet};

use anyhow::Result;
use tokio::time::Instant;

use super::frontier::Frontier;
use super::leads::Lead;
use super::visit::{Visited, Visitor};
use super::{Answer, Entry, Finding, Index, Rule, login};
use crate::address::{Address, Led};
use crate::settings::Settings;
use crate::spool::{BodyId, Spool};

/// How often the index is stored while the crawl runs.
const STORED_EVERY: std::time::Duration = std::time::Duration::from_secs(15);
/// Redirects that are gone along with to find a login's form.
const HOPS: usize = 5;

/// What the crawl has learned so far.
pub(super) struct Ledger<'a> {
    settings: &'a Settings,
    spool: &'a Spool,
    pub frontier: Frontier<'a>,
    pub index: Index,
    /// Pages with a field for a password.
    passwords: HashSet<Address>,
    bytes: u64,
    stored: Instant,
}

impl<'a> Ledger<'a> {
    pub(super) fn new(settings: &'a Settings, spool: &'a Spool, frontier: Frontier<'a>) -> Self {
        Self {
            settings,
            spool,
            frontier,
            index: Index::default(),
            passwords: HashSet::new(),
            bytes: 0,
            stored: Instant::now(),
        }
    }

    /// Takes in what a visit brought.
    pub(super) fn enter(&mut self, visited: Visited) {
        let Visited {
            address,
            entry,
            mut reading,
        } = visited;
        self.bytes += entry.body().map_or(0, |id| id.size);
        if self.bytes > self.settings.bounds.bytes {
            self.frontier.close(Rule::Bytes);
        }
        if reading.password {
            self.passwords.insert(address.clone());
        }
        if let Some(why) = reading.charset.take() {
            let address = address.clone();
            self.index.findings.push(Finding::Charset { address, why });
        }
        match &entry.answer {
            Answer::Failed { why, .. } => {
                let (address, why) = (address.clone(), why.clone());
                self.index.findings.push(Finding::Failed { address, why });
            }
            Answer::Redirect { to } => {
                let lead = self.lead_of(&address, to, entry.resource);
                reading.leads.extend(lead);
            }
            Answer::Left(rule) => self.frontier.leave(&address, *rule),
            Answer::Body(_) | Answer::Missing | Answer::Dynamic { .. } => {}
        }
        self.frontier.read(&address, reading);
        self.index.entries.insert(address, entry);
    }

    /// What a redirect leads to, where that is the site's own.
    fn lead_of(&self, from: &Address, to: &str, resource: bool) -> Option<Lead> {
        let own = &self.settings.own;
        match own.leads(&own.url_of(from), to, None) {
            Led::Own { address, .. } => Some(Lead {
                resource,
                ..Lead::to(address)
            }),
            Led::Off(_) | Led::Nowhere => None,
        }
    }

    /// Stores what is known from time to time, over the former crawl, so that a crawl after a
    /// killed one asks for nothing that has not changed.
    pub(super) fn store_at_times(&mut self, visitor: &Visitor) -> Result<()> {
        if self.stored.elapsed() > STORED_EVERY {
            self.index
                .store_over(&visitor.former(), &self.spool.index())?;
            self.stored = Instant::now();
        }
        Ok(())
    }

    /// Ends the crawl: the index is whole, stored, and the spool holds its bodies only.
    pub(super) fn settle(mut self, visitor: &Visitor) -> Result<Index> {
        for (address, known, rule) in self.frontier.left() {
            let entry = self.index.entries.entry(address.clone());
            entry.or_insert_with(|| Entry {
                answer: Answer::Left(rule),
                ..Entry::new(known)
            });
        }
        for (address, entry) in &mut self.index.entries {
            entry.resource |= self
                .frontier
                .known(address)
                .is_some_and(|known| known.resource);
        }
        self.tell_logins();
        self.tell_of_the_front_page();
        self.index.findings.extend(self.frontier.findings());
        self.index.requests = visitor.client.requests();
        self.index.store(&self.spool.index())?;
        self.spool.sweep(&bodies(&self.index))?;
        Ok(self.index)
    }

    /// Turns redirects to a page with a login's form into dynamic addresses.
    fn tell_logins(&mut self) {
        let entries = &self.index.entries;
        let logins: BTreeMap<Address, String> = entries
            .iter()
            .filter_map(|(address, entry)| {
                let end = self.end_of(address)?;
                let demands = self.passwords.contains(&end)
                    && login::demands_by_form(address, entry.status, &end);
                demands.then(|| (address.clone(), format!("it redirects to a login: {end}")))
            })
            .collect();
        for (address, why) in logins {
            if let Some(entry) = self.index.entries.get_mut(&address) {
                entry.answer = Answer::Dynamic { why };
            }
        }
    }

    /// The own address at which the redirects from `address` end; None where it is no redirect.
    fn end_of(&self, address: &Address) -> Option<Address> {
        let own = &self.settings.own;
        let mut at = address.clone();
        for _ in 0..HOPS {
            let Some(Answer::Redirect { to }) = self.index.entries.get(&at).map(|e| &e.answer)
            else {
                break;
            };
            match own.leads(&own.url_of(&at), to, None) {
                Led::Own { address, .. } => at = address,
                Led::Off(_) | Led::Nowhere => return None,
            }
        }
        (at != *address).then_some(at)
    }

    /// A front page that is another site's would leave an empty mirror without a word.
    fn tell_of_the_front_page(&mut self) {
        let front = Address::new("/");
        let Some(Answer::Redirect { to }) = self.index.entries.get(&front).map(|e| &e.answer)
        else {
            return;
        };
        if let Led::Off(url) = self.settings.own.leads(&self.settings.own.origin, to, None) {
            let host = url.host_str().unwrap_or_default();
            let why =
                format!("it redirects to {url}, and {host} is not one of the site's own names");
            self.index.findings.push(Finding::Failed {
                address: front,
                why,
            });
        }
    }
}

fn bodies(index: &Index) -> HashSet<&BodyId> {
    index
        .entries
        .values()
        .chain(&index.missing_page)
        .filter_map(Entry::body)
        .collect()
}
