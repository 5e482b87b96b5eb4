//! A new token as soon as the service refuses the one that the SDK holds: the SDK keeps a token
//! until its own clock says that it is old, which the service need not share. Stands below the
//! SDK's client, so that the role's credentials gain by it too.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use http_body_util::BodyExt;
use tokio::sync::Mutex;

const TOKEN: &str = "x-aws-ec2-metadata-token";
const TTL: &str = "x-aws-ec2-metadata-token-ttl-seconds";
/// Six hours, the longest there is: the SDK asks for its own next token before that.
const LONGEST: &str = "21600";

/// `connector` with the renewal of tokens.
pub(super) fn renewing(connector: SharedHttpConnector) -> SharedHttpClient {
    let renewing = SharedHttpConnector::new(Renewing {
        connector,
        renewed: Arc::default(),
    });
    http_client_fn(move |_, _| renewing.clone())
}

#[derive(Clone)]
struct Renewing {
    connector: SharedHttpConnector,
    renewed: Arc<Mutex<RenewedToken>>,
}

/// What is sent in place of the token that the SDK holds.
#[derive(Default)]
struct RenewedToken {
    held: String,
    sent: String,
}

impl HttpConnector for Renewing {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let renewing = self.clone();
        HttpConnectorFuture::new(async move { renewing.send(request).await })
    }
}

impl Renewing {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let held = request.headers().get(TOKEN).map(str::to_owned);
        let (Some(held), Some(again)) = (held, request.try_clone()) else {
            return self.connector.call(request).await;
        };
        let sent = self.renewed.lock().await.instead_of(&held);
        let answer = self.connector.call(with_token(request, &sent)?).await?;
        if answer.status().as_u16() != 401 {
            return Ok(answer);
        }
        match self.renew(again.uri(), &held, &sent).await? {
            Some(fresh) => self.connector.call(with_token(again, &fresh)?).await,
            None => Ok(answer),
        }
    }

    /// One new token for all requests that were refused at once; `None` if the service gives none.
    async fn renew(
        &self,
        refused: &str,
        held: &str,
        sent: &str,
    ) -> Result<Option<String>, ConnectorError> {
        let mut renewed = self.renewed.lock().await;
        let latest = renewed.instead_of(held);
        if latest != sent {
            return Ok(Some(latest));
        }
        let answer = self.connector.call(token_request(refused)?).await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let body = answer
            .into_body()
            .collect()
            .await
            .map_err(ConnectorError::io)?
            .to_bytes();
        let fresh = String::from_utf8(body.to_vec())
            .map_err(|_| ConnectorError::other("the token is no text".into(), None))?;
        *renewed = RenewedToken {
            held: held.to_owned(),
            sent: fresh.clone(),
        };
        Ok(Some(fresh))
    }
}

impl RenewedToken {
    fn instead_of(&self, held: &str) -> String {
        if self.held == held {
            self.sent.clone()
        } else {
            held.to_owned()
        }
    }
}

fn with_token(mut request: HttpRequest, token: &str) -> Result<HttpRequest, ConnectorError> {
    request
        .headers_mut()
        .try_insert(TOKEN, token.to_owned())
        .map_err(|error| ConnectorError::user(error.into()))?;
    Ok(request)
}

/// Asks the service that refused a request.
fn token_request(refused: &str) -> Result<HttpRequest, ConnectorError> {
    let wrong = |error: http::Error| ConnectorError::user(error.into());
    let mut parts = refused
        .parse::<http::Uri>()
        .map_err(|error| wrong(error.into()))?
        .into_parts();
    parts.path_and_query = Some(http::uri::PathAndQuery::from_static("/latest/api/token"));
    let uri = http::Uri::from_parts(parts).map_err(|error| wrong(error.into()))?;
    let request = http::Request::put(uri)
        .header(TTL, LONGEST)
        .body(SdkBody::empty())
        .map_err(wrong)?;
    HttpRequest::try_from(request).map_err(|error| ConnectorError::user(error.into()))
}

/// Tokens are secrets.
impl fmt::Debug for Renewing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewing")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_asked_for_where_the_request_was_refused() {
        let request = token_request("http://169.254.169.254/latest/meta-data/instance-id").unwrap();
        assert_eq!(
            (request.method(), request.uri()),
            ("PUT", "http://169.254.169.254/latest/api/token")
        );
        assert_eq!(request.headers().get(TTL), Some(LONGEST));
    }

    #[test]
    fn only_the_refused_token_is_replaced() {
        let renewed = RenewedToken {
            held: "stale".into(),
            sent: "fresh".into(),
        };
        assert_eq!(
            (
                renewed.instead_of("stale"),
                renewed.instead_of("the SDK's next")
            ),
            ("fresh".into(), "the SDK's next".into())
        );
    }
}
