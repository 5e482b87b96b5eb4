//! The cutover: this instance asks for the names.

use anyhow::Result;
use tracing::info;

use crate::cloud::ec2::ElasticIp;
use crate::cloud::route53::ChangeId;
use crate::context::claim;
use crate::context::elastic_ip::ElasticIpMover;
use crate::instance::Instance;
use crate::site::address;
use crate::site::records::{Checks, Cutover, ObservedRecords, ZonePlan, Zones};

/// Where this instance stands after it asked for the names.
pub enum CutoverOutcome {
    Owner(Vec<ChangeId>),
    StandBy,
}

impl CutoverOutcome {
    fn spare_of(owners: &[String]) -> Self {
        info!(
            owners = owners.join(" "),
            "the names stay where they are for now; standing by"
        );
        Self::StandBy
    }
}

impl Instance {
    fn stand_by(&self, owner: &str) -> CutoverOutcome {
        info!(owner, "a later instance owns the names; standing by");
        self.handover.stands_by_for_later(Some(owner));
        CutoverOutcome::StandBy
    }

    /// `observed`: the records as they were just now, if they were looked at.
    pub async fn cut_over(
        &self,
        zones: &Zones,
        observed: Option<ObservedRecords>,
    ) -> Result<CutoverOutcome> {
        self.handover.stands_by_for_later(None);
        let spare_of = self.handover.spare_of();
        if !spare_of.is_empty() {
            return Ok(CutoverOutcome::spare_of(&spare_of));
        }
        // A health check that nobody uses is paid for all the same: it is made only for names that
        // will be ours.
        if self.context.site.dns.checks_owner_only()
            && let Some(owner) = self.later_owner(zones).await?
        {
            return Ok(self.stand_by(&owner));
        }
        let elastic = address::elastic(&self.context.ec2, &self.context.site).await?;
        let node = claim::reached_at(claim::node(&self.identity), elastic.as_ref());
        let claim = claim::claim(
            &self.context.site,
            &node,
            claim::shape(
                &self.context.site,
                claim::checks(&self.context.route53, &self.context.site, &node).await?,
            )?,
        );
        match zones.take_over(&self.context.ec2, &claim, observed).await? {
            // The record first: only its owner moves the address, and what ends in between is taken
            // up again by whoever owns it then.
            Cutover::Owner(changes) => self.have_address(zones, elastic.as_ref(), changes).await,
            Cutover::StandBy { owner } => Ok(self.stand_by(&owner)),
        }
    }

    /// Leads the site's Elastic IP here, where it has one.
    async fn have_address(
        &self,
        zones: &Zones,
        elastic: Option<&ElasticIp>,
        changes: Vec<ChangeId>,
    ) -> Result<CutoverOutcome> {
        if elastic.is_none() {
            return Ok(CutoverOutcome::Owner(changes));
        }
        let led = self
            .leader(zones)
            .lead_to(&self.identity.instance_id)
            .await?;
        if led.owner != self.identity.instance_id {
            return Ok(self.stand_by(&led.owner));
        }
        self.reporter.reached_at(Some(led.elastic.address));
        Ok(CutoverOutcome::Owner(changes))
    }

    pub fn leader<'l>(&'l self, zones: &'l Zones) -> ElasticIpMover<'l> {
        ElasticIpMover {
            context: &self.context,
            zones,
        }
    }

    /// What would keep the Elastic IP from being led here, before anything is changed.
    pub async fn rehearse_address(&self) -> Result<()> {
        match address::elastic(&self.context.ec2, &self.context.site).await? {
            Some(elastic) if !elastic.leads_to(&self.identity.instance_id) => Ok(self
                .context
                .ec2
                .may_associate(&elastic, &self.identity.instance_id)
                .await?),
            _ => Ok(()),
        }
    }

    async fn later_owner(&self, zones: &Zones) -> Result<Option<String>> {
        let claim = claim::claim(
            &self.context.site,
            &claim::node(&self.identity),
            claim::shape(&self.context.site, Checks::default())?,
        );
        let plans = zones.plan(&self.context.ec2, &claim).await?;
        Ok(plans.into_iter().find_map(|(_, plan)| {
            if let ZonePlan::StandBy(owner) = plan {
                Some(owner.owner)
            } else {
                None
            }
        }))
    }
}
