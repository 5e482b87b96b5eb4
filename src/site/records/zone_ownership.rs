//! Whose the names of a zone are, and what they say.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::Ownership;
use super::refuge::is_nobodys;
use crate::cloud::route53::RecordSet;

/// A zone's names as they stand.
#[derive(Debug)]
pub struct ZoneOwnership {
    pub zone: String,
    /// Whether the zone holds one of the site's domains. One with `[failover] dynamic` alone is
    /// never led to the mirror.
    pub has_domains: bool,
    pub owner: Option<Ownership>,
    /// Of the names themselves, without the ownership record.
    pub records: Vec<RecordSet>,
}

impl ZoneOwnership {
    /// Whether another instance than this one owns the names.
    pub fn is_anothers(&self, instance: &str) -> bool {
        self.owner
            .as_ref()
            .is_some_and(|owner| owner.owner != instance)
    }

    /// Whether a person has led the names to the mirror.
    pub fn is_at_mirror(&self) -> bool {
        self.owner.as_ref().is_some_and(Ownership::is_at_mirror)
    }

    /// Whether the names lead to an address that is nobody's: the last instance took its own out of
    /// DNS at its end, and there was no mirror to lead to. With `routing = "failover"` such an
    /// address may be the secondary beside an instance that serves, which is not meant.
    pub fn leads_to_nobody(&self) -> bool {
        let leads = |set: &RecordSet| set.set_identifier().is_none() && is_nobodys(set);
        self.records.iter().any(leads)
    }

    /// Whether the last instance led the names to the mirror at its end: they lead elsewhere by an
    /// alias, no person wants that, and it is no secondary beside an instance.
    pub fn leads_away(&self) -> bool {
        let leads =
            |set: &RecordSet| set.alias_target().is_some() && set.set_identifier().is_none();
        !self.is_at_mirror() && self.records.iter().any(leads)
    }

    /// The addresses that the names lead to, without those that are nobody's.
    pub fn addresses(&self) -> BTreeSet<IpAddr> {
        self.records
            .iter()
            .filter(|set| !is_nobodys(set))
            .flat_map(RecordSet::values)
            .filter_map(|value| value.parse().ok())
            .collect()
    }

    /// Whether each name that answers with several instances does so with this one.
    pub fn answers_with(&self, instance: &str) -> bool {
        let mut names: Vec<String> = self
            .records
            .iter()
            .filter(|set| set.is_multivalue())
            .map(RecordSet::name)
            .collect();
        names.dedup();
        let answers = |name: &String| {
            self.records
                .iter()
                .any(|set| set.name() == *name && set.set_identifier() == Some(instance))
        };
        !names.is_empty() && names.iter().all(answers)
    }

    /// The owner, and whoever has a record of a multivalue answer: the owner that was written last
    /// may be gone while those serve.
    pub fn instances(&self) -> impl Iterator<Item = &str> {
        let neighbours = self
            .records
            .iter()
            .filter(|set| set.is_multivalue())
            .filter_map(RecordSet::set_identifier);
        self.owner
            .iter()
            .filter_map(Ownership::instance)
            .chain(neighbours)
    }

    /// [`Self::instances`] of all zones, each once.
    pub fn all_instances(zones: &[Self]) -> Vec<String> {
        let ids: BTreeSet<&str> = zones.iter().flat_map(Self::instances).collect();
        ids.into_iter().map(str::to_owned).collect()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;
    use crate::cloud::route53::{RecordType, Role};
    use crate::site::records::NamesLead;

    fn zone(owner: Option<&str>, answers: &[&str]) -> ZoneOwnership {
        let record = |id: &&str| {
            RecordSet::new("example.com", RecordType::A, 60, vec!["203.0.113.7".into()])
                .multivalue(id, None)
        };
        ZoneOwnership {
            zone: "example.com".into(),
            has_domains: true,
            owner: owner.map(|owner| Ownership {
                site: "example".into(),
                owner: owner.into(),
                launched: datetime!(2026-11-21 12:00 UTC),
                generation: 1,
                names: NamesLead::Instance,
            }),
            records: answers.iter().map(record).collect(),
        }
    }

    #[test]
    fn names_without_an_owner_are_nobody_elses() {
        assert!(zone(Some("i-2"), &[]).is_anothers("i-1"));
        assert!(!zone(Some("i-1"), &["i-2"]).is_anothers("i-1"));
        assert!(!zone(None, &["i-2"]).is_anothers("i-1"));
    }

    #[test]
    fn a_secondary_that_is_nobodys_leads_nobody_there_while_an_instance_serves() {
        let nobodys = || RecordSet::new("example.com", RecordType::Aaaa, 60, vec!["100::1".into()]);
        let records = |set: RecordSet| ZoneOwnership {
            records: vec![set],
            ..zone(Some("i-1"), &[])
        };
        assert!(records(nobodys()).leads_to_nobody());
        let secondary = nobodys().failover(Role::Secondary, "spotboot-secondary", None);
        assert!(!records(secondary).leads_to_nobody());
    }

    #[test]
    fn the_instances_of_several_zones_are_told_once_each() {
        let zones = [zone(Some("i-2"), &["i-1", "i-2"]), zone(Some("i-3"), &[])];
        assert_eq!(ZoneOwnership::all_instances(&zones), ["i-1", "i-2", "i-3"]);
    }
}
