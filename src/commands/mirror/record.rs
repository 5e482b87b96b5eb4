//! The record of `[failover] name`, kept by whoever publishes and may change the zone.

use anyhow::{Context, Result, bail};
use tracing::info;

use crate::cloud::route53::{Change, Submitted, Zone};
use crate::config::Failover;
use crate::context::SiteContext;
use crate::outcome::usage;
use crate::site::mirror::{MirrorRecord, RecordVerdict};

/// Looks between which another may write.
const TRIES: usize = 2;

/// The record that the mirror's name should have; none where the mirror has no name of its own.
///
/// # Errors
/// A region without a website endpoint.
pub fn wanted(context: &SiteContext, failover: &Failover) -> Result<Option<MirrorRecord>> {
    let region = failover.region.as_deref().unwrap_or(context.cloud.region());
    MirrorRecord::of(failover, region).map_err(|why| usage(&why))
}

/// Leads the name to the mirror where it does not lead there yet. The mirror stands whatever becomes
/// of its name, so what cannot be done is told, with what to do: the sentences.
pub async fn keep(context: &SiteContext, record: &MirrorRecord, change: bool) -> Vec<String> {
    match lead(context, record, change).await {
        Ok(told) => told.into_iter().collect(),
        Err(error) => vec![format!(
            "{} does not lead to the mirror yet, as its record could not be seen to: {error:#}; or make the record yourself: {}",
            record.name(),
            record.told()
        )],
    }
}

async fn lead(
    context: &SiteContext,
    record: &MirrorRecord,
    change: bool,
) -> Result<Option<String>> {
    let zone = zone(context, record.name()).await?;
    let names = [record.name().to_owned()];
    let mut refused = String::new();
    for _ in 0..TRIES {
        let found = context.route53.record_sets(&zone.id, &names).await?;
        let changes = match record.decide(&found) {
            RecordVerdict::Stand => return Ok(None),
            RecordVerdict::Foreign(other) => {
                return Ok(Some(format!(
                    "{} does not lead to the mirror: there is {other}, which spotboot did not make; delete that record, and the next mirror makes {}",
                    record.name(),
                    record.told()
                )));
            }
            RecordVerdict::Write(changes) => changes,
        };
        let told: Vec<String> = changes.iter().map(Change::to_string).collect();
        if !change {
            return Ok(Some(format!("would {}", told.join(", "))));
        }
        let comment = format!("spotboot: the mirror of {}", context.site.name);
        match context.route53.change(&zone.id, &changes, &comment).await? {
            Submitted::Accepted(_) => {
                info!(name = record.name(), "the name leads to the mirror");
                return Ok(Some(told.join(", ")));
            }
            Submitted::Refused(why) => refused = why,
        }
    }
    bail!("Route 53 refuses the change: {refused}")
}

async fn zone(context: &SiteContext, name: &str) -> Result<Zone> {
    let found = match &context.site.dns.hosted_zone_id {
        Some(id) => {
            let zone = context.route53.zone(id).await?;
            let holds = |zone: &Zone| {
                let rest = name.strip_suffix(&zone.name);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            };
            zone.filter(holds)
        }
        None => {
            let zones = context.route53.zones_holding(&[name.to_owned()]).await?;
            zones.into_iter().flatten().next()
        }
    };
    found.with_context(|| format!("no hosted zone of this account holds {name}"))
}
