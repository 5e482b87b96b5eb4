//! What the owner of the names writes while they stay where they are: a later launch, which keeps
//! earlier instances from them, and an answer without the instances that go. So nobody who is ended
//! has the names by then (invariant I4 of docs/ARCHITECTURE.md).

use time::OffsetDateTime;

use super::Ownership;
use super::plan::{Conflict, ZonePlan, owner, owner_of, owner_of_site};
use super::zone_names::{OWNERSHIP_TTL, ZoneNames};
use crate::cloud::route53::{Change, RecordSet, RecordType};

/// What takes the records of instances that are to go out of a multivalue answer; with other
/// routing there is nothing to take.
///
/// # Errors
/// As [`owner`], and a conflict with another site's ownership.
pub fn withdrawal(
    observed: &[RecordSet],
    names: &ZoneNames,
    site: &str,
    going: &[String],
) -> Result<ZonePlan, Conflict> {
    let Some((standing, owner)) = owner_of_site(observed, names, site)? else {
        return Ok(ZonePlan::Unchanged);
    };
    let goes = |set: &&RecordSet| {
        set.is_multivalue()
            && set
                .set_identifier()
                .is_some_and(|id| going.iter().any(|gone| gone == id))
    };
    let deletes: Vec<Change> = observed
        .iter()
        .filter(goes)
        .cloned()
        .map(Change::Delete)
        .collect();
    if deletes.is_empty() {
        return Ok(ZonePlan::Unchanged);
    }
    let launched = owner.launched;
    Ok(ZonePlan::Change(
        renewed(standing, owner, launched)
            .into_iter()
            .chain(deletes)
            .collect(),
    ))
}

/// What makes an owner's ownership as old as `launched`; with none, nothing.
///
/// # Errors
/// As [`owner`].
pub fn fence(
    observed: &[RecordSet],
    names: &ZoneNames,
    instance: &str,
    launched: OffsetDateTime,
) -> Result<ZonePlan, Conflict> {
    match owner_of(observed, names)? {
        Some((standing, owner)) if owner.owner == instance && owner.launched != launched => {
            let changes = renewed(standing, owner, launched);
            Ok(ZonePlan::Change(changes.into()))
        }
        Some((_, owner)) if owner.owner != instance => Ok(ZonePlan::StandBy(owner)),
        _ => Ok(ZonePlan::Unchanged),
    }
}

/// What keeps the names with their owner while others are ended: whoever was launched until `now`
/// stands by, whatever it has seen before. Where they lead to one of those that are `going`, it is
/// [`ZonePlan::StandBy`].
///
/// # Errors
/// As [`owner`].
pub fn stay(
    observed: &[RecordSet],
    names: &ZoneNames,
    going: &[String],
    now: OffsetDateTime,
) -> Result<ZonePlan, Conflict> {
    match owner(observed, names)? {
        Some(owner) if going.contains(&owner.owner) => Ok(ZonePlan::StandBy(owner)),
        Some(owner) => fence(observed, names, &owner.owner, owner.launched.max(now)),
        None => Ok(ZonePlan::Unchanged),
    }
}

/// The next generation of the ownership that stands there, with the same owner.
fn renewed(standing: RecordSet, owner: Ownership, launched: OffsetDateTime) -> [Change; 2] {
    rewritten(standing, Ownership { launched, ..owner })
}

/// The next generation of the ownership that stands there, as it is to be.
pub(super) fn rewritten(standing: RecordSet, next: Ownership) -> [Change; 2] {
    let next = Ownership {
        generation: next.generation + 1,
        ..next
    };
    let create = RecordSet::new(
        &standing.name(),
        RecordType::Txt,
        standing.ttl().unwrap_or(OWNERSHIP_TTL),
        vec![next.to_string()],
    );
    [Change::Delete(standing), Change::Create(create)]
}
