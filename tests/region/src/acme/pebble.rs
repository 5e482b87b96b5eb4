//! pebble with a configuration of its own: free ports, the region's certificate, validation through the region's name server.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use tokio::net::TcpStream;

use super::authority::Authority;
use super::supervisor::{Program, Supervisor};
use crate::options::Options;

const STARTS_WITHIN: Duration = Duration::from_secs(20);
const TRIES: usize = 5;

/// How the CA is to behave.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) dns: SocketAddr,
    pub(crate) nonce_reject_percent: u8,
    pub(crate) certificates_per_week: Option<u32>,
    program: Option<PathBuf>,
}

impl Settings {
    /// pebble runs on this machine, whatever the address that others use.
    pub(crate) fn new(dns: SocketAddr, options: &Options) -> Settings {
        let ip = if dns.ip().is_unspecified() { Ipv4Addr::LOCALHOST.into() } else { dns.ip() };
        let Options { nonce_reject_percent, certificates_per_week, ref pebble, .. } = *options;
        Settings { dns: SocketAddr::new(ip, dns.port()), nonce_reject_percent, certificates_per_week, program: pebble.clone() }
    }
}

pub(crate) struct Pebble {
    pub(crate) directory: SocketAddr,
    pub(crate) management: SocketAddr,
    _process: Supervisor,
}

impl Pebble {
    pub(crate) async fn start(settings: &Settings, authority: &Authority, folder: &Path) -> Result<Pebble> {
        let program = settings
            .program
            .clone()
            .or_else(|| find("pebble"))
            .context("starting pebble: it is not in PATH; install it with `apt-get install pebble`")?;
        let issued = authority.issue()?;
        std::fs::write(folder.join("pebble.pem"), &issued.certificate)?;
        std::fs::write(folder.join("pebble.key"), &issued.key)?;
        for _ in 0..TRIES {
            if let Some(pebble) = attempt(settings, &program, folder).await? {
                return Ok(pebble);
            }
        }
        bail!("starting pebble: others took its ports {TRIES} times")
    }
}

/// None where somebody else took the ports in between.
async fn attempt(settings: &Settings, program: &Path, folder: &Path) -> Result<Option<Pebble>> {
    let [directory, management, http, tls] = free_ports()?;
    let config = json!({ "pebble": {
        "listenAddress": directory.to_string(),
        "managementListenAddress": management.to_string(),
        "certificate": folder.join("pebble.pem"),
        "privateKey": folder.join("pebble.key"),
        "httpPort": http.port(),
        "tlsPort": tls.port(),
        "ocspResponderURL": "",
        "externalAccountBindingRequired": false,
        "retryAfter": { "authz": 0, "order": 0 },
    }});
    let file = folder.join("pebble.json");
    std::fs::write(&file, config.to_string())?;
    let log = folder.join("pebble.log");
    let process = Supervisor::start(command(settings, program, &file, &log))?;
    let deadline = Instant::now() + STARTS_WITHIN;
    loop {
        if let Some(status) = process.ended() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            if said.contains("address already in use") {
                return Ok(None);
            }
            bail!("starting pebble: it ended with {status}:\n{}", said.trim_end());
        }
        if TcpStream::connect(directory).await.is_ok() && TcpStream::connect(management).await.is_ok() {
            return Ok(Some(Pebble { directory, management, _process: process }));
        }
        if Instant::now() > deadline {
            bail!("starting pebble: it did not listen within {STARTS_WITHIN:?}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// `setpriv` (util-linux) has the kernel end pebble with the thread that started it, even where we are killed.
fn command(settings: &Settings, program: &Path, config: &Path, log: &Path) -> Program {
    let mut argv: Vec<String> = match find("setpriv") {
        Some(setpriv) => vec![setpriv.display().to_string(), "--pdeathsig".into(), "KILL".into(), "--".into()],
        None => Vec::new(),
    };
    argv.extend([program.display().to_string(), "-config".into(), config.display().to_string()]);
    argv.extend(["-dnsserver".into(), settings.dns.to_string()]);
    let env = vec![
        ("PEBBLE_VA_NOSLEEP".to_owned(), "1".to_owned()),
        ("PEBBLE_AUTHZREUSE".to_owned(), "0".to_owned()),
        ("PEBBLE_WFE_NONCEREJECT".to_owned(), settings.nonce_reject_percent.to_string()),
    ];
    Program { argv, env, log: log.to_owned() }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Ports that are free just now: all are held until all are known.
fn free_ports<const N: usize>() -> Result<[SocketAddr; N]> {
    let held: Vec<TcpListener> = (0..N).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let ports: Vec<SocketAddr> = held.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    ports.try_into().map_err(|_| anyhow::anyhow!("looking for free ports"))
}
