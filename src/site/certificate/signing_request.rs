//! What a certificate is ordered for: its names, and the request that its key signs.

use anyhow::{Context, Result};
use rcgen::CertificateParams;

use super::PrivateKey;
use super::sealed::wildcard_of;
use crate::config::Domain;

/// What is ordered for these domains: without those that a wildcard among them covers, since a CA
/// may refuse them beside it (Boulder: "redundant with a wildcard domain in the same request").
pub fn identifiers(domains: &[Domain]) -> Vec<String> {
    let covered = |domain: &&Domain| {
        !domain.is_wildcard()
            && domains
                .iter()
                .any(|other| other.as_str() == wildcard_of(domain))
    };
    domains
        .iter()
        .filter(|domain| !covered(domain))
        .map(ToString::to_string)
        .collect()
}

/// A request for these names, signed by the key, in DER (RFC 2986).
pub(super) fn signing_request(key: &PrivateKey, names: &[String]) -> Result<Vec<u8>> {
    let mut params =
        CertificateParams::new(names.to_vec()).context("a name does not fit a signing request")?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let pair = key.key_pair().context("reading the order's key")?;
    Ok(params
        .serialize_request(&pair)
        .context("signing the request")?
        .der()
        .to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_wildcard_covers_is_not_ordered_beside_it() {
        let domains = [
            "example.com",
            "www.example.com",
            "*.example.com",
            "a.b.example.com",
        ]
        .map(|name| Domain::parse(name).unwrap());
        assert_eq!(
            identifiers(&domains),
            ["example.com", "*.example.com", "a.b.example.com"]
        );
    }
}
