//! The names as emergency mode leads them: to the mirror, and back to the instance that owns them.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::time::timeout;

use super::decision::SeenNames;
use crate::cloud::route53::{RecordSet, Zone, switches_within};
use crate::config::{MirrorAlias, Site};
use crate::context::SiteContext;
use crate::context::elastic_ip::ElasticIpMover;
use crate::site::records::{Cutover, Heir, ZoneOwnership, ZonePlan, Zones};

/// In an emergency a person waits for this; Route 53 mostly answers within a second.
const ACCEPTED_WITHIN: Duration = Duration::from_secs(10);
/// Resolvers keep an alias record for as long as the target's own records say, which is a minute
/// for those of CloudFront and less for S3's.
const ALIAS_REMEMBERED: Duration = Duration::from_secs(60);

/// The site's names as they stand.
pub struct LedNames {
    zones: Zones,
    pub standing: Vec<ZoneOwnership>,
}

impl LedNames {
    /// Looks at the names of every zone.
    pub async fn observe(context: &SiteContext) -> Result<Self> {
        let zones = context.zones().await?;
        let standing = zones.standing().await?;
        Ok(Self { zones, standing })
    }

    pub fn lead(&self) -> SeenNames {
        SeenNames::of(&self.standing)
    }

    /// The instances that own the names, each once, the primary domain's first.
    pub fn owners(&self) -> Vec<String> {
        let mut owners: Vec<String> = Vec::new();
        for owner in self.standing.iter().filter_map(|zone| zone.owner.as_ref()) {
            let id = owner.instance().map(str::to_owned);
            owners.extend(id.filter(|id| !owners.contains(id)));
        }
        owners
    }

    /// The instance that owns the primary domain's names.
    pub fn owner(&self) -> Option<&str> {
        self.standing.first()?.owner.as_ref()?.instance()
    }

    /// How long a resolver may remember what the names say now.
    pub fn remembered_for(&self) -> Duration {
        let ttl = |set: &RecordSet| {
            set.ttl()
                .map_or(ALIAS_REMEMBERED, |ttl| Duration::from_secs(ttl.into()))
        };
        let sets = self.standing.iter().flat_map(|zone| &zone.records);
        sets.map(ttl).max().unwrap_or_default()
    }

    /// How long it takes until health checks have led visitors elsewhere, by themselves.
    pub fn switched_within(site: &Site) -> Duration {
        switches_within() + Duration::from_secs(site.dns.ttl.into())
    }

    /// Leads them to the mirror by one batch for each zone; safe to repeat. Returns what Route 53
    /// has accepted, a change each.
    ///
    /// # Errors
    /// Those of Route 53, which has a few seconds, and a conflict that a person has to settle.
    pub async fn lead_to_mirror(&self, context: &SiteContext) -> Result<Vec<String>> {
        let (site, mirror) = (&context.site, alias(context)?);
        let records = in_words(&self.plan_mirror_zones(context, &mirror).await?);
        let led = self.zones.lead_to_mirror(&site.name, &mirror, site.dns.ttl);
        accepted(led).await?;
        Ok(records)
    }

    /// The changes that [`LedNames::lead_to_mirror`] would make.
    ///
    /// # Errors
    /// As of [`LedNames::lead_to_mirror`].
    pub async fn plan_mirror(&self, context: &SiteContext) -> Result<Vec<String>> {
        let mirror = alias(context)?;
        Ok(in_words(&self.plan_mirror_zones(context, &mirror).await?))
    }

    async fn plan_mirror_zones(
        &self,
        context: &SiteContext,
        mirror: &MirrorAlias,
    ) -> Result<Vec<(Zone, ZonePlan)>> {
        let site = &context.site;
        accepted(self.zones.plan_to_mirror(&site.name, mirror, site.dns.ttl)).await
    }

    /// Leads them to the heir by one batch for each zone; safe to repeat. Returns what Route 53 has
    /// accepted, a change each.
    ///
    /// # Errors
    /// Those of Route 53, and an owner that is another by now.
    pub async fn lead_to_owner(&self, context: &SiteContext, heir: &Heir) -> Result<Vec<String>> {
        let site = &context.site.name;
        let records = self.plan_owner(context, heir).await?;
        if let Cutover::StandBy { owner } = accepted(self.zones.lead_back(site, heir)).await? {
            bail!("{owner} has taken the names over meanwhile; run again");
        }
        if let (true, Some(owner)) = (context.site.dns.address_moves(), heir.owner()) {
            let zones = &self.zones;
            ElasticIpMover { context, zones }.lead_to(owner).await?;
        }
        Ok(records)
    }

    /// The changes that [`LedNames::lead_to_owner`] would make.
    ///
    /// # Errors
    /// As of [`LedNames::lead_to_owner`].
    pub async fn plan_owner(&self, context: &SiteContext, heir: &Heir) -> Result<Vec<String>> {
        let site = &context.site.name;
        let plans = accepted(self.zones.plan_back(site, heir)).await?;
        Ok(in_words(&plans))
    }
}

fn alias(context: &SiteContext) -> Result<MirrorAlias> {
    let alias = context.mirror_alias();
    alias.context("nobody serves the mirror under the site's names; set failover.cloudfront")
}

/// Bounds what is asked of Route 53.
async fn accepted<T>(asked: impl Future<Output = Result<T>>) -> Result<T> {
    let answered = timeout(ACCEPTED_WITHIN, asked).await;
    answered.unwrap_or_else(|_| bail!("Route 53 has accepted nothing within {ACCEPTED_WITHIN:?}"))
}

fn in_words(plans: &[(Zone, ZonePlan)]) -> Vec<String> {
    let changes = plans.iter().flat_map(|(zone, plan)| match plan {
        ZonePlan::Change(changes) => changes
            .iter()
            .map(|change| format!("{}: {change}", zone.name))
            .collect(),
        ZonePlan::StandBy(owner) => vec![format!("{}: {} owns the names", zone.name, owner.owner)],
        ZonePlan::Unchanged => Vec::new(),
    });
    changes.collect()
}
