//! One batch for one zone, decided and submitted until Route 53 takes it or there is nothing to
//! write. A batch holds only for the records that were looked at (invariant I2 of
//! docs/ARCHITECTURE.md).

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use tracing::{debug, info, warn};

use super::plan::{ZoneNames, ZonePlan};
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
                forget_health_checks(route53, &changes).await;
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

/// Deletes the health checks of record sets that this batch removed. One that stays costs money,
/// never service.
async fn forget_health_checks(route53: &Route53, changes: &[Change]) {
    let checks = |wanted: fn(&Change) -> Option<&RecordSet>| {
        changes
            .iter()
            .filter_map(wanted)
            .filter_map(RecordSet::health_check)
            .map(str::to_owned)
    };
    let kept: BTreeSet<String> = checks(|change| {
        if let Change::Create(set) = change {
            Some(set)
        } else {
            None
        }
    })
    .collect();
    let gone: BTreeSet<String> = checks(|change| {
        if let Change::Delete(set) = change {
            Some(set)
        } else {
            None
        }
    })
    .collect();
    for check in gone.difference(&kept) {
        if let Err(error) = route53.delete_health_check(check).await {
            warn!(check, "a health check of a former instance stays: {error}");
        }
    }
}
