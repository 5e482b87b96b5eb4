//! A listening port of one service, which can be shut and opened again in place: a service that is
//! down refuses connections.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as sync;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::pass::pass;
use super::{Backend, Hub};

const BACKLOG: u32 = 1024;
const SETTLES_WITHIN: Duration = Duration::from_secs(5);

struct Switch {
    open: bool,
    done: sync::Sender<()>,
}

/// The handle of a port; dropping it ends the serving.
pub(crate) struct Port {
    pub(crate) addr: SocketAddr,
    switches: mpsc::UnboundedSender<Switch>,
}

impl Port {
    pub(crate) async fn open<B: Backend>(
        hub: Arc<Hub>,
        backend: Arc<B>,
        addr: SocketAddr,
        tls: Option<TlsAcceptor>,
    ) -> Result<Port> {
        let listener = bound(addr)
            .and_then(|socket| socket.listen(BACKLOG))
            .with_context(|| format!("listening for {} on {addr}", B::SERVICE))?;
        let addr = listener.local_addr()?;
        let (switches, orders) = mpsc::unbounded_channel();
        tokio::spawn(serve(Serving { hub, backend, tls }, addr, listener, orders));
        Ok(Port { addr, switches })
    }

    /// Opens or shuts the port, open connections included, and returns when that is so.
    pub(crate) fn switch(&self, open: bool) {
        let (done, settled) = sync::channel();
        if self.switches.send(Switch { open, done }).is_ok() {
            let _ = settled.recv_timeout(SETTLES_WITHIN);
        }
    }
}

/// Bound but not listening, a port refuses connections, and nobody else gets it.
fn bound(addr: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    socket.set_reuseaddr(true)?;
    socket.bind(addr)?;
    Ok(socket)
}

enum Door {
    Open(TcpListener),
    Shut(TcpSocket),
}

struct Serving<B> {
    hub: Arc<Hub>,
    backend: Arc<B>,
    tls: Option<TlsAcceptor>,
}

async fn serve<B: Backend>(
    serving: Serving<B>,
    addr: SocketAddr,
    listener: TcpListener,
    mut orders: mpsc::UnboundedReceiver<Switch>,
) {
    let mut connections = JoinSet::new();
    let mut door = Door::Open(listener);
    loop {
        tokio::select! {
            (stream, peer) = arrival(&door) => {
                connections.spawn(serving.connection(stream, peer));
            }
            order = orders.recv() => {
                let Some(order) = order else { return };
                if !order.open {
                    connections.shutdown().await;
                }
                door = turn(door, addr, order.open);
                let _ = order.done.send(());
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn arrival(door: &Door) -> (TcpStream, SocketAddr) {
    let Door::Open(listener) = door else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok(arrival) => return arrival,
            Err(error) => {
                tracing::warn!(%error, "accepting a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn turn(door: Door, addr: SocketAddr, open: bool) -> Door {
    let turned = match door {
        Door::Open(listener) if !open => {
            drop(listener);
            bound(addr).map(Door::Shut)
        }
        Door::Shut(socket) if open => socket.listen(BACKLOG).map(Door::Open),
        same => Ok(same),
    };
    turned.unwrap_or_else(|error| panic!("switching the port {addr}: {error}"))
}

impl<B: Backend> Serving<B> {
    fn connection(
        &self,
        stream: TcpStream,
        peer: SocketAddr,
    ) -> impl Future<Output = ()> + Send + 'static {
        let (hub, backend, tls) = (self.hub.clone(), self.backend.clone(), self.tls.clone());
        async move {
            let _ = stream.set_nodelay(true);
            let opened = Instant::now();
            let latency = hub.latency(B::SERVICE);
            let resets = Arc::new(AtomicBool::new(false));
            let stream = Resettable {
                stream,
                resets: resets.clone(),
            };
            // The latency is a round trip; TCP's handshake costs one, and so does that of TLS 1.3.
            tokio::time::sleep(latency * if tls.is_some() { 2 } else { 1 }).await;
            let service = service_fn(move |request| {
                let (hub, backend, resets) = (hub.clone(), backend.clone(), resets.clone());
                async move {
                    pass(hub, backend, (peer, opened), request)
                        .await
                        .inspect_err(|_| resets.store(true, Ordering::Relaxed))
                }
            });
            let mut http = http1::Builder::new();
            http.header_read_timeout(None);
            let _ = match tls {
                None => http.serve_connection(TokioIo::new(stream), service).await,
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => http.serve_connection(TokioIo::new(stream), service).await,
                    Err(error) => return tracing::debug!(%error, %peer, "TLS handshake"),
                },
            };
        }
    }
}

/// A stream that ends with a TCP reset where a fault asked for that, and in order otherwise.
struct Resettable {
    stream: TcpStream,
    resets: Arc<AtomicBool>,
}

impl Drop for Resettable {
    fn drop(&mut self) {
        if self.resets.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Resettable {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Resettable {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
