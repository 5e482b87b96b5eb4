//! A fleet's instances as machines, whose cloud-init runs the template's user data: see
//! [`Machine`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, Weak};

use super::image::Image;
use super::instance::Machine;
use super::network::Network;
use super::processes::{STOPS_WITHIN, told};
use super::spec::Spec;
use crate::{Instance, InstanceSpec, Launcher, Running, locked};

type Prepare = dyn Fn(Spec) -> Spec + Send + Sync;

/// Launches machines from one image.
pub struct Machines {
    image: Image,
    network: Network,
    prepare: Vec<Box<Prepare>>,
    started: Mutex<BTreeMap<String, Weak<Machine>>>,
}

impl Machines {
    pub fn new(image: &Image, network: &Network) -> Self {
        Self {
            image: image.clone(),
            network: network.clone(),
            prepare: Vec::new(),
            started: Mutex::default(),
        }
    }

    /// What is done to each machine's [`Spec`]: shares, files, the size of its disk.
    pub fn with(mut self, prepare: impl Fn(Spec) -> Spec + Send + Sync + 'static) -> Self {
        self.prepare.push(Box::new(prepare));
        self
    }

    /// A file or folder of the host, seen read-only at `inside`.
    pub fn share(self, host: impl Into<PathBuf>, inside: impl Into<PathBuf>) -> Self {
        let (host, inside) = (host.into(), inside.into());
        self.with(move |spec| spec.share(host.clone(), inside.clone()))
    }

    /// The machine of an instance that is not terminated.
    pub fn machine(&self, id: &str) -> Option<Arc<Machine>> {
        locked(&self.started).get(id)?.upgrade()
    }
}

impl Launcher for Machines {
    fn spec(&self, id: &str) -> anyhow::Result<InstanceSpec> {
        self.network.instance(id)
    }

    fn start(&self, instance: &Instance) -> anyhow::Result<Box<dyn Running>> {
        let spec = self
            .prepare
            .iter()
            .fold(Spec::of(instance)?, |spec, prepare| prepare(spec));
        let machine = Arc::new(Machine::boot(&self.image, &self.network, spec)?);
        locked(&self.started).insert(instance.id().to_owned(), Arc::downgrade(&machine));
        Ok(Box::new(machine))
    }
}

impl Running for Arc<Machine> {
    fn stop(&self) {
        told(self.id(), Machine::stop(self, STOPS_WITHIN));
    }

    fn kill(&self) {
        told(self.id(), Machine::kill(self));
    }

    fn log(&self) -> String {
        self.console()
    }
}
