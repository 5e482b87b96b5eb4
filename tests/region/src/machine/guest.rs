//! What a machine and a process in a network of its own have in common: a control group, namespaces
//! with a link to the bridge, a folder.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::cgroup::Cgroup;
use super::network::Network;
use super::run;
use super::spec::Spec;
use super::usable::PATH;

const ENTER: &str = include_str!("enter.sh");
pub(super) const POLL: Duration = Duration::from_millis(20);
const CONSOLE_KEPT: u64 = 1 << 20;

/// Dropping it is killing it; nothing of it is left then.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) id: String,
    pub(super) address: Ipv4Addr,
    supervisor: Mutex<Child>,
    cgroup: Cgroup,
    link: String,
    folder: PathBuf,
    /// Keeps the bridge until the last one is gone.
    _network: Network,
}

impl Guest {
    /// `stage` fills its folder; `complete` gives the first process its arguments, and what
    /// `inside`, run before it in its namespaces, is to know.
    pub(super) fn start(
        network: &Network,
        spec: &Spec,
        inside: &str,
        stage: impl FnOnce(&Path) -> anyhow::Result<()>,
        complete: impl FnOnce(&mut Command, &Path),
    ) -> anyhow::Result<Self> {
        let link = network.link(spec.address)?;
        let folder = network.folder().join(&link);
        ensure!(
            !folder.exists(),
            "starting {}: one with the address {} is still there",
            spec.id,
            spec.address
        );
        fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
        stage(&folder).with_context(|| format!("preparing the files of {}", spec.id))?;
        let cgroup = Cgroup::create(
            network.hierarchies(),
            &format!("{}/{link}", network.group()),
        )?;
        network.serve_metadata(spec.address, spec.metadata);
        let mut command = Command::new("sh");
        command
            .args(["-c", ENTER, "spotboot-instance"])
            .env_clear()
            .env("PATH", PATH)
            .env("INSIDE", inside);
        surroundings(&mut command, network, spec, &link, &folder, &cgroup);
        complete(&mut command, &folder);
        let supervisor = Mutex::new(
            command
                .spawn()
                .with_context(|| format!("starting {}", spec.id))?,
        );
        Ok(Self {
            id: spec.id.clone(),
            address: spec.address,
            supervisor,
            cgroup,
            link,
            folder,
            _network: network.clone(),
        })
    }

    pub(super) fn supervisor(&self) -> MutexGuard<'_, Child> {
        self.supervisor
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_alive(&self) -> bool {
        matches!(self.supervisor().try_wait(), Ok(None))
    }

    pub(super) fn wait_for_end(&self, within: Duration) {
        let end = Instant::now() + within;
        while self.is_alive() && Instant::now() < end {
            thread::sleep(POLL);
        }
    }

    /// What it said, the last of it; also of one that is dead.
    pub(super) fn console(&self) -> String {
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

    /// Every process at once, none is told. Its network goes, its console output stays until it is
    /// dropped.
    pub(super) fn kill(&self) -> anyhow::Result<()> {
        self.cgroup.kill()?;
        let mut supervisor = self.supervisor();
        // It may not have joined its group yet.
        if matches!(supervisor.try_wait(), Ok(None)) {
            let _ = kill(
                Pid::from_raw(supervisor.id().cast_signed()),
                Signal::SIGKILL,
            );
        }
        supervisor
            .wait()
            .with_context(|| format!("waiting for {} to end", self.id))?;
        if Path::new("/sys/class/net").join(&self.link).exists() {
            // Its namespace takes it along in a while; a successor may want the name now.
            let _ = run::tool("ip", ["link", "delete", &self.link]);
        }
        self.cgroup.remove()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let ended = self.kill();
        let removed = fs::remove_dir_all(&self.folder);
        if let Err(error) = ended.and(removed.map_err(Into::into)) {
            tracing::warn!(
                instance = self.id,
                "clearing up after an instance: {error:#}"
            );
        }
    }
}

fn surroundings(
    command: &mut Command,
    network: &Network,
    spec: &Spec,
    link: &str,
    folder: &Path,
    cgroup: &Cgroup,
) {
    let groups: Vec<_> = cgroup
        .folders()
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    command
        .env("CONTROL_GROUPS", groups.join(" "))
        .env("OWNER", std::process::id().to_string())
        .env("FOLDER", folder);
    command
        .env("LINK", link)
        .env("BRIDGE", network.bridge())
        .env("GATEWAY", network.gateway().to_string());
    command
        .env("ADDRESS", spec.address.to_string())
        .env("MAC", &spec.mac)
        .env("PUBLIC", network.public_addresses());
    command.stdin(Stdio::null());
    if let Ok(console) = File::create(folder.join("console")) {
        command
            .stderr(
                console
                    .try_clone()
                    .map_or_else(|_| Stdio::null(), Stdio::from),
            )
            .stdout(console);
    }
}
