//! One machine, from its first process to its last.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::guest::{Guest, POLL};
use super::image::Image;
use super::network::Network;
use super::run::{self, Outcome};
use super::spec::{Spec, hypervisor_uuid};

const INSIDE: &str = concat!(include_str!("link.sh"), include_str!("inside.sh"));
/// How long a command inside may take unless the caller says otherwise.
const COMMAND: Duration = Duration::from_secs(60);

/// An instance. Dropping it is killing it; nothing of it is left then.
#[derive(Debug)]
pub struct Machine(Guest);

impl Machine {
    /// Starts it and returns; see [`wait_for_boot`](Self::wait_for_boot). It may reboot itself:
    /// disk and network stay. The instance must live as long: its metadata service ends with its
    /// handle.
    pub fn boot(image: &Image, network: &Network, spec: Spec) -> anyhow::Result<Self> {
        let stage = |folder: &Path| stage(folder, network, &spec);
        Guest::start(network, &spec, INSIDE, stage, |command, folder| {
            command
                .args(arguments(&spec, folder))
                .env("DISK_MIB", spec.disk_mib.to_string())
                .env("IMAGE", image.path());
        })
        .map(Self)
    }

    pub fn id(&self) -> &str {
        &self.0.id
    }

    pub fn address(&self) -> Ipv4Addr {
        self.0.address
    }

    /// Until services run; user data may still be at work then.
    pub fn wait_for_boot(&self, within: Duration) -> anyhow::Result<()> {
        self.until("boot", within, |machine| {
            machine
                .exec("systemctl is-active --quiet multi-user.target")
                .is_ok_and(|outcome| outcome.success())
        })
    }

    /// Until user data has run. The error is cloud-init's own, where it or the user data failed.
    pub fn wait_for_cloud_init(&self, within: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + within;
        self.wait_for_boot(within)?;
        self.until(
            "run its user data",
            end.saturating_duration_since(Instant::now()),
            |machine| {
                machine
                    .exec("test -e /run/cloud-init/result.json")
                    .is_ok_and(|outcome| outcome.success())
            },
        )?;
        let outcome = self.exec("cloud-init status --long")?;
        ensure!(
            outcome.success(),
            "cloud-init on {}: {}{}",
            self.0.id,
            outcome.stdout,
            outcome.stderr
        );
        Ok(())
    }

    fn until(
        &self,
        doing: &str,
        within: Duration,
        done: impl Fn(&Self) -> bool,
    ) -> anyhow::Result<()> {
        let end = Instant::now() + within;
        while !done(self) {
            ensure!(
                self.is_alive(),
                "{} ended before it could {doing}; its console:\n{}",
                self.0.id,
                self.console()
            );
            ensure!(
                Instant::now() < end,
                "{} did not {doing} within {within:?}; its console:\n{}",
                self.0.id,
                self.console()
            );
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// A shell line, as root, in the machine; outside of any unit of its.
    pub fn exec(&self, line: &str) -> anyhow::Result<Outcome> {
        self.exec_within(line, COMMAND)
    }

    pub fn exec_within(&self, line: &str, within: Duration) -> anyhow::Result<Outcome> {
        let leader = run::leader(&self.0.supervisor())
            .with_context(|| format!("{} runs no systemd (yet or any more)", self.0.id))?;
        run::inside(leader, line, within)
    }

    /// What the line prints; an error, with what it complained of, if it does not end with 0.
    pub fn run(&self, line: &str) -> anyhow::Result<String> {
        let outcome = self.exec(line)?;
        match outcome.code {
            Some(0) => Ok(outcome.stdout),
            code => bail!(
                "{line:?} on {} ended with {code:?}: {}{}",
                self.0.id,
                outcome.stderr,
                outcome.stdout
            ),
        }
    }

    pub fn journal(&self, unit: &str) -> anyhow::Result<String> {
        self.run(&format!(
            "journalctl --no-pager --boot --unit '{}'",
            unit.replace('\'', "")
        ))
    }

    /// What it said on its console, the journal included, the last of it; also of one that is dead.
    pub fn console(&self) -> String {
        self.0.console()
    }

    pub fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    /// As TerminateInstances does it: services are told to stop. Killed if it is not down in time.
    pub fn stop(&self, within: Duration) -> anyhow::Result<()> {
        let leader = run::leader(&self.0.supervisor());
        if let Some(leader) = leader {
            // SIGRTMIN+4 asks systemd for poweroff.target (systemd(1), "Signals"); no name for it
            // in nix.
            let _ = run::tool("kill", ["-s", "RTMIN+4", &leader.to_string()]);
        }
        self.0.wait_for_end(within);
        self.kill()
    }

    /// As a spot instance is lost: every process at once, none is told. Its network goes, its
    /// console output stays until it is dropped.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.0.kill()
    }
}

/// What the host holds of a machine: the files to place, an empty folder for its disk's mount, its
/// console.
fn stage(folder: &Path, network: &Network, spec: &Spec) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("disk"))?;
    fs::create_dir_all(folder.join("hypervisor"))?;
    fs::write(
        folder.join("hypervisor/uuid"),
        hypervisor_uuid(&spec.id) + "\n",
    )?;
    let files = folder.join("files");
    fs::create_dir(&files)?;
    let name = spec.host_name();
    place(
        &files,
        Path::new("/etc/hostname"),
        format!("{name}\n").as_bytes(),
        0o644,
    )?;
    place(
        &files,
        Path::new("/etc/hosts"),
        format!(
            "127.0.0.1 localhost\n::1 localhost\n{} {name}\n",
            spec.address
        )
        .as_bytes(),
        0o644,
    )?;
    place(
        &files,
        Path::new("/etc/resolv.conf"),
        format!("nameserver {}\n", network.gateway()).as_bytes(),
        0o644,
    )?;
    spec.files
        .iter()
        .try_for_each(|(path, content, mode)| place(&files, path, content, *mode))
}

fn place(root: &Path, path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let inside = path.strip_prefix("/").ok().filter(|path| {
        path.components()
            .all(|part| matches!(part, std::path::Component::Normal(_)))
    });
    let target =
        root.join(inside.with_context(|| format!("{} is no absolute path", path.display()))?);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&target, content).with_context(|| format!("writing {}", target.display()))?;
    Ok(fs::set_permissions(
        &target,
        fs::Permissions::from_mode(mode),
    )?)
}

fn arguments(spec: &Spec, folder: &Path) -> Vec<String> {
    let mut arguments: Vec<String> = [
        "--quiet",
        "--boot",
        "--register=no",
        "--keep-unit",
        "--network-namespace-path=/proc/self/ns/net",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        "--console=read-only",
        // For IPAddressDeny= of the units inside.
        "--system-call-filter=bpf",
    ]
    .map(Into::into)
    .into();
    arguments.push(format!("--machine={}", spec.host_name()));
    arguments.push(format!(
        "--directory={}",
        folder.join("disk/root").display()
    ));
    let bind =
        |host: &Path, inside: &Path| format!("--bind-ro={}:{}", escaped(host), escaped(inside));
    arguments.push(bind(
        &folder.join("hypervisor"),
        Path::new("/sys/hypervisor"),
    ));
    arguments.extend(spec.shared.iter().map(|(host, inside)| bind(host, inside)));
    arguments
}

/// A colon parts the two paths of a bind mount (systemd-nspawn(1)).
fn escaped(path: &Path) -> String {
    path.display()
        .to_string()
        .replace('\\', "\\\\")
        .replace(':', "\\:")
}
