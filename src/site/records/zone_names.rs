//! The site's names in one zone, and their ownership record.

use super::Ownership;
use crate::cloud::route53::{RecordSet, RecordType};
use crate::config::Domain;

/// Nobody but us reads it, and never from a resolver.
pub(super) const OWNERSHIP_TTL: u32 = 60;

/// The names of one zone, and the name of their ownership record.
#[derive(Debug, Clone)]
pub struct ZoneNames {
    /// The site's domains.
    pub domains: Vec<Domain>,
    /// `[failover] dynamic`, where this zone holds it: it leads to the owner at any time.
    pub dynamic: Option<Domain>,
    pub ownership: String,
    /// Whether a health check of the names is kept while a person has them led to the mirror: with
    /// an Elastic IP all owners share one check, and Route 53 takes the reference of a deleted
    /// check never again.
    pub keeps_checks: bool,
}

impl ZoneNames {
    /// # Panics
    /// If there are no names: a group is made from at least one.
    pub fn new(domains: Vec<Domain>, dynamic: Option<Domain>) -> Self {
        let first = domains.iter().chain(&dynamic).next();
        let first = first.expect("a zone is looked at for a name that it holds");
        let ownership = format!("_spotboot.{}", first.base());
        Self {
            domains,
            dynamic,
            ownership,
            keeps_checks: false,
        }
    }

    /// The same, with whether they keep their health checks at the mirror.
    pub(super) fn keeping_checks(self, keeps_checks: bool) -> Self {
        Self {
            keeps_checks,
            ..self
        }
    }

    /// The site's names here.
    pub fn names(&self) -> impl Iterator<Item = &Domain> {
        self.domains.iter().chain(&self.dynamic)
    }

    /// Every name whose record sets the decision needs.
    pub fn all(&self) -> Vec<String> {
        self.names()
            .map(ToString::to_string)
            .chain([self.ownership.clone()])
            .collect()
    }

    /// The ownership record as it is written. `ttl` in seconds.
    pub(super) fn ownership_set(&self, ownership: &Ownership, ttl: u32) -> RecordSet {
        RecordSet::new(
            &self.ownership,
            RecordType::Txt,
            ttl,
            vec![ownership.to_string()],
        )
    }
}
