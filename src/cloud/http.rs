//! The one HTTP client under every SDK client, and the times that they all keep to. Every answer is
//! bounded, and every wait has an end (invariant I11 of docs/ARCHITECTURE.md).

use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use http_body_util::Limited;

/// From nothing to a finished TLS handshake.
const CONNECT: Duration = Duration::from_secs(3);
/// One attempt up to its answer's head; a server that hangs is given up and asked again.
pub(super) const ATTEMPT: Duration = Duration::from_secs(8);
/// All attempts of one call together: three hangs still leave a fourth attempt.
pub(super) const OPERATION: Duration = Duration::from_secs(30);
/// Enough to outlast a burst of refusals; their back-off adds up to less than the time of one
/// operation.
const ATTEMPTS: u32 = 12;
const FIRST_BACKOFF: Duration = Duration::from_millis(150);
const LONGEST_BACKOFF: Duration = Duration::from_secs(3);
/// Any answer but an object's: a page of records or keys is a tenth of this.
const ANSWER_LIMIT: usize = 4 << 20;

pub(super) fn times() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(ATTEMPT)
        .operation_timeout(OPERATION)
        .build()
}

pub(super) fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(ATTEMPTS)
        .with_initial_backoff(FIRST_BACKOFF)
        .with_max_backoff(LONGEST_BACKOFF)
}

/// One pool of connections and one set of trust roots, whose answers are bounded.
pub(super) fn shared_connector() -> SharedHttpConnector {
    SharedHttpConnector::new(Bounded(connector(None)))
}

/// Takes the same connector whatever settings an SDK client comes with.
pub(super) fn shared_client(connector: SharedHttpConnector) -> SharedHttpClient {
    http_client_fn(move |_, _| connector.clone())
}

/// Trusts the system's roots (or `SSL_CERT_FILE`'s) and the `extra` ones (PEM).
pub(super) fn connector(extra: Option<Vec<Vec<u8>>>) -> Connector {
    let roots = extra
        .into_iter()
        .flatten()
        .fold(TrustStore::default(), TrustStore::with_pem_certificate);
    let context = TlsContext::builder()
        .with_trust_store(roots)
        .build()
        .expect("a context of roots alone is complete");
    Connector::builder()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .tls_context(context)
        .connector_settings(
            HttpConnectorSettings::builder()
                .connect_timeout(CONNECT)
                .build(),
        )
        .build()
}

/// Bounds every answer that an SDK would collect in memory.
#[derive(Debug)]
struct Bounded(Connector);

impl HttpConnector for Bounded {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        // The SDK names S3's operation in the query; an object's body is streamed, and bounded
        // where it is read.
        let is_object = request.uri().contains("x-id=GetObject");
        let answer = self.0.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            if is_object && answer.status().is_success() {
                return Ok(answer);
            }
            Ok(answer.map(|body| SdkBody::from_body_1_x(Limited::new(body, ANSWER_LIMIT))))
        })
    }
}
