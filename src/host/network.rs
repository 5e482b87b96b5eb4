//! What the machine's network offers.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

/// A connection within this machine is there at once, or never.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(250);

/// This machine's own name.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}

/// Whether IPv6 sockets can be had: not where the kernel has it switched off.
pub fn has_ipv6() -> bool {
    UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok()
}

/// Whether an interface of this machine has the address, and the machine answers there: a connection
/// from the machine to itself. What is not so yet may still come within `patience`: an address may
/// be on its way by DHCPv6, or tentative (RFC 4862, section 5.4).
pub async fn answers_at(address: IpAddr, patience: Duration) -> bool {
    let end = Instant::now() + patience;
    loop {
        if connects_to_itself(address).await.unwrap_or(false) {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        sleep(LOOK_AGAIN_AFTER).await;
    }
}

async fn connects_to_itself(address: IpAddr) -> io::Result<bool> {
    let listener = TcpListener::bind((address, 0)).await?;
    let connect = TcpStream::connect(listener.local_addr()?);
    Ok(timeout(CONNECT_WITHIN, connect)
        .await
        .is_ok_and(|connected| connected.is_ok()))
}

/// The name servers of /etc/resolv.conf, in its order.
pub fn name_servers() -> Vec<IpAddr> {
    let mut text = String::new();
    // A longer file has nothing for us after its first 64 KiB.
    let read = File::open("/etc/resolv.conf")
        .and_then(|file| file.take(64 * 1024).read_to_string(&mut text));
    if read.is_ok() {
        parse(&text)
    } else {
        Vec::new()
    }
}

/// resolv.conf(5); a link-local server with its interface (`fe80::1%eth0`) is of no use to nginx.
fn parse(text: &str) -> Vec<IpAddr> {
    let servers = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("nameserver"));
    servers
        .filter(|rest| rest.starts_with([' ', '\t']))
        .filter_map(|rest| rest.split_whitespace().next()?.parse().ok())
        .collect()
}

/// How many TCP connections to these ports of ours are established, by the kernel's tables
/// (proc_pid_net(5)).
pub fn connections(ports: &[u16]) -> usize {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .map(|table| {
            table_of(table)
                .lines()
                .filter(|line| is_established(line, ports))
                .count()
        })
        .sum()
}

fn table_of(path: &str) -> String {
    const MOST: u64 = 16 * 1024 * 1024;
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MOST).read_to_string(&mut text));
    if read.is_ok() { text } else { String::new() }
}

/// `0: 0100007F:01BB 0200007F:C350 01 …`: number, local and remote address, state.
fn is_established(line: &str, ports: &[u16]) -> bool {
    const ESTABLISHED: &str = "01";
    let mut fields = line.split_whitespace().skip(1);
    let port = fields
        .next()
        .and_then(|local| u16::from_str_radix(local.rsplit_once(':')?.1, 16).ok());
    port.is_some_and(|port| ports.contains(&port)) && fields.nth(1) == Some(ESTABLISHED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_answers_only_where_an_interface_has_it() {
        for (address, answers) in [
            ("127.0.0.1", true),
            ("::ffff:127.0.0.1", has_ipv6()),
            ("192.0.2.7", false),
            ("2001:db8::7", false),
        ] {
            let address = address.parse().unwrap();
            let seen = answers_at(address, Duration::ZERO).await;
            assert_eq!(seen, answers, "{address}");
        }
    }

    #[test]
    fn only_addresses_of_name_servers_are_taken() {
        let text = "search example.com\n# nameserver 10.0.0.9\nnameserver 10.0.0.2\nnameserver\tfd00::53 # second\nnameserver fe80::1%eth0\nnameservers 1.2.3.4\nnameserver x; y\n";
        let expected: [IpAddr; 2] = ["10.0.0.2".parse().unwrap(), "fd00::53".parse().unwrap()];
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn only_established_connections_to_the_ports_are_counted() {
        let ours = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let at = ours.local_addr().unwrap();
        assert_eq!(connections(&[at.port()]), 0);
        let client = std::net::TcpStream::connect(at).unwrap();
        let accepted = ours.accept().unwrap().0;
        assert_eq!(connections(&[at.port(), 1]), 1);
        drop(client);
        drop(accepted);
        // The kernel ends them when it comes to it.
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while connections(&[at.port()]) > 0 {
            assert!(
                std::time::Instant::now() < end,
                "closed connections are counted"
            );
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_line_of_the_table_is_read() {
        let line = "   1: 0000000000000000FFFF00000100007F:01BB 0000000000000000FFFF00000200007F:C350 01 00000000:00000000 00:00000000";
        assert!(
            is_established(line, &[80, 443])
                && !is_established(line, &[80])
                && !is_established(line, &[0xC350])
        );
        assert!(!is_established(&line.replace(" 01 ", " 06 "), &[443]));
        assert!(!is_established(
            "  sl  local_address rem_address   st tx_queue rx_queue",
            &[443]
        ));
    }
}
