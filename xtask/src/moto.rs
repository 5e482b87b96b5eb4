//! moto, against which S3's adapter is tried beside the region: from PyPI, in a virtual environment in cargo's target folder.

use anyhow::{Context, Result};

use crate::run::{ask, built, run};

const VERSION: &str = "5.2.5";

/// Makes the environment unless it stands with this version. One that was left half-made is made anew.
pub(crate) fn install() -> Result<()> {
    let environment = built("moto", "")?;
    let python = environment.join("bin/python");
    let environment = environment.to_str().context("cargo's target folder has no name in UTF-8")?;
    let python = python.to_str().context("cargo's target folder has no name in UTF-8")?;
    if installed(python).as_deref() == Some(VERSION) {
        return Ok(());
    }
    run("python3", &["-m", "venv", "--clear", environment], &[])?;
    let wanted = format!("moto[server]=={VERSION}");
    run(python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &wanted], &[])
}

fn installed(python: &str) -> Option<String> {
    let version = ask(python, &["-c", "import importlib.metadata as packages; print(packages.version('moto'))"]).ok()?;
    Some(version.trim().to_owned())
}
