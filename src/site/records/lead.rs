//! A person leads the names to the mirror, and back to their owner. Ownership changes hands in
//! between as ever, and its batches leave the names where the person has led them.

use super::fence::rewritten;
use super::heir::Heir;
use super::plan::{Conflict, ZonePlan, changes_of, owner_of_site};
use super::refuge::refuge_of;
use super::zone_names::{OWNERSHIP_TTL, ZoneNames};
use super::{NamesLead, Ownership};
use crate::cloud::route53::{Change, RecordSet, RecordType};
use crate::config::{Domain, MirrorAlias};

/// What leads the names to the mirror, where no instance owns them yet too. A name that the mirror
/// does not serve leads to nobody; `[failover] dynamic` stays with the owner. `ttl` in seconds.
///
/// # Errors
/// Where something stands that is not ours to replace.
pub fn to_mirror(
    observed: &[RecordSet],
    names: &ZoneNames,
    site: &str,
    mirror: &MirrorAlias,
    ttl: u32,
) -> Result<ZonePlan, Conflict> {
    // A zone of `[failover] dynamic` alone has nothing that leads to the mirror.
    if names.domains.is_empty() {
        return Ok(ZonePlan::Unchanged);
    }
    let standing = owner_of_site(observed, names, site)?;
    let mut changes = Vec::new();
    for domain in &names.domains {
        let kinds = kinds_of(observed, domain);
        let wanted = refuge_of(domain.as_str(), &kinds, Some(mirror), ttl);
        changes.extend(changes_of(observed, domain, wanted, |_| false)?);
    }
    let is_led = standing
        .as_ref()
        .is_some_and(|(_, owner)| owner.is_at_mirror());
    Ok(if is_led && changes.is_empty() {
        ZonePlan::Unchanged
    } else {
        batch(standing, names, site, NamesLead::Mirror, changes)
    })
}

/// What leads the names back to the heir. Where that is the next instance that boots, the records
/// stay. [`ZonePlan::StandBy`] where the heir was found for another owner than there is by now.
///
/// # Errors
/// Where something stands that is not ours to replace.
pub fn back(
    observed: &[RecordSet],
    names: &ZoneNames,
    site: &str,
    heir: &Heir,
) -> Result<ZonePlan, Conflict> {
    let standing = owner_of_site(observed, names, site)?;
    let Some((_, owner)) = &standing else {
        return Ok(ZonePlan::Unchanged);
    };
    if !heir.is_of(owner) {
        return Ok(ZonePlan::StandBy(owner.clone()));
    }
    let claims = heir.claims();
    let mut changes = Vec::new();
    if !claims.is_empty() {
        for domain in &names.domains {
            let wanted = claims.iter().flat_map(|claim| claim.record_sets(domain));
            changes.extend(changes_of(observed, domain, wanted.collect(), |_| false)?);
        }
        if let Some(dynamic) = &names.dynamic {
            let wanted = claims.iter().flat_map(|claim| claim.dynamic_sets(dynamic));
            changes.extend(changes_of(observed, dynamic, wanted.collect(), |_| false)?);
        }
    }
    Ok(if !owner.is_at_mirror() && changes.is_empty() {
        ZonePlan::Unchanged
    } else {
        batch(standing, names, site, NamesLead::Instance, changes)
    })
}

/// The kinds of address that a name has.
pub(super) fn kinds_of(observed: &[RecordSet], name: &Domain) -> Vec<RecordType> {
    observed
        .iter()
        .filter(|set| set.name() == name.as_str() && set.is_address_or_cname())
        // What is no record of addresses leads to some by both kinds.
        .map(|set| set.kind().unwrap_or(RecordType::A))
        .collect()
}

/// The ownership record with the same owner, and the changes behind it.
fn batch(
    standing: Option<(RecordSet, Ownership)>,
    names: &ZoneNames,
    site: &str,
    lead: NamesLead,
    changes: Vec<Change>,
) -> ZonePlan {
    let head = match standing {
        Some((set, owner)) => rewritten(
            set,
            Ownership {
                names: lead,
                ..owner
            },
        )
        .to_vec(),
        None => {
            let first = Ownership {
                generation: 1,
                names: lead,
                ..Ownership::of_nobody(site)
            };
            vec![Change::Create(names.ownership_set(&first, OWNERSHIP_TTL))]
        }
    };
    ZonePlan::Change(head.into_iter().chain(changes).collect())
}

#[cfg(test)]
mod tests;
