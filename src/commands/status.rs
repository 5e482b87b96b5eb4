//! `status`: what serves now. It looks, and changes nothing.

use std::collections::BTreeSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use crate::cli::Globals;
use crate::cloud::ec2::{Described, Holder};
use crate::config::Fleet as FleetId;
use crate::context::Remote;
use crate::outcome::Outcome;
use crate::output::{self, continued, in_one_line, out};
use crate::rollout;
use crate::site::address;
use crate::site::deploys::{Log, Record};
use crate::site::fleet::Fleet;
use crate::site::report::{InstanceReport, Phase, read_report};
use crate::version::{self, Build};

const GLANCE: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize)]
struct Status {
    site: String,
    /// The release that instances boot.
    current: Option<String>,
    /// A run that goes on, or was killed.
    under_way: Option<Record>,
    zones: Vec<Names>,
    /// Where the site's names lead to one.
    #[serde(skip_serializing_if = "Option::is_none")]
    elastic_ip: Option<ElasticIp>,
    fleet: Option<FleetStatus>,
    instances: Vec<ServingInstance>,
    warnings: Vec<String>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Names {
    zone: String,
    owner: Option<String>,
    records: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ElasticIp {
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
    /// What a look from outside saw: nothing where all is well.
    problem: Option<String>,
}

pub async fn run(globals: &Globals) -> Result<Outcome> {
    let remote = Remote::open(globals).await?;
    let status = observe(&remote).await?;
    if globals.json {
        output::json(&status)?;
    } else {
        status.print();
    }
    Ok(if status.problems.is_empty() {
        Outcome::Done
    } else {
        Outcome::ProblemFound
    })
}

async fn observe(remote: &Remote) -> Result<Status> {
    let (mut problems, mut zones) = (Vec::new(), Vec::new());
    for standing in remote.zones().await?.standing(&remote.route53).await? {
        let records = standing.records.iter().map(ToString::to_string).collect();
        zones.push(Names {
            zone: standing.zone,
            owner: standing.owner.map(|owner| owner.owner),
            records,
        });
    }
    let mut ids: BTreeSet<String> = zones
        .iter()
        .filter_map(|names| names.owner.clone())
        .collect();
    let owners = ids.clone();
    let elastic_ip = elastic_ip(remote, &owners, &mut problems).await;
    let fleet = fleet(remote, &mut ids).await?;
    let mut instances = Vec::new();
    for described in remote
        .ec2
        .describe(&ids.into_iter().collect::<Vec<_>>())
        .await?
        .into_iter()
        .filter(|described| described.living)
    {
        instances.push(instance(remote, described, &owners).await?);
    }
    problems.extend(
        instances.iter().filter_map(|instance| {
            Some(format!("{}: {}", instance.id, instance.problem.as_ref()?))
        }),
    );
    for owner in owners
        .iter()
        .filter(|owner| instances.iter().all(|instance| instance.id != **owner))
    {
        problems.push(format!("{owner}, which owns the names, is gone"));
    }
    let current = rollout::current(remote)
        .await?
        .map(|release| release.version);
    let newest = Log::newest(&remote.state, &remote.site)
        .await?
        .map(|log| log.record);
    let under_way = newest.filter(|record| record.end.is_none());
    let warnings = differing_versions(&instances).into_iter().collect();
    Ok(Status {
        site: remote.site.name.clone(),
        current,
        under_way,
        zones,
        elastic_ip,
        fleet,
        instances,
        warnings,
        problems,
    })
}

async fn elastic_ip(
    remote: &Remote,
    owners: &BTreeSet<String>,
    problems: &mut Vec<String>,
) -> Option<ElasticIp> {
    let elastic = match address::elastic(&remote.ec2, &remote.site).await {
        Ok(elastic) => elastic?,
        Err(error) => {
            problems.push(format!("{error:#}"));
            return None;
        }
    };
    if !owners.is_empty() && !owners.iter().any(|owner| elastic.leads_to(owner)) {
        let owners = owners
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(" and ");
        problems.push(format!(
            "the Elastic IP {}, and the names are {owners}'s",
            address::describe(&elastic)
        ));
    }
    let instance = if let Holder::Instance(id) = elastic.holder {
        Some(id)
    } else {
        None
    };
    Some(ElasticIp {
        allocation: elastic.allocation,
        address: elastic.address,
        instance,
    })
}

async fn fleet(remote: &Remote, ids: &mut BTreeSet<String>) -> Result<Option<FleetStatus>> {
    let Some(id) = remote.fleet().await? else {
        return Ok(None);
    };
    let observed = Fleet::new(&remote.cloud, &id).observe().await?;
    ids.extend(observed.members.iter().map(|member| member.id.clone()));
    Ok(Some(FleetStatus {
        id,
        target: observed.target,
        members: observed.members.len(),
    }))
}

async fn instance(
    remote: &Remote,
    described: Described,
    owners: &BTreeSet<String>,
) -> Result<ServingInstance> {
    let (id, owner) = (&described.id, owners.contains(&described.id));
    let mut said = read_report(&remote.state, &remote.site, id).await?;
    if let Some(said) = said
        .as_mut()
        .filter(|_| remote.site.dns.reports_stale_addresses())
    {
        (said.public_ipv4, said.public_ipv6) = (described.ipv4, described.ipv6);
    }
    let problem = problem(remote, id, said.as_ref()).await;
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
        said: said.map(|said| said.updated),
        problem,
    })
}

