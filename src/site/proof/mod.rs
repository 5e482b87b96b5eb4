//! The proof before the cutover: this instance's own listener, seen as a visitor's client would,
//! under every name of the site. No names lead to an instance before it has passed (invariant I1 of
//! docs/ARCHITECTURE.md).
//!
//! The stored chain is trusted up to its last certificate and no further: a private CA, or none of
//! the system's roots, is no obstacle.

mod chain;
mod listener;
mod served;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use crate::config::{OwnUrls, RedirectVerdict, Trail, redirects, shown_url};
use chain::{Same, client};
pub use listener::Listener;
pub use served::{Served, served};

/// How long a listener may still answer as it did before a reload.
const SETTLED_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);
const BODY: usize = 4096;
/// What nginx says with each answer that it gives in the app's place.
const COPY: &str = "x-spotboot-mirror";
/// Connections that must show the new certificate one after the other before a reload counts as
/// done.
const IN_A_ROW: u32 = 10;

/// What must be seen.
#[derive(Debug, Clone)]
pub struct Expectation {
    /// Our own listener.
    pub addr: SocketAddr,
    /// Concrete names, one for each wildcard too; the first is the site's primary one.
    pub hosts: Vec<String>,
    /// Leaf first.
    pub chain_pem: String,
    pub release: String,
    pub instance: String,
    /// Starts with `/`.
    pub health_path: String,
    /// Redirects among these are followed.
    pub own: OwnUrls,
}

/// What was seen instead.
#[derive(Debug, thiserror::Error)]
#[error("proving {host} at {addr}: {seen}")]
pub struct ProofError {
    host: String,
    addr: SocketAddr,
    seen: String,
}

