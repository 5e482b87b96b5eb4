//! The names are led away from their instances, and back: what `lead` and `parting` decide, zone by
//! zone, each by one batch.

use std::collections::BTreeSet;

use anyhow::Result;
use tracing::warn;

use super::parting::{Parting, neighbours, part};
use super::swap::ZoneSwaps;
use super::{Cutover, Heir, ZonePlan, Zones, lead};
use crate::cloud::ec2::Ec2;
use crate::cloud::route53::{ChangeId, RecordSet, Zone};
use crate::config::MirrorAlias;

impl Zones {
    /// Leads the names to the mirror, where no instance owns them yet too; safe to repeat. `ttl`:
    /// seconds, of a name that the mirror does not serve and that leads to nobody then. Returns the
    /// changes that resolvers hear of.
    ///
    /// # Errors
    /// As [`Zones::take_over`].
    pub async fn lead_to_mirror(
        &self,
        site: &str,
        mirror: &MirrorAlias,
        ttl: u32,
    ) -> Result<Vec<ChangeId>> {
        let comment = format!("spotboot: {site} is led to its mirror");
        let (mut swaps, mut submitted) = (ZoneSwaps::new(&self.route53), Vec::new());
        for (zone, names) in &self.zones {
            let decide = async |observed: &[RecordSet]| {
                Ok(lead::to_mirror(observed, names, site, mirror, ttl)?)
            };
            let done = swaps.swap(zone, names, None, &comment, decide).await?;
            if let Cutover::Owner(changes) = done {
                submitted.extend(changes);
            }
        }
        swaps.forget_health_checks().await;
        Ok(submitted)
    }

    /// Leads the names back to the heir; safe to repeat. [`Cutover::StandBy`] tells of an instance
    /// that took the names over meanwhile: nothing was changed in its zone.
    ///
    /// # Errors
    /// As [`Zones::take_over`].
    pub async fn lead_back(&self, site: &str, heir: &Heir) -> Result<Cutover> {
        let comment = format!("spotboot: {site} is led back to its owner");
        let (mut swaps, mut submitted) = (ZoneSwaps::new(&self.route53), Vec::new());
        for (zone, names) in &self.zones {
            let decide =
                async |observed: &[RecordSet]| Ok(lead::back(observed, names, site, heir)?);
            match swaps.swap(zone, names, None, &comment, decide).await? {
                Cutover::StandBy { owner } => return Ok(Cutover::StandBy { owner }),
                Cutover::Owner(changes) => submitted.extend(changes),
            }
        }
        swaps.forget_health_checks().await;
        Ok(Cutover::Owner(submitted))
    }

    /// What [`Zones::lead_to_mirror`] would write now, zone by zone.
    ///
    /// # Errors
    /// Those of Route 53, and a conflict that a person has to settle.
    pub async fn plan_to_mirror(
        &self,
        site: &str,
        mirror: &MirrorAlias,
        ttl: u32,
    ) -> Result<Vec<(Zone, ZonePlan)>> {
        let mut plans = Vec::new();
        for ((zone, names), observed) in self.zones.iter().zip(self.observe().await?.0) {
            let plan = lead::to_mirror(&observed, names, site, mirror, ttl)?;
            plans.push((zone.clone(), plan));
        }
        Ok(plans)
    }

    /// What [`Zones::lead_back`] would write now, zone by zone.
    ///
    /// # Errors
    /// As [`Zones::plan_to_mirror`].
    pub async fn plan_back(&self, site: &str, heir: &Heir) -> Result<Vec<(Zone, ZonePlan)>> {
        let mut plans = Vec::new();
        for ((zone, names), observed) in self.zones.iter().zip(self.observe().await?.0) {
            plans.push((zone.clone(), lead::back(&observed, names, site, heir)?));
        }
        Ok(plans)
    }

    /// Takes an instance's addresses out of DNS, unless another has the names; safe to repeat.
    /// Returns the changes that resolvers hear of.
    ///
    /// # Errors
    /// As [`Zones::take_over`].
    pub async fn part(&self, ec2: &Ec2, parting: &Parting) -> Result<Vec<ChangeId>> {
        let comment = format!(
            "spotboot: {} ends, and nobody has relieved it",
            parting.instance
        );
        let (mut swaps, mut submitted) = (ZoneSwaps::new(&self.route53), Vec::new());
        for (zone, names) in &self.zones {
            let decide = async |observed: &[RecordSet]| {
                let living = living(ec2, &neighbours(observed, parting)).await;
                Ok(part(observed, names, parting, &living)?)
            };
            let done = swaps.swap(zone, names, None, &comment, decide).await?;
            if let Cutover::Owner(changes) = done {
                submitted.extend(changes);
            }
        }
        swaps.forget_health_checks().await;
        Ok(submitted)
    }
}

/// Where EC2 does not answer, every neighbour counts as living: an answer that holds one that is
/// gone is swept by whoever boots next, one that was emptied in vain is missed by visitors.
async fn living(ec2: &Ec2, neighbours: &[String]) -> BTreeSet<String> {
    if neighbours.is_empty() {
        return BTreeSet::new();
    }
    match ec2.living(neighbours).await {
        Ok(living) => living,
        Err(error) => {
            warn!("which of the instances beside this one live is not known: {error}");
            neighbours.iter().cloned().collect()
        }
    }
}
