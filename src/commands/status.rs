//! `status`: what serves now. It looks, and changes nothing.

mod mirror;
mod names;
mod print;
mod template;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use crate::cli::Globals;
use crate::cloud::ec2::{Described, Holder};
use crate::commands::failover::FailoverStatus;
use crate::config::FleetId;
use crate::context::SiteContext;
use crate::context::probe::look;
use crate::outcome::Outcome;
use crate::output;
use crate::rollout;
use crate::site::address;
use crate::site::check::{Check, Finding};
use crate::site::deploys::{Log, Record};
use crate::site::fleet::Fleet;
use crate::site::report::{DiskCopyReport, InstanceReport, Phase, read_report};
use crate::version::{self, Build};
use mirror::MirrorStatus;
use names::ZoneStatus;

const GLANCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
struct Status {
    site: String,
    /// The release that instances boot.
    current: Option<String>,
    /// A run that goes on, or was killed.
    under_way: Option<Record>,
    zones: Vec<ZoneStatus>,
    /// Where the site's names lead to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    elastic_ip: Option<ElasticIpStatus>,
    fleet: Option<FleetStatus>,
    instances: Vec<ServingInstance>,
    /// Where the site has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    mirror: Option<MirrorStatus>,
    /// Where the site has a mirror that could answer in its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    failover: Option<FailoverStatus>,
    checks: Vec<Check>,
}

/// The JSON of a status: its warnings and problems stand in words, too.
#[derive(Debug, Serialize)]
struct StatusDocument<'s> {
    #[serde(flatten)]
    status: &'s Status,
    warnings: Vec<&'s str>,
    problems: Vec<&'s str>,
}

#[derive(Debug, Serialize)]
struct ElasticIpStatus {
    allocation: String,
    address: Ipv4Addr,
    instance: Option<String>,
}

#[derive(Debug, Serialize)]
struct FleetStatus {
    #[serde(flatten)]
    id: FleetId,
    target: u32,
    members: usize,
}

#[derive(Debug, Serialize)]
struct ServingInstance {
    id: String,
    owner: bool,
    phase: Option<Phase>,
    release: Option<String>,
    address: Option<String>,
    /// The version of its spotboot.
    spotboot: Option<String>,
    build: Build,
    #[serde(with = "time::serde::rfc3339::option")]
    said: Option<OffsetDateTime>,
    /// The mirror's copy on its disk.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_copy: Option<DiskCopyReport>,
    /// What a look from outside saw: nothing where all is well.
    problem: Option<String>,
}

/// Prints what serves, as AWS, the bucket and a look from outside tell; changes nothing.
/// [`Outcome::ProblemFound`] where something is wrong, warnings aside.
pub async fn run(globals: &Globals) -> Result<Outcome> {
    let context = SiteContext::open(globals).await?;
    let status = observe(&context).await?;
    if globals.json {
        output::json(&StatusDocument {
            status: &status,
            warnings: status.warnings().collect(),
            problems: status.problems().collect(),
        })?;
    } else {
        status.print();
    }
    Ok(if status.problems().next().is_none() {
        Outcome::Done
    } else {
        Outcome::ProblemFound
    })
}

