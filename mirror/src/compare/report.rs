//! What a comparison found.

use serde::Serialize;

use crate::address::Address;

/// Pages that a report names.
const WORST: usize = 20;

/// A page that was compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compared {
    pub address: Address,
    /// Its share of the whole site's weight: that of the pages for which it stands, too.
    pub weight: f64,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a page compares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    Alike,
    /// The mirror lacks what all answers share.
    Unlike {
        missing_words: u64,
        shared_words: u64,
        /// Tags, attributes, scripts and styles.
        missing_structure: u64,
        shared_structure: u64,
        /// Some of it, as the site wrote it: control characters may be in it.
        missing: Vec<String>,
    },
    /// No two answers are alike, so that nothing can be said of the copy.
    NothingShared,
    /// The site answers something else than a page there by now.
    Changed {
        status: u16,
    },
    /// The site answered 5xx, or not at all.
    Failed {
        status: u16,
        why: String,
    },
    /// The mirror has no object for the page.
    NotKept,
}

/// A comparison of the mirror with the site.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// Pages that were compared, out of those that the mirror has.
    pub compared: u64,
    pub pages: u64,
    /// Requests that the comparison made.
    pub requests: u64,
    /// The share of the weight that is alike, of what answered: 1 where all is.
    pub likeness: f64,
    /// The share of the weight that answered 5xx, or not at all.
    pub failed: f64,
    /// Pages that failed.
    pub failed_pages: u64,
    pub unlike_pages: u64,
    /// Pages of which no two answers are alike; they count as unlike.
    pub nothing_shared_pages: u64,
    /// What most of the unlike pages lack, with the number of pages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub often_missing: Option<(String, u64)>,
    /// The pages that are not alike, the weightiest first.
    pub worst: Vec<Compared>,
}

impl Report {
    /// Sums up what was compared.
    pub fn of(mut compared: Vec<Compared>, pages: u64, requests: u64) -> Self {
        let all: f64 = weight(&compared, |_| true);
        let failed = weight(&compared, Outcome::failed);
        let alike = weight(&compared, |outcome| *outcome == Outcome::Alike);
        let count = |wanted: fn(&Outcome) -> bool| {
            compared.iter().filter(|page| wanted(&page.outcome)).count() as u64
        };
        let mut report = Self {
            compared: compared.len() as u64,
            pages,
            requests,
            likeness: share(alike, all - failed),
            failed: if all > 0.0 { failed / all } else { 0.0 },
            failed_pages: count(Outcome::failed),
            unlike_pages: count(Outcome::unlike),
            nothing_shared_pages: count(|outcome| *outcome == Outcome::NothingShared),
            often_missing: often_missing(&compared),
            worst: Vec::new(),
        };
        compared.retain(|page| page.outcome != Outcome::Alike);
        compared.sort_by(|one, other| {
            other
                .weight
                .total_cmp(&one.weight)
                .then_with(|| one.address.cmp(&other.address))
        });
        compared.truncate(WORST);
        report.worst = compared;
        report
    }
}

impl Outcome {
    fn failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    pub(super) fn unlike(&self) -> bool {
        !matches!(self, Self::Alike | Self::Failed { .. })
    }
}

fn weight(compared: &[Compared], wanted: impl Fn(&Outcome) -> bool) -> f64 {
    compared
        .iter()
        .filter(|page| wanted(&page.outcome))
        .map(|page| page.weight)
        // The sum of nothing is -0, which would be shown with its sign.
        .fold(0.0, std::ops::Add::add)
}

/// Returns a share that is 0 where there is nothing to share.
fn share(part: f64, whole: f64) -> f64 {
    // Sums of shares are exact to some 1e-12 only.
    if whole <= 1e-9 {
        return 0.0;
    }
    (part / whole).clamp(0.0, 1.0)
}

/// Finds what several pages lack: a change of the site's frame, rather than of a page.
fn often_missing(compared: &[Compared]) -> Option<(String, u64)> {
    let mut pages = std::collections::BTreeMap::<&str, u64>::new();
    for page in compared {
        if let Outcome::Unlike { missing, .. } = &page.outcome
            && let Some(first) = missing.first()
        {
            *pages.entry(first).or_default() += 1;
        }
    }
    pages
        .into_iter()
        .filter(|(_, pages)| *pages > 1)
        .max_by_key(|(_, pages)| *pages)
        .map(|(text, pages)| (text.to_owned(), pages))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_weight_of_no_page_has_no_sign() {
        assert_eq!(format!("{:.2}", weight(&[], |_| true)), "0.00");
    }
}
