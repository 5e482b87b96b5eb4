//! pebble with a configuration of its own: free ports, the region's certificate, validation through
//! the region's name server.

use std::fs::{File, TryLockError};
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
/// Many regions start at once in a suite.
const ALONE_WITHIN: Duration = Duration::from_secs(120);
const TRIES: usize = 5;
/// How many seconds a CA takes at most that takes its time, and after which it may be asked again.
const UNHURRIED: u32 = 3;

/// How the CA is to behave.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) dns: SocketAddr,
    pub(crate) nonce_reject_percent: u8,
    pub(crate) certificates_per_week: Option<u32>,
    pub(crate) orders_per_three_hours: Option<u32>,
    unhurried: bool,
    profiles: Vec<(String, Duration)>,
    external_accounts: Vec<(String, String)>,
    program: Option<PathBuf>,
}

impl Settings {
    /// pebble runs on this machine, whatever the address that others use.
    pub(crate) fn new(dns: SocketAddr, options: &Options) -> Settings {
        let dns = options.validates_by.unwrap_or(dns);
        let ip = if dns.ip().is_unspecified() {
            Ipv4Addr::LOCALHOST.into()
        } else {
            dns.ip()
        };
        Settings {
            dns: SocketAddr::new(ip, dns.port()),
            nonce_reject_percent: options.nonce_reject_percent,
            certificates_per_week: options.certificates_per_week,
            orders_per_three_hours: options.orders_per_three_hours,
            unhurried: options.unhurried_ca,
            profiles: options.profiles.clone(),
            external_accounts: options.external_accounts.clone(),
            program: options.pebble.clone(),
        }
    }

    /// pebble 2.4 knows one validity period, 2.10 one for each profile.
    fn configuration(&self) -> serde_json::Value {
        let period = |(name, lasts): &(String, Duration)| {
            (
                name.clone(),
                json!({ "description": name, "validityPeriod": lasts.as_secs() }),
            )
        };
        let profiles: serde_json::Map<_, _> = self.profiles.iter().map(period).collect();
        let keys: serde_json::Map<_, _> = self
            .external_accounts
            .iter()
            .map(|(id, key)| (id.clone(), json!(key)))
            .collect();
        let again = if self.unhurried { UNHURRIED } else { 0 };
        let mut settings = json!({
            "ocspResponderURL": "",
            "externalAccountBindingRequired": !keys.is_empty(),
            "externalAccountMACKeys": keys,
            "retryAfter": { "authz": again, "order": again },
        });
        if let Some((_, lasts)) = self.profiles.first() {
            settings["certificateValidityPeriod"] = lasts.as_secs().into();
            settings["profiles"] = profiles.into();
        }
        settings
    }
}

/// The pebble in cargo's target folder that `cargo xtask test` has fetched there: it knows renewal
/// information (RFC 9773) and profiles. `None`, said loudly, where there is none: in CI that is an
/// error.
#[expect(
    clippy::disallowed_macros,
    reason = "the rule is about the product; a test says that it is left out"
)]
pub fn later_pebble() -> Option<PathBuf> {
    let ours = std::env::current_exe().expect("a program knows its own path");
    let found = ours
        .ancestors()
        .map(|folder| folder.join("pebble/usr/bin/pebble"))
        .find(|program| program.is_file());
    if found.is_none() {
        let missing = "there is no pebble with renewal information in cargo's target folder; `cargo xtask test suites` fetches it";
        assert!(std::env::var_os("CI").is_none(), "{missing}");
        eprintln!("NOT TESTED: {missing}");
    }
    found
}

pub(crate) struct Pebble {
    pub(crate) directory: SocketAddr,
    pub(crate) management: SocketAddr,
    _process: Supervisor,
}

impl Pebble {
    pub(crate) async fn start(
        settings: &Settings,
        authority: &Authority,
        folder: &Path,
    ) -> Result<Pebble> {
        let program = settings
            .program
            .clone()
            .or_else(|| find("pebble"))
            .context(
                "starting pebble: it is not in PATH; install it with `apt-get install pebble`",
            )?;
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
    let _alone = alone().await?;
    let [directory, management, http, tls] = free_ports()?;
    let mut config = settings.configuration();
    config["listenAddress"] = directory.to_string().into();
    config["managementListenAddress"] = management.to_string().into();
    config["certificate"] = json!(folder.join("pebble.pem"));
    config["privateKey"] = json!(folder.join("pebble.key"));
    config["httpPort"] = http.port().into();
    config["tlsPort"] = tls.port().into();
    let file = folder.join("pebble.json");
    std::fs::write(&file, json!({ "pebble": config }).to_string())?;
    let log = folder.join("pebble.log");
    let process = Supervisor::start(command(settings, program, &file, &log))?;
    let deadline = Instant::now() + STARTS_WITHIN;
    loop {
        if let Some(status) = process.ended() {
            let said = std::fs::read_to_string(&log).unwrap_or_default();
            if said.contains("address already in use") {
                return Ok(None);
            }
            bail!(
                "starting pebble: it ended with {status}:\n{}",
                said.trim_end()
            );
        }
        if TcpStream::connect(directory).await.is_ok()
            && TcpStream::connect(management).await.is_ok()
        {
            return Ok(Some(Pebble {
                directory,
                management,
                _process: process,
            }));
        }
        if Instant::now() > deadline {
            bail!("starting pebble: it did not listen within {STARTS_WITHIN:?}");
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// One pebble of this machine at a time looks for ports and takes them: of two that chose the same
/// port, the one that did not get it would take the other's answer for its own.
async fn alone() -> Result<File> {
    let path = std::env::temp_dir().join(format!("spotboot-pebble-{}.lock", nix::unistd::getuid()));
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("opening {}", path.display()))?;
    let deadline = Instant::now() + ALONE_WITHIN;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(5)).await
            }
            Err(error) => bail!("waiting for other pebbles to start: {error}"),
        }
    }
}

/// `setpriv` (util-linux) has the kernel end pebble with the thread that started it, even where we
/// are killed.
fn command(settings: &Settings, program: &Path, config: &Path, log: &Path) -> Program {
    let mut argv: Vec<String> = match find("setpriv") {
        Some(setpriv) => vec![
            setpriv.display().to_string(),
            "--pdeathsig".into(),
            "KILL".into(),
            "--".into(),
        ],
        None => Vec::new(),
    };
    argv.extend([
        program.display().to_string(),
        "-config".into(),
        config.display().to_string(),
    ]);
    argv.extend(["-dnsserver".into(), settings.dns.to_string()]);
    let reused = if settings.unhurried { 100 } else { 0 };
    let mut env = vec![
        ("PEBBLE_AUTHZREUSE".to_owned(), reused.to_string()),
        (
            "PEBBLE_WFE_NONCEREJECT".to_owned(),
            settings.nonce_reject_percent.to_string(),
        ),
    ];
    env.push(if settings.unhurried {
        ("PEBBLE_VA_SLEEPTIME".to_owned(), UNHURRIED.to_string())
    } else {
        ("PEBBLE_VA_NOSLEEP".to_owned(), "1".to_owned())
    });
    Program {
        argv,
        env,
        log: log.to_owned(),
    }
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
}

/// Ports that are free just now: all are held until all are known.
fn free_ports<const N: usize>() -> Result<[SocketAddr; N]> {
    let held: Vec<TcpListener> = (0..N)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<Result<_, _>>()?;
    let ports: Vec<SocketAddr> = held
        .iter()
        .map(TcpListener::local_addr)
        .collect::<Result<_, _>>()?;
    ports
        .try_into()
        .map_err(|_| anyhow::anyhow!("looking for free ports"))
}
