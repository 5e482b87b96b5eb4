//! This instance's own metadata, by IMDSv2 only.

use std::net::{Ipv4Addr, Ipv6Addr};

use time::OffsetDateTime;

use super::Error;
use crate::config::FleetKind;

/// The instance metadata service at `AWS_EC2_METADATA_SERVICE_ENDPOINT`, else at its link-local address.
#[derive(Debug, Clone)]
pub struct Imds {}

/// What this instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub instance_id: String,
    pub region: String,
    pub account: String,
    pub instance_type: String,
    pub image: String,
    /// The identity document's `pendingTime`.
    pub launched: OffsetDateTime,
    pub public_ipv4: Option<Ipv4Addr>,
    pub public_ipv6: Option<Ipv6Addr>,
    /// By the instance's own tags; `None` also where the metadata service does not show tags.
    pub fleet: Option<FleetTag>,
}

/// The fleet that launched this instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetTag {
    pub kind: FleetKind,
    pub id: String,
}

/// A spot interruption notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceAction {
    /// `terminate`, `stop` or `hibernate`.
    pub action: String,
    pub time: OffsetDateTime,
}

impl Imds {
    /// Sends nothing.
    pub fn new() -> Self {
        unimplemented!()
    }

    pub async fn identity(&self) -> Result<Identity, Error> {
        unimplemented!()
    }

    /// The spot interruption notice, once there is one.
    pub async fn instance_action(&self) -> Result<Option<InstanceAction>, Error> {
        unimplemented!()
    }
}