/// Passes only if every name is served with this chain, valid now, by this release on this
/// instance, and the app answers through it.
///
/// # Errors
/// What was seen instead, at the deadline or once the listener has had time to settle.
pub async fn prove(
    expected: &Expectation,
    now: OffsetDateTime,
    deadline: Instant,
) -> Result<(), ProofError> {
    let error = |host: &str, seen: String| ProofError {
        host: host.to_owned(),
        addr: expected.addr,
        seen,
    };
    let primary = expected
        .hosts
        .first()
        .ok_or_else(|| error("the site", "it has no name".into()))?;
    let chain = chain::parse(&expected.chain_pem).map_err(|seen| error(primary, seen))?;
    for host in &expected.hosts {
        chain::check(&chain, host, now).map_err(|seen| error(host, seen))?;
    }
    // Another look makes sense until then; one that is under way may take as long as the caller
    // gives it.
    let settled = deadline.min(Instant::now() + SETTLED_WITHIN);
    for host in &expected.hosts {
        let (mut pause, mut before) = (PAUSE, None);
        while let Err(seen) = look(expected, &chain, host, host == primary, deadline).await {
            // A look that the deadline cut off tells less than the one before.
            if Instant::now() >= deadline {
                return Err(error(host, before.unwrap_or(seen)));
            }
            if Instant::now() + pause >= settled {
                return Err(error(host, seen));
            }
            sleep(pause).await;
            before = Some(seen);
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
    Ok(())
}

/// After a reload, nginx's old workers may take connections for a moment, and show what they know.
/// Passes once the listener has shown this chain under the primary name so often in a row that none
/// of them can be left.
///
/// # Errors
/// What was seen last, at the deadline.
pub async fn shown_by_all_workers(
    expected: &Expectation,
    deadline: Instant,
) -> Result<(), ProofError> {
    let host = expected.hosts.first().cloned().unwrap_or_default();
    let error = |seen: String| ProofError {
        host: host.clone(),
        addr: expected.addr,
        seen,
    };
    let chain = chain::parse(&expected.chain_pem).map_err(error)?;
    let (mut seen_in_a_row, mut last) = (0, "no answer in time, in the TLS handshake".to_owned());
    while seen_in_a_row < IN_A_ROW {
        let connection = async {
            let socket = TcpStream::connect(expected.addr)
                .await
                .map_err(|e| format!("nothing listens: {e}"))?;
            handshake(socket, &chain, &host).await.map(drop)
        };
        match timeout_at(deadline, connection).await {
            Ok(Ok(())) => seen_in_a_row += 1,
            Ok(Err(seen)) => (seen_in_a_row, last) = (0, seen),
            Err(_) => return Err(error(last)),
        }
        if timeout_at(deadline, sleep(PAUSE)).await.is_err() {
            return Err(error(last));
        }
    }
    Ok(())
}

/// One connection: the release, and for the primary name the health path after it.
async fn look(
    expected: &Expectation,
    chain: &[CertificateDer<'static>],
    host: &str,
    primary: bool,
    deadline: Instant,
) -> Result<(), String> {
    let mut step = "connecting";
    let look = async {
        let socket = TcpStream::connect(expected.addr)
            .await
            .map_err(|e| format!("nothing listens: {e}"))?;
        step = "in the TLS handshake";
        let mut requests = handshake(socket, chain, host).await?;
        step = "asking for the release";
        let about = get(&mut requests, expected, host, "/.well-known/spotboot").await?;
        check_about(about, expected).await?;
        if primary {
            step = "asking for the health path";
            let answer = get(&mut requests, expected, host, &expected.health_path).await?;
            check_health(&answer, expected)?;
            step = "following the health path's redirects";
            follow(answer, expected, chain, host).await?;
        }
        Ok(())
    };
    match timeout_at(deadline, look).await {
        Ok(seen) => seen,
        Err(_) => Err(format!("no answer in time, {step}")),
    }
}

type RequestSender = hyper::client::conn::http1::SendRequest<Empty<Bytes>>;

async fn handshake(
    socket: TcpStream,
    chain: &[CertificateDer<'static>],
    host: &str,
) -> Result<RequestSender, String> {
    let verifier = Arc::new(Same::new(chain));
    let (connector, name) = client(&verifier, host)?;
    let stream = connector
        .connect(name, socket)
        .await
        .map_err(|e| match verifier.shown() {
            Some(shown) => {
                format!("the listener shows another certificate than the stored one: {shown}")
            }
            None => format!("the TLS handshake did not succeed: {e}"),
        })?;
    let (requests, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|e| chained(&e))?;
    // Ends when the sender above is dropped.
    tokio::spawn(connection);
    Ok(requests)
}

async fn get(
    requests: &mut RequestSender,
    expected: &Expectation,
    host: &str,
    path: &str,
) -> Result<http::Response<Incoming>, String> {
    let request = Request::get(path)
        .header(header::HOST, expected.own.authority(host))
        .header(header::USER_AGENT, "spotboot")
        .body(Empty::new())
        .map_err(|e| format!("{path} cannot be asked for: {e}"))?;
    requests.ready().await.map_err(|e| chained(&e))?;
    requests
        .send_request(request)
        .await
        .map_err(|e| format!("no answer to GET {path}: {}", chained(&e)))
}

#[derive(Deserialize)]
struct About {
    release: String,
    instance: String,
}

async fn check_about(
    response: http::Response<Incoming>,
    expected: &Expectation,
) -> Result<(), String> {
    let status = response.status();
    if status != StatusCode::OK {
        return Err(format!(
            "/.well-known/spotboot answers {status}: another web server listens here"
        ));
    }
    let body = Limited::new(response.into_body(), BODY)
        .collect()
        .await
        .map_err(|e| format!("reading /.well-known/spotboot: {e}"))?;
    let about: About = serde_json::from_slice(&body.to_bytes())
        .map_err(|e| format!("/.well-known/spotboot is not what nginx was told to answer: {e}"))?;
    if about.release != expected.release || about.instance != expected.instance {
        let expected = format!("release {} on {}", expected.release, expected.instance);
        return Err(format!(
            "release {} on {} answers, expected {expected}",
            about.release, about.instance
        ));
    }
    Ok(())
}

/// As the app's readiness is judged; kinds without an app, whose package may lack the page or stand
/// one folder too deep, are judged here only.
fn check_health(answer: &http::Response<Incoming>, expected: &Expectation) -> Result<(), String> {
    let status = answer.status();
    if answer.headers().contains_key(COPY) {
        return Err(format!(
            "the app does not answer {}: the web server shows the mirror's copy of it",
            expected.health_path
        ));
    }
    if status.is_success() || redirects(status) {
        return Ok(());
    }
    let path = &expected.health_path;
    Err(format!(
        "{path} answers {status} through the web server; serve that path, or name one that is well in [app] health"
    ))
}

/// Follows redirects among the site's own names, at this listener, until something else answers:
/// redirects that never end show visitors an error.
async fn follow(
    first: http::Response<Incoming>,
    expected: &Expectation,
    chain: &[CertificateDer<'static>],
    host: &str,
) -> Result<(), String> {
    let path = &expected.health_path;
    let mut trail = expected
        .own
        .ask(host, path)
        .ok_or_else(|| format!("{path} cannot be asked for"))?;
    let mut answer = first;
    loop {
        match judge(&mut trail, &answer) {
            RedirectVerdict::Well => return Ok(()),
            RedirectVerdict::Unwell(why) => return Err(format!("{path} {why}")),
            RedirectVerdict::Ask(url) => answer = ask(&url, expected, chain).await?,
        }
    }
}

fn judge(trail: &mut Trail<'_>, answer: &http::Response<Incoming>) -> RedirectVerdict {
    trail.judge(
        answer.status(),
        answer
            .headers()
            .get(header::LOCATION)
            .map(|location| location.as_bytes()),
    )
}

/// By a connection of its own, as the name may be another.
async fn ask(
    url: &Url,
    expected: &Expectation,
    chain: &[CertificateDer<'static>],
) -> Result<http::Response<Incoming>, String> {
    let host = url.host_str().unwrap_or_default();
    let asked = async {
        let socket = TcpStream::connect(expected.addr)
            .await
            .map_err(|e| format!("nothing listens: {e}"))?;
        get(
            &mut handshake(socket, chain, host).await?,
            expected,
            host,
            &url[url::Position::BeforePath..],
        )
        .await
    };
    asked.await.map_err(|seen| {
        format!(
            "{} redirects to {}: {seen}",
            expected.health_path,
            shown_url(url)
        )
    })
}

/// A hyper error says why only in its source.
fn chained(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;
