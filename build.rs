//! Tells the program which commit it is made from, of when, and for which target.
//!
//! The time is the commit's, or what SOURCE_DATE_EPOCH says, so that the same sources make the same
//! program. Sources without a repository of their own, from a tarball say, have no commit to tell.
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "the rules are about the product; this makes it"
)]

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // Only a repository of our own: a tarball may be unpacked within another.
    let commit = Path::new(".git")
        .exists()
        .then(|| git(&["rev-parse", "--short=9", "HEAD"]))
        .flatten();
    let committed = commit
        .as_ref()
        .and_then(|_| git(&["show", "--no-patch", "--format=%ct", "HEAD"]));
    if commit.is_some() {
        watch_head();
    }
    let time = std::env::var("SOURCE_DATE_EPOCH")
        .ok()
        .or(committed)
        .filter(|time| time.parse::<i64>().is_ok());
    tell("COMMIT", &commit.unwrap_or_default());
    tell("TIME", &time.unwrap_or_default());
    tell("TARGET", &std::env::var("TARGET").unwrap_or_default());
}

fn tell(what: &str, value: &str) {
    println!("cargo::rustc-env=SPOTBOOT_{what}={value}");
}

/// Only another commit makes cargo run this again. What does not exist would make it run this each
/// time.
fn watch_head() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"]
        .map(str::to_owned)
        .into_iter()
        .chain(branch)
    {
        if let Some(path) =
            git(&["rev-parse", "--git-path", &name]).filter(|path| Path::new(path).exists())
        {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn git(args: &[&str]) -> Option<String> {
    // Another user's folder, as in a CI container: git refuses to look into it otherwise.
    let output = Command::new("git")
        .args(["-c", "safe.directory=*"])
        .args(args)
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
