//! Decides whether a mirror may be published (invariant I17).
//!
//! The decision is a pure function of [`Facts`]. A mirror that is refused leaves the one that
//! stands in its place.

mod told;

use std::collections::BTreeSet;

use serde::Serialize;

use super::choice::pages;
use super::report::Report;
use crate::address::Address;
use crate::check;
use crate::crawl::Index;
use crate::objects::{ERROR, INDEX, Objects};

/// What is known of a mirror that is to be published.
#[derive(Debug, Clone, Default)]
pub struct Facts<'a> {
    /// Pages of the mirror.
    pub pages: u64,
    /// Whether it has a front page and an error document.
    pub front_page: bool,
    /// Whether the site's own one, or one of the mirror's, stands at its key.
    pub error_document: bool,
    /// Pages of the mirror that stands, and how many of them the new one lacks; none where no
    /// mirror stands, or where a person says that pages may go.
    pub former: Option<Former>,
    pub links: Links,
    /// The comparison with the site; none where it was not made, which is refused.
    pub compared: Option<&'a Report>,
    /// The release that served when the crawl began, and when the comparison ended; none where the
    /// site says nothing of releases.
    pub release_before: Option<&'a str>,
    pub release_after: Option<&'a str>,
    /// The release of the mirror that stands, where the site has to tell one too; none where it need
    /// not.
    pub release_of_former: Option<&'a str>,
}

/// The pages of the mirror that stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Former {
    pub pages: u64,
    pub gone: u64,
}

/// Links of the mirror that fail while the site's own work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Links {
    pub links: u64,
    pub faults: u64,
    pub pages: u64,
    pub pages_with_faults: u64,
    pub faults_on_front_page: u64,
}

impl Links {
    /// Sums up a link check. A link that is dead on the site too is no fault of the mirror's.
    pub fn of(report: &check::Report) -> Self {
        let faults: Vec<&check::Problem> = report.faults().collect();
        let on: BTreeSet<&Address> = faults.iter().map(|problem| &problem.page).collect();
        let front = faults.iter().filter(|fault| fault.page.as_str() == "/");
        Self {
            links: report.links,
            faults: faults.len() as u64,
            pages: report.pages,
            pages_with_faults: on.len() as u64,
            faults_on_front_page: front.count() as u64,
        }
    }
}

impl Former {
    /// Counts the pages of the former mirror that the new one lacks. A page that has moved and left
    /// a redirect is not gone.
    pub fn of<'a>(former: impl IntoIterator<Item = &'a Address>, objects: &Objects) -> Self {
        let mut counted = Self::default();
        for address in former {
            counted.pages += 1;
            counted.gone += u64::from(!objects.key_of.contains_key(address));
        }
        counted
    }
}

impl<'a> Facts<'a> {
    /// Collects what the copy itself tells; the former mirror and the releases are the caller's to add.
    pub fn of(
        objects: &Objects,
        index: &Index,
        links: &check::Report,
        compared: Option<&'a Report>,
    ) -> Self {
        let stands = |key| {
            objects
                .by_key
                .get(key)
                .is_some_and(|object| object.size > 0)
        };
        Self {
            pages: pages(objects, index).len() as u64,
            front_page: stands(INDEX),
            error_document: stands(ERROR),
            links: Links::of(links),
            compared,
            ..Self::default()
        }
    }
}

/// Where a mirror begins to be refused. Shares are from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// The least share of the weight that must be alike.
    pub likeness: f64,
    /// The largest share of the former pages that may be gone.
    pub max_drop: f64,
    /// The largest share of the weight that may answer 5xx.
    pub failed: f64,
    /// The largest share of the links, and of the pages with such a link, that may fail.
    pub links: f64,
    pub pages_with_faults: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            likeness: 0.995,
            max_drop: 0.1,
            failed: 0.005,
            links: 0.005,
            pages_with_faults: 0.02,
        }
    }
}

/// Whether a mirror may be published.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    Publish,
    Refuse { reasons: Vec<Reason> },
}

