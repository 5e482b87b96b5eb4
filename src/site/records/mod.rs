//! The site's names in Route 53: whose they are, and the one batch that hands them over.
//!
//! Deciding is `plan`'s, `fence`'s, `lead`'s and `parting`'s, purely; this file and `away` observe,
//! and `swap` submits, and looks again when Route 53 refuses.

mod away;
mod claim;
mod fence;
#[cfg(test)]
mod fixtures;
mod heir;
mod lead;
mod ownership;
mod parting;
mod plan;
mod refuge;
mod swap;
mod zone_names;
mod zone_ownership;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use time::OffsetDateTime;
use tokio::time::Instant;

pub use claim::{Checks, Claim, ClaimBasis, Shape};
#[cfg(test)]
pub use fence::{fence, stay};
#[cfg(test)]
pub use fixtures::zone_owned_by;
pub use heir::Heir;
#[cfg(test)]
pub use lead::{back, to_mirror};
pub use ownership::{NamesLead, Ownership, later_than};
pub use parting::Parting;
#[cfg(test)]
pub use parting::part;
pub use plan::ZonePlan;
#[cfg(test)]
pub use plan::{plan, whom_to_ask};
pub use swap::Cutover;
use swap::ZoneSwaps;
pub use zone_names::ZoneNames;
pub use zone_ownership::ZoneOwnership;

use crate::cloud::ec2::Ec2;
use crate::cloud::route53::{ChangeId, RecordSet, Route53, Zone};
use crate::config::{Domain, Site};

/// Route 53 "generally" propagates within 60 seconds.
const IN_SYNC_WITHIN: Duration = Duration::from_secs(180);

/// The site's names by the zone that holds them, the primary domain's zone first.
#[derive(Debug, Clone)]
pub struct Zones {
    route53: Route53,
    zones: Vec<(Zone, ZoneNames)>,
}

/// The records of every zone at one time, in the order of [`Zones`].
#[derive(Debug)]
pub struct ObservedRecords(Vec<Vec<RecordSet>>);

impl Zones {
    /// Finds the zone of every domain, in one call.
    ///
    /// # Errors
    /// Names a domain that no zone of this account holds, or one outside `dns.hosted_zone_id`.
    pub async fn find(route53: &Route53, site: &Site) -> Result<Self> {
        let served = site.served_names();
        let names: Vec<String> = served.iter().map(|name| name.base().to_owned()).collect();
        let found = match &site.dns.hosted_zone_id {
            None => route53.zones_holding(&names).await?,
            Some(id) => {
                let zone = route53.zone(id).await?;
                let zone = zone.with_context(|| {
                    format!("dns.hosted_zone_id {id} is no hosted zone of this account; `aws route53 list-hosted-zones` lists them")
                })?;
                names
                    .iter()
                    .map(|name| holds(&zone, name).then(|| zone.clone()))
                    .collect()
            }
        };
        let mut zones: Vec<(Zone, Vec<Domain>)> = Vec::new();
        for (name, zone) in served.into_iter().zip(found) {
            let zone = zone.with_context(|| no_zone(site, &name))?;
            match zones.iter_mut().find(|(known, _)| known.id == zone.id) {
                Some((_, names)) => names.push(name),
                None => zones.push((zone, vec![name])),
            }
        }
        let group = |(zone, names): (Zone, Vec<Domain>)| {
            let is_dynamic = |name: &Domain| site.dynamic() == Some(name);
            let (dynamic, domains): (Vec<_>, Vec<_>) = names.into_iter().partition(is_dynamic);
            let names = ZoneNames::new(domains, dynamic.into_iter().next());
            (zone, names.keeping_checks(site.dns.address_moves()))
        };
        let zones = zones.into_iter().map(group).collect();
        Ok(Self {
            route53: route53.clone(),
            zones,
        })
    }

    /// The zone that holds a name of the site.
    pub fn of(&self, domain: &str) -> Option<&Zone> {
        let within = |(_, names): &&(Zone, ZoneNames)| {
            names
                .names()
                .any(|known| known.base() == domain || known.as_str() == domain)
        };
        self.zones.iter().find(within).map(|(zone, _)| zone)
    }

