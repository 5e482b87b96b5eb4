//! The cutover, and what the bucket is told of this instance.

use std::net::IpAddr;

use anyhow::{Context, Result};
use tracing::{info, warn};

use super::Boot;
use super::boot::Serving;
use crate::cloud::route53::ChangeId;
use crate::cloud::s3::Condition;
use crate::config::Routing;
use crate::logs;
use crate::site::records::{self, Checks, Claim, Cutover, Shape, Zones};
use crate::site::report::Phase;

/// Where this instance stands after it asked for the names.
pub(super) enum Standing {
    Owner(Vec<ChangeId>),
    StandBy,
}

impl Boot {
    pub(super) async fn cut_over(&self, zones: &Zones) -> Result<Standing> {
        let claim = self.claim(self.shape().await?);
        match zones.take_over(&self.route53, &self.ec2, &claim).await? {
            Cutover::Owner(changes) => Ok(Standing::Owner(changes)),
            Cutover::StandBy { owner } => {
                info!(owner, "a later instance owns the names; standing by");
                Ok(Standing::StandBy)
            }
        }
    }

    pub(super) async fn wait_in_sync(&self, changes: &[ChangeId]) -> Result<()> {
        records::in_sync(&self.route53, changes).await
    }

    pub(super) fn claim(&self, shape: Shape) -> Claim {
        let identity = &self.identity;
        Claim {
            site: self.site.name.clone(),
            instance: identity.instance_id.clone(),
            launched: identity.launched,
            ipv4: identity.public_ipv4,
            ipv6: identity.public_ipv6,
            ttl: self.site.dns.ttl,
            shape,
        }
    }

    /// The routing with this instance's health checks, made where it needs some.
    async fn shape(&self) -> Result<Shape> {
        Ok(match self.site.dns.routing {
            Routing::Simple => Shape::Simple,
            Routing::Multivalue => Shape::Multivalue { checks: self.health_checks().await? },
            Routing::Failover => {
                let mirror = self.site.failover.as_ref().and_then(|failover| failover.cloudfront.clone());
                Shape::Failover { cloudfront: mirror.context("failover.cloudfront is missing")?, checks: self.health_checks().await? }
            }
        })
    }

    async fn health_checks(&self) -> Result<Checks> {
        let (ipv4, ipv6) = (self.identity.public_ipv4.map(IpAddr::V4), self.identity.public_ipv6.map(IpAddr::V6));
        Ok(Checks { ipv4: self.health_check(ipv4).await?, ipv6: self.health_check(ipv6).await? })
    }

    async fn health_check(&self, address: Option<IpAddr>) -> Result<Option<String>> {
        let Some(address) = address else { return Ok(None) };
        let reference = format!("spotboot {} {} {address}", self.site.name, self.identity.instance_id);
        let host = self.site.primary().as_str();
        Ok(Some(self.route53.health_check_for(address, self.site.web.https_port, host, "/ping", &reference).await?))
    }

    /// Writes `instances/<id>.json`. That it cannot be written is no reason to stop.
    pub(super) async fn report(&self, phase: Phase, serving: Option<&Serving>, error: Option<String>) {
        let report = self.current_report(phase, serving, error);
        let body = serde_json::to_vec_pretty(&report).expect("a report is plain data");
        let key = self.site.key(&format!("instances/{}.json", self.identity.instance_id));
        if let Err(error) = self.state.put(&key, body, Condition::Always, None).await {
            warn!("the bucket does not hear of this instance: {error}");
        }
    }

    /// Says in the bucket which step failed and why, and leaves the log of the boot there.
    pub(super) async fn report_failure(&self, failure: &anyhow::Error) {
        self.report(Phase::Failed, None, Some(format!("{failure:#}"))).await;
        let mut log = logs::recent();
        log.extend(format!("error: {failure:#}\n").bytes());
        let key = self.site.key(&format!("logs/{}/{}-boot.log", self.identity.instance_id, self.now().unix_timestamp()));
        if let Err(error) = self.state.put(&key, log, Condition::Always, None).await {
            warn!("the log of this boot stays on the instance: {error}");
        }
    }
}
