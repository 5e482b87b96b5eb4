//! Asks the site for all that it has, and keeps each answer.
//!
//! A crawl is one loop: the `frontier` names the next address, a `visit` asks for it and reads
//! its links, and the `ledger` writes down what came. How requests are sent is the part of
//! [`crate::fetch`].

mod answer;
mod entrance;
mod frontier;
mod index;
mod leads;
mod ledger;
mod login;
mod never;
mod robots;
mod tokens;
mod traps;
mod visit;
mod words;

use anyhow::Result;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};

use crate::address::Address;
use crate::settings::Settings;
use crate::spool::Spool;
use frontier::{From, Frontier};
use leads::Lead;
use ledger::Ledger;
use visit::Visitor;

pub use index::{Answer, Entry, Finding, Index, Requests, Rule};

/// What nobody links to, and browsers and crawlers ask for.
const WELL_KNOWN: [&str; 2] = ["/sitemap.xml", "/favicon.ico"];

/// Asks the site for all that it has, beginning with its front page. Bodies go to `spool`, beside
/// which the index is stored ([`Spool::index`]); `former` is the index of the crawl before, whose
/// bodies `spool` has. An error is one of this machine, or means that nothing could be asked: what
/// the site answers wrongly stands in the index.
pub async fn run(settings: &Settings, spool: &Spool, former: Option<Index>) -> Result<Index> {
    let deadline = Instant::now() + settings.bounds.time;
    let visitor = Visitor::new(settings, spool, former.unwrap_or_default())?;
    let (rules, visits) = entrance::robots(settings, &visitor).await?;
    let frontier = Frontier::new(settings, rules);
    let mut ledger = Ledger::new(settings, spool, frontier);
    for visited in visits {
        let lead = Lead {
            resource: true,
            ..Lead::to(visited.address.clone())
        };
        ledger.frontier.take(lead, From::Given { depth: 1 });
        ledger.enter(visited);
    }
    begin(settings, &mut ledger);
    entrance::missing_page(settings, &visitor, &mut ledger).await?;
    visit_all(settings, &visitor, &mut ledger, deadline).await?;
    ledger.settle(&visitor)
}

/// Begins with the front page, the seeds, what visitors asked for, by hits, and the sitemap.
fn begin(settings: &Settings, ledger: &mut Ledger<'_>) {
    let mut hits: Vec<&(String, u64)> = settings.hits.iter().collect();
    hits.sort_by_key(|(_, hits)| std::cmp::Reverse(*hits));
    let hits = hits.into_iter().map(|(path, _)| path.as_str());
    let seeds = settings.seeds.iter().map(String::as_str);
    ledger
        .frontier
        .meet(Lead::to(Address::new("/")), From::Given { depth: 0 });
    for path in seeds.chain(WELL_KNOWN).chain(hits) {
        match settings.own.address_of(path) {
            Some(address) => {
                let resource = WELL_KNOWN.contains(&path);
                let lead = Lead {
                    resource,
                    ..Lead::to(address)
                };
                ledger.frontier.meet(lead, From::Given { depth: 1 });
            }
            None => tracing::warn!(path, "a path to begin with does not begin with /"),
        }
    }
}

async fn visit_all(
    settings: &Settings,
    visitor: &Visitor,
    ledger: &mut Ledger<'_>,
    deadline: Instant,
) -> Result<()> {
    let mut under_way = FuturesUnordered::new();
    let mut asked = std::collections::BTreeSet::new();
    loop {
        while under_way.len() < settings.manners.at_once.max(1) {
            let Some((address, known)) = ledger.frontier.next() else {
                break;
            };
            asked.insert(address.clone());
            under_way.push(visitor.visit(address, known));
        }
        tokio::select! {
            visited = under_way.next() => {
                let Some(visited) = visited else {
                    match ledger.frontier.resume() {
                        true => continue,
                        false => return Ok(()),
                    }
                };
                let visited = visited?;
                asked.remove(&visited.address);
                // What the index has now need not lie in memory twice.
                visitor.former().entries.remove(&visited.address);
                ledger.enter(visited);
                ledger.store_at_times(visitor)?;
            }
            () = sleep_until(deadline) => {
                ledger.frontier.close(Rule::Time);
                ledger.frontier.next();
                for address in asked {
                    ledger.frontier.leave(&address, Rule::Time);
                }
                return Ok(());
            }
        }
    }
}
