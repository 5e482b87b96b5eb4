//! What to write to one zone: a pure function of the record sets that stand there and of who asks.
//! A later owner that lives keeps the names (invariant I2 of docs/ARCHITECTURE.md).

use std::collections::BTreeSet;

use super::claim::{Claim, ClaimBasis};
use super::zone_names::ZoneNames;
use super::{NamesLead, Ownership};
use crate::cloud::route53::{Change, RecordSet, RecordType};
use crate::config::Domain;

#[derive(Debug, Clone, PartialEq)]
pub enum ZonePlan {
    /// Everything is as it should be.
    Unchanged,
    /// A later instance owns the names and lives.
    StandBy(Ownership),
    /// One batch.
    Change(Vec<Change>),
}

/// Why the names cannot be written at all; a person has to decide.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    #[error(
        "{name} belongs to the site {owner:?}, not to {site:?}; if it moved here for good, delete that TXT record and run again"
    )]
    OtherSite {
        name: String,
        owner: String,
        site: String,
    },
    #[error(
        "the TXT record {name} holds something that spotboot did not write; delete it or move it, then run again"
    )]
    ForeignText { name: String },
    #[error(
        "{set} is routed in a way that spotboot does not manage; delete the record set, then run again"
    )]
    ForeignRouting { set: String },
}

/// The instances whose being alive decides: a later owner, and whoever has a record beside ours.
pub fn whom_to_ask(observed: &[RecordSet], names: &ZoneNames, claim: &Claim) -> Vec<String> {
    let later_owner = owner_of(observed, names)
        .ok()
        .flatten()
        .map(|(_, owner)| owner)
        .filter(|owner| owner.is_later_than(claim));
    let neighbours = observed
        .iter()
        .filter(|set| set.is_multivalue() && claim.keeps_neighbours())
        .filter_map(RecordSet::set_identifier);
    let ids: BTreeSet<String> = later_owner
        .map(|owner| owner.owner)
        .into_iter()
        .chain(neighbours.map(str::to_owned))
        .collect();
    ids.into_iter().filter(|id| *id != claim.instance).collect()
}

/// What to write. `living` holds those of [`whom_to_ask`] that live.
///
/// # Errors
/// Where something stands that is not ours to replace.
pub fn plan(
    observed: &[RecordSet],
    names: &ZoneNames,
    claim: &Claim,
    living: &BTreeSet<String>,
) -> Result<ZonePlan, Conflict> {
    let standing = owner_of_site(observed, names, &claim.site)?;
    if let Some((_, owner)) = &standing
        && !claim.keeps_neighbours()
        && owner.is_later_than(claim)
        && living.contains(&owner.owner)
    {
        return Ok(ZonePlan::StandBy(owner.clone()));
    }
    let is_at_mirror = standing
        .as_ref()
        .is_some_and(|(_, owner)| owner.is_at_mirror());
    let stays = |set: &RecordSet| stays_beside(set, claim, living);
    let mut changes = Vec::new();
    // Names that a person has led to the mirror stay there, whoever owns them.
    for domain in names.domains.iter().filter(|_| !is_at_mirror) {
        let wanted = claim.record_sets(domain);
        changes.extend(changes_of(observed, domain, wanted, stays)?);
    }
    if let Some(dynamic) = &names.dynamic {
        let wanted = claim.dynamic_sets(dynamic);
        changes.extend(changes_of(observed, dynamic, wanted, stays)?);
    }
    let ours = standing
        .as_ref()
        .is_some_and(|(_, owner)| owner.owner == claim.instance);
    // The names tell who answers beside the owner, unless they are at the mirror.
    let is_told = ours || claim.keeps_neighbours() && standing.is_some() && !is_at_mirror;
    if claim.right == ClaimBasis::Launch && changes.is_empty() && is_told {
        return Ok(ZonePlan::Unchanged);
    }
    Ok(ZonePlan::Change(
        swap_of(standing, names, claim)
            .into_iter()
            .chain(changes)
            .collect(),
    ))
}

