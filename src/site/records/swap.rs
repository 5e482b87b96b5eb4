//! One batch for one zone, decided and submitted until Route 53 takes it or there is nothing to
//! write. A batch holds only for the records that were looked at (invariant I2 of
//! docs/ARCHITECTURE.md). The health checks that no record names any more go once every zone has its
//! batch.

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

/// The batches of one change of the names, a zone each.
pub(super) struct ZoneSwaps<'r> {
    route53: &'r Route53,
    checks: SeenChecks,
}

/// The health checks that batches have come across.
#[derive(Debug, Default)]
struct SeenChecks {
    /// Of record sets that were deleted.
    gone: BTreeSet<String>,
    /// Of record sets that stand.
    named: BTreeSet<String>,
}

impl<'r> ZoneSwaps<'r> {
    pub(super) fn new(route53: &'r Route53) -> Self {
        Self {
            route53,
            checks: SeenChecks::default(),
        }
    }

    /// Decides and submits until Route 53 takes it, each time for the records as they stand then.
    pub(super) async fn swap(
        &mut self,
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
                None => self.route53.record_sets(&zone.id, &names.all()).await?,
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
                ZonePlan::Unchanged => {
                    self.checks.see_standing(&observed);
                    return Ok(Cutover::Owner(Vec::new()));
                }
                ZonePlan::StandBy(owner) => return Ok(Cutover::StandBy { owner: owner.owner }),
                ZonePlan::Change(changes) => changes,
            };
            changes
                .iter()
                .for_each(|change| info!(zone = zone.name, "{change}"));
            match self.route53.change(&zone.id, &changes, comment).await? {
                Submitted::Accepted(id) => {
                    self.checks.see_batch(names, &observed, &changes);
                    // The ownership record is read from Route 53 itself, which knows it at once. What
                    // was refused before may have been refused because it was done already, by a
                    // batch of ours whose answer was lost.
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

    /// Deletes the health checks that these batches have left without a record. That comes after the
    /// last zone, as the records of all zones name the same checks, and nobody can say what becomes
    /// of a record whose check is gone (API reference, "DeleteHealthCheck"). A check that stays costs
    /// money, never service.
    pub(super) async fn forget_health_checks(self) {
        for check in self.checks.without_record() {
            if let Err(error) = self.route53.delete_health_check(&check).await {
                warn!(check, "a health check of a former instance stays: {error}");
            }
        }
    }
}

impl SeenChecks {
    /// Takes in a zone that stays as it is.
    fn see_standing<'s>(&mut self, sets: impl IntoIterator<Item = &'s RecordSet>) {
        let checks = sets.into_iter().filter_map(RecordSet::health_check);
        self.named.extend(checks.map(str::to_owned));
    }

    /// Takes in a batch, and what it has left in its zone as it was. The checks of names that keep
    /// theirs while a person has led them to the mirror do not go.
    fn see_batch(&mut self, names: &ZoneNames, observed: &[RecordSet], changes: &[Change]) {
        let keeps = names.keeps_checks && leaves_names_at_mirror(names, changes);
        let (mut deleted, mut created) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                Change::Delete(set) => deleted.push(set),
                Change::Create(set) => created.push(set),
            }
        }
        self.see_standing(observed.iter().filter(|set| !deleted.contains(set)));
        self.see_standing(created);
        if !keeps {
            let checks = deleted.into_iter().filter_map(RecordSet::health_check);
            self.gone.extend(checks.map(str::to_owned));
        }
    }

    /// The checks whose last record has gone.
    fn without_record(&self) -> BTreeSet<String> {
        self.gone.difference(&self.named).cloned().collect()
    }
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
    use super::super::fixtures::{
        a, a_of, aliases, names, names_and_dynamic, text, text_at_mirror,
    };
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

    /// The checks that go after a batch in a zone where these record sets stood.
    fn deleted(names: &ZoneNames, observed: &[RecordSet], changes: &[Change]) -> BTreeSet<String> {
        let mut seen = SeenChecks::default();
        seen.see_batch(names, observed, changes);
        seen.without_record()
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
            assert_eq!(
                deleted(&names, &[], &changes),
                ["check-1".to_owned()].into()
            );
        }
        assert_eq!(
            deleted(&names(), &[], &to_mirror()),
            ["check-1".to_owned()].into()
        );
    }

    #[test]
    fn the_check_that_all_owners_share_stays_while_the_names_are_at_the_mirror() {
        let names = names().keeping_checks(true);
        assert_eq!(deleted(&names, &[], &to_mirror()), BTreeSet::new());
    }

    #[test]
    fn a_check_that_the_record_of_dynamic_names_stays_with_it() {
        let answer = |name: &str| a_of(name, "203.0.113.1").multivalue("i-1", Some("check-1"));
        let [name, dynamic] = ["example.com", "app.example.com"].map(answer);
        let [alias, _] = aliases();
        let changes = [Change::Delete(name.clone()), Change::Create(alias)];
        let names = names_and_dynamic();
        assert_eq!(
            deleted(&names, &[name.clone(), dynamic], &changes),
            BTreeSet::new()
        );
        assert_eq!(
            deleted(&names, &[name], &changes),
            ["check-1".to_owned()].into()
        );
    }

    #[test]
    fn a_check_that_another_zone_names_stays_whichever_zone_is_changed_first() {
        let standing = [primary("203.0.113.1", "check-1")];
        let mut after = SeenChecks::default();
        after.see_batch(&names(), &standing, &to_mirror());
        after.see_standing(&standing);
        let mut before = SeenChecks::default();
        before.see_standing(&standing);
        before.see_batch(&names(), &standing, &to_mirror());
        for seen in [after, before] {
            assert_eq!(seen.without_record(), BTreeSet::new());
        }
    }
}
