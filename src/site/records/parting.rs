//! The last act of an instance that ends and that nobody has relieved: its addresses leave DNS
//! before somebody else may have them (invariant I12 of docs/ARCHITECTURE.md). The ownership record
//! keeps its owner: whoever boots next takes the names as it takes any record.

use std::collections::BTreeSet;

use super::fence::rewritten;
use super::lead::kinds_of;
use super::plan::{Conflict, ZonePlan, changes_of, owner_of_site};
use super::refuge::refuge_of;
use super::zone_names::ZoneNames;
use crate::cloud::route53::{Change, RecordSet};
use crate::config::{Domain, MirrorAlias};

/// An instance that parts with the names, and where those lead then.
#[derive(Debug, Clone)]
pub struct Parting {
    pub site: String,
    pub instance: String,
    /// Where the mirror is served, if one stands; else the names lead to nobody.
    pub mirror: Option<MirrorAlias>,
    /// Seconds.
    pub ttl: u32,
}

/// The instances beside this one that have a record in a multivalue answer.
pub fn neighbours(observed: &[RecordSet], parting: &Parting) -> Vec<String> {
    let ids: BTreeSet<&str> = observed
        .iter()
        .filter(|set| set.is_multivalue())
        .filter_map(RecordSet::set_identifier)
        .filter(|id| *id != parting.instance)
        .collect();
    ids.into_iter().map(str::to_owned).collect()
}

/// What takes the instance's addresses out of one zone. `living`: those of [`neighbours`] that live.
/// [`ZonePlan::StandBy`] where another instance owns the names.
///
/// # Errors
/// Where something stands that is not ours to replace.
pub fn part(
    observed: &[RecordSet],
    names: &ZoneNames,
    parting: &Parting,
    living: &BTreeSet<String>,
) -> Result<ZonePlan, Conflict> {
    let Some((standing, owner)) = owner_of_site(observed, names, &parting.site)? else {
        return Ok(ZonePlan::Unchanged);
    };
    let is_mine = |set: &RecordSet| set.set_identifier() == Some(parting.instance.as_str());
    let answers = observed
        .iter()
        .any(|set| set.is_multivalue() && is_mine(set));
    if !answers && owner.owner != parting.instance {
        return Ok(ZonePlan::StandBy(owner));
    }
    let mut changes = Vec::new();
    for domain in names.domains.iter().filter(|_| !owner.is_at_mirror()) {
        let mirror = parting.mirror.as_ref();
        changes.extend(without(observed, domain, parting, mirror, living)?);
    }
    if let Some(dynamic) = &names.dynamic {
        changes.extend(without(observed, dynamic, parting, None, living)?);
    }
    if changes.is_empty() {
        return Ok(ZonePlan::Unchanged);
    }
    let head = rewritten(standing, owner);
    Ok(ZonePlan::Change(head.into_iter().chain(changes).collect()))
}

/// What leads a name elsewhere. Of a multivalue answer the neighbours that live stay, and with them
/// the answer; an answer is never left empty.
fn without(
    observed: &[RecordSet],
    name: &Domain,
    parting: &Parting,
    mirror: Option<&MirrorAlias>,
    living: &BTreeSet<String>,
) -> Result<Vec<Change>, Conflict> {
    let stays = |set: &RecordSet| {
        set.is_multivalue() && set.set_identifier().is_some_and(|id| living.contains(id))
    };
    let others_answer = observed
        .iter()
        .any(|set| set.name() == name.as_str() && stays(set));
    let wanted = if others_answer {
        Vec::new()
    } else {
        refuge_of(
            name.as_str(),
            &kinds_of(observed, name),
            mirror,
            parting.ttl,
        )
    };
    changes_of(observed, name, wanted, stays)
}

#[cfg(test)]
mod tests;
