//! Compares with the site itself, asked by clients that know nothing of each other.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use super::choice::Chosen;
use super::looks::{Answered, Looks, compare_by};
use super::places::Places;
use super::report::Report;
use crate::address::Address;
use crate::crawl::Index;
use crate::fetch::{Client, Conditions, Fetched};
use crate::objects::Objects;
use crate::settings::Settings;

/// Compares the chosen pages with what the site answers now. Reading and lining up pages takes
/// processor time on the caller's task, some milliseconds for each usual page.
pub async fn compare(
    objects: &Objects,
    index: &Index,
    settings: &Settings,
    chosen: &[Chosen],
    looks: &Looks,
) -> Result<Report> {
    // Two visitors ask at the same time, and share the rate.
    let mut apart = settings.clone();
    apart.manners.rate = settings.manners.rate.map(|rate| rate / 2.0);
    let looks = Looks {
        at_once: looks.at_once.min(settings.manners.at_once),
        ..looks.clone()
    };
    let visitors = (0..2 + looks.again.len())
        .map(|_| Client::new(&apart))
        .collect::<Result<Vec<_>>>()
        .context("making ready to compare with the site")?;
    let own = &settings.own;
    let leads = |base: &_, text: &str, encoding| own.leads(base, text, encoding);
    let places = Places::new(own, index, objects, &settings.dynamic, &leads);
    let ask = async |look: usize, address: Address| {
        let entry = index.entries.get(&address);
        let asked = entry.and_then(|entry| entry.asked.as_ref());
        ask(&visitors[look], asked.unwrap_or(&address)).await
    };
    Ok(compare_by(&places, chosen, &looks, ask).await)
}

async fn ask(visitor: &Client, address: &Address) -> Result<Answered, String> {
    let answer = visitor.get(address, Conditions::default()).await;
    let answer = answer.map_err(|error| error.to_string())?;
    Ok(Answered {
        status: answer.status,
        content_type: content_type(&answer),
        body: answer.body.bytes().map_err(|error| error.to_string())?,
    })
}

fn content_type(answer: &Fetched) -> String {
    answer.header("content-type").unwrap_or_default()
}

/// Returns the hits of a site's visitors by address. What the site does not own is left out.
pub fn hits(settings: &Settings) -> BTreeMap<Address, u64> {
    let mut hits = BTreeMap::new();
    for (asked, times) in &settings.hits {
        if let Some(address) = settings.own.address_of(asked) {
            *hits.entry(address).or_default() += times;
        }
    }
    hits
}
