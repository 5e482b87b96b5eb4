//! What nginx's configuration has to know of the machine that it runs on.

use std::net::IpAddr;
use std::path::PathBuf;

use super::Nginx;
use crate::host::{network, trust};

/// What of this machine goes into the configuration.
#[derive(Debug, Clone)]
pub struct NginxHost {
    pub nginx: Nginx,
    pub ipv6: bool,
    pub name_servers: Vec<IpAddr>,
    /// The certificate authorities that this machine trusts.
    pub trusted: Option<PathBuf>,
}

impl NginxHost {
    /// Looks at this machine's interfaces and at /etc/resolv.conf.
    pub fn observe(nginx: &Nginx) -> Self {
        Self {
            nginx: nginx.clone(),
            ipv6: network::has_ipv6(),
            name_servers: network::name_servers(),
            trusted: trust::authorities(),
        }
    }
}
