//! `up --dry-run`: every decision of the boot, and nothing done about it.

use anyhow::Result;
use serde::Serialize;

use super::release_command::forecast;
use crate::cli::Globals;
use crate::cloud::imds::Identity;
use crate::cloud::s3::S3;
use crate::cloud::{Access, Cloud};
use crate::config::{SecretRef, Site};
use crate::context::certificates::Certificates;
use crate::context::claim;
use crate::context::site_file::region_of;
use crate::host::packages;
use crate::host::paths::Paths;
use crate::outcome::Outcome;
use crate::output::{self, continued, out};
use crate::site::certificate::{due, identifiers};
use crate::site::records::{Checks, ZonePlan, Zones};
use crate::site::release::{self, Pointer, Resolved};
use crate::site::web::{Nginx, WebError};
use crate::site::{address, app};

/// One decision: what would be done, or why it cannot be.
#[derive(Debug, Serialize)]
struct Decision {
    step: &'static str,
    would: Option<String>,
    problem: Option<String>,
}

pub async fn print(
    globals: &Globals,
    site: Site,
    paths: &Paths,
    identity: &Identity,
    access: &Access,
) -> Result<Outcome> {
    let cloud = access.cloud(&region_of(&site, identity).await?).await?;
    let mut decisions = vec![
        decision("identity", identified(identity)),
        decision("fleet", Ok(fleet(&site, identity))),
    ];
    decisions.extend(release(&cloud, &site, paths, identity).await);
    decisions.extend([
        decision("host packages", host_packages(&site).await),
        decision("web server", web_server(&site).await),
        decision("certificate", certificate(&cloud, &site, identity).await),
        decision("cutover", cutover(&cloud, &site, identity).await),
    ]);
    decisions.extend(secrets(&cloud, &site).await);
    if globals.json {
        output::json(&decisions)?;
    } else {
        decisions.iter().for_each(Decision::print);
    }
    let sound = decisions.iter().all(|decision| decision.problem.is_none());
    Ok(if sound {
        Outcome::Done
    } else {
        Outcome::ProblemFound
    })
}

fn decision(step: &'static str, decided: Result<String>) -> Decision {
    match decided {
        Ok(would) => Decision {
            step,
            would: Some(would),
            problem: None,
        },
        Err(problem) => Decision {
            step,
            would: None,
            problem: Some(format!("{problem:#}")),
        },
    }
}

