//! The region's name server: authoritative over UDP and TCP for the public hosted zones, as far as
//! their changes are in sync.

mod resolve;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hickory_proto::op::{Edns, Metadata, ResponseCode};
use hickory_proto::rr::Record;
use hickory_server::Server;
use hickory_server::net::runtime::Time;
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};

use crate::locked;
use crate::route53::State;

const TCP_TIMEOUT: Duration = Duration::from_secs(5);
const TCP_BUFFER: usize = 64;
/// What fits any path without fragments.
const UDP_PAYLOAD: u16 = 1232;
const TRIES: usize = 20;

/// Serves on a port that is free for both UDP and TCP, for as long as the runtime lives.
pub(crate) async fn serve(bind: IpAddr, state: Arc<Mutex<State>>) -> Result<SocketAddr> {
    let (udp, tcp) = sockets(bind).await?;
    let addr = udp.local_addr()?;
    let mut server = Server::new(Names { state });
    server.register_socket(udp);
    server.register_listener(tcp, TCP_TIMEOUT, TCP_BUFFER);
    tokio::spawn(async move { server.block_until_done().await });
    Ok(addr)
}

async fn sockets(bind: IpAddr) -> Result<(UdpSocket, TcpListener)> {
    for _ in 0..TRIES {
        let udp = UdpSocket::bind((bind, 0))
            .await
            .with_context(|| format!("listening for DNS on {bind}"))?;
        if let Ok(tcp) = TcpListener::bind(udp.local_addr()?).await {
            return Ok((udp, tcp));
        }
    }
    bail!("listening for DNS on {bind}: no port was free for both UDP and TCP")
}

struct Names {
    state: Arc<Mutex<State>>,
}

#[async_trait::async_trait]
impl RequestHandler for Names {
    async fn handle_request<R: ResponseHandler, T: Time>(
        &self,
        request: &Request,
        mut response_handle: R,
    ) -> ResponseInfo {
        let answer = match request.request_info() {
            Ok(asked) => resolve::resolve(
                &mut locked(&self.state),
                &asked.query.name().to_string(),
                asked.query.query_type(),
            ),
            Err(_) => resolve::Answer::code(ResponseCode::FormErr),
        };
        let mut metadata = Metadata::response_from_request(&request.metadata);
        metadata.authoritative = answer.code != ResponseCode::Refused;
        metadata.recursion_available = false;
        metadata.response_code = answer.code;
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_PAYLOAD);
        let builder =
            MessageResponseBuilder::new(&request.queries, request.edns.is_some().then_some(&edns));
        let none: [Record; 0] = [];
        let response = builder.build(metadata, &answer.records, &none, &answer.authority, &none);
        match response_handle.send_response(response).await {
            Ok(info) => info,
            Err(error) => {
                tracing::debug!(%error, "answering a DNS query");
                let header = hickory_proto::op::Header {
                    metadata,
                    counts: Default::default(),
                };
                ResponseInfo::from(header)
            }
        }
    }
}
