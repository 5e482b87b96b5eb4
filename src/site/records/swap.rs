//! One batch for one zone, decided and submitted until Route 53 takes it or there is nothing to
//! write. A batch holds only for the records that were looked at (invariant I2 of
//! docs/ARCHITECTURE.md).

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use tracing::{debug, info, warn};

use super::Ownership;
use super::plan::ZonePlan;
use super::zone_names::ZoneNames;
use crate::cloud::route53::{Change, ChangeId, RecordSet, Route53, Submitted, Zone};

/// Refusals in a row after which somebody else's writing is no explanation any more.
const MOST_ATTEMPTS: usize = 6;

/// What became of asking for the names.
#[derive(Debug)]
pub enum Cutover {
    /// They are ours; those changes that resolvers hear of, if any were needed, may still be on
    /// their way.
    Owner(Vec<ChangeId>),
    StandBy {
        owner: String,
    },
}

/// Decides and submits until Route 53 takes it, each time for the records as they stand then.
pub(super) async fn swap(
    route53: &Route53,
    zone: &Zone,
    names: &ZoneNames,
    mut earlier: Option<Vec<RecordSet>>,
    comment: &str,
    decide: impl AsyncFn(&[RecordSet]) -> Result<ZonePlan>,
) -> Result<Cutover> {
    let mut refused: Option<(Vec<RecordSet>, String)> = None;
    for _ in 0..MOST_ATTEMPTS {
        let is_old = earlier.is_some();
        let observed = match earlier.take() {
            Some(observed) => observed,
            None => route53.record_sets(&zone.id, &names.all()).await?,
        };
        if let Some((before, why)) = &refused
            && *before == observed
        {
            bail!(
                "Route 53 refused to change the zone {}, where nobody else wrote meanwhile: {why}",
                zone.name
            );
        }
        let changes = match decide(&observed).await? {
            // Without a batch nothing tells whether that still holds.
            ZonePlan::Unchanged | ZonePlan::StandBy(_) if is_old => continue,
            ZonePlan::Unchanged => return Ok(Cutover::Owner(Vec::new())),
            ZonePlan::StandBy(owner) => return Ok(Cutover::StandBy { owner: owner.owner }),
            ZonePlan::Change(changes) => changes,
        };
        changes
            .iter()
            .for_each(|change| info!(zone = zone.name, "{change}"));
        match route53.change(&zone.id, &changes, comment).await? {
            Submitted::Accepted(id) => {
                forget_health_checks(route53, names, &changes).await;
                // The ownership record is read from Route 53 itself, which knows it at once. What
                // was refused before may have been refused because it was done already, by a batch
                // of ours whose answer was lost.
                let leads_elsewhere =
                    refused.is_some() || changes.iter().any(Change::is_of_address);
                return Ok(Cutover::Owner(if leads_elsewhere {
                    vec![id]
                } else {
                    Vec::new()
                }));
            }
            Submitted::Refused(why) => {
                debug!(zone = zone.name, why, "refused; somebody else wrote first");
                refused = Some((observed, why));
            }
        }
    }
    bail!(
        "the zone {} was changed by others at each of {MOST_ATTEMPTS} attempts to take its names over; run again",
        zone.name
    )
}

/// Deletes the health checks that this batch left without a record. One that stays costs money,
/// never service.
async fn forget_health_checks(route53: &Route53, names: &ZoneNames, changes: &[Change]) {
    for check in checks_to_delete(names, changes) {
        if let Err(error) = route53.delete_health_check(&check).await {
            warn!(check, "a health check of a former instance stays: {error}");
        }
    }
}

/// The health checks of record sets that this batch removed, but for those that are kept while the
/// names are at the mirror.
fn checks_to_delete(names: &ZoneNames, changes: &[Change]) -> BTreeSet<String> {
    if names.keeps_checks && leaves_names_at_mirror(names, changes) {
        return BTreeSet::new();
    }
    let (mut gone, mut kept) = (BTreeSet::new(), BTreeSet::new());
    for change in changes {
        let (set, checks) = match change {
            Change::Delete(set) => (set, &mut gone),
            Change::Create(set) => (set, &mut kept),
        };
        checks.extend(set.health_check().map(str::to_owned));
    }
    gone.difference(&kept).cloned().collect()
}

/// Whether the batch writes that a person has led the names to the mirror.
fn leaves_names_at_mirror(names: &ZoneNames, changes: &[Change]) -> bool {
    changes.iter().any(|change| match change {
        Change::Create(set) if set.name() == names.ownership => set
            .values()
            .iter()
            .filter_map(|value| Ownership::parse(value))
            .any(|ownership| ownership.is_at_mirror()),
        Change::Create(_) | Change::Delete(_) => false,
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::{a, aliases, names, text, text_at_mirror};
    use super::*;
    use crate::cloud::route53::Role;

    fn primary(address: &str, check: &str) -> RecordSet {
        a(address).failover(Role::Primary, "spotboot-primary", Some(check))
    }

    fn to_mirror() -> Vec<Change> {
        let [alias, _] = aliases();
        vec![
            Change::Delete(text("i-1", 0, 4)),
            Change::Create(text_at_mirror("i-1", 0, 5)),
            Change::Delete(primary("203.0.113.1", "check-1")),
            Change::Create(alias),
        ]
    }

    #[test]
    fn a_check_goes_with_the_last_record_that_names_it() {
        let changes = [
            Change::Delete(text("i-1", 0, 4)),
            Change::Create(text("i-2", 1, 5)),
            Change::Delete(primary("203.0.113.1", "check-1")),
            Change::Delete(primary("203.0.113.1", "check-2")),
            Change::Create(primary("203.0.113.2", "check-2")),
        ];
        for names in [names(), names().keeping_checks(true)] {
            let deleted = checks_to_delete(&names, &changes);
            assert_eq!(deleted, ["check-1".to_owned()].into());
        }
        let deleted = checks_to_delete(&names(), &to_mirror());
        assert_eq!(deleted, ["check-1".to_owned()].into());
    }

    #[test]
    fn the_check_that_all_owners_share_stays_while_the_names_are_at_the_mirror() {
        let names = names().keeping_checks(true);
        assert_eq!(checks_to_delete(&names, &to_mirror()), BTreeSet::new());
    }
}
