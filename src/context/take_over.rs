//! An instance takes the names over, with the health checks that their records name.

use anyhow::Result;
use tracing::info;

use super::SiteContext;
use super::claim::{checks, claim, shape};
use crate::config::Site;
use crate::site::deploys::Node;
use crate::site::records::{
    Checks, Claim, ClaimBasis, Cutover, ObservedRecords, ZoneOwnership, Zones,
};

/// Takes the names over for `node`, as [`Zones::take_over`] does. Where no record will name a health
/// check, none is made: it would be paid for, and its reference could be used up in vain.
///
/// # Errors
/// AWS refuses a call, or does not answer.
pub async fn take_over(
    context: &SiteContext,
    zones: &Zones,
    node: &Node,
    right: ClaimBasis,
    mut observed: Option<ObservedRecords>,
) -> Result<Cutover> {
    let (site, route53, ec2) = (&context.site, &context.route53, &context.ec2);
    let claim_with = |checks: Checks| -> Result<Claim> {
        let shape = shape(context, checks)?;
        Ok(Claim {
            right,
            ..claim(site, node, shape)
        })
    };
    if !site.dns.needs_health_checks() {
        let claim = claim_with(Checks::default())?;
        return zones.take_over(ec2, &claim, observed).await;
    }
    let standing = match &observed {
        Some(observed) => zones.read(observed)?,
        None => zones.standing().await?,
    };
    if !names_checks(site, &standing) {
        let claim = claim_with(Checks::default())?;
        let taken = zones.take_over(ec2, &claim, observed.take()).await;
        let standing = zones.standing().await;
        if !standing.is_ok_and(|standing| names_checks(site, &standing)) {
            return taken;
        }
        info!("the names were led back from the mirror meanwhile; taking them over once more");
    }
    let claim = claim_with(checks(route53, site, node).await?)?;
    zones.take_over(ec2, &claim, observed).await
}

/// Whether a record that an owner writes now names a health check. While a person has led the names
/// of all zones to the mirror, only the records of `[failover] dynamic` may do so, and those with
/// multivalue routing alone.
fn names_checks(site: &Site, standing: &[ZoneOwnership]) -> bool {
    let are_at_mirror = standing.iter().all(ZoneOwnership::is_at_mirror);
    let dynamic_has_some = site.dns.answers_together() && site.dynamic().is_some();
    !are_at_mirror || dynamic_has_some
}

#[cfg(test)]
mod suite;
