//! Where instances are launched: they get to be known to EC2, and a metadata service of their own.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use anyhow::Result;
use tokio::runtime::Handle;

use crate::front::{Hub, Port};
use crate::imds::{Imds, Serves};
use crate::instance::{Instance, InstanceSpec, State};
use crate::run_on;

pub(crate) struct Launchpad {
    pub(crate) hub: Arc<Hub>,
    pub(crate) handle: Handle,
    pub(crate) bind: IpAddr,
    pub(crate) advertise: Option<IpAddr>,
    pub(crate) endpoints: BTreeMap<String, String>,
}

impl Launchpad {
    /// Blocks until its metadata is served: not for the region's own threads.
    pub(crate) fn launch(&self, spec: InstanceSpec, state: State) -> Result<Instance> {
        let machine = self.hub.registry.launch(spec, state)?;
        let metadata = self.open(Serves::One(machine.clone()), SocketAddr::new(self.bind, 0))?;
        let mut env = self.endpoints.clone();
        env.insert(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(),
            format!("http://{}", self.reach(metadata.addr)),
        );
        Ok(Instance {
            machine,
            env,
            metadata,
        })
    }

    pub(crate) fn open(&self, serves: Serves, addr: SocketAddr) -> Result<Port> {
        let (hub, imds) = (
            self.hub.clone(),
            Imds::new(self.hub.registry.clone(), serves),
        );
        run_on(&self.handle, async move {
            Port::open(hub, Arc::new(imds), addr, None).await
        })
    }

    pub(crate) fn reach(&self, addr: SocketAddr) -> SocketAddr {
        SocketAddr::new(self.advertise.unwrap_or(addr.ip()), addr.port())
    }
}
