//! Debian packages that the chores need: found missing with dpkg, installed with apt-get as root or
//! through sudo.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::run::{ask, run, succeeds};

/// For the local region and the sample site: web server, test CA, the system's own Python, and what
/// one looks at it with.
pub(crate) const DEMO: &[&str] = &[
    "ca-certificates",
    "curl",
    "nginx",
    "pebble",
    "python3",
    "python3-venv",
];

/// For the suites and their booted containers, on top of [`DEMO`].
pub(crate) const CONTAINERS: &[&str] = &[
    "bind9-dnsutils",
    "iproute2",
    "mmdebstrap",
    "systemd-container",
];

/// Installs those of `wanted` that are missing. Without any missing, neither root nor the network
/// is needed.
pub(crate) fn install_missing(wanted: &[&str]) -> Result<()> {
    let missing = missing(wanted)?;
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("xtask: installing what is missing: {}", missing.join(" "));
    let update = [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
        "update",
        "--quiet=2",
    ];
    let install = [
        "apt-get",
        "-o",
        "DPkg::Lock::Timeout=300",
        "install",
        "--yes",
        "--quiet=2",
        "--no-install-recommends",
    ];
    as_root(&update, &missing)?;
    as_root(&[&install[..], &missing[..]].concat(), &missing)?;
    if missing.contains(&"nginx") && Path::new("/run/systemd/system").exists() {
        eprintln!(
            "xtask: Debian starts its own nginx service when installed; stopping it, as each site runs its own"
        );
        as_root(
            &["systemctl", "disable", "--quiet", "--now", "nginx.service"],
            &missing,
        )?;
    }
    Ok(())
}

fn missing<'a>(wanted: &[&'a str]) -> Result<Vec<&'a str>> {
    let answer = ask(
        "dpkg-query",
        &[
            &["--show", "--showformat=${Package} ${db:Status-Status}\n"],
            wanted,
        ]
        .concat(),
    )
    .context("asking which packages are installed (the chores need Debian 12 or newer)")?;
    Ok(not_installed(wanted, &answer))
}

fn not_installed<'a>(wanted: &[&'a str], answer: &str) -> Vec<&'a str> {
    let there: Vec<&str> = answer
        .lines()
        .filter_map(|line| line.strip_suffix(" installed"))
        .collect();
    wanted
        .iter()
        .copied()
        .filter(|package| !there.contains(package))
        .collect()
}

/// Runs a command as root. The variables stand on the line, as sudo passes none of ours on.
fn as_root(line: &[&str], missing: &[&str]) -> Result<()> {
    let line = [&["env", "DEBIAN_FRONTEND=noninteractive"], line].concat();
    if ask("id", &["--user"])?.trim() == "0" {
        return run(line[0], &line[1..], &[]);
    }
    if !succeeds("sudo", &["--version"]) {
        bail!(
            "packages are missing, and only root can install them: apt-get install {}",
            missing.join(" ")
        );
    }
    run("sudo", &line, &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_removed_but_configured_counts_as_missing() {
        let answer = "curl installed\nnginx config-files\n";
        assert_eq!(
            not_installed(&["curl", "nginx", "pebble"], answer),
            ["nginx", "pebble"]
        );
    }
}
