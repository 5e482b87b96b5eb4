//! Whose the names of a zone are, and what they say.

use std::collections::BTreeSet;

use super::Ownership;
use crate::cloud::route53::RecordSet;

/// A zone's names as they stand.
#[derive(Debug)]
pub struct ZoneOwnership {
    pub zone: String,
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
            .map(|owner| owner.owner.as_str())
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
    use crate::cloud::route53::RecordType;

    fn zone(owner: Option<&str>, answers: &[&str]) -> ZoneOwnership {
        let record = |id: &&str| {
            RecordSet::new("example.com", RecordType::A, 60, vec!["203.0.113.7".into()])
                .multivalue(id, None)
        };
        ZoneOwnership {
            zone: "example.com".into(),
            owner: owner.map(|owner| Ownership {
                site: "example".into(),
                owner: owner.into(),
                launched: datetime!(2026-11-21 12:00 UTC),
                generation: 1,
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
    fn the_instances_of_several_zones_are_told_once_each() {
        let zones = [zone(Some("i-2"), &["i-1", "i-2"]), zone(Some("i-3"), &[])];
        assert_eq!(ZoneOwnership::all_instances(&zones), ["i-1", "i-2", "i-3"]);
    }
}
