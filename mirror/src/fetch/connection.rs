//! Connections to the site: opened with TLS where the scheme asks for it, and kept for the next
//! request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use http::{Request, Response};
use http_body_util::Empty;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use url::Url;

use super::{FetchError, chain};
use crate::settings::Settings;

type Sender = SendRequest<Empty<Bytes>>;

/// The connections that wait for a request, with the origin that they lead to.
pub(super) struct Connections {
    /// Where each own name is reached for URLs of this scheme, in place of its DNS address.
    connect: Option<(SocketAddr, String)>,
    tls: TlsConnector,
    idle: Mutex<Vec<Connection>>,
}

/// A connection, and the origin that it leads to.
pub(super) struct Connection {
    origin: String,
    sender: Sender,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections")
            .field("connect", &self.connect)
            .finish_non_exhaustive()
    }
}

impl Connections {
    pub(super) fn new(settings: &Settings) -> Result<Self> {
        let manners = &settings.manners;
        let scheme = settings.own.origin.scheme().to_string();
        Ok(Self {
            connect: manners.connect.map(|address| (address, scheme)),
            tls: TlsConnector::from(Arc::new(tls(manners.extra_roots.as_deref())?)),
            idle: Mutex::new(Vec::new()),
        })
    }

    /// Sends a request, and returns the head of the answer with its connection. A kept connection
    /// that the site closed meanwhile is no failure of the request: a new one takes its place.
    pub(super) async fn send(
        &self,
        url: &Url,
        request: Request<Empty<Bytes>>,
        count: impl Fn(),
    ) -> Result<(Response<Incoming>, Connection), FetchError> {
        let origin = url[..url::Position::BeforePath].to_string();
        while let Some(mut kept) = self.take(&origin) {
            if kept.sender.ready().await.is_err() {
                continue;
            }
            match kept.sender.try_send_request(request.clone()).await {
                Ok(answer) => {
                    count();
                    return Ok((answer, kept));
                }
                Err(mut broken) => {
                    if broken.take_message().is_some() {
                        continue;
                    }
                    count();
                    if !broken.error().is_incomplete_message() {
                        return Err(FetchError::Broken(chain(broken.error())));
                    }
                }
            }
        }
        let mut opened = Connection {
            sender: self.open(url).await?,
            origin,
        };
        count();
        let answer = opened.sender.send_request(request).await;
        Ok((
            answer.map_err(|error| FetchError::Broken(chain(&error)))?,
            opened,
        ))
    }

    /// Keeps a connection whose answer was read to its end.
    pub(super) fn give_back(&self, connection: Connection) {
        if !connection.sender.is_closed() {
            self.idle.lock().expect("no holder panics").push(connection);
        }
    }

    fn take(&self, origin: &str) -> Option<Connection> {
        let mut idle = self.idle.lock().expect("no holder panics");
        idle.retain(|connection| !connection.sender.is_closed());
        let at = idle
            .iter()
            .rposition(|connection| connection.origin == origin)?;
        Some(idle.swap_remove(at))
    }

    async fn open(&self, url: &Url) -> Result<Sender, FetchError> {
        let host = url.host_str().unwrap_or_default();
        let port = url.port_or_known_default().unwrap_or(80);
        let fail = |error: std::io::Error| FetchError::Connect {
            to: format!("{host}:{port}"),
            why: error.to_string(),
        };
        let stream = match &self.connect {
            Some((address, scheme)) if scheme == url.scheme() => TcpStream::connect(address).await,
            Some((address, _)) => TcpStream::connect((address.ip(), port)).await,
            None => TcpStream::connect((host.trim_matches(['[', ']']), port)).await,
        };
        let stream = stream.map_err(fail)?;
        let _ = stream.set_nodelay(true);
        if url.scheme() == "http" {
            return shake_hands(stream).await;
        }
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_string());
        let name = name.map_err(|error| fail(std::io::Error::other(error)))?;
        shake_hands(self.tls.connect(name, stream).await.map_err(fail)?).await
    }
}

/// The exchange of HTTP runs in a task of its own, which ends with its sender.
async fn shake_hands<S>(stream: S) -> Result<Sender, FetchError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = Builder::new()
        .allow_spaces_after_header_name_in_responses(true)
        .ignore_invalid_headers_in_responses(true)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| FetchError::Broken(chain(&error)))?;
    tokio::spawn(async move {
        // What goes wrong reaches the request, or nobody waits for it.
        let _ = connection.await;
    });
    Ok(sender)
}

/// Trusts the system's certificates and `extra` ones. A system without any is no failure where the
/// site has no TLS.
fn tls(extra: Option<&str>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for certificate in CertificateDer::pem_slice_iter(extra.unwrap_or_default().as_bytes()) {
        let certificate = certificate.context("reading the further root certificates")?;
        roots
            .add(certificate)
            .context("taking a further root certificate")?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("choosing the versions of TLS")?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
