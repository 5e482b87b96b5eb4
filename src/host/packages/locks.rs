//! A run of a package tool that outwaits the locks of others: of cloud-init, of apt's timers, of a
//! person.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::warn;

use crate::host::process::{ProcessError, Run};

const INSTALL: Duration = Duration::from_secs(15 * 60);
/// How long a lock is waited for that the package tool itself does not wait for.
const LOCKED_WITHIN: Duration = Duration::from_secs(300);
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(2);
/// By which words apt, dpkg, dnf and rpm tell, in the locale C, that another run holds a lock.
const LOCK_WORDS: [&str; 5] = [
    "could not get lock",
    "unable to lock",
    "unable to acquire the dpkg frontend lock",
    "locked by another process",
    "transaction lock",
];

/// Runs a package tool, again and again while it says that another run holds a lock.
pub(super) async fn run(
    program: &str,
    args: &[&str],
    names: &[String],
) -> Result<(), ProcessError> {
    let end = Instant::now() + LOCKED_WITHIN;
    let mut waits = false;
    loop {
        match run_once(program, args, names).await {
            Err(error) if is_locked(&error) && Instant::now() < end => {
                if !waits {
                    warn!("waiting for another run of the package tool to end: {error}");
                }
                waits = true;
                sleep(TRY_AGAIN_AFTER).await;
            }
            other => return other,
        }
    }
}

pub(super) fn is_locked(error: &ProcessError) -> bool {
    let ProcessError::Failed { tail, .. } = error else {
        return false;
    };
    let tail = tail.to_lowercase();
    LOCK_WORDS.iter().any(|words| tail.contains(words))
}

async fn run_once(program: &str, args: &[&str], names: &[String]) -> Result<(), ProcessError> {
    let run = Run::new(program)
        .args(args.iter().copied())
        .args(names)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("HOME", "/root");
    run.env("NEEDRESTART_SUSPEND", "1")
        .deadline(INSTALL)
        .output()
        .await
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lock_that_another_run_holds_is_waited_for() {
        let failed = |tail: &str| ProcessError::Failed {
            what: "apt-get update".into(),
            status: "exit status 100".into(),
            code: Some(100),
            tail: tail.into(),
        };
        for locked in [
            "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 712 (apt-get)\nE: Unable to lock directory /var/lib/apt/lists/",
            "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?",
            "dpkg: error: dpkg frontend lock was locked by another process with pid 712",
            "error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)",
            "Failed to obtain rpm transaction lock. Another transaction is in progress.",
        ] {
            assert!(is_locked(&failed(locked)), "{locked}");
        }
        for other in [
            "E: Unable to locate package lockfile-progs",
            "E: Version '2' for 'liblockfile1' was not found",
            "No match for argument: lockdev",
        ] {
            assert!(!is_locked(&failed(other)), "{other}");
        }
    }

    #[tokio::test]
    async fn a_tool_that_finds_a_lock_held_is_run_again_until_it_is_free() {
        let folder = tempfile::tempdir().unwrap();
        let (dnf, calls) = (folder.path().join("dnf"), folder.path().join("calls"));
        let script = "echo \"$*\" >>CALLS\n[ \"$(wc -l <CALLS)\" -gt 1 ] && exit 0\n\
             echo \"error: can't create transaction lock on /var/lib/rpm/.rpm.lock (Resource temporarily unavailable)\" >&2\nexit 1\n";
        std::fs::write(&dnf, script.replace("CALLS", calls.to_str().unwrap())).unwrap();
        let args = [dnf.to_str().unwrap(), "install"];
        run("/bin/sh", &args, &["nginx".to_owned()]).await.unwrap();
        assert_eq!(
            std::fs::read_to_string(&calls).unwrap(),
            "install nginx\ninstall nginx\n"
        );
    }
}
