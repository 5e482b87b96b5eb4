//! The site.toml that `init` works from: the one that is there, or a new one from the flags.

use std::path::PathBuf;

use anyhow::{Result, bail};
use serde::Serialize;

use super::files::File;
use super::mirror_plan::default_bucket;
use super::release_on;
use super::system::System;
use crate::cli::{Globals, Init, NewSite, SiteKind};
use crate::cloud::Access;
use crate::config::{AppKind, Domain, ReleaseOn, Site};
use crate::context::site_file::SiteFileLocation;
use crate::host::templates;
use crate::outcome::Usage;

const TEMPLATE: &str = include_str!("../../../launch-template/site.toml");
const HERE: &str = "./site.toml";

/// The site.toml that `--config` names or that stands in a usual place, if there is one.
///
/// # Errors
/// It cannot be read, or is wrong.
pub async fn find(globals: &Globals) -> Result<Option<Site>> {
    let place = match globals.config.as_deref() {
        Some(address) => Some(SiteFileLocation::of(Some(address))?),
        None => SiteFileLocation::usual(),
    };
    match place {
        None => Ok(None),
        Some(SiteFileLocation::File(path)) if !path.exists() => Ok(None),
        Some(place) => place.read(&Access::from_anywhere()).await.map(Some),
    }
}

/// That site, with what it leaves open taken from the flags.
///
/// # Errors
/// Flags that say something else than the file.
pub fn agreed(mut site: Site, flags: &NewSite) -> Result<Site> {
    let contradicting = contradicting_flags(&site, flags);
    if !contradicting.is_empty() {
        let flags_against = contradicting.join(", ");
        bail!(Usage(format!(
            "there is a site.toml, and {flags_against} contradict it: edit the file, or name another with --config"
        )));
    }
    site.region = site.region.or_else(|| flags.region.clone());
    Ok(site)
}

/// The flags that say something else than `site`. Flags that were not given contradict nothing.
fn contradicting_flags(site: &Site, flags: &NewSite) -> Vec<&'static str> {
    let domains: Vec<String> = site.domains.iter().map(ToString::to_string).collect();
    let contact = flags
        .contact
        .as_ref()
        .map(|address| format!("mailto:{address}"));
    let zone = flags.zone.as_deref().map(bare_zone);
    let mirror = site.failover.as_ref();
    let contradicted = [
        (
            "--name",
            flags.name.as_ref().is_some_and(|name| *name != site.name),
        ),
        (
            "--domain",
            !flags.domain.is_empty() && flags.domain != domains,
        ),
        (
            "--bucket",
            flags
                .bucket
                .as_ref()
                .is_some_and(|bucket| *bucket != site.bucket),
        ),
        (
            "--zone",
            site.dns.hosted_zone_id.is_some()
                && zone.is_some()
                && zone != site.dns.hosted_zone_id.as_deref(),
        ),
        (
            "--region",
            site.region.is_some() && flags.region.is_some() && flags.region != site.region,
        ),
        (
            "--kind",
            flags
                .kind
                .is_some_and(|kind| !is_kind(&site.app.kind, kind)),
        ),
        (
            "--elastic-ip",
            flags.elastic_ip && !site.dns.address_moves(),
        ),
        (
            "--release-on",
            flags.release_on.is_some_and(|on| {
                release_on::meant(on) != site.app.release_on.unwrap_or(ReleaseOn::Folder)
            }),
        ),
        (
            "--mirror-bucket",
            mirror.is_some_and(|mirror| differs(&flags.mirror_bucket, Some(&mirror.bucket))),
        ),
        (
            "--mirror-region",
            mirror.is_some_and(|mirror| differs(&flags.mirror_region, mirror.region.as_deref())),
        ),
        (
            "--mirror-name",
            mirror.is_some_and(|mirror| {
                differs(&flags.mirror_name, mirror.name.as_ref().map(Domain::as_str))
            }),
        ),
        (
            "--contact",
            contact.is_some_and(|contact| !site.tls.contact.contains(&contact)),
        ),
    ];
    named(&contradicted)
}

