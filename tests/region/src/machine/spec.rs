//! What tells one machine from another at its start. User data is not part of it: a machine asks IMDS for that, as everywhere.

use std::net::Ipv4Addr;
use std::path::PathBuf;

#[derive(Debug, Clone)]
pub struct Spec {
    pub(super) id: String,
    pub(super) address: Ipv4Addr,
    pub(super) shared: Vec<(PathBuf, PathBuf)>,
    pub(super) files: Vec<(PathBuf, Vec<u8>, u32)>,
    pub(super) disk_mib: u32,
}

impl Spec {
    /// `id` as EC2 forms it (`i-` and hex digits), `address` from [`Network::next_address`](super::Network::next_address).
    pub fn new(id: impl Into<String>, address: Ipv4Addr) -> Self {
        Self { id: id.into(), address, shared: Vec::new(), files: Vec::new(), disk_mib: 2048 }
    }

    /// A file or folder of the host, seen read-only at `inside` from the first moment.
    pub fn share(mut self, host: impl Into<PathBuf>, inside: impl Into<PathBuf>) -> Self {
        self.shared.push((host.into(), inside.into()));
        self
    }

    /// A file that is there before the boot, of root's.
    pub fn file(mut self, inside: impl Into<PathBuf>, content: impl Into<Vec<u8>>, mode: u32) -> Self {
        self.files.push((inside.into(), content.into(), mode));
        self
    }

    /// What the machine can write before its disk is full. It is memory, taken as it fills.
    pub fn disk_mib(mut self, size: u32) -> Self {
        self.disk_mib = size;
        self
    }

    /// An EC2 instance is told by a hypervisor UUID that begins with `ec2` (EC2 guide, "Identify EC2 Linux instances"); cloud-init looks,
    /// and only then speaks IMDSv2.
    pub(super) fn hypervisor_uuid(&self) -> String {
        let digits = self.id.chars().rev().filter(char::is_ascii_hexdigit).chain(std::iter::repeat('0'));
        let digits: String = digits.take(29).map(|digit| digit.to_ascii_lowercase()).collect();
        format!("ec2{}-{}-{}-{}-{}", &digits[..5], &digits[5..9], &digits[9..13], &digits[13..17], &digits[17..])
    }

    /// As EC2 names an instance by its private address.
    pub(super) fn host_name(&self) -> String {
        let [a, b, c, d] = self.address.octets();
        format!("ip-{a}-{b}-{c}-{d}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hypervisor_uuid_is_one_and_says_ec2() {
        let spec = Spec::new("i-0123456789abcdef0", Ipv4Addr::new(198, 18, 0, 2));
        assert_eq!(spec.hypervisor_uuid(), "ec20fedc-ba98-7654-3210-000000000000");
    }
}
