//! Chooses the pages that are compared, and what share of the site each stands for.
//!
//! The front page and the most visited pages are always chosen, and of the rest a sample, which stands for all of the
//! rest. The sample is a function of its seed: two runs of one mirror compare the same pages.

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use crate::address::Address;
use crate::crawl::{Answer, Index};
use crate::objects::Objects;

/// How many pages are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Pages by their hits.
    pub top: usize,
    /// Pages of the rest.
    pub sample: usize,
    /// Changes the sample; the id of a publication makes each look at other pages.
    pub seed: String,
}

impl Default for Choice {
    fn default() -> Self {
        Self {
            top: 200,
            sample: 200,
            seed: String::new(),
        }
    }
}

/// A page that is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    pub address: Address,
    /// Its share of the whole site's weight, from 0 to 1, with the share of the pages for which it
    /// stands. The shares of all chosen pages make 1.
    pub weight: f64,
}

/// Chooses pages among those that the mirror has, and those that failed while it was made. `hits`
/// are what visitors asked for, by address; without any, all pages weigh alike.
pub fn choose(
    objects: &Objects,
    index: &Index,
    hits: &BTreeMap<Address, u64>,
    choice: &Choice,
) -> Vec<Chosen> {
    let mut pages: Vec<(f64, &Address)> = pages(objects, index)
        .into_iter()
        .map(|address| (weight(address, hits), address))
        .collect();
    let front = |address: &Address| address.as_str() == "/";
    pages.sort_by(|one, other| {
        (front(other.1).cmp(&front(one.1)))
            .then(other.0.total_cmp(&one.0))
            .then_with(|| order(one.1, choice).cmp(&order(other.1, choice)))
    });
    let rest = pages.split_off(pages.len().min(choice.top.max(1)));
    let mut sample = rest.clone();
    sample.sort_by_cached_key(|(_, address)| order(address, choice));
    sample.truncate(choice.sample);

    let all = sum(&pages) + sum(&rest);
    let stands_for = if sample.is_empty() {
        0.0
    } else {
        sum(&rest) / sum(&sample)
    };
    // Without a sample the top pages stand for all.
    let whole = if sample.is_empty() { sum(&pages) } else { all };
    let chosen = |factor: f64| {
        move |(weight, address): &(f64, &Address)| Chosen {
            address: (*address).clone(),
            weight: weight * factor / whole,
        }
    };
    pages
        .iter()
        .map(chosen(1.0))
        .chain(sample.iter().map(chosen(stands_for)))
        .collect()
}

/// Returns the addresses of pages: what a visitor opens, not what a page shows.
pub fn pages<'a>(objects: &'a Objects, index: &'a Index) -> BTreeSet<&'a Address> {
    index
        .entries
        .iter()
        .filter(|(address, entry)| {
            let html = entry.content_type.trim_start().to_ascii_lowercase();
            let page = !entry.resource || html.starts_with("text/html");
            let kept = match &entry.answer {
                Answer::Body(_) => objects.key_of.contains_key(*address),
                Answer::Failed { .. } => true,
                _ => false,
            };
            page && kept
        })
        .map(|(address, _)| address)
        .collect()
}

/// Each page counts for one visitor at least, or else a page that nobody has found yet would weigh
/// nothing.
fn weight(address: &Address, hits: &BTreeMap<Address, u64>) -> f64 {
    hits.get(address).copied().unwrap_or_default().max(1) as f64
}

/// Orders pages as by lot.
fn order(address: &Address, choice: &Choice) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(choice.seed.as_bytes());
    hash.update([0]);
    hash.update(address.as_str().as_bytes());
    hash.finalize().into()
}

fn sum(pages: &[(f64, &Address)]) -> f64 {
    pages.iter().map(|(weight, _)| weight).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::testing::Site;

    fn site(pages: usize) -> Site {
        let mut site = Site::new();
        for page in 1..pages {
            site.keep(&format!("/{page}"), &page.to_string());
        }
        site
    }

    fn chosen(site: &Site, hits: &[(&str, u64)], choice: &Choice) -> Vec<Chosen> {
        let hits = hits.iter().map(|(page, hits)| (Address::new(*page), *hits));
        choose(&site.objects, &site.index, &hits.collect(), choice)
    }

    fn weights(chosen: &[Chosen]) -> f64 {
        chosen.iter().map(|page| page.weight).sum()
    }

    #[test]
    fn a_small_site_is_compared_whole() {
        let chosen = chosen(&site(50), &[], &Choice::default());
        assert_eq!(chosen.len(), 50);
        assert!(chosen.iter().all(|page| (page.weight - 0.02).abs() < 1e-9));
    }

    #[test]
    fn the_front_page_comes_first_whatever_visitors_ask_for() {
        let choice = Choice {
            top: 2,
            sample: 2,
            ..Choice::default()
        };
        let chosen = chosen(&site(50), &[("/7", 900), ("/8", 100)], &choice);
        assert_eq!(chosen[0].address.as_str(), "/");
        assert_eq!(chosen[1].address.as_str(), "/7");
    }

    #[test]
    fn the_sample_stands_for_all_that_is_not_chosen() {
        let choice = Choice {
            top: 10,
            sample: 20,
            ..Choice::default()
        };
        let chosen = chosen(&site(1000), &[("/7", 1000)], &choice);
        assert_eq!(chosen.len(), 30);
        assert!((weights(&chosen) - 1.0).abs() < 1e-9);
        assert!(
            (chosen[1].weight - 1000.0 / 1999.0).abs() < 1e-9,
            "{:?}",
            chosen[1]
        );
        let rest: f64 = chosen[10..].iter().map(|page| page.weight).sum();
        assert!((rest - 990.0 / 1999.0).abs() < 1e-9, "{rest}");
    }

    #[test]
    fn the_sample_changes_with_its_seed_only() {
        let choice = |seed: &str| Choice {
            top: 1,
            sample: 20,
            seed: seed.to_owned(),
        };
        let site = site(500);
        let once = chosen(&site, &[], &choice("one"));
        assert_eq!(once, chosen(&site, &[], &choice("one")));
        assert_ne!(once, chosen(&site, &[], &choice("two")));
    }

    #[test]
    fn a_page_that_failed_is_chosen_and_an_image_is_not() {
        let mut site = site(3);
        site.answer(
            "/broken",
            Answer::Failed {
                why: "answered 500".to_owned(),
                former: None,
            },
        );
        site.keep("/logo.png", "logo.png");
        let entry = site
            .index
            .entries
            .get_mut(&Address::new("/logo.png"))
            .unwrap();
        entry.resource = true;
        entry.content_type = "image/png".to_owned();
        let chosen = chosen(&site, &[("/logo.png", 5000)], &Choice::default());
        let mut pages: Vec<&str> = chosen.iter().map(|page| page.address.as_str()).collect();
        pages.sort_unstable();
        assert_eq!(pages, ["/", "/1", "/2", "/broken"]);
    }
}