/// Whether a flag is given and the file says something else.
fn differs(flag: &Option<String>, file: Option<&str>) -> bool {
    matches!((flag, file), (Some(flag), Some(file)) if flag != file)
}

/// The flags of those pairs whose condition holds, in their order.
fn named(flags: &[(&'static str, bool)]) -> Vec<&'static str> {
    flags
        .iter()
        .filter(|(_, holds)| *holds)
        .map(|(flag, _)| *flag)
        .collect()
}

/// What the template of site.toml is filled with.
#[derive(Serialize)]
struct SiteFileValues<'a> {
    name: &'a str,
    domains: &'a [String],
    bucket: &'a str,
    zone: &'a str,
    region: String,
    kind: &'static str,
    release_on: Option<&'static str>,
    elastic_ip: bool,
    contact: Option<&'a str>,
    /// What the packages are for, in a sentence.
    system: &'static str,
    packages: Vec<&'static str>,
    /// Where `--failover` asks for the table.
    mirror_bucket: Option<String>,
    mirror_region: Option<&'a str>,
    mirror_name: Option<&'a str>,
}

/// A new one, and the file that it is to stand in.
///
/// # Errors
/// Flags that are missing, all at once; then whatever is wrong with the file that they make.
pub fn make(
    globals: &Globals,
    init: &Init,
    region: Option<String>,
) -> Result<(Site, Option<File>)> {
    let values = values(init, region)?;
    let path = PathBuf::from(globals.config.as_deref().unwrap_or(HERE));
    let text = templates::fill(&templates::environment(), TEMPLATE, &values)
        .map_err(anyhow::Error::msg)?;
    let site = Site::parse(&format!("{} that the flags make", path.display()), &text)?;
    Ok((site, Some(File::new(path, text.into_bytes()))))
}

fn values(init: &Init, region: Option<String>) -> Result<SiteFileValues<'_>> {
    let flags = &init.site;
    let missing = named(&[
        ("--name", flags.name.is_none()),
        ("--domain", flags.domain.is_empty()),
        ("--bucket", flags.bucket.is_none()),
        ("--zone", flags.zone.is_none()),
        ("--region", region.is_none()),
        ("--kind", flags.kind.is_none()),
    ]);
    let (Some(name), Some(bucket), Some(zone), Some(region), Some(kind), []) = (
        &flags.name,
        &flags.bucket,
        &flags.zone,
        region,
        flags.kind,
        &missing[..],
    ) else {
        let missing = missing.join(", ");
        bail!(Usage(format!(
            "there is no site.toml (name one with --config), and to make one these are missing: {missing}"
        )));
    };
    let release_on = if kind == SiteKind::Static {
        None
    } else {
        Some(release_on::choose(flags.release_on)?.word())
    };
    let mirror_bucket = flags.mirror_bucket.clone();
    let system = System::asked(init);
    let python = if kind == SiteKind::Python {
        system.python
    } else {
        &[]
    };
    Ok(SiteFileValues {
        name,
        domains: &flags.domain,
        bucket,
        zone: bare_zone(zone),
        region,
        kind: word(kind),
        release_on,
        elastic_ip: flags.elastic_ip,
        contact: flags.contact.as_deref(),
        system: system.title,
        packages: [&["nginx"][..], python].concat(),
        mirror_bucket: init
            .failover
            .then(|| mirror_bucket.unwrap_or_else(|| default_bucket(bucket))),
        mirror_region: flags.mirror_region.as_deref(),
        mirror_name: flags.mirror_name.as_deref(),
    })
}

fn bare_zone(id: &str) -> &str {
    id.strip_prefix("/hostedzone/").unwrap_or(id)
}

fn word(kind: SiteKind) -> &'static str {
    match kind {
        SiteKind::Python => "python",
        SiteKind::Command => "command",
        SiteKind::Static => "static",
    }
}

fn is_kind(kind: &AppKind, flag: SiteKind) -> bool {
    match kind {
        AppKind::Python { .. } => flag == SiteKind::Python,
        AppKind::Command { .. } => flag == SiteKind::Command,
        AppKind::Static => flag == SiteKind::Static,
        AppKind::S3 => false,
    }
}
