//! Running programs: on the host, and inside a machine.

use std::io::Read;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, bail};

use super::usable::PATH;

/// What is kept of a program's output; the rest is read and thrown away.
const KEPT: u64 = 4 << 20;
/// What `timeout` exits with when the time is over.
const TIMED_OUT: i32 = 124;

/// How a command inside a machine ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// None: a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Outcome {
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }
}

/// A tool of the host's that says nothing when all is well and takes no time.
pub(super) fn tool<const N: usize>(name: &str, arguments: [&str; N]) -> anyhow::Result<()> {
    let output = Command::new(name)
        .args(arguments)
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("starting {name}"))?;
    if !output.status.success() {
        bail!(
            "{name} {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}

/// A shell line in all of the namespaces of process `leader`.
pub(super) fn inside(leader: u32, line: &str, within: Duration) -> anyhow::Result<Outcome> {
    within_namespaces(
        leader,
        &[
            "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--root", "--wd=/",
        ],
        line,
        within,
    )
}

/// A shell line in the network of a process of the host's, and with its resolver.
pub(super) fn beside(process: u32, line: &str, within: Duration) -> anyhow::Result<Outcome> {
    within_namespaces(process, &["--mount", "--net"], line, within)
}

fn within_namespaces(
    of: u32,
    which: &[&str],
    line: &str,
    within: Duration,
) -> anyhow::Result<Outcome> {
    let mut child = Command::new("timeout")
        .args([
            "--kill-after=1",
            &within.as_secs_f64().to_string(),
            "nsenter",
            "--target",
            &of.to_string(),
        ])
        .args(which)
        .args([
            "env",
            "-i",
            &format!("PATH={PATH}"),
            "HOME=/root",
            "LANG=C.UTF-8",
            "sh",
            "-c",
            line,
        ])
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("starting nsenter")?;
    let (stdout, stderr) = (drain(child.stdout.take()), drain(child.stderr.take()));
    let code = child.wait().context("waiting for nsenter")?.code();
    if code == Some(TIMED_OUT) {
        bail!("running {line:?} in an instance: not done within {within:?}");
    }
    let text = |reader: JoinHandle<Vec<u8>>| {
        reader
            .join()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    };
    Ok(Outcome {
        code,
        stdout: text(stdout),
        stderr: text(stderr),
    })
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(KEPT).read_to_end(&mut kept);
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        }
        kept
    })
}

/// The child of nspawn's that is process 1 of the machine, once it is systemd: before that it still
/// has the host's root folder, and a command meant for the machine would run in the host's tree.
/// None while the machine reboots.
pub(super) fn leader(supervisor: &Child) -> Option<u32> {
    let namespace = |pid: u32| std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
    let ours = namespace(std::process::id())?;
    let is_systemd = |pid: u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name == "systemd\n")
    };
    let mut below = children(supervisor.id()).into_iter().flat_map(children);
    below.find(|pid| namespace(*pid).is_some_and(|theirs| theirs != ours) && is_systemd(*pid))
}

fn children(pid: u32) -> Vec<u32> {
    let text =
        std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace()
        .filter_map(|child| child.parse().ok())
        .collect()
}
