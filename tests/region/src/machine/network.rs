//! A region's own network on this host: a bridge that holds the gateway's address and
//! 169.254.169.254, and one link per machine. Nothing is forwarded beyond it. Several stand side by
//! side, each with its own number and its own 169.254.169.254. While one stands, a host that is an
//! EC2 instance itself does not reach its own IMDS.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::OwnedFd;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};

use super::cgroup::Hierarchies;
use super::names::NameServer;
use super::relay::{METADATA, Relay};
use super::run;
use super::usable::PATH;
use crate::{InstanceSpec, Wiring};

const ROOT: &str = "/run/spotboot-region";
const KEEPER: &str = include_str!("keeper.sh");
const KEEPER_DEADLINE: Duration = Duration::from_secs(15);

/// Clones are the same network; it goes with the last one, machines included.
#[derive(Debug, Clone)]
pub struct Network {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    number: u8,
    hierarchies: Hierarchies,
    doors: OnceLock<Doors>,
    next: AtomicU8,
    next_public: AtomicU8,
    /// Last: what it takes down is in use until here.
    #[cfg_attr(not(test), expect(dead_code, reason = "held for its drop"))]
    keeper: Keeper,
}

/// What answers at the network's two well-known addresses.
#[derive(Debug)]
struct Doors {
    names: NameServer,
    metadata: Relay,
}

impl Network {
    /// Takes the first free number; sweeps what owners that died, and whose keepers died too, have
    /// left.
    pub fn create() -> anyhow::Result<Self> {
        super::networks_usable()?;
        let hierarchies = Hierarchies::find()?;
        sweep(&hierarchies)?;
        for number in 0..=u8::MAX {
            if let Some(claim) = claim(number)? {
                let keeper = Keeper::start(number, &hierarchies, claim)?;
                let (doors, next, next_public) =
                    (OnceLock::new(), AtomicU8::new(2), AtomicU8::new(1));
                let network = Self {
                    shared: Arc::new(Shared {
                        number,
                        hierarchies,
                        doors,
                        next,
                        next_public,
                        keeper,
                    }),
                };
                network.build()?;
                return Ok(network);
            }
        }
        bail!("no number is free for another network of machines");
    }

    fn build(&self) -> anyhow::Result<()> {
        let (bridge, gateway) = (self.bridge(), format!("{}/24", self.gateway()));
        fs::create_dir_all(self.folder())
            .with_context(|| format!("making {}", self.folder().display()))?;
        // Its own for good: by default a bridge has its lowest port's, and when that port goes the
        // others know a neighbour who is not there.
        run::tool(
            "ip",
            [
                "link",
                "add",
                &bridge,
                "address",
                &hardware_address(self.gateway()),
                "type",
                "bridge",
            ],
        )?;
        run::tool("ip", ["address", "add", &gateway, "dev", &bridge])?;
        run::tool(
            "ip",
            [
                "address",
                "add",
                &format!("{}/32", METADATA.ip()),
                "dev",
                &bridge,
            ],
        )?;
        run::tool("ip", ["link", "set", &bridge, "up"])?;
        let doors = Doors {
            names: NameServer::start(self.gateway())?,
            metadata: Relay::start(&bridge)?,
        };
        self.shared
            .doors
            .set(doors)
            .map_err(|_| anyhow::anyhow!("a network is built once"))
    }

    /// The host's own address here, where the region's services listen (`Options::bind`). Of
    /// 198.18.0.0/15 (RFC 2544), which no network in use should hold.
    pub fn gateway(&self) -> Ipv4Addr {
        address(self.shared.number, 1)
    }

    /// Machines here ask this DNS, through port 53 of the gateway (UDP); before, and without, no
    /// name exists for them.
    pub fn resolve_through(&self, dns: std::net::SocketAddr) {
        if let Some(doors) = self.shared.doors.get() {
            doors.names.forward_to(dns);
        }
    }

    /// What an instance here is launched with: a new address, which is its public one as well, and
    /// the link that its machine will have.
    pub fn instance(&self, id: &str) -> anyhow::Result<InstanceSpec> {
        let address = self.next_address()?;
        let mac = hardware_address(address);
        Ok(InstanceSpec {
            private_ipv4: address,
            public_ipv4: Some(address),
            mac,
            peer: Some(address.into()),
            ..InstanceSpec::new(id)
        })
    }

