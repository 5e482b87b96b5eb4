//! Whether machines can run here, and what to do where they cannot.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::cgroup::Hierarchies;

/// Program, and the Debian package that holds it.
type Tool = (&'static str, &'static str);
const MACHINES: [Tool; 2] = [
    ("systemd-nspawn", "systemd-container"),
    ("mmdebstrap", "mmdebstrap"),
];
const NETWORKS: [Tool; 6] = [
    ("ip", "iproute2"),
    ("nsenter", "util-linux"),
    ("unshare", "util-linux"),
    ("mount", "mount"),
    ("timeout", "coreutils"),
    ("find", "findutils"),
];
/// Some of these stand in sbin, which is not in every user's PATH.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Why no machine can run here; a suite prints it and falls back to a process alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable(pub(super) String);

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no instance can run here: {}", self.0)
    }
}

impl std::error::Error for Unavailable {}

/// Tries what every machine needs, without booting one.
pub fn usable() -> Result<(), Unavailable> {
    root()?;
    tools(&[&MACHINES[..], &NETWORKS].concat(), installed)?;
    Hierarchies::find()?;
    overlay(&fs::read_to_string("/proc/filesystems").unwrap_or_default())?;
    namespaces()
}

/// Tries what a network and processes in it need: no machine can run, perhaps, but these can.
pub fn networks_usable() -> Result<(), Unavailable> {
    root()?;
    tools(&NETWORKS, installed)?;
    Hierarchies::find()?;
    namespaces()
}

fn root() -> Result<(), Unavailable> {
    if nix::unistd::geteuid().is_root() {
        Ok(())
    } else {
        Err(Unavailable("it needs root; run the tests with sudo".into()))
    }
}

fn installed(name: &str) -> bool {
    std::env::split_paths(PATH).any(|folder| folder.join(name).is_file())
}

fn tools(needed: &[Tool], present: impl Fn(&str) -> bool) -> Result<(), Unavailable> {
    let missing: Vec<_> = needed.iter().filter(|(name, _)| !present(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = missing.iter().map(|(name, _)| *name).collect();
    let mut packages: Vec<_> = missing.iter().map(|(_, package)| *package).collect();
    packages.dedup();
    Err(Unavailable(format!(
        "missing {}; apt-get install {}",
        names.join(", "),
        packages.join(" ")
    )))
}

fn overlay(filesystems: &str) -> Result<(), Unavailable> {
    let known = filesystems
        .lines()
        .any(|line| line.split_whitespace().next_back() == Some("overlay"));
    let loadable = || {
        Command::new("modprobe")
            .arg("overlay")
            .env("PATH", PATH)
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    if known || loadable() {
        Ok(())
    } else {
        Err(Unavailable(
            "the kernel has no overlayfs; modprobe overlay".into(),
        ))
    }
}

fn namespaces() -> Result<(), Unavailable> {
    let made = Command::new("unshare")
        .args([
            "--mount", "--net", "--pid", "--uts", "--ipc", "--fork", "true",
        ])
        .env("PATH", PATH)
        .output();
    let complaint = match made {
        Ok(output) if output.status.success() && Path::new("/proc/self/ns/cgroup").exists() => {
            return Ok(());
        }
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    Err(Unavailable(format!(
        "this environment does not let us make namespaces ({complaint})"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_is_named_with_the_package_that_holds_it() {
        let error = tools(&[&MACHINES[..], &NETWORKS].concat(), |name| {
            !matches!(name, "nsenter" | "unshare" | "mmdebstrap")
        })
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "no instance can run here: missing mmdebstrap, nsenter, unshare; apt-get install mmdebstrap util-linux"
        );
    }
}