async fn observe(context: &SiteContext) -> Result<Status> {
    let mut checks = Vec::new();
    let standing = context.zones().await?.standing().await?;
    let failover = FailoverStatus::observe(context, &standing, &mut checks).await;
    let zones: Vec<ZoneStatus> = standing.iter().map(ZoneStatus::of).collect();
    let mut ids: BTreeSet<String> = zones
        .iter()
        .filter_map(|names| names.owner.clone())
        .collect();
    let owners = ids.clone();
    let elastic_ip = elastic_ip(context, &owners, &mut checks).await;
    let fleet = fleet(context, &mut ids).await?;
    let ids: Vec<String> = ids.into_iter().collect();
    let mut living = context.ec2.describe(&ids).await?;
    living.retain(|described| described.living);
    if let Some(fleet) = &fleet {
        checks.extend(template::check(&context.ec2, &living, fleet.id.kind).await);
    }
    let mut instances = Vec::new();
    for described in living {
        instances.push(instance(context, described, &owners).await?);
    }
    checks.extend(instances.iter().map(ServingInstance::check));
    let living = instances
        .iter()
        .map(|instance| instance.id.as_str())
        .collect();
    checks.extend(names::check(&context.ec2, context.cloud.region(), &standing, &living).await);
    let current = rollout::current(context)
        .await?
        .map(|release| release.version);
    let newest = Log::newest(&context.state, &context.site)
        .await?
        .map(|log| log.record);
    let under_way = newest.filter(|record| record.end.is_none());
    let mirror = MirrorStatus::observe(context, &mut checks).await;
    checks.extend(differing_versions(&instances));
    Ok(Status {
        site: context.site.name.clone(),
        current,
        under_way,
        zones,
        elastic_ip,
        fleet,
        instances,
        mirror,
        failover,
        checks,
    })
}

async fn elastic_ip(
    context: &SiteContext,
    owners: &BTreeSet<String>,
    checks: &mut Vec<Check>,
) -> Option<ElasticIpStatus> {
    const ID: &str = "elastic-ip";
    let elastic = match address::elastic(&context.ec2, &context.site).await {
        Ok(elastic) => elastic?,
        Err(error) => {
            checks.push(Check::of(ID, "Elastic IP", Err(error)));
            return None;
        }
    };
    if !owners.is_empty() && !owners.iter().any(|owner| elastic.leads_to(owner)) {
        let owners = owners
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" and ");
        let seen = format!(
            "the Elastic IP {}, and the names are {owners}'s",
            address::describe(&elastic)
        );
        checks.push(Check::problem(ID, &elastic.allocation, seen));
    }
    let instance = if let Holder::Instance(id) = elastic.holder {
        Some(id)
    } else {
        None
    };
    Some(ElasticIpStatus {
        allocation: elastic.allocation,
        address: elastic.address,
        instance,
    })
}

async fn fleet(context: &SiteContext, ids: &mut BTreeSet<String>) -> Result<Option<FleetStatus>> {
    let Some(id) = context.fleet().await? else {
        return Ok(None);
    };
    let observed = Fleet::new(&context.cloud, &id).observe().await?;
    ids.extend(observed.members.iter().map(|member| member.id.clone()));
    Ok(Some(FleetStatus {
        id,
        target: observed.target,
        members: observed.members.len(),
    }))
}

async fn instance(
    context: &SiteContext,
    described: Described,
    owners: &BTreeSet<String>,
) -> Result<ServingInstance> {
    let (id, owner) = (&described.id, owners.contains(&described.id));
    let mut said = read_report(&context.state, &context.site, id).await?;
    if let Some(said) = said
        .as_mut()
        .filter(|_| context.site.dns.reports_stale_addresses())
    {
        (said.public_ipv4, said.public_ipv6) = (described.ipv4, described.ipv6);
    }
    let problem = problem(context, id, said.as_ref()).await;
    let address = said
        .as_ref()
        .and_then(InstanceReport::address)
        .map(|address| address.to_string());
    let (phase, release) = (
        said.as_ref().map(|said| said.phase),
        said.as_ref().and_then(|said| said.release.clone()),
    );
    let (spotboot, build) = said
        .as_ref()
        .map(|said| (said.spotboot.clone(), said.build.clone()))
        .unwrap_or_default();
    Ok(ServingInstance {
        id: id.to_owned(),
        owner,
        phase,
        release,
        address,
        spotboot,
        build,
        disk_copy: said.as_ref().and_then(|said| said.disk_copy.clone()),
        said: said.map(|said| said.updated),
        problem,
    })
}

