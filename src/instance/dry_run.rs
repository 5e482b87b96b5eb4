//! `up --dry-run`: every decision of the boot, and nothing done about it.

use anyhow::Result;
use serde::Serialize;

use super::release_command::forecast;
use crate::cli::Globals;
use crate::cloud::Access;
use crate::cloud::imds::Identity;
use crate::cloud::s3::S3;
use crate::config::{SecretRef, Site};
use crate::context::SiteContext;
use crate::context::certificates::Certificates;
use crate::context::claim;
use crate::context::site_file::region_of;
use crate::host::packages;
use crate::host::paths::Paths;
use crate::host::selinux;
use crate::outcome::Outcome;
use crate::output::{self, out};
use crate::site::certificate::{due, identifiers};
use crate::site::check::{Check, Finding};
use crate::site::records::{Checks, ZonePlan};
use crate::site::release::{self, Pointer, Resolved};
use crate::site::web::{Nginx, WebError};
use crate::site::{address, app};

/// The JSON of a check: what would be done, with what is odd about it, or why it cannot be done.
#[derive(Debug, Serialize)]
struct DryRunStep<'c> {
    step: &'c str,
    would: Option<&'c str>,
    problem: Option<&'c str>,
    id: &'c str,
    remedy: Option<&'c str>,
}

pub async fn print(
    globals: &Globals,
    site: Site,
    paths: &Paths,
    identity: &Identity,
    access: &Access,
) -> Result<Outcome> {
    let cloud = access.cloud(&region_of(&site, identity).await?).await?;
    let context = &SiteContext::new(site, cloud);
    let site = &context.site;
    let mut checks = vec![
        Check::of("identity", "identity", identified(identity)),
        Check::of("fleet", "fleet", Ok(fleet(site, identity))),
    ];
    if selinux::enforces() {
        let seen = Finding::Warning(selinux::IN_THE_WAY.to_owned());
        checks.push(Check::new("selinux", "SELinux", seen));
    }
    checks.extend(release(context, paths, identity).await);
    checks.extend([
        Check::of("host-packages", "host packages", host_packages(site).await),
        Check::of("web-server", "web server", web_server(site).await),
        Check::of(
            "certificate",
            "certificate",
            certificate(context, identity).await,
        ),
        Check::of("cutover", "cutover", cutover(context, identity).await),
    ]);
    checks.extend(secrets(context).await);
    if globals.json {
        output::json(&checks.iter().map(DryRunStep::of).collect::<Vec<_>>())?;
    } else {
        checks.iter().for_each(|check| out!("{check}"));
    }
    let sound = checks.iter().all(|check| check.as_problem().is_none());
    Ok(if sound {
        Outcome::Done
    } else {
        Outcome::ProblemFound
    })
}

impl<'c> DryRunStep<'c> {
    fn of(check: &'c Check) -> Self {
        Self {
            step: &check.what,
            would: check.as_well().or(check.as_warning()),
            problem: check.as_problem(),
            id: check.id,
            remedy: check.remedy.as_deref(),
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
async fn release(context: &SiteContext, paths: &Paths, identity: &Identity) -> Vec<Check> {
    let site = &context.site;
    if !site.app.has_releases() {
        return vec![Check::of(
            "release",
            "release",
            Ok("no package: kind s3 forwards to the bucket".to_owned()),
        )];
    }
    let Resolved { pointer, trial } =
        match release::resolve(&context.state, &context.packages, site, identity.launched).await {
            Ok(resolved) => resolved,
            Err(error) => return vec![Check::of("release", "release", Err(error))],
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
        Check::of("release", "release", Ok(taken)),
        Check::of(
            "release-command",
            "release command",
            release_command(&context.state, site, paths, &pointer).await,
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
async fn secrets(context: &SiteContext) -> Vec<Check> {
    let wanted = &context.site.app.secrets;
    let answers = context.cloud.secrets().read(wanted.values()).await;
    let decide = |(name, place): (&String, &SecretRef)| match app::secret_for(place, &answers) {
        Ok(_) => Ok(format!("give {name} from {place}, which can be read")),
        Err(error) => Err(error.context(format!("{name} from {place}"))),
    };
    wanted
        .iter()
        .map(|entry| Check::of("secret", "secret", decide(entry)))
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

async fn certificate(context: &SiteContext, identity: &Identity) -> Result<String> {
    let site = &context.site;
    let certificates = Certificates {
        context,
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
        identifiers(&site.served_names()).join(", "),
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

async fn cutover(context: &SiteContext, identity: &Identity) -> Result<String> {
    let SiteContext { site, ec2, .. } = context;
    let zones = context.zones().await?;
    // The health checks that the boot would make first have no ids yet.
    let elastic = address::elastic(ec2, site).await?;
    let node = claim::reached_at(claim::node(identity), elastic.as_ref());
    let claim = claim::claim(site, &node, claim::shape(context, Checks::default())?);
    let plans = zones.plan(ec2, &claim).await?;
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
