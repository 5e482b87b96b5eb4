//! One generation of the certificate as it stands in the bucket: chain, key and metadata in one
//! object with a digest.
//!
//! Whatever is read back is checked in full before anybody relies on it (invariant I6 of
//! docs/ARCHITECTURE.md). A key shows itself in no log and no error (invariant I7).

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use rcgen::{KeyPair, PublicKeyData};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use crate::config::Domain;

/// How far the CA's clock may be ahead of S3's, whose answers tell whole seconds.
const CLOCK_LEEWAY: Duration = Duration::from_secs(60);

/// A private key in PEM. It prints as nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivateKey(String);

impl PrivateKey {
    /// A new P-256 key.
    ///
    /// # Errors
    /// When the system's random source does not answer.
    pub fn generate() -> Result<Self, rcgen::Error> {
        Ok(Self(
            KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)?.serialize_pem(),
        ))
    }

    /// The key itself, for the one file that nginx reads and the seal (invariant I7).
    pub fn pem(&self) -> &str {
        &self.0
    }

    pub(super) fn key_pair(&self) -> Result<KeyPair, rcgen::Error> {
        KeyPair::from_pem(&self.0)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(…)")
    }
}

/// A chain with the key that it certifies, checked.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// Whose it is: the `<ca>` of `certs/<ca>/…`.
    pub ca: String,
    /// Leaf first, in PEM.
    pub chain: String,
    pub key: PrivateKey,
    /// As openssl prints it: upper-case hexadecimal.
    pub serial: String,
    pub not_before: OffsetDateTime,
    pub not_after: OffsetDateTime,
}

/// Why a cached certificate is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    #[error("it is not whole: {0}")]
    Broken(String),
    #[error("its digest does not match its content")]
    Digest,
    #[error("its key does not belong to it")]
    OtherKey,
    #[error("it does not cover {0}")]
    OtherNames(String),
    #[error("it expired on {0}")]
    Expired(OffsetDateTime),
    #[error("it is not valid before {0}")]
    NotYet(OffsetDateTime),
}

#[derive(Serialize, Deserialize)]
struct Seal {
    chain: String,
    key: PrivateKey,
    #[serde(with = "time::serde::rfc3339")]
    not_after: OffsetDateTime,
    serial: String,
    /// SHA-256 of chain and key, in hexadecimal.
    sha256: String,
}