    /// An address that no machine here has had.
    fn next_address(&self) -> anyhow::Result<Ipv4Addr> {
        let host = self
            .shared
            .next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |host| {
                host.checked_add(1)
            });
        let host = host
            .ok()
            .filter(|host| *host < u8::MAX)
            .context("this network has no address left")?;
        Ok(address(self.shared.number, host))
    }

    /// Where addresses are from that come and go: each machine takes all of them for its own, and
    /// the host's routes say whose one is.
    pub(super) fn public_addresses(&self) -> String {
        format!("{}/24", public_address(self.shared.number, 0))
    }

    /// From now on, who asks 169.254.169.254 from this address is connected to that service.
    pub(super) fn serve_metadata(&self, machine: Ipv4Addr, service: std::net::SocketAddr) {
        if let Some(doors) = self.shared.doors.get() {
            doors.metadata.add(machine, service);
        }
    }

    pub(super) fn bridge(&self) -> String {
        bridge(self.shared.number)
    }

    /// The host's end of a machine's link; an interface's name has 15 characters at most.
    pub(super) fn link(&self, machine: Ipv4Addr) -> anyhow::Result<String> {
        let [_, _, number, host] = machine.octets();
        ensure!(
            machine == address(self.shared.number, host),
            "{machine} is no address of the network of {}",
            self.gateway()
        );
        ensure!(
            (2..u8::MAX).contains(&host),
            "{machine} is the network's own"
        );
        Ok(format!("spotboot{number}m{host}"))
    }

    pub(super) fn folder(&self) -> PathBuf {
        folder(self.shared.number)
    }

    pub(super) fn hierarchies(&self) -> &Hierarchies {
        &self.shared.hierarchies
    }

    #[cfg(test)]
    pub(super) fn keeper(&self) -> u32 {
        self.shared.keeper.0.id()
    }

    pub(super) fn group(&self) -> String {
        group(self.shared.number)
    }
}

impl Wiring for Network {
    fn fresh(&self) -> anyhow::Result<Ipv4Addr> {
        let host =
            self.shared
                .next_public
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |host| {
                    host.checked_add(1)
                });
        let host = host
            .ok()
            .filter(|host| *host < u8::MAX)
            .context("this network has no public address left")?;
        Ok(public_address(self.shared.number, host))
    }

    fn lead(&self, address: Ipv4Addr, to: &InstanceSpec) -> anyhow::Result<()> {
        let (route, via) = (format!("{address}/32"), to.private_ipv4.to_string());
        run::tool(
            "ip",
            [
                "route",
                "replace",
                &route,
                "via",
                &via,
                "dev",
                &self.bridge(),
            ],
        )
    }
}

fn address(number: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 18, number, host)
}

/// Of the other half of 198.18.0.0/15.
fn public_address(number: u8, host: u8) -> Ipv4Addr {
    Ipv4Addr::new(198, 19, number, host)
}

/// Locally administered, one for each address.
fn hardware_address(address: Ipv4Addr) -> String {
    let [a, b, c, d] = address.octets();
    format!("02:00:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
}

fn bridge(number: u8) -> String {
    format!("spotboot{number}")
}

fn group(number: u8) -> String {
    format!("spotboot-region-{number}")
}

fn folder(number: u8) -> PathBuf {
    Path::new(ROOT).join(number.to_string())
}

/// A number is claimed by a socket in the abstract namespace: it is freed with its last holder and
/// leaves no file.
fn claim(number: u8) -> anyhow::Result<Option<OwnedFd>> {
    let name = SocketAddr::from_abstract_name(group(number)).context("naming a claim")?;
    match UnixListener::bind_addr(&name) {
        Ok(claim) => Ok(Some(claim.into())),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => Ok(None),
        Err(error) => Err(error).with_context(|| format!("claiming the machine network {number}")),
    }
}

/// A folder whose number can be claimed belongs to nobody alive.
fn sweep(hierarchies: &Hierarchies) -> anyhow::Result<()> {
    let Ok(folders) = fs::read_dir(ROOT) else {
        return Ok(());
    };
    for number in folders
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
    {
        if let Some(claim) = claim(number)? {
            drop(Keeper::start(number, hierarchies, claim)?);
        }
    }
    Ok(())
}

/// The process that outlives us by a moment, to clear up.
#[derive(Debug)]
struct Keeper(Child);

impl Keeper {
    fn start(number: u8, hierarchies: &Hierarchies, claim: OwnedFd) -> anyhow::Result<Self> {
        use std::os::unix::process::CommandExt;
        let groups: Vec<_> = hierarchies
            .folders(&group(number))
            .iter()
            .map(|folder| folder.display().to_string())
            .collect();
        let keeper = Command::new("sh")
            .args(["-c", KEEPER, "spotboot-keeper"])
            .env_clear()
            .env("PATH", PATH)
            .env("CONTROL_GROUPS", groups.join(" "))
            .env("BRIDGE", bridge(number))
            .env("FOLDER", folder(number))
            .current_dir("/")
            // A Ctrl-C in the terminal is for us; the keeper has work to do then.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::from(claim))
            .spawn();
        Ok(Self(
            keeper.context("starting the keeper of a machine network")?,
        ))
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let Some(mut pipe) = self.0.stdin.take() {
            let _ = pipe.write_all(b"\n");
        }
        let end = Instant::now() + KEEPER_DEADLINE;
        while matches!(self.0.try_wait(), Ok(None)) && Instant::now() < end {
            thread::sleep(Duration::from_millis(5));
        }
    }
}
