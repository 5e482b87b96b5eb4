//! Where the name leads, as a resolver with a cache knows it: real questions to the region's name
//! server, kept for the record's TTL.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::net::UdpSocket;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use super::fault::{Fault, Kind};

const TRIES: u32 = 3;
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) struct Resolver {
    server: SocketAddr,
    question: Vec<u8>,
    cached: Mutex<Option<(Addresses, Instant)>>,
    turn: AtomicUsize,
}

#[derive(Debug, Clone)]
pub(super) struct Addresses {
    pub(super) all: Vec<IpAddr>,
    pub(super) ttl: Duration,
}

impl Resolver {
    pub(super) fn new(server: SocketAddr, name: &str) -> Result<Self> {
        let name = Name::from_ascii(format!("{}.", name.trim_end_matches('.')))
            .with_context(|| format!("reading the name {name:?}"))?;
        let mut message = Message::query();
        message.add_query(Query::query(name, RecordType::A));
        Ok(Self {
            server,
            question: message.to_vec()?,
            cached: Mutex::default(),
            turn: AtomicUsize::new(0),
        })
    }

    /// One of the name's addresses, in turn, no older than its TTL.
    pub(super) async fn address(&self) -> Result<IpAddr, Fault> {
        let mut cached = self.cached.lock().await;
        if let Some((addresses, until)) = &*cached
            && Instant::now() < *until
        {
            return Ok(self.pick(addresses));
        }
        let addresses = self.ask().await?;
        let picked = self.pick(&addresses);
        *cached = Some((addresses.clone(), Instant::now() + addresses.ttl));
        Ok(picked)
    }

    pub(super) fn pick(&self, addresses: &Addresses) -> IpAddr {
        addresses.all[self.turn.fetch_add(1, Ordering::Relaxed) % addresses.all.len()]
    }

    /// From the name server itself; there is at least one address.
    pub(super) async fn ask(&self) -> Result<Addresses, Fault> {
        let mut last = String::new();
        for _ in 0..TRIES {
            match timeout(PATIENCE, self.exchange()).await {
                Ok(Ok(addresses)) => return Ok(addresses),
                Ok(Err(error)) => last = format!("{error:#}"),
                Err(_) => last = format!("no answer within {PATIENCE:?}"),
            }
        }
        Err(Fault::new(Kind::Name, last))
    }

    async fn exchange(&self) -> Result<Addresses> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).await?;
        socket.connect(self.server).await?;
        socket.send(&self.question).await?;
        let mut buffer = [0; 4096];
        let length = socket.recv(&mut buffer).await?;
        let message = Message::from_vec(&buffer[..length])?;
        let found: Vec<(IpAddr, u32)> = message
            .answers
            .iter()
            .filter_map(|record| {
                if let RData::A(address) = &record.data {
                    Some((IpAddr::V4(address.0), record.ttl))
                } else {
                    None
                }
            })
            .collect();
        let ttl = found.iter().map(|(_, ttl)| *ttl).min();
        let ttl = ttl.with_context(|| {
            format!(
                "the name server says {} and no address",
                message.metadata.response_code
            )
        })?;
        Ok(Addresses {
            all: found.into_iter().map(|(address, _)| address).collect(),
            ttl: Duration::from_secs(ttl.into()),
        })
    }
}