impl Certificate {
    /// Checks a chain and a key: that they parse, belong together, cover the names and are valid
    /// now.
    ///
    /// # Errors
    /// The first flaw found.
    pub fn check(
        ca: &str,
        chain: String,
        key: PrivateKey,
        names: &[Domain],
        now: OffsetDateTime,
    ) -> Result<Self, Flaw> {
        let broken = |what: &str| Flaw::Broken(what.to_owned());
        let ders: Vec<_> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| broken("the chain is no PEM"))?;
        let leaf_der = ders.first().ok_or_else(|| broken("the chain is empty"))?;
        let (_, leaf) = X509Certificate::from_der(leaf_der)
            .map_err(|_| broken("the leaf is no certificate"))?;
        if ders
            .iter()
            .any(|der| X509Certificate::from_der(der).is_err())
        {
            return Err(broken("an issuer is no certificate"));
        }
        let pair = key
            .key_pair()
            .map_err(|_| broken("the key does not parse"))?;
        if leaf.public_key().raw != pair.subject_public_key_info() {
            return Err(Flaw::OtherKey);
        }
        let missing = missing_names(&leaf, names);
        if !missing.is_empty() {
            return Err(Flaw::OtherNames(missing.join(", ")));
        }
        let (not_before, not_after) = (
            leaf.validity().not_before.to_datetime(),
            leaf.validity().not_after.to_datetime(),
        );
        if now >= not_after {
            return Err(Flaw::Expired(not_after));
        }
        if now + CLOCK_LEEWAY < not_before {
            return Err(Flaw::NotYet(not_before));
        }
        let serial = hex::encode_upper(leaf.raw_serial());
        Ok(Self {
            ca: ca.to_owned(),
            chain,
            key,
            serial,
            not_before,
            not_after,
        })
    }

    /// The object for the bucket: JSON with chain, key, dates and a digest of both, which
    /// [`Certificate::unseal`] checks.
    pub fn seal(&self) -> Vec<u8> {
        let sha256 = digest(&self.chain, &self.key);
        let seal = Seal {
            chain: self.chain.clone(),
            key: self.key.clone(),
            not_after: self.not_after,
            serial: self.serial.clone(),
            sha256,
        };
        serde_json::to_vec(&seal).expect("a seal is plain data")
    }

    /// Opens a seal and checks what is in it.
    ///
    /// # Errors
    /// The first flaw found; it never quotes the content.
    pub fn unseal(
        ca: &str,
        bytes: &[u8],
        names: &[Domain],
        now: OffsetDateTime,
    ) -> Result<Self, Flaw> {
        let seal: Seal =
            serde_json::from_slice(bytes).map_err(|_| Flaw::Broken("it is no seal".to_owned()))?;
        if digest(&seal.chain, &seal.key) != seal.sha256 {
            return Err(Flaw::Digest);
        }
        Self::check(ca, seal.chain, seal.key, names, now)
    }

    /// As it may be told to anybody: names in the certificate's own order.
    pub fn names(&self) -> Vec<String> {
        let leaf = CertificateDer::pem_slice_iter(self.chain.as_bytes())
            .next()
            .and_then(Result::ok);
        let parsed = leaf
            .as_ref()
            .and_then(|der| X509Certificate::from_der(der).ok());
        parsed.map(|(_, leaf)| dns_names(&leaf)).unwrap_or_default()
    }

    /// Issued later, which is what counts where there are several.
    pub fn is_newer_than(&self, other: &Self) -> bool {
        self.not_before > other.not_before
    }
}

fn digest(chain: &str, key: &PrivateKey) -> String {
    hex::encode(
        Sha256::new()
            .chain_update(chain)
            .chain_update([0])
            .chain_update(key.pem())
            .finalize(),
    )
}

fn missing_names(leaf: &X509Certificate<'_>, names: &[Domain]) -> Vec<String> {
    let covered: BTreeSet<String> = dns_names(leaf).into_iter().collect();
    let covers =
        |name: &&Domain| !covered.contains(name.as_str()) && !covered.contains(&wildcard_of(name));
    names
        .iter()
        .filter(covers)
        .map(ToString::to_string)
        .collect()
}

fn dns_names(leaf: &X509Certificate<'_>) -> Vec<String> {
    let extensions =
        leaf.extensions()
            .iter()
            .filter_map(|extension| match extension.parsed_extension() {
                ParsedExtension::SubjectAlternativeName(names) => Some(&names.general_names),
                _ => None,
            });
    extensions.flatten().filter_map(dns_name).collect()
}

fn dns_name(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(name) = name {
        Some(name.to_ascii_lowercase())
    } else {
        None
    }
}

/// The wildcard that would cover a name (RFC 6125 section 6.4.3); a wildcard is covered only by
/// itself.
pub(super) fn wildcard_of(name: &Domain) -> String {
    match name.as_str().split_once('.') {
        Some((_, parent)) if !name.is_wildcard() => format!("*.{parent}"),
        _ => name.to_string(),
    }
}

#[cfg(test)]
pub(super) mod fixtures {
    use super::*;

