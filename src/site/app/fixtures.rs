//! Sites and packages for the tests of this folder.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::{App, Dependencies, Origin, Package, Plan, Surroundings};
use crate::config::{App as AppConfig, AppKind, Directory, Dns, Domain, Failover, Health, PackageSource, Routing, Site, Tls, Web};
use crate::host::paths::Paths;

/// A site of this kind; `argument` is its wsgi name or its command (empty: none).
pub(super) fn site(kind: &str, argument: &str) -> Site {
    let kind = match kind {
        "python" => AppKind::Python { wsgi: argument.into() },
        "command" => AppKind::Command { command: (!argument.is_empty()).then(|| argument.into()) },
        "static" => AppKind::Static,
        _ => AppKind::S3,
    };
    Site {
        name: "example".into(),
        domains: vec![Domain::parse("example.com").unwrap()],
        bucket: "site".into(),
        prefix: "p/".into(),
        packages: PackageSource { bucket: "site".into(), prefix: "p/packages/".into() },
        region: None,
        dns: Dns { hosted_zone_id: None, routing: Routing::Simple, ttl: 60 },
        tls: Tls {
            contact: Vec::new(),
            directory: Directory { url: "https://ca.test/".into(), slug: "ca".into() },
            profile: None,
            directory_ca: None,
            kms_key_id: None,
        },
        app: AppConfig {
            kind,
            build: None,
            release: None,
            static_files: BTreeMap::new(),
            health: Health { path: "/health".into(), timeout: Duration::from_secs(3) },
            env: BTreeMap::new(),
            instance_credentials: false,
        },
        web: Web { http_port: 80, https_port: 443 },
        host_packages: Vec::new(),
        fleet: None,
        failover: Some(Failover { bucket: "mirror".into(), cloudfront: None }),
    }
}

/// The plan for an unpacked package of these files; everything stands in the folder.
pub(super) fn try_plan(site: &Site, files: &[(&str, &str)]) -> (TempDir, anyhow::Result<Plan>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = Paths::new(&folder.path().join("state"), &folder.path().join("run")).unwrap();
    paths.prepare(None).unwrap();
    let root = paths.releases().join("1.0");
    fs::create_dir(&root).unwrap();
    for (name, content) in files {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    let surroundings = Surroundings { paths, account: None, region: "eu-central-1".into() };
    let plan = Plan::new(site, Some(Package { version: "1.0", root: &root }), surroundings);
    (folder, plan)
}

pub(super) fn plan(site: &Site, files: &[(&str, &str)]) -> (TempDir, Plan) {
    let (folder, plan) = try_plan(site, files);
    (folder, plan.unwrap())
}

/// With dependencies that are only named.
pub(super) fn app(site: &Site, files: &[(&str, &str)]) -> (TempDir, App) {
    let (folder, plan) = plan(site, files);
    let dependencies = matches!(site.app.kind, AppKind::Python { .. }).then(|| Dependencies::named(Path::new("/venv/abc"), Origin::Kept));
    (folder, App { plan, dependencies })
}
