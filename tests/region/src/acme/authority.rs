//! The region's own CA: it certifies the ACME proxy and pebble's listeners, and nothing that a site
//! serves.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    addresses: Vec<IpAddr>,
}

/// A certificate with its key.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
    der: CertificateDer<'static>,
    key_der: PrivatePkcs8KeyDer<'static>,
}

impl Authority {
    /// Certifies servers at these addresses, and at localhost.
    pub(crate) fn new(addresses: Vec<IpAddr>) -> Result<Authority> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "spotboot test region");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)
            .context("making the region's CA")?;
        Ok(Authority { issuer, addresses })
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// For a server at the region's addresses.
    pub(crate) fn issue(&self) -> Result<Issued> {
        let names = self
            .addresses
            .iter()
            .map(IpAddr::to_string)
            .chain(["localhost".to_owned()]);
        self.issue_for(names.collect(), "spotboot test region's ACME")
    }

    /// For a server of these names.
    pub(crate) fn issue_for(&self, names: Vec<String>, common_name: &str) -> Result<Issued> {
        let mut params = CertificateParams::new(names)?;
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        let key_der = PrivatePkcs8KeyDer::from(key.serialize_der());
        Ok(Issued {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            der: certificate.der().clone(),
            key_der,
        })
    }

    /// For a server of ours.
    pub(crate) fn server(&self) -> Result<Arc<ServerConfig>> {
        let issued = self.issue()?;
        let builder = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth();
        let mut config =
            builder.with_single_cert(vec![issued.der], PrivateKeyDer::Pkcs8(issued.key_der))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Arc::new(config))
    }

    /// Trusts this CA alone.
    pub(crate) fn client(&self) -> Result<Arc<ClientConfig>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone())?;
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?;
        Ok(Arc::new(
            builder.with_root_certificates(roots).with_no_client_auth(),
        ))
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