/// Why a mirror is not published.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// The crawl found no page.
    Empty,
    NoFrontPage,
    NoErrorDocument,
    /// Too many pages of the mirror that stands are gone.
    Dropped {
        gone: u64,
        pages: u64,
        max_drop: f64,
    },
    /// Links fail in the mirror that work on the site.
    BrokenLinks {
        links: Links,
    },
    /// The mirror was not compared with the site.
    NotCompared,
    /// The pages that are alike weigh too little.
    Unlike {
        likeness: f64,
        least: f64,
        pages: u64,
        nothing_shared: u64,
        often_missing: Option<String>,
    },
    /// The pages that answered 5xx, or not at all, weigh too much.
    Failed {
        failed: f64,
        most: f64,
        pages: u64,
    },
    /// Another release serves than when the crawl began.
    AnotherRelease {
        before: Option<String>,
        after: Option<String>,
    },
    /// The mirror that stands is of a release, and nobody told one now: who answered is not the site.
    NoRelease {
        former: String,
    },
}

/// Decides whether a mirror may be published, and tells every reason why not.
pub fn verdict(facts: &Facts<'_>, limits: &Limits) -> Verdict {
    let reasons: Vec<Reason> = if facts.pages == 0 {
        vec![Reason::Empty]
    } else {
        [
            (!facts.front_page).then_some(Reason::NoFrontPage),
            (!facts.error_document).then_some(Reason::NoErrorDocument),
            dropped(facts, limits),
            broken_links(facts.links, limits),
            another_release(facts),
            no_release(facts),
        ]
        .into_iter()
        .flatten()
        .chain(comparison(facts, limits))
        .collect()
    };
    if reasons.is_empty() {
        Verdict::Publish
    } else {
        Verdict::Refuse { reasons }
    }
}

fn dropped(facts: &Facts<'_>, limits: &Limits) -> Option<Reason> {
    let Former { pages, gone } = facts.former?;
    over(gone, pages, limits.max_drop).then_some(Reason::Dropped {
        gone,
        pages,
        max_drop: limits.max_drop,
    })
}

/// A single link in the depth of a site keeps no emergency copy from its visitors: the copy that
/// stands may lack as much. A link of the site's frame, which is on every page, must not fail
/// though it is one of hundreds there; and everybody meets the front page.
fn broken_links(links: Links, limits: &Limits) -> Option<Reason> {
    let refused = links.faults_on_front_page > 0
        || over(links.faults, links.links, limits.links)
        || (links.pages_with_faults > 1
            && over(
                links.pages_with_faults,
                links.pages,
                limits.pages_with_faults,
            ));
    refused.then_some(Reason::BrokenLinks { links })
}

fn another_release(facts: &Facts<'_>) -> Option<Reason> {
    (facts.release_before != facts.release_after).then(|| Reason::AnotherRelease {
        before: facts.release_before.map(str::to_owned),
        after: facts.release_after.map(str::to_owned),
    })
}

fn no_release(facts: &Facts<'_>) -> Option<Reason> {
    let told = facts.release_before.or(facts.release_after);
    let former = facts.release_of_former.filter(|_| told.is_none())?;
    Some(Reason::NoRelease {
        former: former.to_owned(),
    })
}

fn comparison(facts: &Facts<'_>, limits: &Limits) -> Vec<Reason> {
    let Some(compared) = facts.compared.filter(|report| report.compared > 0) else {
        return vec![Reason::NotCompared];
    };
    let mut reasons = Vec::new();
    if compared.likeness < limits.likeness - ROUNDING {
        reasons.push(Reason::Unlike {
            likeness: compared.likeness,
            least: limits.likeness,
            pages: compared.unlike_pages,
            nothing_shared: compared.nothing_shared_pages,
            often_missing: compared
                .often_missing
                .as_ref()
                .map(|(text, _)| text.clone()),
        });
    }
    if compared.failed > limits.failed + ROUNDING && !one_of_equals(compared) {
        reasons.push(Reason::Failed {
            failed: compared.failed,
            most: limits.failed,
            pages: compared.failed_pages,
        });
    }
    reasons
}

/// Sums of shares are exact to some 1e-12 only; a site that stands on a limit is not over it.
const ROUNDING: f64 = 1e-9;

fn over(part: u64, whole: u64, most: f64) -> bool {
    part as f64 > whole as f64 * most + ROUNDING
}

/// One page that fails is no harm, though it weighs more than the limit on a site of few pages:
/// unless visitors ask for it more than for the average page.
fn one_of_equals(compared: &Report) -> bool {
    compared.failed_pages == 1 && compared.failed * compared.pages as f64 <= 1.0 + ROUNDING
}

#[cfg(test)]
mod tests;
