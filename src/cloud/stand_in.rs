//! The adapters as they are in the product, but with one service's endpoint and credentials given,
//! so that no test sets a variable of its process.

use aws_config::Region;
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use region::Service;

use super::{Cloud, http, settings};

/// A cloud of which one service stands in a local region.
pub(crate) async fn cloud_in(region: &region::Region, service: Service) -> Cloud {
    let env = region.env();
    cloud_at(
        &region.endpoint(service),
        &env["AWS_REGION"],
        &env["AWS_ACCESS_KEY_ID"],
        &env["AWS_SECRET_ACCESS_KEY"],
    )
    .await
}

/// A cloud whose services are all at one address.
pub(crate) async fn cloud_at(endpoint: &str, region: &str, key: &str, secret: &str) -> Cloud {
    let credentials = Credentials::builder()
        .access_key_id(key)
        .secret_access_key(secret)
        .provider_name("test")
        .build();
    let settings = settings(
        Region::new(region.to_owned()),
        http::shared_client(http::shared_connector()),
    );
    Cloud::new(
        &settings
            .endpoint_url(endpoint)
            .credentials_provider(credentials)
            .load()
            .await,
    )
}

/// A cloud whose services are `answer`: a request's body to a status and a body.
pub(crate) async fn cloud_answering(
    answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static,
) -> Cloud {
    let http = http_client_fn({
        let script = SharedHttpConnector::new(Script(answer));
        move |_, _| script.clone()
    });
    let credentials = Credentials::builder()
        .access_key_id("key")
        .secret_access_key("secret")
        .provider_name("test")
        .build();
    Cloud::new(
        &settings(Region::new("eu-test-1"), http)
            .credentials_provider(credentials)
            .load()
            .await,
    )
}

struct Script<F>(F);

impl<F> std::fmt::Debug for Script<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Script")
    }
}

impl<F: Fn(&str) -> (u16, String) + Send + Sync> HttpConnector for Script<F> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let body = String::from_utf8(
            request
                .body()
                .bytes()
                .expect("a form is in memory")
                .to_vec(),
        )
        .expect("a form is text");
        let (status, body) = (self.0)(&body);
        // No status stands for a connection that breaks before there is an answer.
        HttpConnectorFuture::ready(match StatusCode::try_from(status) {
            Ok(status) => Ok(HttpResponse::new(status, SdkBody::from(body))),
            Err(broken) => Err(ConnectorError::io(broken.into())),
        })
    }
}
