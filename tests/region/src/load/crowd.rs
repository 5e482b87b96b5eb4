//! A rush: many visitors who come once, half of them in the first part of the time, and open a page
//! with everything that it shows, as browsers do. Each request that gets no whole answer with the
//! status 200 in time has failed; nobody tries again.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use tokio_rustls::TlsConnector;

use crate::locked;

const THREADS: usize = 2;
/// A browser's visitor has left by then.
const PATIENCE: Duration = Duration::from_secs(20);
/// Kinds of failure that a report tells.
const MOST_KINDS: usize = 10;

/// Who comes, when, and to see what.
#[derive(Clone)]
pub struct CrowdSpec {
    /// Roots in PEM that the chain must lead to.
    pub roots: String,
    /// The name that visitors ask for, by https.
    pub domain: String,
    /// Where they are led.
    pub address: SocketAddr,
    pub visitors: u32,
    /// All have come by then.
    pub within: Duration,
    /// Half of them have come by then.
    pub rush: Duration,
    /// The path of the page that each opens.
    pub page: String,
    /// The paths of what it shows.
    pub assets: Vec<String>,
}

/// What became of them.
#[derive(Debug, Clone, Default)]
pub struct CrowdReport {
    pub requests: usize,
    pub failed: usize,
    /// Why, and how often.
    pub failures: BTreeMap<String, usize>,
    /// Of every request that was answered, from the least; a visitor's first one includes the
    /// connection and its handshake.
    pub took: Vec<Duration>,
    /// Requests in the busiest second.
    pub peak: usize,
    /// From the first visitor to the last answer.
    pub lasted: Duration,
}

#[derive(Default)]
struct CrowdTally {
    took: Vec<Duration>,
    failures: BTreeMap<String, usize>,
    by_second: BTreeMap<u64, usize>,
}

struct Crowd {
    spec: CrowdSpec,
    connector: TlsConnector,
    name: ServerName<'static>,
    began: Instant,
    tally: Mutex<CrowdTally>,
}

/// Sends the crowd, and waits until the last of them has left.
///
/// # Errors
/// The roots are no certificates, or no threads are to be had.
pub fn send_crowd(spec: CrowdSpec) -> Result<CrowdReport> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(THREADS)
        .thread_name("crowd")
        .enable_all()
        .build()?;
    let crowd = Arc::new(Crowd {
        connector: connector(&spec.roots).context("reading the roots that visitors trust")?,
        name: ServerName::try_from(spec.domain.clone()).context("reading the name")?,
        began: Instant::now(),
        tally: Mutex::default(),
        spec,
    });
    runtime.block_on(come(&crowd));
    runtime.shutdown_background();
    Ok(crowd.report())
}

async fn come(crowd: &Arc<Crowd>) {
    let mut visits = JoinSet::new();
    for visitor in 0..crowd.spec.visitors {
        let comes = crowd.began + crowd.spec.arrival(visitor);
        sleep_until(comes.into()).await;
        let crowd = Arc::clone(crowd);
        visits.spawn(async move { crowd.visit().await });
        while visits.try_join_next().is_some() {}
    }
    while visits.join_next().await.is_some() {}
}

impl CrowdSpec {
    /// How long after the first one a visitor comes.
    fn arrival(&self, visitor: u32) -> Duration {
        let half = (self.visitors / 2).max(1);
        if visitor < half {
            self.rush * visitor / half
        } else {
            let rest = (self.visitors - half).max(1);
            self.rush + self.within.saturating_sub(self.rush) * (visitor - half) / rest
        }
    }
}

impl Crowd {
    async fn visit(&self) {
        let began = Instant::now();
        let opened = timeout(PATIENCE, self.open()).await;
        let mut requests = match opened.unwrap_or_else(|_| Err("no connection in time".to_owned()))
        {
            Ok(requests) => requests,
            // What the page shows is never asked for.
            Err(why) => return self.note(Err(why)),
        };
        let page = self.ask(&mut requests, &self.spec.page, began).await;
        let is_seen = page.is_ok();
        self.note(page);
        if !is_seen {
            return;
        }
        for asset in &self.spec.assets {
            let got = self.ask(&mut requests, asset, Instant::now()).await;
            let is_over = got.is_err();
            self.note(got);
            if is_over {
                return;
            }
        }
    }

    async fn open(&self) -> Result<SendRequest<Empty<Bytes>>, String> {
        let socket = TcpStream::connect(self.spec.address)
            .await
            .map_err(|error| format!("connecting: {error}"))?;
        socket
            .set_nodelay(true)
            .map_err(|error| format!("connecting: {error}"))?;
        let stream = self
            .connector
            .connect(self.name.clone(), socket)
            .await
            .map_err(|error| format!("TLS handshake: {error}"))?;
        let (requests, connection) = handshake(TokioIo::new(stream))
            .await
            .map_err(|error| format!("HTTP: {error}"))?;
        tokio::spawn(connection);
        Ok(requests)
    }

