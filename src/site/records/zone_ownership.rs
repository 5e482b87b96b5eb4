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
