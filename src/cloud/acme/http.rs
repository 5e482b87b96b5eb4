//! What instant-acme's HTTP lacks: a time-out on every request, bounded bodies, `Retry-After`,
//! roots of our own beside the system's.
//!
//! Answers that decide nothing (429, 5xx) end here as a [`Fault`], because a problem document drops
//! their `Retry-After`.

use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::time::{Duration, SystemTime};

use aws_smithy_http_client::Connector;
use aws_smithy_runtime_api::client::http::HttpConnector;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::DateTime;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::date_time::Format;
use http::header::RETRY_AFTER;
use http_body_util::{BodyExt, Limited};
use hyper::body::Bytes;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient, Problem};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::timeout;

use super::AcmeError;
use super::fault::Fault;
use crate::cloud::error::innermost;
use crate::cloud::http::connector;

/// One request with its answer. Long, since a POST that is given up may have been carried out: a
/// second order, say.
const REQUEST: Duration = Duration::from_secs(20);
/// A chain of certificates has some kilobytes, a directory less.
const BODY_LIMIT: usize = 256 << 10;
/// As much of an answer that is no problem document as is shown.
const EXCERPT: usize = 200;

type Sent = Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>>;

pub(super) struct Client(Connector);

impl Client {
    /// Trusts the system's roots, and those in the PEM file `ca`.
    pub(super) fn new(ca: Option<&Path>) -> Result<Self, AcmeError> {
        let extra = ca.map(pem_certificates).transpose()?;
        Ok(Self(connector(extra)))
    }
}

impl HttpClient for Client {
    fn request(&self, request: http::Request<BodyWrapper<Bytes>>) -> Sent {
        let host = request
            .uri()
            .authority()
            .map(ToString::to_string)
            .unwrap_or_default();
        let answer = to_smithy(request).map(|request| self.0.call(request));
        Box::pin(async move {
            let answered = timeout(REQUEST, async {
                read(
                    answer?
                        .await
                        .map_err(|error| no_answer(&host, &innermost(&error)))?,
                )
                .await
            })
            .await;
            let response = answered.unwrap_or_else(|_| Err(no_answer(&host, "no answer in time")));
            response.map_err(|fault| instant_acme::Error::Other(Box::new(fault)))
        })
    }
}

/// An ACME exchange is https only (RFC 8555 section 6.1), whatever URL a directory or an order
/// names.
fn to_smithy(request: http::Request<BodyWrapper<Bytes>>) -> Result<HttpRequest, Fault> {
    if request.uri().scheme() != Some(&http::uri::Scheme::HTTPS) {
        return Err(Fault::Wrong(format!(
            "the CA names {}, which is no https URL",
            request.uri()
        )));
    }
    HttpRequest::try_from(request.map(SdkBody::from_body_1_x))
        .map_err(|error| Fault::Wrong(innermost(&error)))
}

async fn read(answer: HttpResponse) -> Result<BytesResponse, Fault> {
    let (parts, body) = answer
        .try_into_http1x()
        .map_err(|error| Fault::Wrong(innermost(&error)))?
        .into_parts();
    let body = Limited::new(body, BODY_LIMIT)
        .collect()
        .await
        .map_err(|error| down(format!("reading the answer: {error}")))?
        .to_bytes();
    match parts.status.as_u16() {
        status @ (429 | 500..) => Err(Fault::Down {
            status: Some(status),
            retry_after: parts
                .headers
                .get(RETRY_AFTER)
                .and_then(|value| retry_after(value.to_str().ok()?, SystemTime::now())),
            detail: detail(status, &body),
        }),
        // instant-acme takes every other refusal for a problem document.
        status @ 400.. if serde_json::from_slice::<Problem>(&body).is_err() => {
            Err(Fault::Wrong(detail(status, &body)))
        }
        _ => Ok(BytesResponse {
            parts,
            body: Box::new(body),
        }),
    }
}

fn no_answer(host: &str, cause: &str) -> Fault {
    if cause.contains("invalid peer certificate") {
        return Fault::Wrong(format!(
            "{host}: {cause}; a private CA's own root goes into [tls] directory_ca"
        ));
    }
    down(format!("{host}: {cause}"))
}

