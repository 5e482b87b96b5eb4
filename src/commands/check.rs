//! `check`: every problem of site.toml and of a package. The command asks no account and no network,
//! except for a site.toml in a bucket.

use std::path::Path;

use anyhow::Result;

use super::package::Package;
use crate::cli::Globals;
use crate::cloud::Access;
use crate::config::{AppKind, Problems, Site};
use crate::context::site_file::SiteFileLocation;
use crate::outcome::Outcome;
use crate::output::{self, out};
use crate::site::app;
use crate::site::check::{Check, Finding};

/// Prints every problem of site.toml and of the package at `path`; [`Outcome::Misconfigured`] where
/// there is one. AWS is asked only for a site.toml that stands in a bucket.
pub async fn run(globals: &Globals, path: Option<&Path>) -> Result<Outcome> {
    let read = SiteFileLocation::of(globals.config.as_deref())?
        .read(&Access::from_anywhere())
        .await;
    let (site, problems) = match read {
        Ok(site) => (Some(site), None),
        Err(error) => (None, Some(error.downcast::<Problems>()?)),
    };
    let package = match path {
        Some(path) => package(path, site.as_ref()).await,
        None => Vec::new(),
    };
    let file = match &problems {
        Some(problems) => Check::of_file(problems),
        None => site.iter().map(well).collect(),
    };
    if globals.json {
        output::json(&file.iter().chain(&package).collect::<Vec<_>>())?;
    } else {
        match &problems {
            Some(problems) => {
                output::write(&format!("{}\n", problems.explain(output::may_style())))
            }
            None => file.iter().for_each(|check| out!("{check}")),
        }
        package.iter().for_each(|check| out!("{check}"));
    }
    let is_sound = |check: &Check| check.as_problem().is_none();
    Ok(if file.iter().chain(&package).all(is_sound) {
        Outcome::Done
    } else {
        Outcome::Misconfigured
    })
}

fn well(site: &Site) -> Check {
    let domains: Vec<&str> = site.domains.iter().map(|domain| domain.as_str()).collect();
    let seen = format!("no problem: {} serves {}", site.name, domains.join(", "));
    Check::new("site.toml", "site.toml", Finding::Well(seen))
}

/// Judges a package before its deploy: an instance has to be able to unpack the package, whose
/// Procfile has to name the app's command where site.toml names none.
async fn package(path: &Path, site: Option<&Site>) -> Vec<Check> {
    let packed = Package::of(path).await.map(|package| package.to_string());
    let is_sound = packed.is_ok();
    let mut checks = vec![Check::of("package", "package", packed)];
    let leaves_it = site.is_some_and(|site| site.app.kind == AppKind::Command { command: None });
    if is_sound && leaves_it && path.is_dir() {
        checks.push(command_of(path));
    }
    checks
}

fn command_of(folder: &Path) -> Check {
    const WHAT: &str = "app";
    match app::procfile_web(folder) {
        Ok(Some(command)) => Check::new("app.command", WHAT, Finding::Well(command)),
        Ok(None) => Check::problem(
            "app.command",
            WHAT,
            "there is neither [app] command in site.toml nor a `web:` line in the package's Procfile",
        )
        .with_remedy("write one of the two"),
        Err(error) => Check::of("app.command", WHAT, Err(error)),
    }
}
