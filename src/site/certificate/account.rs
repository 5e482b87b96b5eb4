//! The ACME account, one per CA for the whole fleet: `certs/<ca>/account.json`.

use anyhow::{Context, Result, anyhow};
use tracing::warn;

use super::order::{Desk, without_waiting};
use crate::cloud::acme::{Acme, AcmeError, Binding};
use crate::cloud::s3::{Condition, Object, Written};
use crate::config::{Eab, HmacKey};

const LARGEST_ACCOUNT: usize = 64 * 1024;
const LARGEST_KEY: usize = 4096;

impl Desk<'_> {
    pub(super) async fn account(&self) -> Result<Acme> {
        let (tls, ca) = (&self.cache.site.tls, self.cache.ca);
        match self
            .cache
            .s3
            .get(&self.account_key(), LARGEST_ACCOUNT)
            .await?
        {
            None => self.register(Condition::Absent).await,
            Some(Object { body, etag }) => {
                match Acme::open(&ca.url, tls.directory_ca.as_deref(), &body).await {
                    Err(AcmeError::UnknownAccount { .. }) => {
                        warn!("the cached ACME account cannot be read; making a new one");
                        self.register(Condition::Matches(&etag)).await
                    }
                    opened => Ok(opened?),
                }
            }
        }
    }

    pub(super) async fn register(&self, condition: Condition<'_>) -> Result<Acme> {
        let (tls, ca) = (&self.cache.site.tls, self.cache.ca);
        let binding = match &ca.eab {
            Some(eab) => Some(self.binding(eab).await?),
            None => None,
        };
        let registered = Acme::register(
            &ca.url,
            tls.directory_ca.as_deref(),
            &tls.contact,
            binding.as_ref(),
        )
        .await;
        let (account, credentials) = registered.map_err(without_waiting)?;
        let written = self
            .cache
            .s3
            .put(
                &self.account_key(),
                credentials,
                condition,
                tls.kms_key_id.as_deref(),
            )
            .await?;
        if written == Written::Refused {
            warn!("another made an ACME account at the same time; this order uses its own");
        }
        Ok(account)
    }

    /// The key is fetched only for a registration, and kept nowhere.
    async fn binding(&self, eab: &Eab) -> Result<Binding> {
        let key = self.hmac_key(&eab.hmac_key).await?;
        Binding::new(&eab.kid, &key).with_context(|| {
            format!(
                "tls.eab.{}: its hmac_key is not in base64url, as CAs give it",
                self.cache.ca.slug
            )
        })
    }

    async fn hmac_key(&self, place: &HmacKey) -> Result<String> {
        match place {
            HmacKey::Object(key) => {
                let at = format!("s3://{}/{key}", self.cache.s3.bucket());
                let object = self.cache.s3.get(key, LARGEST_KEY).await?.with_context(|| {
                    format!("{at} does not exist; put {{\"hmac_key\": \"…\"}} there, or correct tls.eab.{}", self.cache.ca.slug)
                })?;
                let value: serde_json::Value =
                    serde_json::from_slice(&object.body).map_err(|_| anyhow!("{at} is no JSON"))?;
                let key = value["hmac_key"]
                    .as_str()
                    .with_context(|| format!("{at} has no text under \"hmac_key\""))?;
                Ok(key.to_owned())
            }
            HmacKey::Secret(place) => {
                let mut answers = self.secrets.read([place]).await;
                let answer = answers
                    .remove(place)
                    .with_context(|| format!("{place} was not answered for"))?;
                Ok(answer?.reveal().to_owned())
            }
        }
    }

    fn account_key(&self) -> String {
        self.cache.bucket().acme_account(self.cache.ca)
    }
}
