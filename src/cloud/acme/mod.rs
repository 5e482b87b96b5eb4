//! Certificates from an ACME CA (RFC 8555) by DNS-01.

mod error;
mod order;

use std::path::Path;

pub use error::AcmeError;
pub use order::{Dns01, Order};

/// An account at a CA.
pub struct Acme {}

impl Acme {
    /// Makes an account, agreeing to the CA's terms. The bytes are its credentials: a secret.
    pub async fn register(directory_url: &str, ca: Option<&Path>, contact: &[String]) -> Result<(Self, Vec<u8>), AcmeError> {
        let _ = (directory_url, ca, contact);
        unimplemented!()
    }

    /// Opens an account by the credentials that [`Acme::register`] gave.
    pub async fn open(directory_url: &str, ca: Option<&Path>, credentials: &[u8]) -> Result<Self, AcmeError> {
        let _ = (directory_url, ca, credentials);
        unimplemented!()
    }

    /// Refuses a profile that the CA does not list, naming those it does.
    pub fn offers_profile(&self, profile: &str) -> Result<(), AcmeError> {
        let _ = profile;
        unimplemented!()
    }

    /// Orders a certificate for these names (`*.example.com` is one), under a profile that [`Acme::offers_profile`] takes.
    pub async fn new_order(&self, names: &[String], profile: Option<&str>) -> Result<Order, AcmeError> {
        let _ = (names, profile);
        unimplemented!()
    }

    /// An order made earlier; `None` if the CA no longer knows it, or it is invalid.
    pub async fn resume(&self, url: &str) -> Result<Option<Order>, AcmeError> {
        let _ = url;
        unimplemented!()
    }
}
