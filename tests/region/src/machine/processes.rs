//! A fleet's instances as processes: see [`Process`].

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use super::network::Network;
use super::process::{Process, Program};
use crate::{Instance, InstanceSpec, Launcher, Running, locked};

/// EC2 gives an instance that is terminated some minutes to stop; here it has to be over sooner.
pub(super) const STOPS_WITHIN: Duration = Duration::from_secs(60);

type Programs = dyn Fn(&Instance) -> anyhow::Result<Program> + Send + Sync;

/// Launches processes; each has an address of the network, and ports 80 and 443 of its own there.
pub struct Processes {
    network: Network,
    program: Box<Programs>,
    started: Mutex<BTreeMap<String, Weak<Process>>>,
}

impl Processes {
    /// What an instance runs is asked at its start.
    pub fn new(
        network: &Network,
        program: impl Fn(&Instance) -> anyhow::Result<Program> + Send + Sync + 'static,
    ) -> Self {
        Self {
            network: network.clone(),
            program: Box::new(program),
            started: Mutex::default(),
        }
    }

    /// The process of an instance that is not terminated.
    pub fn process(&self, id: &str) -> Option<Arc<Process>> {
        locked(&self.started).get(id)?.upgrade()
    }
}

impl Launcher for Processes {
    fn spec(&self, id: &str) -> anyhow::Result<InstanceSpec> {
        self.network.instance(id)
    }

    fn start(&self, instance: &Instance) -> anyhow::Result<Box<dyn Running>> {
        let program = (self.program)(instance)?;
        let process = Arc::new(Process::start(&self.network, instance, &program)?);
        locked(&self.started).insert(instance.id().to_owned(), Arc::downgrade(&process));
        Ok(Box::new(process))
    }
}

impl Running for Arc<Process> {
    fn stop(&self) {
        told(self.id(), Process::stop(self, STOPS_WITHIN));
    }

    fn kill(&self) {
        told(self.id(), Process::kill(self));
    }

    fn log(&self) -> String {
        Process::log(self)
    }
}

pub(super) fn told(id: &str, ended: anyhow::Result<()>) {
    if let Err(error) = ended {
        tracing::warn!(instance = id, "ending an instance: {error:#}");
    }
}
