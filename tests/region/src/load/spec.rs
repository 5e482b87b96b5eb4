//! Who visits, how often, and whom they trust.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;

use crate::Region;

/// The port of https at an address: always the same, unless instances are processes of one machine.
pub type PortOf = Arc<dyn Fn(IpAddr) -> u16 + Send + Sync>;

/// Beyond what a long request has to take at least before it has failed.
const SPARE: Duration = Duration::from_secs(20);

/// A crowd of visitors. A population of zero does not visit.
#[derive(Clone)]
pub struct LoadSpec {
    /// Roots in PEM that the site's chain must lead to.
    pub roots: String,
    pub dns: SocketAddr,
    pub domain: String,
    pub port: PortOf,
    /// Short requests per second, of all who make them: fresh, keep-alive, HTTP/2 and stale. They
    /// are fewer where the machine answers fewer.
    pub rate: u32,
    pub keep_alive_clients: u32,
    pub http2_clients: u32,
    /// Clients that resolve the name once and keep the address for three times its TTL.
    pub stale_clients: u32,
    /// Clients that always wait for an answer which takes [`slow_takes`](Self::slow_takes).
    pub slow_clients: u32,
    pub slow_takes: Duration,
    /// Clients that always send a file of [`upload_size`](Self::upload_size), as slowly as
    /// [`upload_takes`](Self::upload_takes) says.
    pub upload_clients: u32,
    pub upload_size: usize,
    pub upload_takes: Duration,
    /// For an answer that has no reason to take long; a slow machine's visitors wait longer.
    pub patience: Duration,
    /// Beyond what a long request has to take at least before it has failed; a slow machine's
    /// visitors wait longer.
    pub spare: Duration,
}

impl LoadSpec {
    /// Everybody at once, by the region's name server and the roots of its CA.
    ///
    /// # Errors
    /// The region's CA does not answer.
    pub fn new(region: &Region, domain: &str, port: u16) -> Result<Self> {
        Ok(Self {
            roots: region.acme_issuer_roots()?,
            dns: region.dns(),
            domain: domain.to_owned(),
            port: Arc::new(move |_| port),
            rate: 200,
            keep_alive_clients: 20,
            http2_clients: 4,
            stale_clients: 4,
            slow_clients: 4,
            slow_takes: Duration::from_secs(10),
            upload_clients: 2,
            upload_size: 2 << 20,
            upload_takes: Duration::from_secs(5),
            patience: Duration::from_secs(10),
            spare: SPARE,
        })
    }

    /// Where instances have ports of their own.
    #[must_use]
    pub fn ports(mut self, port: impl Fn(IpAddr) -> u16 + Send + Sync + 'static) -> Self {
        self.port = Arc::new(port);
        self
    }

    pub(super) fn slow_patience(&self) -> Duration {
        self.slow_takes + self.spare
    }

    pub(super) fn upload_patience(&self) -> Duration {
        self.upload_takes + self.spare
    }

    /// No request takes longer.
    pub(super) fn longest(&self) -> Duration {
        self.patience
            .max(self.slow_patience())
            .max(self.upload_patience())
            + self.spare
    }
}
