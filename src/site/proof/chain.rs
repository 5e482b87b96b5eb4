//! The stored chain: what it is worth by itself, and that a listener shows it and no other.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use time::OffsetDateTime;
use tokio_rustls::TlsConnector;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::prelude::{FromDer, X509Certificate};

pub(super) fn parse(pem: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| format!("the stored chain is no PEM: {e}"))?;
    if chain.is_empty() {
        Err("the stored chain holds no certificate".into())
    } else {
        Ok(chain)
    }
}

/// The part that needs no listener: dates, name, and each signature up to the last certificate that
/// the CA handed over.
pub(super) fn check(
    chain: &[CertificateDer<'_>],
    host: &str,
    now: OffsetDateTime,
) -> Result<(), String> {
    for certificate in chain {
        check_dates(certificate, now)?;
    }
    let (leaf, rest) = chain
        .split_first()
        .ok_or("the stored chain holds no certificate")?;
    let name = ServerName::try_from(host).map_err(|_| format!("{host} is no host name"))?;
    let leaf = EndEntityCert::try_from(leaf)
        .map_err(|e| format!("the stored certificate cannot be read: {e}"))?;
    leaf.verify_is_valid_for_subject_name(&name)
        .map_err(|_| format!("the stored certificate is for {}", names(&leaf)))?;
    let Some((last, intermediates)) = rest.split_last() else {
        // Nothing above it was handed over: its bytes, compared with what the listener shows, are
        // all there is.
        return Ok(());
    };
    let anchor = webpki::anchor_from_trusted_cert(last)
        .map_err(|e| format!("the stored chain's last certificate cannot be read: {e}"))?;
    let algorithms = ring::default_provider()
        .signature_verification_algorithms
        .all;
    let time = UnixTime::since_unix_epoch(Duration::from_secs(
        now.unix_timestamp().try_into().unwrap_or(0),
    ));
    leaf.verify_for_usage(
        algorithms,
        &[anchor],
        intermediates,
        time,
        KeyUsage::server_auth(),
        None,
        None,
    )
    .map(drop)
    .map_err(|e| {
        format!("the stored chain does not lead from its first certificate to its last: {e}")
    })
}

fn check_dates(certificate: &CertificateDer<'_>, now: OffsetDateTime) -> Result<(), String> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|e| format!("a certificate of the stored chain cannot be read: {e}"))?;
    let (from, to) = (
        parsed.validity().not_before.to_datetime(),
        parsed.validity().not_after.to_datetime(),
    );
    if now < from {
        return Err(format!(
            "the certificate of {} is not valid before {from}, and it is {now}",
            parsed.subject()
        ));
    }
    if now > to {
        return Err(format!(
            "the certificate of {} ended at {to}, and it is {now}",
            parsed.subject()
        ));
    }
    Ok(())
}

fn names(leaf: &EndEntityCert<'_>) -> String {
    leaf.valid_dns_names().collect::<Vec<_>>().join(", ")
}

/// Takes the stored chain, byte by byte, and nothing else; what it is worth was checked before.
pub(super) struct Same {
    chain: Vec<CertificateDer<'static>>,
    /// What the listener showed instead: its leaf, and how many stand above it.
    shown: Mutex<Option<(CertificateDer<'static>, usize)>>,
    provider: Arc<CryptoProvider>,
}

impl Same {
    pub(super) fn new(chain: &[CertificateDer<'static>]) -> Self {
        Self {
            chain: chain.to_vec(),
            shown: Mutex::new(None),
            provider: Arc::new(ring::default_provider()),
        }
    }

    pub(super) fn shown(&self) -> Option<String> {
        self.shown_leaf()
            .map(|(leaf, above)| describe(&leaf, above))
    }

    pub(super) fn shown_leaf(&self) -> Option<(CertificateDer<'static>, usize)> {
        self.shown
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

/// A TLS client that lets `verifier` judge the certificate, and `host` as the name that it asks for.
///
/// # Errors
/// `host` is no host name; the end of a sentence.
pub(super) fn client(
    verifier: &Arc<Same>,
    host: &str,
) -> Result<(TlsConnector, ServerName<'static>), String> {
    let config = ClientConfig::builder_with_provider(Arc::clone(&verifier.provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| format!("preparing TLS: {e}"))?
        .dangerous()
        .with_custom_certificate_verifier(verifier.clone())
        .with_no_client_auth();
    let name =
        ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no host name"))?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

impl fmt::Debug for Same {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Same").finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Same {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        rest: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if std::iter::once(leaf).chain(rest).eq(&self.chain) {
            return Ok(ServerCertVerified::assertion());
        }
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner) =
            Some((leaf.clone().into_owned(), rest.len()));
        Err(rustls::Error::General("not the stored chain".into()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

fn describe(leaf: &CertificateDer<'_>, above: usize) -> String {
    let names = EndEntityCert::try_from(leaf)
        .map_or_else(|_| "unreadable names".into(), |leaf| names(&leaf));
    match X509Certificate::from_der(leaf) {
        Ok((_, parsed)) => {
            let (issuer, serial) = (parsed.issuer(), parsed.raw_serial_as_string());
            format!("for {names}, issued by {issuer}, serial {serial}, with {above} more above it")
        }
        Err(error) => format!("unreadable: {error}"),
    }
}
