//! A verified TLS connection to one address of the site.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Site;
use super::fault::{Fault, Kind};

/// Each chain is verified up to a root, for the site's name, by today's date.
pub(super) struct Connector {
    http1: TlsConnector,
    http2: TlsConnector,
    name: ServerName<'static>,
}

impl Connector {
    pub(super) fn new(roots: &str, domain: &str) -> Result<Self> {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
            store.add(root?)?;
        }
        let config = |protocol: &[u8]| -> Result<TlsConnector> {
            let builder = ClientConfig::builder_with_provider(Arc::new(
                rustls::crypto::ring::default_provider(),
            ));
            let mut config = builder
                .with_safe_default_protocol_versions()?
                .with_root_certificates(store.clone())
                .with_no_client_auth();
            config.alpn_protocols = vec![protocol.to_vec()];
            Ok(TlsConnector::from(Arc::new(config)))
        };
        let name = ServerName::try_from(domain.to_owned())
            .with_context(|| format!("reading the name {domain:?}"))?;
        Ok(Self {
            http1: config(b"http/1.1")?,
            http2: config(b"h2")?,
            name,
        })
    }
}

impl Site {
    pub(super) async fn connect(
        &self,
        address: IpAddr,
        http2: bool,
    ) -> Result<TlsStream<TcpStream>, Fault> {
        let connector = if http2 {
            &self.connector.http2
        } else {
            &self.connector.http1
        };
        let port = (self.spec.port)(address);
        let socket = TcpStream::connect((address, port))
            .await
            .map_err(|error| Fault::of("connecting", &error))?;
        socket
            .set_nodelay(true)
            .map_err(|error| Fault::of("connecting", &error))?;
        let stream = connector
            .connect(self.connector.name.clone(), socket)
            .await
            .map_err(|error| Fault::of("TLS handshake", &error))?;
        match stream.get_ref().1.alpn_protocol() {
            Some(b"h2") if http2 => Ok(stream),
            Some(b"http/1.1") | None if !http2 => Ok(stream),
            other => Err(Fault::new(
                Kind::Other,
                format!("the site speaks {:?}", other.map(String::from_utf8_lossy)),
            )),
        }
    }
}
