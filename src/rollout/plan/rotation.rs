//! What a rotation would replace, and how long that would take: looked at before anything is
//! changed.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde::Serialize;
use tokio::try_join;

use super::release_command;
use crate::cli::Pace;
use crate::cloud::route53::RecordSet;
use crate::context::SiteContext;
use crate::outcome::usage;
use crate::site::address;
use crate::site::deploys::{Node, Record, Replacement, RunOutcome, Work, recent};
use crate::site::fleet::{Fleet, Observed};
use crate::site::report::{read_report, reports_since};

/// Runs that are looked at for how long they took.
const LOOKED_AT: usize = 5;
/// The word of an instance that is gone is of interest for so long.
const LATELY: Duration = Duration::from_secs(3600);

/// What a rotation would do.
#[derive(Debug, Serialize)]
pub struct RotationForecast {
    pub rotation: Replacement,
    /// The rest of a sentence about it; None: the site has no releases.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release_command: Option<String>,
    /// In seconds: how long both old and new serve before the release becomes current.
    pub bake: u64,
    /// In seconds: how long the old ones stay at least after the names have left them.
    pub drain: u64,
    /// In seconds: the last run that came to its end.
    pub last_took: Option<i64>,
}

impl RotationForecast {
    /// # Errors
    /// Those of AWS; a site without a fleet; a fleet that is to have no instance.
    pub async fn of(context: &SiteContext, pace: &Pace) -> Result<Self> {
        let rotation = replaced(context, pace).await?;
        let (dns, kept) = (&context.site.dns, rotation.elastic);
        let bake = dns.remembered_for(kept) + pace.drain;
        let drain = dns.drain_time(kept, pace.drain);
        let history = recent(&context.state, &context.site, LOOKED_AT).await?;
        let last_took = history
            .iter()
            .filter(|record| is_whole(record))
            .find_map(Record::took)
            .map(time::Duration::whole_seconds);
        let release_command = context
            .site
            .app
            .has_releases()
            .then(|| release_command(&context.site, false));
        Ok(Self {
            rotation,
            release_command,
            bake: bake.as_secs(),
            drain: drain.as_secs(),
            last_took,
        })
    }
}

fn is_whole(record: &Record) -> bool {
    matches!(record.work, Work::Rotation(_))
        && record
            .end
            .as_ref()
            .is_some_and(|end| end.outcome == RunOutcome::Promoted && end.ended_by.is_none())
}

/// Whether all names do. Where one does not yet, resolvers remember its former address, as ever.
async fn leads_to_elastic_ip(context: &SiteContext) -> Result<bool> {
    let Some(elastic) = address::elastic(&context.ec2, &context.site).await? else {
        return Ok(false);
    };
    let only = [elastic.address.to_string()];
    let standing = context.zones().await?.standing().await?;
    // An alias, to the mirror, has none.
    let mut values = standing
        .iter()
        .flat_map(|zone| &zone.records)
        .map(RecordSet::values)
        .filter(|values| !values.is_empty());
    Ok(values.all(|values| values == only))
}

/// The fleet as it is, and the instances that would go.
async fn replaced(context: &SiteContext, pace: &Pace) -> Result<Replacement> {
    let found = context.fleet().await.context("finding the site's fleet")?;
    let fleet = found.ok_or_else(|| {
        usage("this site has no fleet: neither [fleet] in site.toml nor a tag of the instance that owns the names tells one; set [fleet], or publish without a rotation by `deploy --no-rotate`")
    })?;
    let mut observed = Fleet::new(&context.cloud, &fleet).observe().await?;
    observed.target = usual_target(context, &observed).await?;
    if observed.target == 0 {
        return Err(usage(&format!(
            "the target capacity of {} is 0; set it to the number of instances that the site is to have",
            fleet.id
        )));
    }
    if let Some(most) = observed.max.filter(|most| *most <= observed.target) {
        return Err(usage(&format!(
            "{} takes at most {most} instances, and a rotation needs {} for a while; raise its MaxSize to that",
            fleet.id,
            observed
                .target
                .saturating_add(pace.batch.min(observed.target))
        )));
    }
    let ids: Vec<String> = observed
        .members
        .into_iter()
        .filter(|member| !member.leaving)
        .map(|member| member.id)
        .collect();
    let living = context
        .ec2
        .describe(&ids)
        .await?
        .into_iter()
        .filter(|instance| instance.living);
    let old = living.map(Node::from).collect();
    Ok(Replacement {
        fleet,
        target: observed.target,
        old,
        elastic: leads_to_elastic_ip(context).await?,
        new: Vec::new(),
    })
}

/// Without what instances have asked for that AWS takes away, or may; one that is gone may have
/// left its replacement's place in the target. And without what a killed run has raised, which is
/// settled before anything else.
async fn usual_target(context: &SiteContext, observed: &Observed) -> Result<u32> {
    let members = observed.members.iter().filter(|member| !member.leaving);
    let (said, lately, runs) = try_join!(
        try_join_all(members.map(|member| read_report(&context.state, &context.site, &member.id))),
        reports_since(&context.state, &context.site, context.now() - LATELY),
        recent(&context.state, &context.site, 1),
    )?;
    let unfinished = runs
        .into_iter()
        .filter(|run| run.end.is_none())
        .filter_map(|run| run.work.replacement())
        .map(|rotation| rotation.target);
    let said = said
        .into_iter()
        .flatten()
        .chain(lately.into_iter().map(|(_, said)| said));
    Ok(said
        .filter_map(|said| said.note)
        .map(|note| note.target)
        .chain(unfinished)
        .fold(observed.target, u32::min))
}

impl fmt::Display for RotationForecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Replacement {
            fleet, target, old, ..
        } = &self.rotation;
        writeln!(f, "fleet          {} with a target of {target}", fleet.id)?;
        if old.is_empty() {
            writeln!(
                f,
                "instances      none is there; the fleet brings the first"
            )?;
        }
        for node in old {
            writeln!(
                f,
                "instances      {} would go, once a new one serves",
                node.id
            )?;
        }
        if let Some(release_command) = &self.release_command {
            writeln!(f, "release command {release_command}")?;
        }
        let span = |seconds| humantime::format_duration(Duration::from_secs(seconds));
        write!(
            f,
            "time           the boot of an instance, {} of baking, {} at least until the old one goes",
            span(self.bake),
            span(self.drain)
        )?;
        match self
            .last_took
            .and_then(|seconds| u64::try_from(seconds).ok())
        {
            Some(seconds) => write!(f, "; the last run took {}", span(seconds)),
            None => Ok(()),
        }
    }
}