    /// What taking the names over would write now, zone by zone.
    ///
    /// # Errors
    /// Those of Route 53 and EC2, and a conflict that a person has to settle.
    pub async fn plan(&self, ec2: &Ec2, claim: &Claim) -> Result<Vec<(Zone, ZonePlan)>> {
        let mut plans = Vec::new();
        for ((zone, names), observed) in self.zones.iter().zip(self.observe().await?.0) {
            plans.push((zone.clone(), decide(&observed, names, claim, ec2).await?));
        }
        Ok(plans)
    }

    /// Looks at the records of all names.
    ///
    /// # Errors
    /// Those of Route 53.
    pub async fn observe(&self) -> Result<ObservedRecords> {
        let mut observed = Vec::new();
        for (zone, names) in &self.zones {
            observed.push(self.route53.record_sets(&zone.id, &names.all()).await?);
        }
        Ok(ObservedRecords(observed))
    }

    /// Takes the names over, unless a later instance that lives owns them. Of `observed`, what has
    /// become old costs a further look, never a wrong change: a batch holds only for the records
    /// that it was made for.
    ///
    /// # Errors
    /// As [`Zones::plan`], and a batch that Route 53 refuses though nobody else wrote meanwhile.
    pub async fn take_over(
        &self,
        ec2: &Ec2,
        claim: &Claim,
        observed: Option<ObservedRecords>,
    ) -> Result<Cutover> {
        let mut observed = observed
            .map_or_else(Vec::new, |observed| observed.0)
            .into_iter();
        let (mut swaps, mut submitted) = (ZoneSwaps::new(&self.route53), Vec::new());
        for (zone, names) in &self.zones {
            match take_zone(&mut swaps, ec2, zone, names, claim, observed.next()).await? {
                Cutover::StandBy { owner } => return Ok(Cutover::StandBy { owner }),
                Cutover::Owner(changes) => submitted.extend(changes),
            }
        }
        swaps.forget_health_checks().await;
        Ok(Cutover::Owner(submitted))
    }
}

impl Zones {
    /// Whose the names are, zone by zone.
    ///
    /// # Errors
    /// Those of Route 53, and an ownership record that spotboot did not write.
    pub async fn standing(&self) -> Result<Vec<ZoneOwnership>> {
        self.read(&self.observe().await?)
    }

    /// The same of records that were looked at already.
    ///
    /// # Errors
    /// An ownership record that spotboot did not write.
    pub fn read(&self, observed: &ObservedRecords) -> Result<Vec<ZoneOwnership>> {
        let mut standing = Vec::new();
        for ((zone, names), observed) in self.zones.iter().zip(&observed.0) {
            let owner = plan::owner(observed, names)?;
            let records = observed
                .iter()
                .filter(|set| set.is_address_or_cname())
                .cloned()
                .collect();
            standing.push(ZoneOwnership {
                zone: zone.name.clone(),
                has_domains: !names.domains.is_empty(),
                owner,
                records,
            });
        }
        Ok(standing)
    }

    /// Gives the ownership of the names to whom they belong already anew, as of another launch:
    /// whoever was launched before that can no longer take them over. False where they belong to
    /// somebody else.
    ///
    /// # Errors
    /// As [`Zones::take_over`].
    pub async fn fence(&self, instance: &str, launched: OffsetDateTime) -> Result<bool> {
        let comment = format!(
            "spotboot: {instance} keeps the names from whoever was launched before {launched}"
        );
        self.keep(&comment, |observed, names| {
            fence::fence(observed, names, instance, launched)
        })
        .await
    }

    /// Whose the primary domain's names are now. Where names are in several zones, that one is
    /// taken over first and decides.
    ///
    /// # Errors
    /// Those of Route 53, and an ownership record that spotboot did not write.
    pub async fn owner(&self) -> Result<Option<String>> {
        let (zone, names) = self.zones.first().context("a site has a domain")?;
        let observed = self
            .route53
            .record_sets(&zone.id, std::slice::from_ref(&names.ownership))
            .await?;
        let owner = plan::owner(&observed, names)?;
        Ok(owner.and_then(|owner| owner.instance().map(str::to_owned)))
    }

