//! Sites and packages for the tests of this folder.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

use super::dependencies::{Dependencies, Origin};
use super::{AppPlan, InstalledApp, Secrets, UnpackedPackage};
use crate::config::{AppKind, Health, Site};
use crate::host::paths::Paths;

/// A site of this kind; `argument` is its wsgi name or its command (empty: none).
pub(super) fn site(kind: &str, argument: &str) -> Site {
    let text = "[site]\nname = \"example\"\ndomains = [\"example.com\"]\nbucket = \"site-bucket\"\n[app]\nkind = \"static\"\n[failover]\nbucket = \"mirror\"\n";
    let mut site = Site::parse("site.toml", text).unwrap();
    site.app.kind = match kind {
        "python" => AppKind::Python {
            wsgi: argument.into(),
        },
        "command" => AppKind::Command {
            command: (!argument.is_empty()).then(|| argument.into()),
        },
        "static" => AppKind::Static,
        _ => AppKind::S3,
    };
    site.app.health = Health {
        path: "/health".into(),
        timeout: Duration::from_secs(3),
    };
    site
}

/// The plan for an unpacked package of these files; everything stands in the folder.
pub(super) fn try_plan(site: &Site, files: &[(&str, &str)]) -> (TempDir, anyhow::Result<AppPlan>) {
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
    let plan = AppPlan::new(
        site,
        "i-1",
        Some(UnpackedPackage {
            version: "1.0".into(),
            root,
        }),
        &paths,
        None,
    );
    (folder, plan)
}

pub(super) fn plan(site: &Site, files: &[(&str, &str)]) -> (TempDir, AppPlan) {
    let (folder, plan) = try_plan(site, files);
    (folder, plan.unwrap())
}

/// With dependencies that are only named.
pub(super) fn app(site: &Site, files: &[(&str, &str)]) -> (TempDir, InstalledApp) {
    let (folder, plan) = plan(site, files);
    let dependencies = matches!(site.app.kind, AppKind::Python { .. })
        .then(|| Dependencies::named(Path::new("/venv/abc"), Origin::Kept));
    (
        folder,
        InstalledApp {
            plan,
            dependencies,
            secrets: Secrets::new(),
            answered: std::sync::OnceLock::new(),
        },
    )
}
