//! Looks for whom `failover off` may lead the names to: their owner, with multivalue routing
//! everybody who serves. A look from outside has to find what an instance is to serve, before a name
//! leads there (invariant I1 of docs/ARCHITECTURE.md).

use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::ask::serving;
use super::names::LedNames;
use crate::cloud::ec2::Described;
use crate::context::probe::look;
use crate::context::{SiteContext, claim};
use crate::site::address;
use crate::site::records::{Claim, Heir};
use crate::site::report::{InstanceReport, read_report};

const GLANCE: Duration = Duration::from_secs(5);

/// Looks for whom the names may lead to. With `force` an owner that lives gets them whatever it
/// serves, and where none lives the next instance that boots does.
///
/// # Errors
/// Why nobody can have them now, with what to do.
pub async fn find_heir(context: &SiteContext, names: &LedNames, force: bool) -> Result<Heir> {
    let candidates = candidates(context, names).await?;
    let mut claims = Vec::new();
    let mut why = Vec::new();
    for described in candidates {
        match looked_at(context, &described, force).await {
            Ok(said) => claims.push(claim_of(context, described, said.as_ref()).await?),
            Err(error) => why.push(format!("{error:#}")),
        }
    }
    let owner = claims.first().map(|claim| claim.instance.clone());
    match (owner, force) {
        (Some(owner), _) => Ok(Heir::Serving { owner, claims }),
        (None, true) => next_boot(context, names).await,
        (None, false) if why.is_empty() => bail!(
            "the names stay at the mirror: {} is gone, and nobody else owns them; the next instance that boots does, and `spotboot failover off` leads them there then; with --force that instance takes them by itself",
            names.owner().unwrap_or("whoever had them")
        ),
        (None, false) => bail!(
            "the names stay at the mirror: {}; mend that first, by a deploy for one, or lead them there all the same with --force",
            why.join("; ")
        ),
    }
}

/// The next instance that boots is the heir, if no owner of any zone lives.
///
/// # Errors
/// An owner lives that another zone names: it is in the middle of taking the names over.
async fn next_boot(context: &SiteContext, names: &LedNames) -> Result<Heir> {
    let gone = names.owners();
    if let Some(living) = context.ec2.living(&gone).await?.first() {
        bail!("{living} is taking the names over; run `spotboot failover off` again in a minute");
    }
    Ok(Heir::NextBoot { gone })
}

/// The owner, or with multivalue routing all that say they serve; those of them that live, the
/// owner first.
async fn candidates(context: &SiteContext, names: &LedNames) -> Result<Vec<Described>> {
    let mut ids: Vec<String> = names.owner().map(str::to_owned).into_iter().collect();
    if context.site.dns.answers_together() {
        let serving = serving(context).await?;
        let others = serving.into_iter().map(|(id, _)| id);
        ids.extend(others.filter(|id| Some(id.as_str()) != names.owner()));
    }
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut described = context.ec2.describe(&ids).await?;
    described.retain(|described| described.living);
    described.sort_by_key(|described| ids.iter().position(|id| *id == described.id));
    Ok(described)
}

/// Looks whether the instance serves, unless with `force`; brings what it says of itself.
async fn looked_at(
    context: &SiteContext,
    described: &Described,
    force: bool,
) -> Result<Option<InstanceReport>> {
    let id = &described.id;
    let read = read_report(&context.state, &context.site, id).await;
    if force {
        return Ok(read.unwrap_or_default());
    }
    let mut said = read?.with_context(|| format!("{id} has said nothing of itself"))?;
    if context.site.dns.reports_stale_addresses() {
        (said.public_ipv4, said.public_ipv6) = (described.ipv4, described.ipv6);
    }
    serves(context, id, &said).await?;
    Ok(Some(said))
}

async fn serves(context: &SiteContext, id: &str, said: &InstanceReport) -> Result<()> {
    if !said.serves() {
        bail!(
            "{id} does not serve: {}",
            said.error.as_deref().unwrap_or("it has not come that far")
        );
    }
    if let Some(trouble) = &said.trouble {
        bail!("{id} is in trouble: {trouble}");
    }
    let release = said.release.clone().unwrap_or_default();
    look(context, id, said, &release, GLANCE).await
}

async fn claim_of(
    context: &SiteContext,
    described: Described,
    said: Option<&InstanceReport>,
) -> Result<Claim> {
    let site = &context.site;
    let elastic = address::elastic(&context.ec2, site).await?;
    let node = claim::reached_at(claim::reported(described, said), elastic.as_ref());
    let checks = claim::checks(&context.route53, site, &node).await?;
    let shape = claim::shape(context, checks)?;
    Ok(claim::claim(site, &node, shape))
}
