//! The ACME CA: Debian's pebble, started at first use, behind a TLS proxy of ours that records, and
//! that can break. The proxy keeps the Host header, from which pebble makes the URLs of its
//! directory.

mod authority;
mod limits;
mod pebble;
mod supervisor;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde_json::json;
use tokio::net::TcpStream;

use crate::front::{Answer, Backend, Call, Refusal, Service, answer, full};
use crate::iam::Request;
use crate::locked;
use crate::registry::Registry;
pub(crate) use authority::Authority;
use limits::{Limits, Ruling};
use pebble::Pebble;
pub(crate) use pebble::Settings;
pub use pebble::later_pebble;

const LARGEST_ANSWER: usize = 4 << 20;

pub(crate) struct Acme {
    registry: Arc<Registry>,
    authority: Arc<Authority>,
    settings: Settings,
    folder: PathBuf,
    limits: Mutex<Limits>,
    pebble: tokio::sync::Mutex<Option<Pebble>>,
}

impl Acme {
    pub(crate) fn new(
        registry: Arc<Registry>,
        authority: Arc<Authority>,
        settings: Settings,
        folder: PathBuf,
    ) -> Acme {
        let limits = Limits::new(
            settings.certificates_per_week,
            settings.orders_per_three_hours,
        );
        let limits = Mutex::new(limits);
        Acme {
            registry,
            authority,
            settings,
            folder,
            limits,
            pebble: tokio::sync::Mutex::default(),
        }
    }

    /// Starts pebble unless it runs.
    pub(crate) async fn start(&self) -> Result<Addresses> {
        let mut pebble = self.pebble.lock().await;
        if pebble.is_none() {
            *pebble = Some(Pebble::start(&self.settings, &self.authority, &self.folder).await?);
        }
        let running = pebble.as_ref().context("starting pebble")?;
        Ok(Addresses {
            directory: running.directory,
            management: running.management,
        })
    }

    /// Ends pebble, and returns when it has ended.
    pub(crate) async fn stop(&self) {
        self.pebble.lock().await.take();
    }

    pub(crate) async fn issuer_roots(&self) -> Result<String> {
        let management = self.start().await?.management;
        let request = http::Request::get("/roots/0")
            .header("host", management.to_string())
            .body(Full::default())?;
        let (_, body) = self.ask(management, request).await?;
        Ok(String::from_utf8(body.to_vec())?)
    }

    /// What the CA answers from now on to whoever asks when to renew this certificate: any text.
    pub(crate) async fn set_renewal_info(&self, certificate: &str, answer: &str) -> Result<()> {
        let management = self.start().await?.management;
        let body = json!({ "Certificate": certificate, "ARIResponse": answer }).to_string();
        let request = http::Request::post("/set-renewal-info/")
            .header("host", management.to_string())
            .header("user-agent", "region");
        let (parts, body) = self
            .ask(management, request.body(Full::from(body))?)
            .await?;
        anyhow::ensure!(
            parts.status.is_success(),
            "pebble answers {}: {}",
            parts.status,
            String::from_utf8_lossy(&body)
        );
        Ok(())
    }

    async fn ask(
        &self,
        at: SocketAddr,
        request: http::Request<Full<Bytes>>,
    ) -> Result<(http::response::Parts, Bytes)> {
        let doing = || format!("asking pebble at {at}");
        let stream = TcpStream::connect(at).await.with_context(doing)?;
        stream.set_nodelay(true)?;
        let connector = tokio_rustls::TlsConnector::from(self.authority.client()?);
        let stream = connector
            .connect(ServerName::from(at.ip()), stream)
            .await
            .with_context(doing)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .with_context(doing)?;
        tokio::spawn(connection);
        let (parts, body) = sender
            .send_request(request)
            .await
            .with_context(doing)?
            .into_parts();
        let body = Limited::new(body, LARGEST_ANSWER)
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("{}: {error}", doing()))?
            .to_bytes();
        Ok((parts, body))
    }

    async fn forward(&self, call: Call) -> Result<Answer> {
        let at = self.start().await?.directory;
        let uri: http::Uri = call.path_and_query().parse()?;
        let mut request = http::Request::new(Full::new(call.body.clone()));
        *request.method_mut() = call.parts.method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = call.parts.headers.clone();
        let (parts, body) = self.ask(at, request).await?;
        locked(&self.limits).learn(operation(call.path()), &call, &parts);
        Ok(Answer::from_parts(parts, full(body)))
    }
}

pub(crate) struct Addresses {
    pub(crate) directory: SocketAddr,
    pub(crate) management: SocketAddr,
}

/// pebble's paths, by their names in RFC 8555.
fn operation(path: &str) -> &'static str {
    match path
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default()
    {
        "dir" => "directory",
        "nonce-plz" => "newNonce",
        "sign-me-up" => "newAccount",
        "my-account" => "account",
        "rollover-account-key" => "keyChange",
        "revoke-cert" => "revokeCert",
        "order-plz" => "newOrder",
        "my-order" => "order",
        "list-orderz" => "orders",
        "finalize-order" => "finalize",
        "authZ" => "authz",
        "chalZ" => "challenge",
        "certZ" => "certificate",
        path if path.starts_with("draft-ietf-acme-ari") => "renewalInfo",
        _ => "unknown",
    }
}

impl Backend for Acme {
    const SERVICE: Service = Service::Acme;

    fn operation(&self, call: &Call) -> String {
        operation(call.path()).to_owned()
    }

    /// ACME knows no AWS credentials; an instance with an address of its own is known by that.
    fn instance(&self, call: &Call) -> Option<String> {
        self.registry.instance_of(call)
    }

    /// A problem document (RFC 8555, 6.7).
    fn refuse(&self, _: &Call, refusal: &Refusal) -> Answer {
        let problem = json!({
            "type": format!("urn:ietf:params:acme:error:{}", refusal.code),
            "detail": refusal.message,
            "status": refusal.status,
        });
        answer(
            refusal.status,
            "application/problem+json; charset=utf-8",
            problem.to_string(),
        )
    }

    fn throttled(&self) -> Refusal {
        Refusal::new(
            429,
            "rateLimited",
            "Your ACME client is making too many requests",
        )
    }

    fn permissions(&self, _: &Call) -> Vec<Request> {
        Vec::new()
    }

    async fn answer(&self, call: Call) -> Answer {
        let ruling = locked(&self.limits).rule(operation(call.path()), &call);
        if let Ruling::Refused {
            refusal,
            retry_after,
        } = ruling
        {
            let mut refused = self.refuse(&call, &refusal);
            refused
                .headers_mut()
                .insert(http::header::RETRY_AFTER, retry_after.as_secs().into());
            return refused;
        }
        let place = (call.parts.method.clone(), call.path().to_owned());
        self.forward(call).await.unwrap_or_else(|error| {
            tracing::error!(method = %place.0, path = place.1, "{error:#}");
            answer(502, "text/plain", format!("{error:#}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pebbles_paths_have_the_names_of_the_rfc() {
        assert_eq!(operation("/dir"), "directory");
        assert_eq!(operation("/finalize-order/abc"), "finalize");
        assert_eq!(
            operation("/draft-ietf-acme-ari-03/renewalInfo/x.y"),
            "renewalInfo"
        );
    }
}
