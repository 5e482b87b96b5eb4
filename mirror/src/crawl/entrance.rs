//! What a crawl asks for before the first page: the rules of robots.txt, and a path that the site
//! does not have.

use anyhow::{Result, bail};
use sha2::{Digest, Sha256};

use super::frontier::{From, Known};
use super::ledger::Ledger;
use super::robots::Robots;
use super::visit::{Visited, Visitor};
use super::{Answer, Entry, Finding};
use crate::address::{Address, Led, Own};
use crate::fetch::{Conditions, FetchError};
use crate::settings::Settings;

/// Redirects that are gone along with.
const HOPS: usize = 5;

/// Reads robots.txt: its rules, and the visits by which they were found.
///
/// A site that has none allows everything. One whose robots.txt cannot be had, and was not had
/// before, allows nothing (RFC 9309, section 2.3.1): that is an error here, rather than a mirror
/// without a page.
pub(super) async fn robots(
    settings: &Settings,
    visitor: &Visitor,
) -> Result<(Robots, Vec<Visited>)> {
    let mut visits: Vec<Visited> = Vec::new();
    let mut at = Address::new("/robots.txt");
    for _ in 0..HOPS {
        let visited = visitor.visit(at.clone(), Known::given(1)).await?;
        let answer = visited.entry.answer.clone();
        visits.push(visited);
        match answer {
            Answer::Redirect { to } => match settings.own.leads(&settings.own.origin, &to, None) {
                Led::Own { address, .. } if visits.iter().all(|v| v.address != address) => {
                    at = address;
                }
                _ => break,
            },
            Answer::Failed { why, former: None } if settings.manners.obey_robots => {
                bail!("reading {}: {why}", settings.own.url_of(&at));
            }
            _ => break,
        }
    }
    let body = visits.last().and_then(|visited| visited.entry.body());
    let rules = match body {
        Some(id) => Robots::parse(&visitor.body(id)?),
        None => Robots::default(),
    };
    Ok((rules, visits))
}

/// Asks for a path that the site does not have, and keeps what it shows there: the error document.
/// A redirect is gone along with, as a visitor's browser does.
pub(super) async fn missing_page(
    settings: &Settings,
    visitor: &Visitor,
    ledger: &mut Ledger<'_>,
) -> Result<()> {
    let address = missing_path(&settings.own);
    let lead = super::leads::Lead::to(address.clone());
    if !ledger.frontier.take(lead, From::Given { depth: 1 }) {
        return Ok(());
    }
    let mut at = address.clone();
    let mut entry = Entry::new(&Known::given(1));
    for hop in 0..=HOPS {
        match visitor.client.get(&at, Conditions::default()).await {
            Ok(answer) => {
                entry.status = answer.status;
                entry.take_headers(&answer);
                let led = answer
                    .leads_to()
                    .map(|to| settings.own.leads(&answer.url, to.as_str(), None));
                match led {
                    Some(Led::Own { address, .. }) if hop < HOPS => {
                        at = address;
                        continue;
                    }
                    Some(_) => failed(&mut entry, visitor, "it redirects away"),
                    None if answer.status >= 500 || answer.status == 429 => {
                        failed(&mut entry, visitor, "the site answers an error");
                    }
                    None => entry.answer = Answer::Body(visitor.keep(answer).await?),
                }
            }
            Err(FetchError::Disk(error)) => return Err(error.into()),
            Err(error) => failed(&mut entry, visitor, &error.to_string()),
        }
        break;
    }
    if !matches!(entry.status, 0 | 404 | 410) {
        let status = entry.status;
        ledger.index.findings.push(Finding::NoErrorStatus {
            address: address.clone(),
            status,
        });
    }
    let visited = visitor.finish(address.clone(), entry).await?;
    ledger.frontier.read(&address, visited.reading);
    ledger.index.missing_page = Some(visited.entry);
    Ok(())
}

fn failed(entry: &mut Entry, visitor: &Visitor, why: &str) {
    let former = visitor.former();
    let former = former.missing_page.as_ref();
    entry.keep(former);
    let former = former.and_then(Entry::body).cloned();
    entry.answer = Answer::Failed {
        why: why.to_string(),
        former,
    };
}

/// Nobody has such a path, and it is the same in each crawl, so that a page that shows the path is
/// the same, too.
fn missing_path(own: &Own) -> Address {
    let name = hex::encode(Sha256::digest(own.public.as_str()));
    Address::new(format!("/spotboot-asks-for-a-missing-page-{}", &name[..12]))
}