    /// One that stands for any of its dates: nothing checks its chain.
    pub fn certificate(
        serial: &str,
        not_before: OffsetDateTime,
        lasts: time::Duration,
    ) -> Certificate {
        let (ca, key) = ("ca".to_owned(), PrivateKey(String::new()));
        Certificate {
            ca,
            chain: String::new(),
            key,
            serial: serial.to_owned(),
            not_before,
            not_after: not_before + lasts,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::CertificateParams;
    use time::ext::NumericalDuration;
    use time::macros::datetime;

    const ISSUED: OffsetDateTime = datetime!(2026-11-01 00:00 UTC);
    const EXPIRES: OffsetDateTime = datetime!(2027-01-30 00:00 UTC);
    const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);

    fn domains(names: &[&str]) -> Vec<Domain> {
        names
            .iter()
            .map(|name| Domain::parse(name).unwrap())
            .collect()
    }

    fn issue(names: &[&str]) -> (String, PrivateKey) {
        let key = PrivateKey::generate().unwrap();
        let mut params = CertificateParams::new(
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>(),
        )
        .unwrap();
        (params.not_before, params.not_after) = (ISSUED, EXPIRES);
        (
            params.self_signed(&key.key_pair().unwrap()).unwrap().pem(),
            key,
        )
    }

    fn sealed() -> Vec<u8> {
        let (chain, key) = issue(&["example.com", "*.example.com"]);
        Certificate::check("ca", chain, key, &domains(&["example.com"]), NOW)
            .unwrap()
            .seal()
    }

    #[test]
    fn what_is_sealed_is_unsealed() {
        let opened = Certificate::unseal(
            "ca",
            &sealed(),
            &domains(&["example.com", "www.example.com", "*.example.com"]),
            NOW,
        )
        .unwrap();
        assert_eq!((opened.not_before, opened.not_after), (ISSUED, EXPIRES));
    }

    #[test]
    fn every_truncation_is_noticed() {
        let whole = sealed();
        for length in 0..whole.len() {
            assert!(
                Certificate::unseal("ca", &whole[..length], &domains(&["example.com"]), NOW)
                    .is_err(),
                "{length} bytes were taken"
            );
        }
    }

    #[test]
    fn a_flipped_bit_in_chain_or_key_is_noticed() {
        let whole = sealed();
        let (chain, key) = (
            find(&whole, "BEGIN CERTIFICATE"),
            find(&whole, "BEGIN PRIVATE"),
        );
        for at in (chain..chain + 400).chain(key..key + 200).step_by(7) {
            let mut flipped = whole.clone();
            flipped[at] ^= 1;
            assert!(
                Certificate::unseal("ca", &flipped, &domains(&["example.com"]), NOW).is_err(),
                "the flip at {at} was taken"
            );
        }
    }

    fn find(bytes: &[u8], word: &str) -> usize {
        bytes
            .windows(word.len())
            .position(|window| window == word.as_bytes())
            .unwrap()
    }

    #[test]
    fn names_dates_and_keys_have_to_match() {
        let (chain, key) = issue(&["example.com"]);
        let check = |key: &PrivateKey, name: &str, now| {
            Certificate::check("ca", chain.clone(), key.clone(), &domains(&[name]), now)
                .unwrap_err()
        };
        assert_eq!(
            check(&key, "www.example.com", NOW),
            Flaw::OtherNames("www.example.com".into())
        );
        assert_eq!(check(&key, "example.com", EXPIRES), Flaw::Expired(EXPIRES));
        assert_eq!(
            check(&key, "example.com", ISSUED - 61.seconds()),
            Flaw::NotYet(ISSUED)
        );
        assert_eq!(
            check(&PrivateKey::generate().unwrap(), "example.com", NOW),
            Flaw::OtherKey
        );
    }

    #[test]
    fn a_wildcard_covers_one_label_and_not_its_base() {
        let (chain, key) = issue(&["*.example.com"]);
        let missing = |name: &str| {
            Certificate::check("ca", chain.clone(), key.clone(), &domains(&[name]), NOW).is_err()
        };
        assert!(
            !missing("www.example.com")
                && missing("example.com")
                && missing("a.b.example.com")
                && missing("*.www.example.com")
        );
    }

    #[test]
    fn its_names_are_told() {
        let (chain, key) = issue(&["example.com", "*.example.com"]);
        let certificate =
            Certificate::check("ca", chain, key, &domains(&["example.com"]), NOW).unwrap();
        assert_eq!(certificate.names(), ["example.com", "*.example.com"]);
    }

    #[test]
    fn a_key_never_prints() {
        let (chain, key) = issue(&["example.com"]);
        let certificate =
            Certificate::check("ca", chain, key, &domains(&["example.com"]), NOW).unwrap();
        assert!(!format!("{certificate:?}").contains("PRIVATE KEY"));
    }
}
