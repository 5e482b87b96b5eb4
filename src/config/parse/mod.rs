//! What site.toml's keys mean: from a TOML document to a checked [`Site`], table by table.

mod app;
mod dns;
mod failover;
#[cfg(test)]
pub mod fixtures;
mod fleet;
mod site;
mod tls;
mod web;

use toml::de::DeTable;

use super::Site;
use super::problems::Problems;
use super::reader::{At, Findings, SYNTAX, Table};

impl Site {
    /// Reads a site.toml; `file` is what its problems are reported under.
    ///
    /// # Errors
    /// All problems at once, in the order of their lines.
    pub fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let findings = Findings::new(text);
        let (document, syntax) = DeTable::parse_recoverable(text);
        for error in &syntax {
            findings.report(
                &error.span().unwrap_or_default(),
                SYNTAX,
                error.message().replace('\n', ", "),
            );
        }
        let site = read_site(Table::root(document.get_ref(), &findings));
        let found = findings.into_problems();
        match site {
            Some(site) if found.is_empty() => Ok(site),
            _ => Err(Problems::new(file, found)),
        }
    }
}

fn read_site(root: Table<'_>) -> Option<Site> {
    let identity = site::read(root.table("site"));
    let failover = failover::read(root.table("failover"), &identity);
    let web = web::read(root.table("web"));
    let others = dns::OtherTables {
        has_failover: root.has("failover"),
        failover: failover.as_ref(),
        domains: identity.domains.as_deref().unwrap_or_default(),
        web: &web,
    };
    let dns = dns::read(root.table("dns"), &others);
    let tls = tls::read(root.table("tls"), &identity.prefix);
    let app = app::read(root.table("app"), failover.is_some());
    let host_packages = web::read_host(root.table("host"));
    let (fleet, spare_for) = fleet::read(root.table("fleet"));
    root.finish();
    Some(Site {
        name: identity.name?,
        domains: identity.domains?,
        bucket: identity.bucket?,
        prefix: identity.prefix,
        packages: identity.packages?,
        region: identity.region,
        dns,
        tls: tls?,
        app: app?,
        web,
        host_packages,
        fleet,
        spare_for,
        failover,
    })
}

/// A value that passes its check, or a problem at its line.
fn checked<T>(
    table: &Table<'_>,
    key: &str,
    at: Option<At<String>>,
    check: impl FnOnce(&str) -> Result<T, String>,
) -> Option<T> {
    let at = at?;
    check(&at.value)
        .map_err(|why| table.reject(key, &at, format!("{:?} {why}", at.value)))
        .ok()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::super::{AppKind, FleetKind, PackageSource, ReleaseOn, Routing};
    use super::fixtures::{SMALLEST, problems};
    use super::*;

    #[test]
    fn the_smallest_file_gets_every_default() {
        let site = Site::parse("site.toml", SMALLEST).unwrap();
        assert_eq!(
            site.packages,
            PackageSource {
                bucket: "example-site".into(),
                prefix: "packages/".into()
            }
        );
        assert_eq!(site.first_ca().slug, "letsencrypt");
        assert_eq!((site.dns.ttl, site.dns.routing), (60, Routing::Simple));
        assert_eq!(
            (
                site.web.http_port,
                site.web.https_port,
                site.web.metrics_port
            ),
            (80, 443, 9477)
        );
        assert_eq!(site.app.health.timeout, Duration::from_secs(30));
    }

    #[test]
    fn the_file_of_the_design_is_read_whole() {
        let text = include_str!("../../../tests/site/full.toml");
        let site = Site::parse("full.toml", text).unwrap();
        assert_eq!(
            site.packages,
            PackageSource {
                bucket: "other-bucket".into(),
                prefix: "path/".into()
            }
        );
        assert_eq!(
            site.app.kind,
            AppKind::Python {
                wsgi: "mysite.wsgi:application".into()
            }
        );
        assert_eq!(
            site.app.static_files["/static/"],
            PathBuf::from("staticfiles")
        );
        assert_eq!(site.fleet.unwrap().kind, FleetKind::SpotFleet);
        assert_eq!(site.web.hsts, Some(Duration::from_secs(365 * 24 * 60 * 60)));
        assert_eq!(
            site.failover.unwrap().cloudfront.as_deref(),
            Some("d111.cloudfront.net")
        );
        assert_eq!(site.app.env["DJANGO_SETTINGS_MODULE"], "mysite.settings");
        assert_eq!(site.app.release_on, Some(ReleaseOn::Fleet));
        assert_eq!(
            site.app.secrets["DATABASE_URL"].to_string(),
            "secretsmanager:example/database#url"
        );
    }

    #[test]
    fn all_problems_are_reported_at_once_each_with_its_line() {
        let text = "[site]\nname = \"Example!\"\ndomain = [\"example.com\"]\nbucket = 7\n\n[dns]\nrouting = \"multivalu\"\nttl = 0\n[apq]\n";
        let found = problems(text);
        for expected in [
            "site.toml:2: site.name \"Example!\"",
            "site.toml:3: site.domain is not a key that spotboot knows; did you mean domains?",
            "site.toml:4: site.bucket is integer; it wants a string",
            "site.toml:1: site.domains is missing",
            "site.toml:7: dns.routing is \"multivalu\"; it is one of simple, failover, multivalue; did you mean multivalue?",
            "site.toml:8: dns.ttl is integer; it wants a whole number from 1 to 86400",
            "site.toml:9: apq is not a key that spotboot knows; did you mean app?",
        ] {
            assert!(found.contains(expected), "no {expected:?} in:\n{found}");
        }
    }

    #[test]
    fn broken_syntax_is_reported_with_its_line() {
        assert!(problems("[site]\nname = \n").contains("site.toml:2:"));
    }
}
