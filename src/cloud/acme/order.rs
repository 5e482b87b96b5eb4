//! One order, from its challenges to its certificate.

use tokio::time::Instant;

use super::AcmeError;

/// An order that the CA knows.
pub struct Order {}

/// A TXT record that proves control of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dns01 {
    /// `_acme-challenge.…`
    pub name: String,
    pub value: String,
}

impl Order {
    /// What [`super::Acme::resume`] takes.
    pub fn url(&self) -> &str {
        unimplemented!()
    }

    /// The records that authorizations still pending need; two may have one name (RFC 8555 section 8.4).
    pub async fn challenges(&mut self) -> Result<Vec<Dns01>, AcmeError> {
        unimplemented!()
    }

    /// Tells the CA that the records stand, and waits until it has seen them all.
    pub async fn validate(&mut self, deadline: Instant) -> Result<(), AcmeError> {
        let _ = deadline;
        unimplemented!()
    }

    /// Hands over the signing request and waits for the chain (PEM, leaf first). An order that is valid already is only downloaded.
    pub async fn finalize(&mut self, csr_der: &[u8], deadline: Instant) -> Result<String, AcmeError> {
        let _ = (csr_der, deadline);
        unimplemented!()
    }
}
