//! Certificates from an ACME CA (RFC 8555) by DNS-01.

mod error;
mod fault;
mod http;
mod order;
mod renewal;
mod retry;

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use instant_acme::{
    Account, AccountCredentials, ExternalAccountKey, Identifier, NewAccount, NewOrder, OrderStatus,
};

pub use error::AcmeError;
pub use order::{Dns01, Order};
pub use renewal::{CertificateId, Suggestion, renewal_info};
use retry::retrying;

/// An account at a CA.
pub struct Acme {
    account: Account,
}

/// Whose customer the account's holder is at the CA (RFC 8555 section 7.3.4).
pub struct Binding {
    kid: String,
    key: Vec<u8>,
}

impl Binding {
    /// The key in base64url, as CAs hand it out; `None` if it is not that.
    pub fn new(kid: &str, hmac_key: &str) -> Option<Self> {
        let key = BASE64_URL_SAFE_NO_PAD
            .decode(hmac_key.trim().trim_end_matches('='))
            .ok()
            .filter(|key| !key.is_empty())?;
        Some(Self {
            kid: kid.to_owned(),
            key,
        })
    }
}

impl Acme {
    /// Makes an account, agreeing to the CA's terms. The bytes are its credentials: a secret.
    pub async fn register(
        directory_url: &str,
        ca: Option<&Path>,
        contact: &[String],
        binding: Option<&Binding>,
    ) -> Result<(Self, Vec<u8>), AcmeError> {
        let doing = format!("registering an account at {directory_url}");
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let wanted = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let bound =
            binding.map(|binding| ExternalAccountKey::new(binding.kid.clone(), &binding.key));
        let made = retrying(&doing, async || {
            let builder = Account::builder_with_http(Box::new(http::Client::new(ca)?));
            builder
                .create(&wanted, directory_url.to_owned(), bound.as_ref())
                .await
                .map_err(|error| AcmeError::from(&doing, &error))
        });
        let (account, credentials) = made.await?;
        let credentials = serde_json::to_vec(&credentials)
            .map_err(|_| AcmeError::rejected(&doing, "its credentials cannot be written"))?;
        Ok((Self { account }, credentials))
    }

    /// Opens an account by the credentials that [`Acme::register`] gave. Asks the CA for its
    /// directory, and no more.
    pub async fn open(
        directory_url: &str,
        ca: Option<&Path>,
        credentials: &[u8],
    ) -> Result<Self, AcmeError> {
        let doing = format!("opening the account at {directory_url}");
        let opened = retrying(&doing, async || {
            let builder = Account::builder_with_http(Box::new(http::Client::new(ca)?));
            let credentials =
                parsed(credentials, directory_url).ok_or_else(|| AcmeError::UnknownAccount {
                    doing: doing.clone(),
                    detail: "the stored credentials cannot be read".to_owned(),
                })?;
            builder
                .from_credentials(credentials)
                .await
                .map_err(|error| AcmeError::from(&doing, &error))
        });
        Ok(Self {
            account: opened.await?,
        })
    }

    /// Refuses a profile that the CA does not list, naming those it does. Without this, a CA may
    /// issue under another one.
    pub fn offers_profile(&self, profile: &str) -> Result<(), AcmeError> {
        let offered = self
            .account
            .profiles()
            .map(|profile| profile.name.to_owned())
            .collect();
        offers(offered, profile)
            .map_err(|detail| AcmeError::rejected("choosing [tls] profile", detail))
    }