impl Decision {
    fn print(&self) {
        match (&self.would, &self.problem) {
            (Some(would), _) => out!(
                "{:<15} {}",
                self.step,
                would.replace('\n', "\n                ")
            ),
            (None, problem) => out!(
                "{:<15} PROBLEM: {}",
                self.step,
                continued(problem.as_deref().unwrap_or_default())
            ),
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
    Ok(format!(
        "{} at {}",
        identity.instance_id,
        addresses.join(" and ")
    ))
}

fn fleet(site: &Site, identity: &Identity) -> String {
    match (&site.fleet, &identity.fleet) {
        (Some(fleet), _) => format!("{} by site.toml", fleet.id),
        (None, Some(fleet)) => format!("{} by the instance's tags", fleet.id),
        (None, None) => "none: neither site.toml nor the instance's tags name one".to_owned(),
    }
}

/// The release, and the fate of its command.
async fn release(cloud: &Cloud, site: &Site, paths: &Paths, identity: &Identity) -> Vec<Decision> {
    if !site.app.has_releases() {
        return vec![decision(
            "release",
            Ok("no package: kind s3 forwards to the bucket".to_owned()),
        )];
    }
    let (state, packages) = (cloud.s3(&site.bucket), cloud.s3(&site.packages.bucket));
    let Resolved { pointer, trial } =
        match release::resolve(&state, &packages, site, identity.launched).await {
            Ok(resolved) => resolved,
            Err(error) => return vec![decision("release", Err(error))],
        };
    let here = if release::is_here(&pointer, paths) {
        "use the unpacked"
    } else {
        "download, check and unpack"
    };
    let why = trial.map_or_else(
        || "current".to_owned(),
        |deploy| format!("on trial by deploy {deploy}"),
    );
    let taken = format!(
        "{here} {}, {why} ({} bytes, s3://{}/{})",
        pointer.version, pointer.size, site.packages.bucket, pointer.key
    );
    vec![
        decision("release", Ok(taken)),
        decision(
            "release command",
            release_command(&state, site, paths, &pointer).await,
        ),
    ]
}

async fn release_command(
    state: &S3,
    site: &Site,
    paths: &Paths,
    pointer: &Pointer,
) -> Result<String> {
    let would = forecast(state, site, paths, &pointer.version).await?;
    let root = paths.releases().join(&pointer.version);
    Ok(match &site.app.release {
        Some(_) => would,
        None if !release::is_here(pointer, paths) => {
            format!("if the package's Procfile has a `release:` line, {would}")
        }
        None if app::procfile_has_release(&root)? => would,
        None => "none".to_owned(),
    })
}

/// Each by itself; of what it holds nothing is said.
async fn secrets(cloud: &Cloud, site: &Site) -> Vec<Decision> {
    let wanted = &site.app.secrets;
    let answers = cloud.secrets().read(wanted.values()).await;
    let decide = |(name, place): (&String, &SecretRef)| match app::secret_for(place, &answers) {
        Ok(_) => Ok(format!("give {name} from {place}, which can be read")),
        Err(error) => Err(error.context(format!("{name} from {place}"))),
    };
    wanted
        .iter()
        .map(|entry| decision("secret", decide(entry)))
        .collect()
}

async fn host_packages(site: &Site) -> Result<String> {
    let missing = packages::missing(&site.host_packages).await?;
    Ok(if missing.is_empty() {
        "nothing to install".to_owned()
    } else {
        format!("install {}", missing.join(" "))
    })
}

/// An nginx that is to be installed cannot be looked at yet.
async fn web_server(site: &Site) -> Result<String> {
    match Nginx::find().await {
        Ok(nginx) => Ok(format!("serve by {nginx}")),
        Err(WebError::NoNginx) if !packages::missing(&site.host_packages).await?.is_empty() => {
            Ok("serve by the nginx that the host packages bring".to_owned())
        }
        Err(error) => Err(error.into()),
    }
}

async fn certificate(cloud: &Cloud, site: &Site, identity: &Identity) -> Result<String> {
    let (s3, route53) = (cloud.s3(&site.bucket), cloud.route53());
    let certificates = Certificates {
        s3: &s3,
        site,
        route53: &route53,
        secrets: cloud.secrets(),
        holder: &identity.instance_id,
    };
    let cas: Vec<&str> = site
        .tls
        .directories
        .iter()
        .map(|ca| ca.slug.as_str())
        .collect();
    let order = format!(
        "order one for {} from {}",
        identifiers(&site.domains).join(", "),
        cas.join(", else from ")
    );
    let Some(cached) = certificates.newest().await? else {
        return Ok(order);
    };
    let until = format!(
        "the cached one of {}, valid until {}",
        cached.ca, cached.not_after
    );
    let fresh = certificates.now() < due(&cached, None);
    Ok(if fresh {
        format!("use {until}")
    } else {
        format!("use {until}, and once it serves {order}")
    })
}

async fn cutover(cloud: &Cloud, site: &Site, identity: &Identity) -> Result<String> {
    let route53 = cloud.route53();
    let zones = Zones::find(&route53, site).await?;
    // The health checks that the boot would make first have no ids yet.
    let ec2 = cloud.ec2();
    let elastic = address::elastic(&ec2, site).await?;
    let node = claim::reached_at(claim::node(identity), elastic.as_ref());
    let claim = claim::claim(site, &node, claim::shape(site, Checks::default())?);
    let plans = zones.plan(&route53, &ec2, &claim).await?;
    let moved = match &elastic {
        Some(elastic)
            if !elastic.leads_to(&node.id)
                && !plans
                    .iter()
                    .any(|(_, plan)| matches!(plan, ZonePlan::StandBy(_))) =>
        {
            ec2.may_associate(elastic, &node.id).await?;
            Some(format!(
                "lead the Elastic IP here: {}",
                address::describe(elastic)
            ))
        }
        Some(elastic) => Some(format!(
            "leave the Elastic IP where it is: {}",
            address::describe(elastic)
        )),
        None => None,
    };
    let lines = plans.into_iter().map(|(zone, plan)| match plan {
        ZonePlan::Unchanged => format!("{}: nothing to change", zone.name),
        ZonePlan::StandBy(owner) => format!(
            "{}: stand by, {} was launched later and lives",
            zone.name, owner.owner
        ),
        ZonePlan::Change(changes) => changes
            .iter()
            .fold(format!("{}:", zone.name), |text, change| {
                format!("{text}\n  {change}")
            }),
    });
    Ok(lines.chain(moved).collect::<Vec<_>>().join("\n"))
}