fn down(detail: String) -> Fault {
    Fault::Down {
        status: None,
        retry_after: None,
        detail,
    }
}

/// A problem document's words, or the beginning of whatever else a proxy in the way has put there.
fn detail(status: u16, body: &[u8]) -> String {
    let problem = serde_json::from_slice::<Problem>(body)
        .ok()
        .and_then(|problem| problem.detail);
    let words = problem.unwrap_or_else(|| {
        String::from_utf8_lossy(body)
            .chars()
            .take(EXCERPT)
            .collect::<String>()
    });
    match words.trim() {
        "" => format!("HTTP status {status}"),
        words => format!("{words} (HTTP status {status})"),
    }
}

/// Seconds or a date (RFC 9110 section 10.2.3).
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = DateTime::from_str(value.trim(), Format::HttpDate).ok()?;
    Some(
        SystemTime::try_from(date)
            .ok()?
            .duration_since(now)
            .unwrap_or_default(),
    )
}

/// Checked here, since the connector would panic over a file that is none.
fn pem_certificates(path: &Path) -> Result<Vec<Vec<u8>>, AcmeError> {
    let doing = format!("reading [tls] directory_ca {}", path.display());
    let rejected = |detail: String| AcmeError::Rejected {
        doing: doing.clone(),
        detail,
    };
    let pem = std::fs::read(path).map_err(|error| rejected(error.to_string()))?;
    let found = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| rejected(error.to_string()))?;
    if found.is_empty() {
        return Err(rejected("there is no PEM certificate in it".to_owned()));
    }
    Ok(vec![pem])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_168_800);
        assert_eq!(retry_after("120", now), Some(Duration::from_secs(120)));
        assert_eq!(
            retry_after("Fri, 20 Nov 2026 10:02:00 GMT", now),
            Some(Duration::from_secs(120))
        );
        assert_eq!(
            retry_after("Fri, 20 Nov 2026 09:00:00 GMT", now),
            Some(Duration::ZERO)
        );
        assert_eq!(retry_after("soon", now), None);
    }

    #[test]
    fn a_problem_document_gives_its_own_words() {
        let body = br#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many certificates"}"#;
        assert_eq!(detail(429, body), "too many certificates (HTTP status 429)");
    }

    #[test]
    fn a_page_of_a_proxy_is_cut_short() {
        assert_eq!(detail(502, b""), "HTTP status 502");
        assert!(detail(502, "<html>".repeat(1000).as_bytes()).len() < 300);
    }

    async fn read_status(status: u16, body: &'static str) -> Result<BytesResponse, Fault> {
        let answer = http::Response::builder()
            .status(status)
            .header(RETRY_AFTER, "7")
            .body(SdkBody::from(body))
            .unwrap();
        read(answer.try_into().unwrap()).await
    }

    #[tokio::test]
    async fn an_answer_that_decides_nothing_keeps_its_retry_after() {
        for status in [429, 500, 503] {
            let Err(Fault::Down {
                status: seen,
                retry_after,
                ..
            }) = read_status(status, "").await
            else {
                panic!("{status} was taken")
            };
            assert_eq!(
                (seen, retry_after),
                (Some(status), Some(Duration::from_secs(7)))
            );
        }
    }

    #[tokio::test]
    async fn a_refusal_without_a_problem_document_is_a_refusal_still() {
        assert!(matches!(
            read_status(404, "not found").await,
            Err(Fault::Wrong(_))
        ));
        assert!(
            read_status(404, r#"{"detail":"no such order"}"#)
                .await
                .is_ok()
        );
    }

    #[test]
    fn only_https_is_spoken() {
        let plain = http::Request::get("http://ca.example/order/1")
            .body(BodyWrapper::default())
            .unwrap();
        assert!(
            to_smithy(plain)
                .unwrap_err()
                .to_string()
                .contains("http://ca.example/order/1")
        );
    }

    #[test]
    fn a_trust_file_without_certificates_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(
            pem_certificates(file.path())
                .unwrap_err()
                .to_string()
                .contains("no PEM certificate")
        );
    }
}
