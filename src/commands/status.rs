//! `status`: what serves now. It looks, and changes nothing.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::Outcome;
use super::remote::Remote;
use super::rotation;
use crate::cli::Globals;
use crate::cloud::ec2::{Described, Holder};
use crate::config::Fleet as FleetId;
use crate::site::address;
use crate::site::deploys::{Log, Record};
use crate::site::fleet::Fleet;
use crate::site::report::{Phase, Said, said_by};

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
    instances: Vec<Instance>,
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
struct Instance {
    id: String,
    owner: bool,
    phase: Option<Phase>,
    release: Option<String>,
    address: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    said: Option<OffsetDateTime>,
    /// What a look from outside saw: nothing where all is well.
    problem: Option<String>,
}

pub async fn run(globals: &Globals) -> Result<Outcome> {
    let remote = Remote::open(globals).await?;
    let status = observe(&remote).await?;
    if globals.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        status.print();
    }
    Ok(if status.problems.is_empty() { Outcome::Done } else { Outcome::ProblemFound })
}

async fn observe(remote: &Remote) -> Result<Status> {
    let (mut problems, mut zones) = (Vec::new(), Vec::new());
    for standing in remote.zones().await?.standing(&remote.route53).await? {
        let records = standing.records.iter().map(ToString::to_string).collect();
        zones.push(Names { zone: standing.zone, owner: standing.owner.map(|owner| owner.owner), records });
    }
    let mut ids: BTreeSet<String> = zones.iter().filter_map(|names| names.owner.clone()).collect();
    let owners = ids.clone();
    let elastic_ip = elastic_ip(remote, &owners, &mut problems).await;
    let fleet = fleet(remote, &mut ids).await?;
    let mut instances = Vec::new();
    for described in remote.ec2.describe(&ids.into_iter().collect::<Vec<_>>()).await?.into_iter().filter(|described| described.living) {
        instances.push(instance(remote, described, &owners).await?);
    }
    problems.extend(instances.iter().filter_map(|instance| Some(format!("{}: {}", instance.id, instance.problem.as_ref()?))));
    for owner in owners.iter().filter(|owner| instances.iter().all(|instance| instance.id != **owner)) {
        problems.push(format!("{owner}, which owns the names, is gone"));
    }
    let current = rotation::current(remote).await?.map(|release| release.version);
    let newest = Log::newest(&remote.state, &remote.site).await?.map(|log| log.record);
    let under_way = newest.filter(|record| record.end.is_none());
    Ok(Status { site: remote.site.name.clone(), current, under_way, zones, elastic_ip, fleet, instances, problems })
}

async fn elastic_ip(remote: &Remote, owners: &BTreeSet<String>, problems: &mut Vec<String>) -> Option<ElasticIp> {
    let elastic = match address::elastic(&remote.ec2, &remote.site).await {
        Ok(elastic) => elastic?,
        Err(error) => {
            problems.push(format!("{error:#}"));
            return None;
        }
    };
    if !owners.is_empty() && !owners.iter().any(|owner| elastic.leads_to(owner)) {
        let owners = owners.iter().map(String::as_str).collect::<Vec<_>>().join(" and ");
        problems.push(format!("the Elastic IP {}, and the names are {owners}'s", address::describe(&elastic)));
    }
    let instance = if let Holder::Instance(id) = elastic.holder { Some(id) } else { None };
    Some(ElasticIp { allocation: elastic.allocation, address: elastic.address, instance })
}

async fn fleet(remote: &Remote, ids: &mut BTreeSet<String>) -> Result<Option<FleetStatus>> {
    let Some(id) = remote.fleet().await? else { return Ok(None) };
    let observed = Fleet::new(&remote.cloud, &id).observe().await?;
    ids.extend(observed.members.iter().map(|member| member.id.clone()));
    Ok(Some(FleetStatus { id, target: observed.target, members: observed.members.len() }))
}

async fn instance(remote: &Remote, described: Described, owners: &BTreeSet<String>) -> Result<Instance> {
    let (id, owner) = (&described.id, owners.contains(&described.id));
    let mut said = said_by(&remote.state, &remote.site, id).await?;
    if let Some(said) = said.as_mut().filter(|_| remote.site.dns.is_elastic()) {
        (said.public_ipv4, said.public_ipv6) = (described.ipv4, described.ipv6);
    }
    let problem = problem(remote, id, said.as_ref()).await;
    let address = said.as_ref().and_then(Said::address).map(|address| address.to_string());
    let (phase, release) = (said.as_ref().map(|said| said.phase), said.as_ref().and_then(|said| said.release.clone()));
    Ok(Instance { id: id.to_owned(), owner, phase, release, address, said: said.map(|said| said.updated), problem })
}

async fn problem(remote: &Remote, id: &str, said: Option<&Said>) -> Option<String> {
    let Some(said) = said else { return Some("it has said nothing of itself; its console or journal may tell why".to_owned()) };
    match said.phase {
        Phase::Booting => None,
        Phase::Failed | Phase::Stopped => Some(said.error.clone().unwrap_or_else(|| "it is stopped".to_owned())),
        Phase::Serving | Phase::StandBy | Phase::Interrupted => {
            if said.trouble.is_some() {
                return said.trouble.clone();
            }
            let release = said.release.clone().unwrap_or_default();
            rotation::look(remote, id, said, &release, GLANCE).await.err().map(|error| format!("{error:#}"))
        }
    }
}

impl Status {
    fn print(&self) {
        println!("site           {}", self.site);
        println!("current        {}", self.current.as_deref().unwrap_or("none yet"));
        if let Some(record) = &self.under_way {
            println!("under way      {} by {}, or killed: then the next run ends it", record.id, record.by);
        }
        for names in &self.zones {
            println!(
                "names          {}: {}",
                names.zone,
                names.owner.as_deref().map_or("nobody's yet".to_owned(), |owner| format!("{owner} owns them"))
            );
            names.records.iter().for_each(|record| println!("               {record}"));
        }
        if let Some(ElasticIp { allocation, address, instance }) = &self.elastic_ip {
            println!(
                "address        {address} ({allocation}) leads {}",
                instance.as_ref().map_or("nowhere".to_owned(), |id| format!("to {id}"))
            );
        }
        match &self.fleet {
            Some(fleet) => println!("fleet          {}: target {}, {} instances", fleet.id.id, fleet.target, fleet.members),
            None => println!("fleet          none: neither [fleet] nor the owner's tags tell one"),
        }
        for instance in &self.instances {
            let phase = instance.phase.map_or("silent".to_owned(), |phase| format!("{phase:?}").to_lowercase());
            let release = instance.release.as_deref().unwrap_or("no release");
            println!("instance       {} {phase} {release} at {}", instance.id, instance.address.as_deref().unwrap_or("no address"));
        }
        self.problems.iter().for_each(|problem| println!("PROBLEM        {problem}"));
    }
}
