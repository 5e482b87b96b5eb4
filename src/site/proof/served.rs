//! Which certificate a listener shows, whatever it is worth.

use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::chain::{Same, client};

/// The certificate that a listener shows, whoever has signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Served {
    pub address: SocketAddr,
    /// Upper-case hexadecimal, as a certificate's own.
    pub serial: String,
    #[serde(with = "time::serde::rfc3339")]
    pub not_after: OffsetDateTime,
}

/// The leaf that is shown for a name.
///
/// # Errors
/// Nothing listens there, or it speaks no TLS, or not in time; the end of a sentence.
pub async fn served(address: SocketAddr, host: &str, deadline: Instant) -> Result<Served, String> {
    // No chain is this one, so the handshake ends as soon as a certificate is shown.
    let verifier = Arc::new(Same::new(&[]));
    let (connector, name) = client(&verifier, host)?;
    let look = async {
        let socket = TcpStream::connect(address)
            .await
            .map_err(|e| format!("nothing listens at {address}: {e}"))?;
        let refused = connector
            .connect(name, socket)
            .await
            .err()
            .map(|e| e.to_string());
        let (leaf, _) = verifier.shown_leaf().ok_or_else(|| {
            format!(
                "{address} shows no certificate: {}",
                refused.unwrap_or_default()
            )
        })?;
        let (_, leaf) = X509Certificate::from_der(&leaf)
            .map_err(|e| format!("{address} shows what is no certificate: {e}"))?;
        Ok(Served {
            address,
            serial: hex::encode_upper(leaf.raw_serial()),
            not_after: leaf.validity().not_after.to_datetime(),
        })
    };
    timeout_at(deadline, look)
        .await
        .unwrap_or_else(|_| Err(format!("no answer from {address} in time")))
}