    /// Orders a certificate for these names (`*.example.com` is one), under a profile that
    /// [`Acme::offers_profile`] takes, as the successor of another certificate of this CA (RFC 9773
    /// section 5).
    pub async fn new_order(
        &self,
        names: &[String],
        profile: Option<&str>,
        replaces: Option<&CertificateId>,
    ) -> Result<Order, AcmeError> {
        if let Some(profile) = profile {
            self.offers_profile(profile)?;
        }
        let doing = format!("ordering a certificate for {}", names.join(", "));
        let identifiers: Vec<_> = names.iter().cloned().map(Identifier::Dns).collect();
        let order = retrying(&doing, async || {
            let order = NewOrder::new(&identifiers);
            let order = profile.into_iter().fold(order, NewOrder::profile);
            let order = replaces
                .into_iter()
                .fold(order, |order, id| order.replaces(id.identifier()));
            let made = self.account.new_order(&order).await;
            made.map_err(|error| {
                if replaces.is_some() {
                    AcmeError::of_replacing(&doing, &error)
                } else {
                    AcmeError::from(&doing, &error)
                }
            })
        });
        Ok(Order::new(order.await?, &names.join(", ")))
    }

    /// An order made earlier; `None` if the CA no longer knows it, or it is invalid.
    pub async fn resume(&self, url: &str) -> Result<Option<Order>, AcmeError> {
        let doing = format!("resuming order {url}");
        let order = retrying(&doing, async || {
            self.account
                .order(url.to_owned())
                .await
                .map_err(|error| AcmeError::from(&doing, &error))
        });
        match order.await {
            Ok(mut order) => {
                Ok((order.state().status != OrderStatus::Invalid).then(|| Order::new(order, url)))
            }
            // Expired and purged, or another account's: in each case a new order is needed.
            Err(AcmeError::Rejected { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The stored account at today's URL of its CA. An error's text could quote the key, so there is
/// none.
fn parsed(credentials: &[u8], directory_url: &str) -> Option<AccountCredentials> {
    let mut value: serde_json::Value = serde_json::from_slice(credentials).ok()?;
    value
        .as_object_mut()?
        .insert("directory".to_owned(), directory_url.into());
    serde_json::from_value(value).ok()
}

fn offers(mut offered: Vec<String>, profile: &str) -> Result<(), String> {
    if offered.iter().any(|name| name == profile) {
        return Ok(());
    }
    offered.sort();
    Err(match offered.as_slice() {
        [] => {
            format!("this CA has no profiles, so not {profile:?} either: leave [tls] profile out")
        }
        offered => format!(
            "this CA does not offer {profile:?}: it offers {}",
            offered.join(", ")
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CREDENTIALS: &str = r#"{"id":"https://ca.example/account/1","key_pkcs8":"c2VjcmV0","directory":"https://old.example/dir"}"#;

    #[test]
    fn a_profile_that_is_not_offered_is_refused_with_those_that_are() {
        let offered = || vec!["tlsserver".to_owned(), "classic".to_owned()];
        assert_eq!(offers(offered(), "classic"), Ok(()));
        assert_eq!(
            offers(offered(), "short"),
            Err("this CA does not offer \"short\": it offers classic, tlsserver".to_owned())
        );
        assert!(
            offers(Vec::new(), "classic")
                .unwrap_err()
                .contains("leave [tls] profile out")
        );
    }

    #[test]
    fn stored_credentials_follow_the_ca_to_its_new_url() {
        let read = serde_json::to_string(
            &parsed(CREDENTIALS.as_bytes(), "https://new.example/dir").unwrap(),
        )
        .unwrap();
        assert!(
            read.contains("https://new.example/dir") && read.contains("c2VjcmV0"),
            "{read}"
        );
    }

    #[tokio::test]
    async fn broken_credentials_are_an_unknown_account_and_are_not_quoted() {
        let broken = CREDENTIALS.replace("\"id\"", "\"ix\"");
        let Err(error) = Acme::open("https://127.0.0.1:1/dir", None, broken.as_bytes()).await
        else {
            panic!("broken credentials were taken")
        };
        assert!(matches!(error, AcmeError::UnknownAccount { .. }));
        assert!(!error.to_string().contains("c2VjcmV0"));
    }
}

#[cfg(test)]
mod suite;