async fn problem(context: &SiteContext, id: &str, said: Option<&InstanceReport>) -> Option<String> {
    let Some(said) = said else {
        return Some(
            "it has said nothing of itself; its console or journal may tell why".to_owned(),
        );
    };
    match said.phase {
        Phase::Booting => None,
        Phase::Failed | Phase::Stopped => Some(
            said.error
                .clone()
                .unwrap_or_else(|| "it is stopped".to_owned()),
        ),
        Phase::Serving | Phase::StandBy | Phase::Interrupted => {
            if said.trouble.is_some() {
                return said.trouble.clone();
            }
            let release = said.release.clone().unwrap_or_default();
            look(context, id, said, &release, GLANCE)
                .await
                .err()
                .map(|error| format!("{error:#}"))
        }
    }
}

impl Status {
    fn warnings(&self) -> impl Iterator<Item = &str> {
        self.checks.iter().filter_map(Check::as_warning)
    }

    fn problems(&self) -> impl Iterator<Item = &str> {
        self.checks.iter().filter_map(Check::as_problem)
    }
}

impl ServingInstance {
    fn check(&self) -> Check {
        let seen = match &self.problem {
            Some(problem) => Finding::Problem(format!("{}: {problem}", self.id)),
            None => Finding::Well(self.to_string()),
        };
        Check::new("instance", &self.id, seen)
    }
}

/// What nobody has to mend at once: an upgrade on its way, or a fleet that fetches what it should
/// not.
fn differing_versions(instances: &[ServingInstance]) -> Option<Check> {
    let told: Vec<(&ServingInstance, &String)> = instances
        .iter()
        .filter_map(|instance| Some((instance, instance.spotboot.as_ref()?)))
        .collect();
    // Of one commit there are programs for several targets.
    let distinct: BTreeSet<_> = told
        .iter()
        .map(|(instance, number)| (*number, &instance.build.commit))
        .collect();
    let each = |(instance, number): &(&ServingInstance, &String)| {
        format!(
            "{} {}",
            instance.id,
            version::in_words(number, &instance.build)
        )
    };
    (distinct.len() > 1).then(|| {
        let each: Vec<String> = told.iter().map(each).collect();
        let remedy = "`spotboot rotate` brings all to the one that new instances fetch";
        let seen = format!(
            "the instances run different spotboots: {}; {remedy}",
            each.join(", ")
        );
        Check::new("versions", "instances", Finding::Warning(seen)).with_remedy(remedy)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(id: &str, spotboot: Option<&str>, commit: &str, target: &str) -> ServingInstance {
        let build = Build {
            commit: Some(commit.into()),
            date: None,
            target: Some(target.into()),
        };
        let (phase, spotboot) = (Some(Phase::Serving), spotboot.map(str::to_owned));
        ServingInstance {
            id: id.into(),
            owner: false,
            phase,
            release: None,
            address: None,
            spotboot,
            build,
            said: None,
            disk_copy: None,
            problem: None,
        }
    }

    #[test]
    fn spotboots_of_different_commits_are_told_and_targets_are_not() {
        let old = instance("i-1", Some("0.1.0"), "aaa", "x86_64");
        assert_eq!(
            differing_versions(&[
                instance("i-2", Some("0.1.0"), "aaa", "aarch64"),
                instance("i-3", None, "ccc", "")
            ]),
            None
        );
        let told =
            differing_versions(&[old, instance("i-2", Some("0.1.0"), "bbb", "x86_64")]).unwrap();
        let told = told.as_warning().unwrap();
        assert!(
            told.contains("i-1 0.1.0 (aaa x86_64), i-2 0.1.0 (bbb x86_64);"),
            "{told}"
        );
    }

    #[test]
    fn an_instance_is_told_with_its_spotboot() {
        let told = instance("i-1", Some("0.1.0"), "aaa", "x86_64").to_string();
        assert_eq!(
            told,
            "i-1 serving no release at no address, spotboot 0.1.0 (aaa x86_64)"
        );
    }
}