async fn problem(remote: &Remote, id: &str, said: Option<&InstanceReport>) -> Option<String> {
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
            rollout::look(remote, id, said, &release, GLANCE)
                .await
                .err()
                .map(|error| format!("{error:#}"))
        }
    }
}

impl Status {
    fn print(&self) {
        row("site", &self.site);
        row("current", self.current.as_deref().unwrap_or("none yet"));
        if let Some(record) = &self.under_way {
            row(
                "under way",
                &format!(
                    "{} by {}, or killed: then the next run ends it",
                    record.id, record.by
                ),
            );
        }
        for names in &self.zones {
            let owner = names
                .owner
                .as_deref()
                .map_or("nobody's yet".to_owned(), |owner| {
                    format!("{owner} owns them")
                });
            row("names", &format!("{}: {owner}", names.zone));
            names.records.iter().for_each(|record| row("", record));
        }
        if let Some(ElasticIp {
            allocation,
            address,
            instance,
        }) = &self.elastic_ip
        {
            let leads = instance
                .as_ref()
                .map_or("nowhere".to_owned(), |id| format!("to {id}"));
            row(
                "address",
                &format!("{address} ({allocation}) leads {leads}"),
            );
        }
        match &self.fleet {
            Some(fleet) => row(
                "fleet",
                &format!(
                    "{}: target {}, {} instances",
                    fleet.id.id, fleet.target, fleet.members
                ),
            ),
            None => row(
                "fleet",
                "none: neither [fleet] nor the owner's tags tell one",
            ),
        }
        self.instances
            .iter()
            .for_each(|instance| row("instance", &instance.to_string()));
        self.warnings
            .iter()
            .for_each(|warning| row("WARNING", warning));
        self.problems
            .iter()
            .for_each(|problem| out!("{:<14} {}", "PROBLEM", continued(problem)));
    }
}

/// Whoever wrote it, it is one line.
fn row(what: &str, text: &str) {
    out!("{what:<14} {}", in_one_line(text));
}

impl fmt::Display for ServingInstance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = self.phase.map_or("silent".to_owned(), |phase| {
            format!("{phase:?}").to_lowercase()
        });
        let (release, address) = (
            self.release.as_deref().unwrap_or("no release"),
            self.address.as_deref().unwrap_or("no address"),
        );
        write!(f, "{} {phase} {release} at {address}", self.id)?;
        self.spotboot.as_ref().map_or(Ok(()), |number| {
            write!(f, ", spotboot {}", version::in_words(number, &self.build))
        })
    }
}

/// What nobody has to mend at once: an upgrade on its way, or a fleet that fetches what it should
/// not.
fn differing_versions(instances: &[ServingInstance]) -> Option<String> {
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
        format!(
            "the instances run different spotboots: {}; `spotboot rotate` brings all to the one that new instances fetch",
            each.join(", ")
        )
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
