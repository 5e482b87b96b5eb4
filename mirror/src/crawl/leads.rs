//! Turns what a scan found in a body into addresses for the crawl, each once.

use std::collections::{BTreeSet, HashMap};

use url::Url;

use super::Rule;
use super::words::Word;
use crate::address::{Address, Folded, Led, Own};
use crate::scan::{Kind, Role, Scan};

/// An address that a body leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lead {
    pub address: Address,
    /// As the page writes it, where its parameters stand in another order.
    pub asked: Option<Address>,
    /// Whether the page shows or runs it.
    pub resource: bool,
    /// The rule by which each of the page's links to it is not followed.
    pub barred: Option<Rule>,
}

/// What a body says to the crawl.
#[derive(Debug, Default)]
pub(super) struct Reading {
    pub leads: Vec<Lead>,
    /// What it says, each word once.
    pub words: Vec<Word>,
    /// Folds, with the addresses that they led to.
    pub folds: BTreeSet<(Folded, Address)>,
    /// The body lists addresses for machines, as a sitemap does: its site vouches for them.
    pub listing: bool,
    /// A field for a password stands in it.
    pub password: bool,
    /// Why the body cannot be read by the charset that it names.
    pub charset: Option<String>,
}

impl Reading {
    /// Collects what `scan` found in the page at `at`.
    pub(super) fn of(own: &Own, at: &Url, kind: Kind, scan: &Scan) -> Self {
        let base = scan.base.as_deref().and_then(|base| at.join(base).ok());
        let base = base.as_ref().unwrap_or(at);
        let mut reading = Self {
            listing: matches!(kind, Kind::Sitemap | Kind::Robots),
            password: scan.forms.iter().any(|form| form.password),
            ..Self::default()
        };
        let mut seen: HashMap<Address, usize> = HashMap::new();
        for reference in &scan.references {
            let Some((resource, nofollow)) = wanted(reference.role) else {
                continue;
            };
            let led = own.leads(base, &reference.url, scan.encoding);
            let Led::Own {
                address, folded, ..
            } = led
            else {
                continue;
            };
            let barred = match reference.role {
                Role::Acts => Some(Rule::Acts),
                _ if nofollow && address.query().is_some() => Some(Rule::Nofollow),
                _ => None,
            };
            let written = folded
                .reordered
                .then(|| own.as_written(base, &reference.url, scan.encoding));
            if folded != Folded::default() {
                reading.folds.insert((folded, address.clone()));
            }
            let asked = written.flatten();
            let lead = Lead {
                address: address.clone(),
                asked,
                resource,
                barred,
            };
            match seen.get(&address) {
                Some(at) => reading.leads[*at].join(lead),
                None => {
                    seen.insert(address, reading.leads.len());
                    reading.leads.push(lead);
                }
            }
        }
        reading
    }
}

impl Lead {
    /// A plain link to `address`.
    pub(super) fn to(address: Address) -> Self {
        Self {
            address,
            asked: None,
            resource: false,
            barred: None,
        }
    }

    /// Takes in another link of the same page to the same address.
    fn join(&mut self, other: Self) {
        self.resource |= other.resource;
        if other.barred.is_none() {
            self.barred = None;
        }
    }
}

/// Whether a URL of this role is a resource, and whether it has nofollow; None for what a crawl
/// does not follow.
fn wanted(role: Role) -> Option<(bool, bool)> {
    match role {
        Role::Link { nofollow } => Some((false, nofollow)),
        Role::Acts | Role::Stated => Some((false, false)),
        Role::Resource | Role::StatedResource => Some((true, false)),
        Role::Form { .. } | Role::Hint => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{Form, Reference};

    fn scan(references: &[(&str, Role)]) -> Scan {
        let reference = |(url, role): &(&str, Role)| Reference {
            span: 0..0,
            url: url.to_string(),
            role: *role,
            written_in: Vec::new(),
            line: 1,
        };
        Scan {
            references: references.iter().map(reference).collect(),
            ..Scan::default()
        }
    }

    fn read(scan: &Scan) -> Reading {
        let at = Url::parse("http://example.com/dir/").unwrap();
        Reading::of(&Own::new(&at, &[], None).unwrap(), &at, Kind::Html, scan)
    }

    const LINK: Role = Role::Link { nofollow: false };
    const NOFOLLOW: Role = Role::Link { nofollow: true };

    #[test]
    fn forms_hints_and_other_sites_are_no_leads() {
        let reading = read(&scan(&[
            ("/get", Role::Form { post: false }),
            ("/post", Role::Form { post: true }),
            ("/hint", Role::Hint),
            ("https://example.net/", LINK),
            ("mailto:a@b", LINK),
            ("a#b", LINK),
            ("logo.png", Role::Resource),
        ]));
        let found: Vec<_> = reading
            .leads
            .iter()
            .map(|l| (l.address.as_str(), l.resource))
            .collect();
        assert_eq!(found, [("/dir/a", false), ("/dir/logo.png", true)]);
    }

    #[test]
    fn a_barred_link_is_told_unless_another_link_is_free() {
        let reading = read(&scan(&[
            ("/1", Role::Acts),
            ("/2?a", NOFOLLOW),
            ("/3", NOFOLLOW),
            ("/4", Role::Acts),
            ("/4", LINK),
        ]));
        let barred: Vec<_> = reading.leads.iter().map(|lead| lead.barred).collect();
        assert_eq!(barred, [Some(Rule::Acts), Some(Rule::Nofollow), None, None]);
    }

    #[test]
    fn an_address_is_led_to_once_and_folds_are_kept() {
        let reading = read(&scan(&[
            ("/x?b=1&a=2", LINK),
            ("/x?a=2&b=1&sid=7", Role::Resource),
        ]));
        assert_eq!(reading.leads.len(), 1);
        assert!(reading.leads[0].resource);
        assert_eq!(reading.leads[0].asked, Some(Address::new("/x?b=1&a=2")));
        assert_eq!(reading.folds.len(), 2);
    }

    #[test]
    fn the_base_of_the_page_counts() {
        let form = Form {
            action: None,
            insert_at: 0,
            post: true,
            password: true,
            written_in: Vec::new(),
            line: 1,
        };
        let scan = Scan {
            base: Some("/other/".into()),
            forms: vec![form],
            ..scan(&[("a", LINK)])
        };
        let reading = read(&scan);
        assert_eq!(reading.leads[0].address.as_str(), "/other/a");
        assert!(reading.password);
    }
}
