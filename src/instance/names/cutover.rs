//! The cutover: this instance asks for the names.

use anyhow::Result;
use tracing::info;

use super::NameKeeper;
use crate::cloud::ec2::ElasticIp;
use crate::cloud::route53::ChangeId;
use crate::context::claim;
use crate::context::elastic_ip::ElasticIpMover;
use crate::context::take_over::take_over;
use crate::site::address;
use crate::site::deploys::Node;
use crate::site::records::{Checks, ClaimBasis, Cutover, ObservedRecords, ZonePlan, Zones};

/// Where this instance stands after it asked for the names.
pub enum CutoverOutcome {
    Owner(Vec<ChangeId>),
    StandBy,
}

impl NameKeeper<'_> {
    fn stand_by(&self, owner: &str) -> CutoverOutcome {
        info!(owner, "a later instance owns the names; standing by");
        self.stands_by_for_later(Some(owner));
        CutoverOutcome::StandBy
    }

    /// Asks for the names. `observed`: the records as they were just now, if they were looked at.
    ///
    /// # Errors
    /// Those of AWS.
    pub async fn cut_over(
        &self,
        zones: &Zones,
        observed: Option<ObservedRecords>,
    ) -> Result<CutoverOutcome> {
        self.stands_by_for_later(None);
        if self.is_spare() {
            info!(
                owners = self.spare_of.borrow().join(" "),
                "the names stay where they are for now; standing by"
            );
            return Ok(CutoverOutcome::StandBy);
        }
        if self.interruption.is_near_its_end() {
            info!("this instance ends in a moment; leaving the names where they are");
            return Ok(CutoverOutcome::StandBy);
        }
        // A health check that nobody uses is paid for all the same: it is made only for names that
        // will be ours.
        let context = &self.instance.context;
        if context.site.dns.checks_owner_only()
            && let Some(owner) = self.later_owner(zones).await?
        {
            return Ok(self.stand_by(&owner));
        }
        let elastic = address::elastic(&context.ec2, &context.site).await?;
        let node = claim::reached_at(self.node().await?, elastic.as_ref());
        match take_over(context, zones, &node, ClaimBasis::Launch, observed).await? {
            // The record first: only its owner moves the address, and what ends in between is taken
            // up again by whoever owns it then.
            Cutover::Owner(changes) => {
                self.interruption.has_names_again();
                self.have_address(zones, elastic.as_ref(), changes).await
            }
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
        let (context, me) = (&self.instance.context, self.instance.id());
        let led = ElasticIpMover { context, zones }.lead_to(me).await?;
        if led.owner != me {
            return Ok(self.stand_by(&led.owner));
        }
        self.reporter.tell_address(Some(led.elastic.address));
        Ok(CutoverOutcome::Owner(changes))
    }

    /// This instance at its public addresses. One that AWS did not take away after all may have
    /// another than at its boot.
    async fn node(&self) -> Result<Node> {
        let node = claim::node(&self.instance.identity);
        if !self.interruption.has_parted() {
            return Ok(node);
        }
        let ipv4 = self.instance.imds.public_ipv4().await?;
        Ok(Node { ipv4, ..node })
    }

    async fn later_owner(&self, zones: &Zones) -> Result<Option<String>> {
        let (context, identity) = (&self.instance.context, &self.instance.identity);
        let shape = claim::shape(context, Checks::default())?;
        let claim = claim::claim(&context.site, &claim::node(identity), shape);
        let plans = zones.plan(&context.ec2, &claim).await?;
        Ok(plans.into_iter().find_map(|(_, plan)| match plan {
            ZonePlan::StandBy(owner) => Some(owner.owner),
            ZonePlan::Unchanged | ZonePlan::Change(_) => None,
        }))
    }
}
