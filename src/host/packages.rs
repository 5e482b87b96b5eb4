//! Packages of the distribution, with apt or dnf, installed where they are missing.

mod locks;

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::time::Duration;

use tracing::warn;

use super::account::is_root;
use super::process::{ProcessError, Run, find_program};
use locks::{is_locked, run};

/// Another apt run of the same boot (cloud-init, unattended-upgrades) may hold dpkg's locks. The
/// option covers neither the lock of the lists nor that of the archives: see [`run`].
const LOCK_TIMEOUT: &str = "DPkg::Lock::Timeout=300";
const ASK: Duration = Duration::from_secs(30);

/// Why a package of the distribution is missing still.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    #[error(
        "looking for packages: this machine has neither apt nor dnf; install {0} by its own means and leave [host] packages empty"
    )]
    NoTool(String),
    #[error(
        "installing {0}: only root may; install it by hand, as in `sudo apt-get install {0}` or `sudo dnf install {0}`"
    )]
    NotRoot(String),
    #[error("looking for packages: {0:?} is no package name")]
    Name(String),
    #[error("looking for packages: {0}")]
    LookUp(ProcessError),
    #[error("installing {names}: {cause}")]
    Install { names: String, cause: ProcessError },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tool {
    Apt,
    Dnf,
}

/// Which of these packages are not installed. Asks the package database on disk only.
///
/// # Errors
/// There is no such database, or a name is none.
pub async fn missing(names: &[String]) -> Result<Vec<String>, PackageError> {
    if let Some(bad) = names.iter().find(|name| !is_name(name)) {
        return Err(PackageError::Name(bad.clone()));
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let installed = match tool().ok_or_else(|| PackageError::NoTool(names.join(" ")))? {
        Tool::Apt => installed_debs(names).await?,
        Tool::Dnf => installed_rpms(names).await?,
    };
    Ok(names
        .iter()
        .zip(installed)
        .filter(|(_, installed)| !installed)
        .map(|(name, _)| name.clone())
        .collect())
}

/// Installs what is missing, and tells what that was. With nothing missing it asks no network.
///
/// # Errors
/// We are not root, or the package tool fails: its last lines are in the error.
pub async fn install_missing(names: &[String]) -> Result<Vec<String>, PackageError> {
    let missing = missing(names).await?;
    if missing.is_empty() {
        return Ok(missing);
    }
    let list = missing.join(" ");
    if !is_root() {
        return Err(PackageError::NotRoot(list));
    }
    let brings_nginx = missing.iter().any(|name| name.starts_with("nginx"));
    if brings_nginx {
        mask_stock_nginx().await;
    }
    let installed = match tool() {
        Some(Tool::Apt) => apt_install(&missing).await,
        _ => {
            run(
                "dnf",
                &[
                    "install",
                    "--assumeyes",
                    "--quiet",
                    "--setopt=install_weak_deps=False",
                ],
                &missing,
            )
            .await
        }
    };
    if brings_nginx && !runs_systemd() {
        // Its maintainer script starts it by the init script where systemd does not run.
        let _ = Run::new("/etc/init.d/nginx")
            .arg("stop")
            .deadline(ASK)
            .output()
            .await;
    }
    installed
        .map(|()| missing)
        .map_err(|cause| PackageError::Install { names: list, cause })
}

/// Stops the distribution's own nginx, for good, where it holds one of these ports. Nothing where
/// it does not run.
pub async fn stop_stock_nginx(ports: &[u16]) {
    let taken = |port: &u16| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let stock = |port: &&u16| matches!(port, 80 | 443);
    if !is_root() || !runs_systemd() || !ports.iter().filter(stock).any(taken) {
        return;
    }
    let active = Run::new("systemctl")
        .args(["is-active", "--quiet", "nginx.service"])
        .deadline(ASK)
        .output()
        .await
        .is_ok();
    if active {
        warn!("stopping and masking nginx.service: it holds the site's ports");
        mask_stock_nginx().await;
        let stopped = Run::new("systemctl")
            .args(["stop", "nginx.service"])
            .deadline(Duration::from_secs(100))
            .output()
            .await;
        if let Err(error) = stopped {
            warn!(%error, "stopping nginx.service");
        }
    }
}

/// A masked unit is started neither by its package's scripts, now or at an upgrade, nor at the next
/// boot.
async fn mask_stock_nginx() {
    if !runs_systemd() {
        return;
    }
    if let Err(error) = Run::new("systemctl")
        .args(["mask", "nginx.service"])
        .deadline(ASK)
        .output()
        .await
    {
        warn!(%error, "masking nginx.service");
    }
}

/// Refreshes the lists only where they do not have what is asked for: on a fresh image they are
/// empty or old.
async fn apt_install(names: &[String]) -> Result<(), ProcessError> {
    let install = [
        "-o",
        LOCK_TIMEOUT,
        "install",
        "--yes",
        "--quiet=2",
        "--no-install-recommends",
    ];
    match run("apt-get", &install, names).await {
        // apt-get's status for every failure of its own.
        Err(error) if error.code() == Some(100) && !is_locked(&error) => {
            run("apt-get", &["-o", LOCK_TIMEOUT, "update", "--quiet=2"], &[]).await?;
            run("apt-get", &install, names).await
        }
        other => other,
    }
}

/// In the order of the names.
async fn installed_debs(names: &[String]) -> Result<Vec<bool>, PackageError> {
    let known = match ask_dpkg(names).await {
        Ok(known) => known,
        // It does not know every name: then one by one, for its answers about those that it knows.
        Err(error) if error.code() == Some(1) => {
            let mut known = String::new();
            for name in names {
                known.push_str(
                    &ask_dpkg(std::slice::from_ref(name))
                        .await
                        .unwrap_or_default(),
                );
            }
            known
        }
        Err(error) => return Err(PackageError::LookUp(error)),
    };
    Ok(names
        .iter()
        .map(|name| {
            known
                .lines()
                .any(|line| line == format!("{} installed", bare(name)))
        })
        .collect())
}

async fn ask_dpkg(names: &[String]) -> Result<String, ProcessError> {
    let run = Run::new("dpkg-query")
        .args(["--show", "--showformat=${Package} ${db:Status-Status}\n"])
        .args(names);
    run.deadline(ASK).output().await.map(|output| output.stdout)
}

/// In the order of the names; a name may also be what a package provides.
async fn installed_rpms(names: &[String]) -> Result<Vec<bool>, PackageError> {
    let mut installed = Vec::with_capacity(names.len());
    for name in names {
        match Run::new("rpm")
            .args(["--query", "--quiet", "--whatprovides", name])
            .deadline(ASK)
            .output()
            .await
        {
            Ok(_) => installed.push(true),
            Err(error) if error.code().is_some() => installed.push(false),
            Err(error) => return Err(PackageError::LookUp(error)),
        }
    }
    Ok(installed)
}

/// Without the architecture of `name:arch`.
fn bare(name: &str) -> &str {
    name.split_once(':').map_or(name, |(name, _)| name)
}

/// What dpkg and rpm take as a name: nothing that could be an option, a path or a pattern.
fn is_name(name: &str) -> bool {
    let first = name
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric());
    first
        && name.bytes().all(|b| {
            b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.' | b'_' | b':' | b'~')
        })
}

