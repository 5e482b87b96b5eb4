//! What a machine's tree is made of. It is of the host's own release, from the host's own package
//! sources, so that the host's binaries run in it.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use sha2::{Digest, Sha256};

/// nginx and Python as `[host] packages` would install them: a machine has no way to a mirror.
const PACKAGES: [&str; 13] = [
    "ca-certificates",
    "cloud-init",
    "curl",
    "dbus",
    "iproute2",
    "netbase",
    "nginx",
    "openssl",
    "procps",
    "python3",
    "python3-venv",
    "systemd",
    "systemd-sysv",
];
/// Left out when unpacking, for size. Without dhclient, cloud-init does not ask for a lease that
/// nobody would grant.
const EXCLUDED: [&str; 9] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/share/i18n/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/bash-completion/*",
    "/usr/share/perl/*/unicore/*",
    "/sbin/dhclient",
];
const CUSTOMIZE: &str = include_str!("customize.sh");

#[derive(Debug)]
pub(super) struct Recipe {
    codename: String,
    /// deb822, as apt reads it.
    pub(super) sources: String,
    proxy: Option<String>,
}

impl Recipe {
    pub(super) fn of_host(proxy: Option<String>) -> anyhow::Result<Self> {
        let release = fs::read_to_string("/etc/os-release").context("reading /etc/os-release")?;
        let codename = codename(&release)
            .context("/etc/os-release names no VERSION_CODENAME; machines need a Debian host")?;
        let sources = sources(Path::new("/etc/apt"), &codename)?;
        ensure!(
            !sources.is_empty(),
            "no source in /etc/apt offers {codename} main; machines are made from the host's own sources"
        );
        Ok(Self {
            codename,
            sources,
            proxy,
        })
    }

    /// The name of the finished tree: another recipe, another tree.
    pub(super) fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for part in [
            &self.codename,
            &self.sources,
            std::env::consts::ARCH,
            CUSTOMIZE,
        ]
        .into_iter()
        .chain(PACKAGES)
        .chain(EXCLUDED)
        {
            hash.update(part);
            hash.update([0]);
        }
        hex::encode(&hash.finalize()[..8])
    }

    pub(super) fn arguments(&self, sources: &Path, tree: &Path) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "--mode=root",
            "--variant=minbase",
            "--format=directory",
            "--quiet",
        ]
        .map(Into::into)
        .into();
        arguments.push(format!("--include={}", PACKAGES.join(",")));
        arguments.push("--aptopt=APT::Install-Recommends \"false\"".into());
        arguments.push("--dpkgopt=force-unsafe-io".into());
        arguments.extend(
            self.proxy
                .iter()
                .map(|proxy| format!("--aptopt=Acquire::http::Proxy \"{proxy}\"")),
        );
        arguments.extend(EXCLUDED.map(|pattern| format!("--dpkgopt=path-exclude={pattern}")));
        arguments.push(format!("--customize-hook={CUSTOMIZE}"));
        arguments.extend([
            self.codename.clone(),
            tree.display().to_string(),
            sources.display().to_string(),
        ]);
        arguments
    }
}

fn codename(os_release: &str) -> Option<String> {
    let line = os_release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(line.trim_matches('"').to_owned()).filter(|name| !name.is_empty())
}

fn sources(apt: &Path, codename: &str) -> anyhow::Result<String> {
    let mut files = vec![apt.join("sources.list")];
    if let Ok(folder) = fs::read_dir(apt.join("sources.list.d")) {
        files.extend(folder.flatten().map(|entry| entry.path()));
    }
    files.sort();
    let mut chosen = Vec::new();
    for file in files.iter().filter(|file| file.is_file()) {
        let text =
            fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("sources") => chosen.extend(
                text.split("\n\n")
                    .filter_map(|stanza| from_stanza(stanza, codename)),
            ),
            Some("list") => {
                chosen.extend(text.lines().filter_map(|line| from_line(line, codename)))
            }
            _ => {}
        }
    }
    Ok(chosen.join("\n"))
}

/// The release itself, its updates and its security fixes; nothing from third parties, who name
/// their suites otherwise or have no `main`.
fn is_suite(name: &str, codename: &str) -> bool {
    name.strip_prefix(codename)
        .is_some_and(|rest| matches!(rest.trim_end_matches('/'), "" | "-updates" | "-security"))
}

/// A deb822 stanza (sources.list(5)), less its other suites.
fn from_stanza(stanza: &str, codename: &str) -> Option<String> {
    let lines = || {
        stanza
            .lines()
            .filter(|line| !line.starts_with('#') && !line.trim().is_empty())
    };
    let field = |name: &str| {
        lines()
            .find_map(|line| {
                line.split_once(':')
                    .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            })
            .map(|(_, v)| v.trim())
    };
    let suites: Vec<_> = field("Suites")?
        .split_whitespace()
        .filter(|suite| is_suite(suite, codename))
        .collect();
    let wanted = field("Types")?.split_whitespace().any(|kind| kind == "deb")
        && field("Components")?
            .split_whitespace()
            .any(|component| component == "main")
        && field("Enabled") != Some("no")
        && !suites.is_empty();
    let rewrite = |line: &str| match line
        .split_once(':')
        .map(|(key, _)| key.to_ascii_lowercase())
        .as_deref()
    {
        Some("suites") => format!("Suites: {}\n", suites.join(" ")),
        Some("types") => "Types: deb\n".into(),
        Some("components") => "Components: main\n".into(),
        _ => format!("{line}\n"),
    };
    wanted.then(|| lines().map(rewrite).collect())
}

/// A one-line source as a stanza: mmdebstrap reads one format per file.
fn from_line(line: &str, codename: &str) -> Option<String> {
    let rest = line.trim().strip_prefix("deb ")?.trim();
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    let signed = options
        .split_whitespace()
        .find_map(|option| option.strip_prefix("signed-by="));
    let signed = signed
        .map(|key| format!("Signed-By: {key}\n"))
        .unwrap_or_default();
    (is_suite(suite, codename) && words.any(|component| component == "main"))
        .then(|| format!("Types: deb\nURIs: {uri}\nSuites: {suite}\nComponents: main\n{signed}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_own_release_is_taken_and_third_parties_are_left() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sources.list.d")).unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "sources.list",
            "deb [arch=amd64 signed-by=/k.gpg] http://mirror.test/debian trixie main contrib\ndeb-src http://mirror.test/debian trixie main\n",
        );
        write(
            "sources.list.d/debian.sources",
            "Types: deb deb-src\n# a note\nURIs: http://mirror.test/debian\nSuites: trixie trixie-updates trixie-backports\nComponents: main\nSigned-By: /k.gpg\n\n\
             Types: deb\nURIs: http://other.test\nSuites: nodistro\nComponents: main\n",
        );
        write(
            "sources.list.d/third.list",
            "deb http://third.test trixie stable\ndeb http://third.test trixie-pgdg main\n",
        );
        assert_eq!(
            sources(folder.path(), "trixie").unwrap(),
            "Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie\nComponents: main\nSigned-By: /k.gpg\n\n\
             Types: deb\nURIs: http://mirror.test/debian\nSuites: trixie trixie-updates\nComponents: main\nSigned-By: /k.gpg\n"
        );
    }

    #[test]
    fn another_source_makes_another_tree() {
        let recipe = |sources: &str| Recipe {
            codename: "trixie".into(),
            sources: sources.into(),
            proxy: None,
        };
        assert_ne!(recipe("a").hash(), recipe("b").hash());
        assert_eq!(recipe("a").hash(), recipe("a").hash());
    }
}
