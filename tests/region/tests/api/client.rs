//! Clients for the tests: the SDK's, and a bare one that shows every header.

use std::net::SocketAddr;

use aws_config::SdkConfig;
use aws_sdk_s3::config::{Credentials, Region as SdkRegion};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use region::{Options, Region, Service};
use tokio::io::{AsyncRead, AsyncWrite};

pub(crate) const ZONE: &str = "Z0EXAMPLE";
pub(crate) const BUCKET: &str = "example-site";

pub(crate) fn region() -> Region {
    Region::start(Options::default()).unwrap()
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

pub(crate) fn http() -> aws_smithy_runtime_api::client::http::SharedHttpClient {
    aws_smithy_http_client::Builder::new()
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

async fn config(region: &Region, service: &str) -> SdkConfig {
    let env = region.env();
    let keys = Credentials::new(
        &env["AWS_ACCESS_KEY_ID"],
        &env["AWS_SECRET_ACCESS_KEY"],
        None,
        None,
        "test",
    );
    let builder = aws_config::from_env()
        .http_client(http())
        .credentials_provider(keys)
        .region(SdkRegion::new(env["AWS_REGION"].clone()));
    builder
        .endpoint_url(&env[&format!("AWS_ENDPOINT_URL_{service}")])
        .load()
        .await
}

pub(crate) async fn s3(region: &Region) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::new(&config(region, "S3").await)
}

/// Without retries, so that each refusal is seen.
pub(crate) async fn s3_once(region: &Region) -> aws_sdk_s3::Client {
    let config = config(region, "S3")
        .await
        .into_builder()
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .build();
    aws_sdk_s3::Client::new(&config)
}

pub(crate) async fn route53(region: &Region) -> aws_sdk_route53::Client {
    let config = config(region, "ROUTE_53")
        .await
        .into_builder()
        .retry_config(aws_config::retry::RetryConfig::disabled())
        .build();
    aws_sdk_route53::Client::new(&config)
}

/// One request on a connection of its own.
pub(crate) async fn send(
    request: http::request::Builder,
    body: &str,
) -> hyper::Result<http::Response<Bytes>> {
    let request = request
        .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
        .unwrap();
    let at: SocketAddr = request.uri().authority().unwrap().as_str().parse().unwrap();
    let (mut parts, body) = request.into_parts();
    parts
        .headers
        .entry("host")
        .or_insert(at.to_string().parse().unwrap());
    parts.uri = parts
        .uri
        .path_and_query()
        .unwrap()
        .as_str()
        .parse()
        .unwrap();
    let stream = tokio::net::TcpStream::connect(at).await.unwrap();
    exchange(stream, http::Request::from_parts(parts, body)).await
}

/// One request on a connection that stands.
pub(crate) async fn exchange<S>(
    stream: S,
    request: http::Request<Full<Bytes>>,
) -> hyper::Result<http::Response<Bytes>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = TokioIo::new(stream);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(http::Response::from_parts(
        parts,
        body.collect().await?.to_bytes(),
    ))
}

/// The header by which Route 53 and EC2 know CI.
pub(crate) fn signed_by_ci(region: &Region) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={}/20261101/r/s/aws4_request",
        region.env()["AWS_ACCESS_KEY_ID"]
    )
}

/// A Query API's answer: EC2's or Auto Scaling's.
pub(crate) fn query(
    region: &Region,
    service: Service,
    action: &str,
    parameters: &str,
) -> (u16, String) {
    let request = http::Request::post(format!("{}/", region.endpoint(service)))
        .header("authorization", signed_by_ci(region));
    let answer = runtime()
        .block_on(send(request, &format!("Action={action}&{parameters}")))
        .unwrap();
    (
        answer.status().as_u16(),
        String::from_utf8_lossy(answer.body()).into_owned(),
    )
}

/// What stands in all elements of that name.
pub(crate) fn texts(xml: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    xml.split(&open)
        .skip(1)
        .filter_map(|rest| Some(rest.split_once(&close)?.0.to_owned()))
        .collect()
}
