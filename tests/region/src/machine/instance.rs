//! One machine, from its first process to its last.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cgroup::Cgroup;
use super::image::Image;
use super::network::Network;
use super::run::{self, Outcome};
use super::spec::{Spec, hypervisor_uuid};
use super::usable::PATH;

const ENTER: &str = include_str!("enter.sh");
const INSIDE: &str = include_str!("inside.sh");
/// How long a command inside may take unless the caller says otherwise.
const COMMAND: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
const CONSOLE_KEPT: u64 = 1 << 20;

/// An instance. Dropping it is killing it; nothing of it is left then.
#[derive(Debug)]
pub struct Machine {
    id: String,
    address: Ipv4Addr,
    supervisor: Mutex<Child>,
    cgroup: Cgroup,
    link: String,
    folder: PathBuf,
    /// Keeps the bridge until the last machine is gone.
    _network: Network,
}

impl Machine {
    /// Starts it and returns; see [`wait_for_boot`](Self::wait_for_boot). It may reboot itself: disk and network stay. The instance must live as long: its metadata service ends with its handle.
    pub fn boot(image: &Image, network: &Network, spec: Spec) -> anyhow::Result<Self> {
        let link = network.link(spec.address)?;
        let folder = network.folder().join(&link);
        ensure!(!folder.exists(), "booting {}: a machine with the address {} is still there", spec.id, spec.address);
        stage(&folder, network, &spec).with_context(|| format!("preparing the files of {}", spec.id))?;
        let cgroup = Cgroup::create(network.hierarchies(), &format!("{}/{link}", network.group()))?;
        network.serve_metadata(spec.address, spec.metadata);
        let supervisor = supervisor(image, network, &spec, &link, &folder, &cgroup).spawn().context("starting systemd-nspawn")?;
        Ok(Self { id: spec.id, address: spec.address, supervisor: Mutex::new(supervisor), cgroup, link, folder, _network: network.clone() })
    }

    pub fn id(&self) -> &str {
        &self.id
    }

    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Until services run; user data may still be at work then.
    pub fn wait_for_boot(&self, within: Duration) -> anyhow::Result<()> {
        self.until("boot", within, |machine| {
            machine.exec("systemctl is-active --quiet multi-user.target").is_ok_and(|outcome| outcome.success())
        })
    }

    /// Until user data has run. The error is cloud-init's own, where it or the user data failed.
    pub fn wait_for_cloud_init(&self, within: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + within;
        self.wait_for_boot(within)?;
        self.until("run its user data", end.saturating_duration_since(Instant::now()), |machine| {
            machine.exec("test -e /run/cloud-init/result.json").is_ok_and(|outcome| outcome.success())
        })?;
        let outcome = self.exec("cloud-init status --long")?;
        ensure!(outcome.success(), "cloud-init on {}: {}{}", self.id, outcome.stdout, outcome.stderr);
        Ok(())
    }

    fn until(&self, doing: &str, within: Duration, done: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let end = Instant::now() + within;
        while !done(self) {
            ensure!(self.is_alive(), "{} ended before it could {doing}; its console:\n{}", self.id, self.console());
            ensure!(Instant::now() < end, "{} did not {doing} within {within:?}; its console:\n{}", self.id, self.console());
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// A shell line, as root, in the machine; outside of any unit of its.
    pub fn exec(&self, line: &str) -> anyhow::Result<Outcome> {
        self.exec_within(line, COMMAND)
    }

    pub fn exec_within(&self, line: &str, within: Duration) -> anyhow::Result<Outcome> {
        let leader = run::leader(&self.supervisor()).with_context(|| format!("{} runs no systemd (yet or any more)", self.id))?;
        run::inside(leader, line, within)
    }

    /// What the line prints; an error, with what it complained of, if it does not end with 0.
    pub fn run(&self, line: &str) -> anyhow::Result<String> {
        let outcome = self.exec(line)?;
        match outcome.code {
            Some(0) => Ok(outcome.stdout),
            code => bail!("{line:?} on {} ended with {code:?}: {}{}", self.id, outcome.stderr, outcome.stdout),
        }
    }

    pub fn journal(&self, unit: &str) -> anyhow::Result<String> {
        self.run(&format!("journalctl --no-pager --boot --unit '{}'", unit.replace('\'', "")))
    }

    /// What it said on its console, the journal included, the last of it; also of one that is dead.
    pub fn console(&self) -> String {
        let tail = || -> std::io::Result<Vec<u8>> {
            let mut file = File::open(self.folder.join("console"))?;
            let length = file.metadata()?.len();
            file.seek(SeekFrom::Start(length.saturating_sub(CONSOLE_KEPT)))?;
            let mut text = Vec::new();
            file.take(CONSOLE_KEPT).read_to_end(&mut text)?;
            Ok(text)
        };
        String::from_utf8_lossy(&tail().unwrap_or_default()).into_owned()
    }

    pub fn is_alive(&self) -> bool {
        matches!(self.supervisor().try_wait(), Ok(None))
    }

    /// As TerminateInstances does it: services are told to stop. Killed if it is not down in time.
    pub fn stop(&self, within: Duration) -> anyhow::Result<()> {
        if let Some(leader) = run::leader(&self.supervisor()) {
            // SIGRTMIN+4 asks systemd for poweroff.target (systemd(1), "Signals"); no name for it in nix.
            let _ = run::tool("kill", ["-s", "RTMIN+4", &leader.to_string()]);
        }
        let end = Instant::now() + within;
        while self.is_alive() && Instant::now() < end {
            thread::sleep(POLL);
        }
        self.kill()
    }

    /// As a spot instance is lost: every process at once, none is told. Its network goes, its console output stays until it is dropped.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.cgroup.kill()?;
        let mut supervisor = self.supervisor();
        // It may not have joined its group yet.
        if matches!(supervisor.try_wait(), Ok(None)) {
            let _ = kill(Pid::from_raw(supervisor.id().cast_signed()), Signal::SIGKILL);
        }
        supervisor.wait().context("waiting for systemd-nspawn to end")?;
        if Path::new("/sys/class/net").join(&self.link).exists() {
            // Its namespace takes it along in a while; a successor may want the name now.
            let _ = run::tool("ip", ["link", "delete", &self.link]);
        }
        self.cgroup.remove()
    }

    fn supervisor(&self) -> std::sync::MutexGuard<'_, Child> {
        self.supervisor.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let ended = self.kill();
        let removed = fs::remove_dir_all(&self.folder);
        if let Err(error) = ended.and(removed.map_err(Into::into)) {
            tracing::warn!(machine = self.id, "clearing up after a machine: {error:#}");
        }
    }
}

