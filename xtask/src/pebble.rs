//! A later pebble than Debian 12's, whose CA gives renewal information and knows profiles: its
//! package needs no more of the system than Debian 12 has. It is unpacked into cargo's target
//! folder, and installed nowhere.

use std::path::Path;

use anyhow::{Context, Result};

use crate::run::{ask, built, run};

const VERSION: &str = "2.10.0+ds1-2";
/// By architecture: the package's SHA-256, as Debian's index of unstable has it.
const PACKAGES: [(&str, &str); 1] = [(
    "amd64",
    "b9a3a3920143f1a6fc568dfa88247be22cafa96c845fe62938c08982a15df315",
)];
/// Mirrors drop it once unstable has a later version: then that one's version and sum belong here.
const POOL: &str = "http://deb.debian.org/debian/pool/main/p/pebble";

/// Fetches and unpacks it unless it is there. Without it some tests say that they test nothing, and
/// in CI they fail.
pub(crate) fn install() -> Result<()> {
    let folder = built("pebble", "")?;
    let marker = folder.join(format!("{VERSION}.unpacked"));
    if marker.exists() {
        return Ok(());
    }
    let done = unpack(&folder)
        .and_then(|()| std::fs::write(&marker, "").context("noting that pebble is unpacked"));
    match done {
        Err(error) if std::env::var_os("CI").is_none() => {
            eprintln!(
                "xtask: there is no later pebble, so renewal information is NOT TESTED: {error:#}"
            );
            Ok(())
        }
        done => done,
    }
}

fn unpack(folder: &Path) -> Result<()> {
    let architecture = ask("dpkg", &["--print-architecture"])?.trim().to_owned();
    let known = PACKAGES.iter().find(|(name, _)| *name == architecture);
    let (_, sha256) = known.with_context(|| format!("no package is known for {architecture}"))?;
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    let path = |name: &str| {
        folder
            .join(name)
            .to_str()
            .map(str::to_owned)
            .context("cargo's target folder has no name in UTF-8")
    };
    let package = path("pebble.deb")?;
    let url = format!("{POOL}/pebble_{VERSION}_{architecture}.deb");
    // apt's own downloader, which checks the sum.
    run(
        "/usr/lib/apt/apt-helper",
        &["download-file", &url, &package, &format!("SHA256:{sha256}")],
        &[],
    )?;
    run("dpkg-deb", &["--extract", &package, &path("")?], &[])
}
