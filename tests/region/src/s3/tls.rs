//! S3's REST endpoint by TLS, as on AWS; and somebody who answers in its place without its
//! certificate.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use rustls::ServerConfig;
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

use crate::front::Port;

/// S3's REST endpoint by TLS, open for as long as this handle lives.
pub struct S3ByTls {
    /// What AWS_ENDPOINT_URL_S3 is to say. The region's name servers know its host.
    pub url: String,
    shown: Arc<ShownCertificate>,
    _port: Port,
}

/// The certificate that clients are shown.
#[derive(Debug)]
pub(crate) struct ShownCertificate {
    honest: Arc<CertifiedKey>,
    impostors: Arc<CertifiedKey>,
    is_impostors: AtomicBool,
}

impl S3ByTls {
    pub(crate) fn new(name: &str, port: Port, shown: Arc<ShownCertificate>) -> S3ByTls {
        S3ByTls {
            url: format!("https://{name}:{}", port.addr.port()),
            shown,
            _port: port,
        }
    }

    /// Whether new connections reach an impostor from now on: the certificate that they are shown
    /// has S3's name, and is of an authority that nobody trusts.
    pub fn set_impostor(&self, answers: bool) {
        self.shown.is_impostors.store(answers, Ordering::Relaxed);
    }
}

impl ShownCertificate {
    pub(crate) fn new(honest: Arc<CertifiedKey>, impostors: Arc<CertifiedKey>) -> ShownCertificate {
        ShownCertificate {
            honest,
            impostors,
            is_impostors: AtomicBool::new(false),
        }
    }

    /// Resumes no session: who resumes one is shown no certificate.
    pub(crate) fn acceptor(self: &Arc<Self>) -> Result<TlsAcceptor> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(TlsAcceptor::from(Arc::new(config)))
    }
}

impl ResolvesServerCert for ShownCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let is_impostors = self.is_impostors.load(Ordering::Relaxed);
        Some(if is_impostors {
            self.impostors.clone()
        } else {
            self.honest.clone()
        })
    }
}
