//! What a distribution asks of its bucket: a request to S3's REST endpoint that its origin access
//! control signs, so that S3 records, judges and answers the request like any other.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use http::Method;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::distribution::Deployed;
use super::page;
use crate::front::{Answer, Call};
use crate::percent::{decoded, encoded};

/// CloudFront's default for an origin.
const ORIGIN_TIMEOUT: Duration = Duration::from_secs(30);
/// What of a visitor's request the bucket is asked with.
const FORWARDED: [&str; 6] = [
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "range",
];

pub(crate) struct Origin {
    /// Of S3's REST endpoint.
    pub(crate) s3: SocketAddr,
    pub(crate) region: String,
}

impl Origin {
    /// The answer to a visitor's request: without its query, and with the default root object for
    /// the root alone.
    pub(super) async fn ask(&self, distribution: &Deployed, call: &Call) -> Answer {
        let path = match (&distribution.spec.default_root_object, call.path()) {
            (Some(root), "/") => format!("/{root}"),
            (_, path) => path.to_owned(),
        };
        let headers = call.parts.headers.iter();
        let forwarded = headers
            .filter(|(name, _)| FORWARDED.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        self.get(distribution, &call.parts.method, &path, forwarded)
            .await
    }

    /// The page of an error response.
    pub(super) async fn page(
        &self,
        distribution: &Deployed,
        method: &Method,
        path: &str,
    ) -> Answer {
        self.get(distribution, method, path, http::HeaderMap::new())
            .await
    }

    async fn get(
        &self,
        distribution: &Deployed,
        method: &Method,
        path: &str,
        headers: http::HeaderMap,
    ) -> Answer {
        let asking = async {
            let mut request = self.request(distribution, method, path)?;
            request.headers_mut().extend(headers);
            self.send(request).await
        };
        match tokio::time::timeout(ORIGIN_TIMEOUT, asking).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                tracing::debug!(error = format!("{error:#}"), path, "asking the origin");
                page(502, "CloudFront wasn't able to connect to the origin.")
            }
            Err(_) => page(
                504,
                "CloudFront couldn't get an answer from the origin in time.",
            ),
        }
    }

    /// Signed by the origin access control ("always").
    fn request(
        &self,
        distribution: &Deployed,
        method: &Method,
        path: &str,
    ) -> Result<http::Request<Empty<Bytes>>> {
        let key = decoded(path.strip_prefix('/').unwrap_or(path));
        let path = format!("/{}/{}", distribution.spec.bucket, encoded(&key));
        let mut request = http::Request::builder()
            .method(method)
            .uri(&path)
            .header("host", self.s3.to_string())
            .body(Empty::new())?;
        let credentials = &distribution.credentials;
        let identity = Credentials::new(
            &credentials.access_key,
            &credentials.secret,
            None,
            None,
            "origin access control",
        )
        .into();
        let mut settings = SigningSettings::default();
        // S3's own rules: a path is encoded once and not tidied up, and the body's hash is a header.
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()?
            .into();
        let headers = [("host", self.s3.to_string())];
        let signable = SignableRequest::new(
            method.as_str(),
            path,
            headers.iter().map(|(name, value)| (*name, value.as_str())),
            SignableBody::Bytes(&[]),
        )?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Ok(request)
    }

    async fn send(&self, request: http::Request<Empty<Bytes>>) -> Result<Answer> {
        let doing = || format!("asking S3 at {}", self.s3);
        let stream = TcpStream::connect(self.s3).await.with_context(doing)?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .with_context(doing)?;
        tokio::spawn(connection);
        let (mut parts, body) = sender
            .send_request(request)
            .await
            .with_context(doing)?
            .into_parts();
        // They are the connection's own.
        for name in [http::header::CONNECTION, http::header::TRANSFER_ENCODING] {
            parts.headers.remove(name);
        }
        Ok(Answer::from_parts(
            parts,
            body.map_err(Into::into).boxed_unsync(),
        ))
    }
}