/// Whom a zone's ownership record names.
///
/// # Errors
/// That record says something that spotboot did not write.
pub fn owner(observed: &[RecordSet], names: &ZoneNames) -> Result<Option<Ownership>, Conflict> {
    Ok(owner_of(observed, names)?.map(|(_, owner)| owner))
}

/// The compare-and-swap at the head of every batch: Route 53 refuses a DELETE that does not match
/// what stands there, and a CREATE of what does ("ChangeResourceRecordSets" in the API reference).
fn swap_of(
    standing: Option<(RecordSet, Ownership)>,
    names: &ZoneNames,
    claim: &Claim,
) -> Vec<Change> {
    let (generation, lead) = standing
        .as_ref()
        .map_or((1, NamesLead::Instance), |(_, owner)| {
            (owner.generation + 1, owner.names)
        });
    let next = Ownership {
        site: claim.site.clone(),
        owner: claim.instance.clone(),
        launched: claim.launched,
        generation,
        names: lead,
    };
    let create = names.ownership_set(&next, claim.ttl);
    standing
        .map(|(set, _)| Change::Delete(set))
        .into_iter()
        .chain([Change::Create(create)])
        .collect()
}

/// The ownership record of a zone as it stands, and what it says.
///
/// # Errors
/// As [`owner`].
pub(super) fn owner_of(
    observed: &[RecordSet],
    names: &ZoneNames,
) -> Result<Option<(RecordSet, Ownership)>, Conflict> {
    let Some(set) = observed
        .iter()
        .find(|set| set.name() == names.ownership && set.kind() == Some(RecordType::Txt))
    else {
        return Ok(None);
    };
    let owner = match set.values().as_slice() {
        [value] => Ownership::parse(value),
        _ => None,
    };
    let owner = owner.ok_or_else(|| Conflict::ForeignText {
        name: names.ownership.clone(),
    })?;
    Ok(Some((set.clone(), owner)))
}

/// The same of names that are this site's.
///
/// # Errors
/// As [`owner`], and a conflict with another site's ownership.
pub(super) fn owner_of_site(
    observed: &[RecordSet],
    names: &ZoneNames,
    site: &str,
) -> Result<Option<(RecordSet, Ownership)>, Conflict> {
    let standing = owner_of(observed, names)?;
    match &standing {
        Some((_, owner)) if owner.site != site => Err(Conflict::OtherSite {
            name: names.ownership.clone(),
            owner: owner.site.clone(),
            site: site.to_owned(),
        }),
        _ => Ok(standing),
    }
}

/// What makes a name say what is `wanted` and nothing else, beside the records that stay.
///
/// # Errors
/// A record that is routed in a way that is not ours.
pub(super) fn changes_of(
    observed: &[RecordSet],
    name: &Domain,
    wanted: Vec<RecordSet>,
    stays: impl Fn(&RecordSet) -> bool,
) -> Result<Vec<Change>, Conflict> {
    let here: Vec<&RecordSet> = observed
        .iter()
        .filter(|set| set.name() == name.as_str() && set.is_address_or_cname())
        .collect();
    if let Some(foreign) = here.iter().find(|set| set.is_foreign_routing()) {
        return Err(Conflict::ForeignRouting {
            set: foreign.to_string(),
        });
    }
    let goes = |set: &&&RecordSet| !stays(set) && !wanted.contains(set);
    let deletes = here.iter().filter(goes).map(|set| (*set).clone());
    let deletes: Vec<Change> = deletes.map(Change::Delete).collect();
    let creates = wanted.into_iter().filter(|set| !here.contains(&set));
    Ok(deletes
        .into_iter()
        .chain(creates.map(Change::Create))
        .collect())
}

/// Whether a record of another instance stays beside this one's.
fn stays_beside(set: &RecordSet, claim: &Claim, living: &BTreeSet<String>) -> bool {
    claim.keeps_neighbours()
        && set.is_multivalue()
        && set
            .set_identifier()
            .is_some_and(|id| id != claim.instance && living.contains(id))
}

impl Ownership {
    fn is_later_than(&self, claim: &Claim) -> bool {
        self.owner != claim.instance && !self.is_before(claim.launched, &claim.instance)
    }
}

#[cfg(test)]
mod tests;
