//! The Python that runs the app: which one, and what of it decides whether installed dependencies
//! fit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::host::account::Account;
use crate::host::process::{Run, find_program};

const DEADLINE: Duration = Duration::from_secs(20);
/// Where an interpreter stands that an unprivileged account may run; root's own PATH may lead into
/// root's home.
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/bin", "/usr/bin", "/bin"];

const PROBE: &str = "
import os, sys
try: libc = os.confstr('CS_GNU_LIBC_VERSION') or 'unknown'
except (OSError, ValueError): libc = 'other'
base = getattr(sys, '_base_executable', None) or sys.executable
print(base, sys.implementation.name, '%d.%d.%d' % sys.version_info[:3], os.uname().machine, libc, sep='\\n')
";

/// A Python of this machine, and what of it decides whether installed dependencies fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    pub(super) path: PathBuf,
    /// `3.11.2`
    pub(super) version: String,
    /// Implementation, architecture, C library and distribution: compiled parts fit only the like.
    pub(super) platform: String,
}

impl Interpreter {
    /// `3.11`
    pub(super) fn minor_version(&self) -> &str {
        self.version
            .rsplit_once('.')
            .map_or(&self.version, |(minor, _)| minor)
    }
}

/// The interpreter that `[host] packages` names (`python3.12`), else `python3`.
pub async fn find(
    host_packages: &[String],
    account: Option<&Account>,
) -> anyhow::Result<Interpreter> {
    let name = program_name(host_packages);
    let Some(path) = find_program_for(account, name) else {
        bail!(
            "finding {name}: it is not on this machine; add it to [host] packages in site.toml (Debian: \"python3\" and \"python3-venv\")"
        )
    };
    let output = Run::new(&path)
        .args(["-I", "-S", "-c", PROBE])
        .user(account)
        .cwd("/")
        .deadline(DEADLINE)
        .output()
        .await?;
    let distribution = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    parse_probe(&output.stdout, &distribution)
        .with_context(|| format!("asking {} for its version", path.display()))
}

/// A program that the account may run.
pub(super) fn find_program_for(account: Option<&Account>, name: &str) -> Option<PathBuf> {
    let of_the_system = || {
        SYSTEM_FOLDERS
            .iter()
            .map(|folder| Path::new(folder).join(name))
            .find(|path| path.is_file())
    };
    match account {
        Some(_) => of_the_system(),
        None => find_program(name),
    }
}

fn program_name(host_packages: &[String]) -> &str {
    let is_python = |name: &&String| {
        name.strip_prefix("python3.").is_some_and(|minor| {
            !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit())
        })
    };
    host_packages
        .iter()
        .find(is_python)
        .map_or("python3", String::as_str)
}

fn parse_probe(output: &str, os_release: &str) -> anyhow::Result<Interpreter> {
    let lines: Vec<&str> = output.lines().map(str::trim).collect();
    let [path, implementation, version, machine, libc] = lines[..] else {
        bail!("its answer has {} lines and not 5", lines.len())
    };
    if !path.starts_with('/') || !version.starts_with("3.") {
        bail!("its answer is \"{path}\", version \"{version}\"");
    }
    let distribution: Vec<&str> = ["ID=", "VERSION_ID="]
        .iter()
        .filter_map(|key| os_release.lines().find_map(|line| line.strip_prefix(key)))
        .map(unquoted)
        .collect();
    let platform = format!(
        "{implementation} {machine} {libc} {}",
        distribution.join(" ")
    );
    Ok(Interpreter {
        path: path.into(),
        version: version.to_owned(),
        platform,
    })
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches('"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreter_is_the_one_that_the_host_packages_name() {
        let packages = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            program_name(&packages(&["nginx", "python3.12-venv", "python3.12"])),
            "python3.12"
        );
        assert_eq!(
            program_name(&packages(&["nginx", "python3", "python3.", "python3-venv"])),
            "python3"
        );
    }

    #[test]
    fn what_decides_on_compiled_parts_is_in_the_platform() {
        let release = "PRETTY_NAME=\"x\"\nID=debian\nVERSION_ID=\"12\"\n";
        let found = parse_probe(
            "/usr/bin/python3.11\ncpython\n3.11.2\nx86_64\nglibc 2.36\n",
            release,
        )
        .unwrap();
        assert_eq!(found.platform, "cpython x86_64 glibc 2.36 debian 12");
        assert_eq!(
            (found.path.to_str(), found.minor_version()),
            (Some("/usr/bin/python3.11"), "3.11")
        );
        assert!(parse_probe("", release).is_err());
        assert!(parse_probe("python\ncpython\n3.11.2\nx86_64\nx\n", release).is_err());
    }

    #[tokio::test]
    async fn this_machines_interpreter_answers() {
        let found = find(&[], None).await.unwrap();
        assert!(
            found.path.is_file() && found.version.split('.').count() == 3,
            "{found:?}"
        );
    }
}
