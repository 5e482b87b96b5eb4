//! What tells one machine from another at its start. User data is not part of it: a machine asks
//! IMDS for that, as everywhere.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;

use crate::Instance;

#[derive(Debug, Clone)]
pub struct Spec {
    pub(super) id: String,
    pub(super) address: Ipv4Addr,
    pub(super) mac: String,
    pub(super) metadata: SocketAddr,
    pub(super) shared: Vec<(PathBuf, PathBuf)>,
    pub(super) files: Vec<(PathBuf, Vec<u8>, u32)>,
    pub(super) disk_mib: u32,
}

impl Spec {
    /// The machine of an instance that the region knows, launched with what
    /// [`Network::instance`](super::Network::instance) gave.
    pub fn of(instance: &Instance) -> anyhow::Result<Self> {
        let env = instance.env();
        let endpoint = env
            .get("AWS_EC2_METADATA_SERVICE_ENDPOINT")
            .and_then(|url| {
                url.strip_prefix("http://")?
                    .trim_end_matches('/')
                    .parse()
                    .ok()
            });
        let metadata = endpoint.with_context(|| {
            format!(
                "the region names no metadata endpoint for {}",
                instance.id()
            )
        })?;
        let (id, address, mac) = (
            instance.id().to_owned(),
            instance.spec().private_ipv4,
            instance.spec().mac.clone(),
        );
        Ok(Self {
            id,
            address,
            mac,
            metadata,
            shared: Vec::new(),
            files: Vec::new(),
            disk_mib: 2048,
        })
    }

    /// A file or folder of the host, seen read-only at `inside` from the first moment.
    pub fn share(mut self, host: impl Into<PathBuf>, inside: impl Into<PathBuf>) -> Self {
        self.shared.push((host.into(), inside.into()));
        self
    }

    /// A file that is there before the boot, of root's.
    pub fn file(
        mut self,
        inside: impl Into<PathBuf>,
        content: impl Into<Vec<u8>>,
        mode: u32,
    ) -> Self {
        self.files.push((inside.into(), content.into(), mode));
        self
    }

    /// What the machine can write before its disk is full. It is memory, taken as it fills.
    pub fn disk_mib(mut self, size: u32) -> Self {
        self.disk_mib = size;
        self
    }

    /// As EC2 names an instance by its private address.
    pub(super) fn host_name(&self) -> String {
        let [a, b, c, d] = self.address.octets();
        format!("ip-{a}-{b}-{c}-{d}")
    }
}

/// An EC2 instance is told by a hypervisor UUID that begins with `ec2` (EC2 guide, "Identify EC2
/// Linux instances"); cloud-init looks, and only then speaks IMDSv2.
pub(super) fn hypervisor_uuid(id: &str) -> String {
    let digits = id
        .chars()
        .rev()
        .filter(char::is_ascii_hexdigit)
        .chain(std::iter::repeat('0'));
    let digits: String = digits
        .take(29)
        .map(|digit| digit.to_ascii_lowercase())
        .collect();
    format!(
        "ec2{}-{}-{}-{}-{}",
        &digits[..5],
        &digits[5..9],
        &digits[9..13],
        &digits[13..17],
        &digits[17..]
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hypervisor_uuid_is_one_and_says_ec2() {
        assert_eq!(
            hypervisor_uuid("i-0123456789abcdef0"),
            "ec20fedc-ba98-7654-3210-000000000000"
        );
    }
}
