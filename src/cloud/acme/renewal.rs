//! ACME Renewal Information (RFC 9773): when a CA would like a certificate to be renewed. Anybody
//! may ask, without an account.

use std::fmt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use hyper::body::Bytes;
use instant_acme::{BodyWrapper, CertificateIdentifier, HttpClient, RenewalInfo};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use time::OffsetDateTime;

use super::AcmeError;
use super::http::{Client, retry_after};

/// Where the CA does not say when to ask again; and the bounds that section 4.3.2 gives for what it
/// says.
const ASK_AGAIN: Duration = Duration::from_secs(6 * 3600);
const SOONEST: Duration = Duration::from_secs(60);
const LATEST: Duration = Duration::from_secs(86_400);

/// A certificate as renewal information and `replaces` name it (section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateId(CertificateIdentifier<'static>);

/// When to renew, and when to ask again whether that still holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suggestion {
    pub start: OffsetDateTime,
    /// After `start`.
    pub end: OffsetDateTime,
    /// Where the CA says why it is so.
    pub explanation: Option<String>,
    pub ask_again: Duration,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RenewalDirectory {
    renewal_info: Option<String>,
}

impl CertificateId {
    /// Of a chain's first certificate; `None` for one that does not name its issuer's key, as
    /// self-signed ones.
    pub fn of(chain_pem: &str) -> Option<Self> {
        let leaf = CertificateDer::pem_slice_iter(chain_pem.as_bytes())
            .next()?
            .ok()?;
        Some(Self(
            CertificateIdentifier::try_from(&leaf).ok()?.into_owned(),
        ))
    }

    pub(super) fn identifier(&self) -> CertificateIdentifier<'static> {
        self.0.clone()
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the CA suggests for a certificate of its own. `None`: it gives no such information, or none
/// for this one.
///
/// # Errors
/// It is down, limits the rate, or says what makes no sense.
pub async fn renewal_info(
    directory_url: &str,
    ca: Option<&Path>,
    id: &CertificateId,
) -> Result<Option<Suggestion>, AcmeError> {
    let doing = format!("asking {directory_url} when to renew");
    let client = Client::new(ca)?;
    let Some(directory) = get::<RenewalDirectory>(&client, directory_url, &doing).await? else {
        return Err(AcmeError::rejected(&doing, "there is no ACME directory"));
    };
    let Some(url) = directory.0.renewal_info else {
        return Ok(None);
    };
    let Some((info, again)) = get::<RenewalInfo>(
        &client,
        &format!("{}/{id}", url.trim_end_matches('/')),
        &doing,
    )
    .await?
    else {
        return Ok(None);
    };
    let (start, end) = (info.suggested_window.start, info.suggested_window.end);
    // Section 4.2: a window that ends before it starts is none.
    if end <= start {
        return Err(AcmeError::rejected(
            &doing,
            format!("its window from {start} to {end} is none"),
        ));
    }
    Ok(Some(Suggestion {
        start,
        end,
        explanation: info.explanation_url,
        ask_again: again.unwrap_or(ASK_AGAIN).clamp(SOONEST, LATEST),
    }))
}

/// A document with its `Retry-After`; `None` where the CA refuses it.
async fn get<T: DeserializeOwned>(
    client: &Client,
    url: &str,
    doing: &str,
) -> Result<Option<(T, Option<Duration>)>, AcmeError> {
    let request = http::Request::get(url)
        .header(http::header::USER_AGENT, "spotboot")
        .body(BodyWrapper::<Bytes>::default());
    let request =
        request.map_err(|error| AcmeError::rejected(doing, format!("{url} is no URL: {error}")))?;
    let mut answer = client
        .request(request)
        .await
        .map_err(|error| AcmeError::from(doing, &error))?;
    if !answer.parts.status.is_success() {
        tracing::debug!(url, status = %answer.parts.status, "refused");
        return Ok(None);
    }
    let again = answer
        .parts
        .headers
        .get(RETRY_AFTER)
        .and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now()));
    let body = answer
        .body
        .into_bytes()
        .await
        .map_err(|error| AcmeError::rejected(doing, error.to_string()))?;
    let document = serde_json::from_slice(&body)
        .map_err(|error| AcmeError::from(doing, &instant_acme::Error::Json(error)))?;
    Ok(Some((document, again)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_names_no_issuers_key_has_no_id() {
        let key = rcgen::KeyPair::generate().unwrap();
        let alone = rcgen::CertificateParams::new(vec!["example.test".to_owned()])
            .unwrap()
            .self_signed(&key)
            .unwrap();
        assert_eq!(CertificateId::of(&alone.pem()), None);
        assert_eq!(CertificateId::of("no certificate"), None);
    }

    /// The certificate of RFC 9773, appendix A, and its id as the RFC gives it.
    #[test]
    fn the_rfcs_own_example_has_the_rfcs_own_id() {
        let pem = "-----BEGIN CERTIFICATE-----\n\
            MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt\n\
            cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS\n\
            BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu\n\
            7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf\n\
            qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B\n\
            yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb\n\
            +FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK\n\
            -----END CERTIFICATE-----\n";
        assert_eq!(
            CertificateId::of(pem).unwrap().to_string(),
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
        );
    }
}