    /// Takes the records of these instances out of multivalue answers, and their health checks with
    /// them.
    ///
    /// # Errors
    /// As [`Zones::take_over`].
    pub async fn withdraw(&self, site: &str, going: &[String]) -> Result<Vec<ChangeId>> {
        let (mut swaps, mut submitted) = (ZoneSwaps::new(&self.route53), Vec::new());
        for (zone, names) in &self.zones {
            let comment = format!("spotboot: {} go from {site}", going.join(", "));
            let decide =
                async |observed: &[RecordSet]| Ok(fence::withdrawal(observed, names, site, going)?);
            let done = swaps.swap(zone, names, None, &comment, decide).await?;
            if let Cutover::Owner(changes) = done {
                submitted.extend(changes);
            }
        }
        swaps.forget_health_checks().await;
        Ok(submitted)
    }

    /// Keeps the names where they are while instances are ended that were launched until `now`;
    /// false where they lead to one of those.
    ///
    /// # Errors
    /// As [`Zones::take_over`].
    pub async fn stay(&self, going: &[String], now: OffsetDateTime) -> Result<bool> {
        let comment = format!(
            "spotboot: the names stay where they are while {} go",
            going.join(", ")
        );
        self.keep(&comment, |observed, names| {
            fence::stay(observed, names, going, now)
        })
        .await
    }

    /// Waits until every authoritative server answers with the changes.
    ///
    /// # Errors
    /// Those of Route 53, and a change that is still on its way after 180 s.
    pub async fn in_sync(&self, changes: &[ChangeId]) -> Result<()> {
        for change in changes {
            self.route53
                .wait_in_sync(change, Instant::now() + IN_SYNC_WITHIN)
                .await?;
        }
        Ok(())
    }

    /// False where the plan for a zone is to stand by.
    async fn keep(
        &self,
        comment: &str,
        plan: impl Fn(&[RecordSet], &ZoneNames) -> Result<ZonePlan, plan::Conflict>,
    ) -> Result<bool> {
        let mut swaps = ZoneSwaps::new(&self.route53);
        for (zone, names) in &self.zones {
            let decide = async |observed: &[RecordSet]| Ok(plan(observed, names)?);
            let done = swaps.swap(zone, names, None, comment, decide).await?;
            if let Cutover::StandBy { .. } = done {
                return Ok(false);
            }
        }
        swaps.forget_health_checks().await;
        Ok(true)
    }
}

fn holds(zone: &Zone, name: &str) -> bool {
    name.strip_suffix(zone.name.as_str())
        .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

fn no_zone(site: &Site, domain: &Domain) -> String {
    match &site.dns.hosted_zone_id {
        Some(id) => format!(
            "dns.hosted_zone_id {id} is a zone that does not hold {domain}; set the one that does, or leave it out"
        ),
        None => format!(
            "no public hosted zone of this account holds {domain}; create one in Route 53, or run in the account that has it"
        ),
    }
}

async fn decide(
    observed: &[RecordSet],
    names: &ZoneNames,
    claim: &Claim,
    ec2: &Ec2,
) -> Result<ZonePlan> {
    let ask = plan::whom_to_ask(observed, names, claim);
    let living = if ask.is_empty() {
        BTreeSet::new()
    } else {
        ec2.living(&ask).await?
    };
    Ok(plan::plan(observed, names, claim, &living)?)
}

async fn take_zone(
    swaps: &mut ZoneSwaps<'_>,
    ec2: &Ec2,
    zone: &Zone,
    names: &ZoneNames,
    claim: &Claim,
    earlier: Option<Vec<RecordSet>>,
) -> Result<Cutover> {
    let comment = format!("spotboot: {} takes over {}", claim.instance, claim.site);
    let decide = async |observed: &[RecordSet]| decide(observed, names, claim, ec2).await;
    swaps.swap(zone, names, earlier, &comment, decide).await
}
