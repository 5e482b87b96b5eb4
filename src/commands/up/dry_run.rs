//! `up --dry-run`: every decision of the boot, and nothing done about it.

use anyhow::Result;
use serde::Serialize;
use time::OffsetDateTime;

use super::super::Outcome;
use super::super::names;
use super::super::site_file::region_of;
use crate::cli::Globals;
use crate::cloud::Cloud;
use crate::cloud::imds::{Identity, Imds};
use crate::config::{AppKind, Site};
use crate::host::packages;
use crate::host::paths::Paths;
use crate::site::address;
use crate::site::certificate::{Best, Cache};
use crate::site::records::{Checks, Plan, Zones};
use crate::site::release::{self, Resolved};

/// One decision: what would be done, or why it cannot be.
#[derive(Debug, Serialize)]
struct Decision {
    step: &'static str,
    would: Option<String>,
    problem: Option<String>,
}

pub(super) async fn print(globals: &Globals, site: Site, paths: &Paths, identity: &Identity, imds: &Imds) -> Result<Outcome> {
    let cloud = Cloud::connect(&region_of(&site, identity), imds).await;
    let decisions = [
        decision("identity", identified(identity)),
        decision("fleet", Ok(fleet(&site, identity))),
        decision("release", release(&cloud, &site, paths, identity).await),
        decision("host packages", host_packages(&site).await),
        decision("certificate", certificate(&cloud, &site).await),
        decision("cutover", cutover(&cloud, &site, identity).await),
    ];
    if globals.json {
        println!("{}", serde_json::to_string_pretty(&decisions)?);
    } else {
        decisions.iter().for_each(Decision::print);
    }
    let sound = decisions.iter().all(|decision| decision.problem.is_none());
    Ok(if sound { Outcome::Done } else { Outcome::ProblemFound })
}

fn decision(step: &'static str, decided: Result<String>) -> Decision {
    match decided {
        Ok(would) => Decision { step, would: Some(would), problem: None },
        Err(problem) => Decision { step, would: None, problem: Some(format!("{problem:#}")) },
    }
}

impl Decision {
    fn print(&self) {
        match (&self.would, &self.problem) {
            (Some(would), _) => println!("{:<14} {}", self.step, would.replace('\n', "\n               ")),
            (None, problem) => println!("{:<14} PROBLEM: {}", self.step, problem.as_deref().unwrap_or_default()),
        }
    }
}

fn identified(identity: &Identity) -> Result<String> {
    let v4 = identity.public_ipv4.map(|address| address.to_string());
    let v6 = identity.public_ipv6.map(|address| address.to_string());
    let addresses: Vec<String> = v4.into_iter().chain(v6).collect();
    if addresses.is_empty() {
        anyhow::bail!("{} has no public address", identity.instance_id);
    }
    Ok(format!("{} at {}", identity.instance_id, addresses.join(" and ")))
}

fn fleet(site: &Site, identity: &Identity) -> String {
    match (&site.fleet, &identity.fleet) {
        (Some(fleet), _) => format!("{} by site.toml", fleet.id),
        (None, Some(fleet)) => format!("{} by the instance's tags", fleet.id),
        (None, None) => "none: neither site.toml nor the instance's tags name one".to_owned(),
    }
}

async fn release(cloud: &Cloud, site: &Site, paths: &Paths, identity: &Identity) -> Result<String> {
    if site.app.kind == AppKind::S3 {
        return Ok("no package: kind s3 forwards to the bucket".to_owned());
    }
    let (state, packages) = (cloud.s3(&site.bucket), cloud.s3(&site.packages.bucket));
    let Resolved { pointer, trial } = release::resolve(&state, &packages, site, identity.launched).await?;
    let here = if release::is_here(&pointer, paths) { "use the unpacked" } else { "download, check and unpack" };
    let why = trial.map_or_else(|| "current".to_owned(), |deploy| format!("on trial by deploy {deploy}"));
    Ok(format!("{here} {}, {why} ({} bytes, s3://{}/{})", pointer.version, pointer.size, site.packages.bucket, pointer.key))
}

async fn host_packages(site: &Site) -> Result<String> {
    let missing = packages::missing(&site.host_packages).await?;
    Ok(if missing.is_empty() { "nothing to install".to_owned() } else { format!("install {}", missing.join(" ")) })
}

async fn certificate(cloud: &Cloud, site: &Site) -> Result<String> {
    let s3 = cloud.s3(&site.bucket);
    let found = Cache { s3: &s3, site }.find(OffsetDateTime::now_utc()).await?;
    let names: Vec<String> = site.domains.iter().map(ToString::to_string).collect();
    let order = format!("order one for {} from {}", names.join(", "), site.tls.directory.slug);
    Ok(match found.best {
        Best::Fresh(certificate) => format!("use the cached one, valid until {}", certificate.not_after),
        Best::Due(certificate) => format!("{order}; if that fails, use the cached one, valid until {}", certificate.not_after),
        Best::None => order,
    })
}

async fn cutover(cloud: &Cloud, site: &Site, identity: &Identity) -> Result<String> {
    let route53 = cloud.route53();
    let zones = Zones::find(&route53, site).await?;
    // The health checks that the boot would make first have no ids yet.
    let ec2 = cloud.ec2();
    let elastic = address::elastic(&ec2, site).await?;
    let node = names::reached_at(names::node(identity), elastic.as_ref());
    let claim = names::claim(site, &node, names::shape(site, Checks::default())?);
    let plans = zones.plan(&route53, &ec2, &claim).await?;
    let moved = match &elastic {
        Some(elastic) if !elastic.leads_to(&node.id) && !plans.iter().any(|(_, plan)| matches!(plan, Plan::StandBy(_))) => {
            ec2.may_associate(elastic, &node.id).await?;
            Some(format!("lead the Elastic IP here: {}", address::describe(elastic)))
        }
        Some(elastic) => Some(format!("leave the Elastic IP where it is: {}", address::describe(elastic))),
        None => None,
    };
    let lines = plans.into_iter().map(|(zone, plan)| match plan {
        Plan::Unchanged => format!("{}: nothing to change", zone.name),
        Plan::StandBy(owner) => format!("{}: stand by, {} was launched later and lives", zone.name, owner.owner),
        Plan::Change(changes) => changes.iter().fold(format!("{}:", zone.name), |text, change| format!("{text}\n  {change}")),
    });
    Ok(lines.chain(moved).collect::<Vec<_>>().join("\n"))
}
