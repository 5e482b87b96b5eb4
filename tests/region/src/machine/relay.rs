//! 169.254.169.254:80 of a machine network: each machine is connected to the metadata service of
//! its own instance, told by its address. Bytes pass as they are; a connection that is refused or
//! reset behind is reset in front.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::Context;
use nix::libc;
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, sockopt};

/// The link-local address at which every EC2 instance finds IMDS.
pub(super) const METADATA: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(169, 254, 169, 254), 80);
/// A machine that was killed says no farewell; its connections end then.
const IDLE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(5);

type Services = Arc<Mutex<BTreeMap<IpAddr, SocketAddr>>>;

#[derive(Debug)]
pub(super) struct Relay {
    listener: TcpListener,
    services: Services,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// On one interface only: other networks have the same address on theirs.
    pub(super) fn start(device: &str) -> anyhow::Result<Self> {
        let listener =
            listen(device).with_context(|| format!("listening on {METADATA} of {device}"))?;
        let (services, accepting) = (
            Services::default(),
            listener.try_clone().context("sharing a listener")?,
        );
        let known = services.clone();
        Ok(Self {
            listener,
            services,
            thread: Some(thread::spawn(move || accept(&accepting, &known))),
        })
    }

    pub(super) fn add(&self, machine: Ipv4Addr, service: SocketAddr) {
        self.services
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(machine.into(), service);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // On Linux this ends a blocked accept(2).
        let woken = socket::shutdown(self.listener.as_raw_fd(), socket::Shutdown::Both);
        if let (Ok(()), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn listen(device: &str) -> nix::Result<TcpListener> {
    let socket = socket::socket(
        AddressFamily::Inet,
        SockType::Stream,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    socket::setsockopt(&socket, sockopt::ReuseAddr, &true)?;
    socket::setsockopt(&socket, sockopt::BindToDevice, &device.into())?;
    socket::bind(socket.as_raw_fd(), &SockaddrIn::from(METADATA))?;
    socket::listen(&socket, Backlog::MAXCONN)?;
    Ok(TcpListener::from(socket))
}

fn accept(listener: &TcpListener, services: &Services) {
    while let Ok((stream, peer)) = listener.accept() {
        let service = services
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&peer.ip())
            .copied();
        thread::spawn(move || {
            match service.map(|service| TcpStream::connect_timeout(&service, CONNECT)) {
                Some(Ok(behind)) => both_ways(&stream, &behind),
                _ => reset(&stream),
            }
        });
    }
}

fn both_ways(front: &TcpStream, behind: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(|| one_way(front, behind));
        one_way(behind, front);
    });
}

/// Until the source ends. An end in order is passed on as one; anything else is a reset, as one
/// machine would see it of the other.
fn one_way(mut from: &TcpStream, mut to: &TcpStream) {
    let passed = from
        .set_read_timeout(Some(IDLE))
        .and_then(|()| io::copy(&mut from, &mut to));
    match passed.and_then(|_| to.shutdown(Shutdown::Write)) {
        Ok(()) => {}
        Err(_) => [from, to].into_iter().for_each(reset),
    }
}

/// With no time to linger, closing is resetting (socket(7)); that comes when both ways have ended,
/// and this ends the other.
fn reset(stream: &TcpStream) {
    let at_once = libc::linger {
        l_onoff: 1,
        l_linger: 0,
    };
    let _ = socket::setsockopt(stream, sockopt::Linger, &at_once);
    let _ = stream.shutdown(Shutdown::Read);
}