fn tool() -> Option<Tool> {
    if find_program("apt-get").is_some() && find_program("dpkg-query").is_some() {
        return Some(Tool::Apt);
    }
    (find_program("dnf").is_some() && find_program("rpm").is_some()).then_some(Tool::Dnf)
}

fn runs_systemd() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_name_is_never_an_option_a_path_or_a_pattern() {
        assert!(
            ["nginx", "python3.11", "g++", "libc6:amd64", "php8.2-fpm"]
                .iter()
                .all(|name| is_name(name))
        );
        assert!(
            [
                "",
                "-o",
                "--root=/",
                "./evil.deb",
                "/tmp/x.deb",
                "nginx*",
                "a b",
                "nginx=1.2",
                "a\nb"
            ]
            .iter()
            .all(|name| !is_name(name))
        );
    }

    #[tokio::test]
    async fn a_bad_name_is_refused_before_any_tool_sees_it() {
        let error = install_missing(&names(&["nginx", "--allow-unauthenticated"]))
            .await
            .unwrap_err();
        assert!(matches!(error, PackageError::Name(name) if name == "--allow-unauthenticated"));
    }

    #[tokio::test]
    async fn only_what_is_not_installed_is_missing() {
        if tool() != Some(Tool::Apt) {
            return;
        }
        let found = missing(&names(&["dpkg", "spotboot-no-such-package", "bash"]))
            .await
            .unwrap();
        assert_eq!(found, ["spotboot-no-such-package"]);
        assert!(missing(&names(&["dpkg", "bash"])).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn no_names_need_no_package_tool() {
        assert!(install_missing(&[]).await.unwrap().is_empty());
    }
}
