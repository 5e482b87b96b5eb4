//! `[site]`.

use super::super::bucket::PACKAGES;
use super::super::reader::Table;
use super::super::{Domain, PackageSource, values};
use super::checked;

/// What `[site]` says; `None` where that is missing or wrong, which is reported.
pub(super) struct SiteTable {
    pub(super) name: Option<String>,
    pub(super) domains: Option<Vec<Domain>>,
    pub(super) bucket: Option<String>,
    pub(super) prefix: String,
    pub(super) packages: Option<PackageSource>,
    pub(super) region: Option<String>,
}

pub(super) fn read(table: Table<'_>) -> SiteTable {
    let name = checked(&table, "name", table.required("name"), values::site_name);
    let domains = read_domains(&table);
    let bucket = checked(
        &table,
        "bucket",
        table.required("bucket"),
        values::bucket_name,
    );
    let prefix =
        checked(&table, "prefix", table.string("prefix"), values::key_folder).unwrap_or_default();
    let packages = read_packages(&table, bucket.as_deref(), &prefix);
    let region = checked(
        &table,
        "region",
        table.string("region"),
        values::region_name,
    );
    table.finish();
    SiteTable {
        name,
        domains,
        bucket,
        prefix,
        packages,
        region,
    }
}

fn read_domains(table: &Table<'_>) -> Option<Vec<Domain>> {
    let listed = table.strings("domains");
    if listed.is_empty() {
        table.lacks(
            "domains",
            "site.domains is missing; it names at least one domain, as in [\"example.com\"]",
        );
        return None;
    }
    let mut domains: Vec<Domain> = Vec::new();
    for at in &listed {
        match Domain::parse(&at.value) {
            Err(why) => table.reject("domains", at, format!("{:?} {why}", at.value)),
            Ok(domain) if domains.contains(&domain) => {
                table.reject("domains", at, format!("names {domain} twice"))
            }
            Ok(domain) if domains.is_empty() && domain.is_wildcard() => {
                table.reject("domains", at, "starts with a wildcard; the first domain is the primary one and names one host");
            }
            Ok(domain) => domains.push(domain),
        }
    }
    (domains.len() == listed.len()).then_some(domains)
}

fn read_packages(table: &Table<'_>, bucket: Option<&str>, prefix: &str) -> Option<PackageSource> {
    let Some(at) = table.string("packages") else {
        return Some(PackageSource {
            bucket: bucket?.to_owned(),
            prefix: format!("{prefix}{PACKAGES}"),
        });
    };
    let own = bucket;
    let (bucket, path, inside) = match at
        .value
        .strip_prefix("s3://")
        .map(|rest| rest.split_once('/').unwrap_or((rest, "")))
    {
        Some((other, path)) => (Some(other), path, ""),
        None => (bucket, at.value.as_str(), prefix),
    };
    let folder = |path: &str| {
        let folder = format!("{inside}{}", values::key_folder(path)?);
        if bucket == own {
            values::packages_folder(&folder, prefix).map(|()| folder)
        } else {
            Ok(folder)
        }
    };
    match values::bucket_name(bucket?).and_then(|bucket| Ok((bucket, folder(path)?))) {
        Ok((bucket, prefix)) => Some(PackageSource { bucket, prefix }),
        Err(why) => {
            table.reject("packages", &at, why);
            None
        }
    }
}
