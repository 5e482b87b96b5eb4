//! What the machine's network offers.

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, Ipv6Addr, UdpSocket};

/// This machine's own name.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}

/// Whether IPv6 sockets can be had: not where the kernel has it switched off.
pub fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok()
}

/// The name servers of /etc/resolv.conf, in its order.
pub fn name_servers() -> Vec<IpAddr> {
    let mut text = String::new();
    // A longer file has nothing for us after its first 64 KiB.
    let read = File::open("/etc/resolv.conf").and_then(|file| file.take(64 * 1024).read_to_string(&mut text));
    if read.is_ok() { parse(&text) } else { Vec::new() }
}

/// resolv.conf(5); a link-local server with its interface (`fe80::1%eth0`) is of no use to nginx.
fn parse(text: &str) -> Vec<IpAddr> {
    let servers = text.lines().filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    servers.filter(|rest| rest.starts_with([' ', '\t'])).filter_map(|rest| rest.split_whitespace().next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_name_servers_are_taken() {
        let text = "search example.com\n# nameserver 10.0.0.9\nnameserver 10.0.0.2\nnameserver\tfd00::53 # second\nnameserver fe80::1%eth0\nnameservers 1.2.3.4\nnameserver x; y\n";
        let expected: [IpAddr; 2] = ["10.0.0.2".parse().unwrap(), "fd00::53".parse().unwrap()];
        assert_eq!(parse(text), expected);
    }
}
