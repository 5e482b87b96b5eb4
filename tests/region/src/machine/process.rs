//! An instance that is no machine: one program in a network of its own, with the instance's address
//! and its metadata service, on the host's own files. What it starts dies with it, and with its
//! owner.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::guest::Guest;
use super::network::Network;
use super::run::{self, Outcome};
use super::spec::Spec;
use crate::Instance;

const INSIDE: &str = concat!(include_str!("link.sh"), include_str!("program.sh"));
/// How long a command beside it may take.
const COMMAND: Duration = Duration::from_secs(60);

/// What an instance runs.
#[derive(Clone, Debug)]
pub struct Program {
    pub arguments: Vec<OsString>,
    /// All of its environment but PATH, which is that of a login unless it is given here; then with
    /// the folders of sbin.
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    pub folder: PathBuf,
}

impl Program {
    /// With the instance's own environment, which says where AWS answers.
    pub fn new(program: impl Into<OsString>, instance: &Instance) -> Self {
        Self {
            arguments: vec![program.into()],
            env: instance.env(),
            folder: PathBuf::from("/"),
        }
    }

    pub fn arguments<A: Into<OsString>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = folder.into();
        self
    }
}

/// A running program, or what it left. Dropping it is killing it.
#[derive(Debug)]
pub struct Process(Guest);

impl Process {
    /// Starts it and returns. The instance must live as long: its metadata service ends with its
    /// handle.
    pub fn start(
        network: &Network,
        instance: &Instance,
        program: &Program,
    ) -> anyhow::Result<Self> {
        let spec = Spec::of(instance)?;
        let resolver = format!("nameserver {}\n", network.gateway());
        let stage = |folder: &std::path::Path| Ok(fs::write(folder.join("resolv.conf"), resolver)?);
        Guest::start(network, &spec, INSIDE, stage, |command, _| {
            command
                .args(&program.arguments)
                .envs(&program.env)
                .env("WORK", &program.folder);
        })
        .map(Self)
    }

    pub fn id(&self) -> &str {
        &self.0.id
    }

    pub fn address(&self) -> Ipv4Addr {
        self.0.address
    }

    /// The program's own; its children have others.
    pub fn pid(&self) -> u32 {
        self.0.supervisor().id()
    }

    pub fn is_alive(&self) -> bool {
        self.0.is_alive()
    }

    /// Its standard output and error, the last of it; also of one that is dead.
    pub fn log(&self) -> String {
        self.0.console()
    }

    /// A shell line in its network, and beside it on the host otherwise.
    pub fn exec(&self, line: &str) -> anyhow::Result<Outcome> {
        run::beside(self.pid(), line, COMMAND)
    }

    /// SIGTERM to the program, as a service's stop is; whatever is left of it in the end is killed.
    pub fn stop(&self, within: Duration) -> anyhow::Result<()> {
        if self.is_alive() {
            let _ = kill(Pid::from_raw(self.pid().cast_signed()), Signal::SIGTERM);
        }
        self.0.wait_for_end(within);
        self.kill()
    }

    /// Every process at once, none is told.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.0.kill()
    }
}