/// What the host holds of a machine: the files to place, an empty folder for its disk's mount, its console.
fn stage(folder: &Path, network: &Network, spec: &Spec) -> anyhow::Result<()> {
    fs::create_dir_all(folder.join("disk"))?;
    fs::create_dir_all(folder.join("hypervisor"))?;
    fs::write(folder.join("hypervisor/uuid"), hypervisor_uuid(&spec.id) + "\n")?;
    let files = folder.join("files");
    fs::create_dir(&files)?;
    let name = spec.host_name();
    place(&files, Path::new("/etc/hostname"), format!("{name}\n").as_bytes(), 0o644)?;
    place(&files, Path::new("/etc/hosts"), format!("127.0.0.1 localhost\n::1 localhost\n{} {name}\n", spec.address).as_bytes(), 0o644)?;
    place(&files, Path::new("/etc/resolv.conf"), format!("nameserver {}\n", network.gateway()).as_bytes(), 0o644)?;
    spec.files.iter().try_for_each(|(path, content, mode)| place(&files, path, content, *mode))
}

fn place(root: &Path, path: &Path, content: &[u8], mode: u32) -> anyhow::Result<()> {
    let inside = path.strip_prefix("/").ok().filter(|path| path.components().all(|part| matches!(part, std::path::Component::Normal(_))));
    let target = root.join(inside.with_context(|| format!("{} is no absolute path", path.display()))?);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(&target, content).with_context(|| format!("writing {}", target.display()))?;
    Ok(fs::set_permissions(&target, fs::Permissions::from_mode(mode))?)
}

fn supervisor(image: &Image, network: &Network, spec: &Spec, link: &str, folder: &Path, cgroup: &Cgroup) -> Command {
    let groups: Vec<_> = cgroup.folders().iter().map(|folder| folder.display().to_string()).collect();
    let mut command = Command::new("sh");
    command.args(["-c", ENTER, "spotboot-machine"]).args(arguments(spec, folder)).env_clear();
    command.env("PATH", PATH).env("INSIDE", INSIDE).env("CONTROL_GROUPS", groups.join(" ")).env("OWNER", std::process::id().to_string());
    command.env("LINK", link).env("BRIDGE", network.bridge()).env("GATEWAY", network.gateway().to_string());
    command.env("ADDRESS", spec.address.to_string()).env("MAC", &spec.mac).env("DISK_MIB", spec.disk_mib.to_string());
    command.env("IMAGE", image.path()).env("FOLDER", folder);
    command.stdin(Stdio::null());
    if let Ok(console) = File::create(folder.join("console")) {
        command.stderr(console.try_clone().map_or_else(|_| Stdio::null(), Stdio::from)).stdout(console);
    }
    command
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
    arguments.push(format!("--directory={}", folder.join("disk/root").display()));
    let bind = |host: &Path, inside: &Path| format!("--bind-ro={}:{}", escaped(host), escaped(inside));
    arguments.push(bind(&folder.join("hypervisor"), Path::new("/sys/hypervisor")));
    arguments.extend(spec.shared.iter().map(|(host, inside)| bind(host, inside)));
    arguments
}

/// A colon parts the two paths of a bind mount (systemd-nspawn(1)).
fn escaped(path: &Path) -> String {
    path.display().to_string().replace('\\', "\\\\").replace(':', "\\:")
}
