//! A line to a store that breaks where a test wants it to.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, copy};
use tokio::net::{TcpListener, TcpStream};

/// After so many bytes of what the store says on one connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cut {
    Reset(u64),
    /// In order, as if all had been said.
    Close(u64),
}

/// Cuts the first connections, one each, and leaves the later ones alone.
pub(super) async fn before(store: SocketAddr, cuts: Vec<Cut>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let at = listener.local_addr().unwrap();
    let mut cuts = cuts.into_iter();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(pass(client, store, cuts.next()));
        }
    });
    at
}

async fn pass(mut client: TcpStream, store: SocketAddr, cut: Option<Cut>) {
    let Ok(mut store) = TcpStream::connect(store).await else {
        return;
    };
    let limit = match cut {
        Some(Cut::Reset(bytes) | Cut::Close(bytes)) => bytes,
        None => u64::MAX,
    };
    let (mut from_client, mut to_client) = client.split();
    let (from_store, mut to_store) = store.split();
    let mut from_store = from_store.take(limit);
    tokio::select! {
        _ = copy(&mut from_client, &mut to_store) => {}
        _ = copy(&mut from_store, &mut to_client) => {}
    }
    if let Some(Cut::Reset(_)) = cut {
        let _ = client.set_zero_linger();
    }
}