    /// The time since `since` of a whole answer.
    async fn ask(
        &self,
        requests: &mut SendRequest<Empty<Bytes>>,
        path: &str,
        since: Instant,
    ) -> Result<Duration, String> {
        let port = self.spec.address.port();
        let authority = if port == 443 {
            self.spec.domain.clone()
        } else {
            format!("{}:{port}", self.spec.domain)
        };
        let request = Request::get(path)
            .header(header::HOST, authority)
            .body(Empty::new())
            .map_err(|error| format!("{path} cannot be asked for: {error}"))?;
        let answered = timeout(PATIENCE, async {
            requests.ready().await?;
            let answer = requests.send_request(request).await?;
            let status = answer.status();
            answer.into_body().collect().await?;
            Ok::<_, hyper::Error>(status)
        });
        match answered.await {
            Ok(Ok(status)) if status == 200 => Ok(since.elapsed()),
            Ok(Ok(status)) => Err(format!("answered {status}")),
            Ok(Err(error)) => Err(format!("waiting for the answer: {error}")),
            Err(_) => Err("no whole answer in time".to_owned()),
        }
    }

    fn note(&self, answered: Result<Duration, String>) {
        let second = self.began.elapsed().as_secs();
        let mut tally = locked(&self.tally);
        *tally.by_second.entry(second).or_default() += 1;
        match answered {
            Ok(took) => tally.took.push(took),
            Err(why) => *tally.failures.entry(why).or_default() += 1,
        }
    }

    fn report(&self) -> CrowdReport {
        let tally = locked(&self.tally);
        let mut took = tally.took.clone();
        took.sort_unstable();
        let failed = tally.failures.values().sum();
        CrowdReport {
            requests: took.len() + failed,
            failed,
            failures: tally.failures.clone(),
            took,
            peak: tally.by_second.values().copied().max().unwrap_or_default(),
            lasted: self.began.elapsed(),
        }
    }
}

impl CrowdReport {
    /// The time within which this share of the answered requests was answered whole: 0.99 for the
    /// 99th percentile.
    pub fn within(&self, share: f64) -> Duration {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index into some hundred thousand"
        )]
        let at = (self.took.len() as f64 * share).ceil() as usize;
        let at = at.saturating_sub(1).min(self.took.len().saturating_sub(1));
        self.took.get(at).copied().unwrap_or_default()
    }
}

/// `104500 requests, 0 failed; p50 1.2 ms, p99 9.0 ms, slowest 41 ms; 1742 in the busiest second`
impl fmt::Display for CrowdReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |share| self.within(share).as_secs_f64() * 1000.0;
        write!(
            f,
            "{} requests, {} failed; p50 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms; {} in the busiest second; {:.0} s",
            self.requests,
            self.failed,
            millis(0.5),
            millis(0.99),
            millis(1.0),
            self.peak,
            self.lasted.as_secs_f64()
        )?;
        for (why, times) in self.failures.iter().take(MOST_KINDS) {
            write!(f, "\n  {times} times: {why}")?;
        }
        Ok(())
    }
}

fn connector(roots: &str) -> Result<TlsConnector> {
    let mut store = RootCertStore::empty();
    for root in CertificateDer::pem_slice_iter(roots.as_bytes()) {
        store.add(root?)?;
    }
    let builder =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = builder
        .with_safe_default_protocol_versions()?
        .with_root_certificates(store)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_visitors_come_in_the_rush() {
        let spec = CrowdSpec {
            roots: String::new(),
            domain: "example.test".into(),
            address: ([127, 0, 0, 1], 443).into(),
            visitors: 19_000,
            within: Duration::from_secs(600),
            rush: Duration::from_secs(60),
            page: "/".into(),
            assets: Vec::new(),
        };
        assert_eq!(spec.arrival(0), Duration::ZERO);
        assert!(spec.arrival(9_499) < spec.rush);
        assert_eq!(spec.arrival(9_500), spec.rush);
        assert!(spec.arrival(18_999) < spec.within);
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let report = CrowdReport {
            took: (1..=200).map(Duration::from_millis).collect(),
            ..CrowdReport::default()
        };
        assert_eq!(report.within(0.5), Duration::from_millis(100));
        assert_eq!(report.within(0.99), Duration::from_millis(198));
        assert_eq!(report.within(1.0), Duration::from_millis(200));
        assert_eq!(CrowdReport::default().within(0.99), Duration::ZERO);
    }
}
