//! Route 53's health checkers: they ask each check's endpoint by its address, and tell the state what
//! they saw. <https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html>.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::TlsConnector;

use super::health::HealthCheckConfig;
use super::state::State;
use super::unverified::Unverified;
use crate::locked;

/// The documentation's own for checks by HTTP and HTTPS.
const CONNECT_WITHIN: Duration = Duration::from_secs(4);
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
/// The reference's default for a check that names no interval.
const INTERVAL: u16 = 30;
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LONGEST_STATUS_LINE: usize = 512;

/// Whether health checks are asked for, and how often.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checkers {
    /// A check is as healthy as a test says.
    #[default]
    Off,
    /// In the interval that each check names.
    AsAsked,
    /// In this interval, whatever a check names.
    Every(Duration),
}

impl Checkers {
    fn interval(self, check: &HealthCheckConfig) -> Option<Duration> {
        match self {
            Checkers::Off => None,
            Checkers::AsAsked => Some(Duration::from_secs(
                check.request_interval.unwrap_or(INTERVAL).into(),
            )),
            Checkers::Every(interval) => Some(interval),
        }
    }
}

/// Asks for every check that stands, each in its interval, for as long as the runtime lives.
pub(crate) async fn ask(checkers: Checkers, state: Arc<Mutex<State>>) {
    let mut due: BTreeMap<String, Instant> = BTreeMap::new();
    if checkers == Checkers::Off {
        return;
    }
    loop {
        let checks = locked(&state).health.all();
        due.retain(|id, _| checks.iter().any(|check| check.id == *id));
        for check in checks.into_iter().filter(|check| !check.config.disabled) {
            let Some(interval) = checkers.interval(&check.config) else {
                continue;
            };
            // The first request comes an interval after the check was made, so that a new check
            // counts as healthy.
            let next = due
                .entry(check.id.clone())
                .or_insert_with(|| Instant::now() + interval);
            if Instant::now() < *next {
                continue;
            }
            *next = Instant::now() + interval;
            let cut_off = locked(&state).health.is_cut_off(&check.config);
            let state = state.clone();
            tokio::spawn(async move {
                let seen = if cut_off {
                    Err(anyhow!("no checker gets through"))
                } else {
                    probe(&check.config).await
                };
                if let Err(error) = &seen {
                    tracing::debug!(check = check.id, "a health check's request: {error:#}");
                }
                locked(&state).health.seen(&check.id, seen.is_ok());
            });
        }
        sleep(LOOK_EVERY).await;
    }
}

/// One request of one checker: an error says why the endpoint is not well.
async fn probe(check: &HealthCheckConfig) -> Result<()> {
    let (kind, tls) = (check.kind.as_str(), check.kind.starts_with("HTTPS"));
    let address: IpAddr = check
        .ip_address
        .as_deref()
        .context("a check without an address is not asked for here")?
        .parse()?;
    let port = check.port.unwrap_or(if tls { 443 } else { 80 });
    let connect = TcpStream::connect(SocketAddr::new(address, port));
    let stream = timeout(CONNECT_WITHIN, connect)
        .await
        .context("connecting: too slow")??;
    let name = check.fully_qualified_domain_name.as_deref();
    let answered = async {
        match kind {
            "TCP" => Ok(()),
            "HTTP" => get(stream, &request(check, port)).await,
            "HTTPS" => {
                let stream = handshake(stream, address, name.filter(|_| sni(check))).await?;
                get(stream, &request(check, port)).await
            }
            other => bail!("checks of type {other} are not asked for here"),
        }
    };
    timeout(ANSWER_WITHIN, answered)
        .await
        .context("answering: too slow")?
}

fn sni(check: &HealthCheckConfig) -> bool {
    check.enable_sni.unwrap_or(true)
}

/// The certificate is not looked at: a checker takes any.
async fn handshake(
    stream: TcpStream,
    address: IpAddr,
    name: Option<&str>,
) -> Result<impl AsyncRead + AsyncWrite + Unpin> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Unverified(provider)))
        .with_no_client_auth();
    config.enable_sni = name.is_some();
    let name = match name {
        Some(name) => ServerName::try_from(name.to_owned())?,
        None => ServerName::from(address),
    };
    let connector = TlsConnector::from(Arc::new(config));
    Ok(connector.connect(name, stream).await?)
}

/// The host has the port where that is not the protocol's own (API reference, HealthCheckConfig).
fn request(check: &HealthCheckConfig, port: u16) -> String {
    let usual = if check.kind.starts_with("HTTPS") {
        443
    } else {
        80
    };
    let host = match (&check.fully_qualified_domain_name, &check.ip_address) {
        (Some(name), _) | (None, Some(name)) => name.clone(),
        (None, None) => String::new(),
    };
    let host = if port == usual {
        host
    } else {
        format!("{host}:{port}")
    };
    let path = check.resource_path.as_deref().unwrap_or("/");
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: Amazon-Route53-Health-Check-Service (ref region)\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )
}

/// 2xx and 3xx are well.
async fn get(mut stream: impl AsyncRead + AsyncWrite + Unpin, request: &str) -> Result<()> {
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut head = Vec::new();
    while !head.contains(&b'\n') && head.len() < LONGEST_STATUS_LINE {
        let mut some = [0; LONGEST_STATUS_LINE];
        let count = stream.read(&mut some).await?;
        ensure!(count > 0, "the answer ends within its first line");
        head.extend_from_slice(&some[..count]);
    }
    let head = String::from_utf8_lossy(&head);
    let status = head.split_whitespace().nth(1).unwrap_or_default();
    ensure!(
        status.len() == 3 && ["2", "3"].iter().any(|class| status.starts_with(class)),
        "the answer is {status:?}"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: &str, port: u16) -> HealthCheckConfig {
        HealthCheckConfig {
            ip_address: Some("127.0.0.1".to_owned()),
            port: Some(port),
            kind: kind.to_owned(),
            resource_path: Some("/ping".to_owned()),
            fully_qualified_domain_name: Some("example.test".to_owned()),
            ..HealthCheckConfig::default()
        }
    }

    #[test]
    fn the_host_has_the_port_where_that_is_not_the_protocols_own() {
        let host = |kind: &str, port| {
            let request = request(&check(kind, port), port);
            let line = request.lines().find(|line| line.starts_with("Host: "));
            line.map(str::to_owned)
        };
        assert_eq!(host("HTTPS", 443).as_deref(), Some("Host: example.test"));
        assert_eq!(host("HTTP", 443).as_deref(), Some("Host: example.test:443"));
        assert_eq!(
            host("HTTPS", 8443).as_deref(),
            Some("Host: example.test:8443")
        );
    }

    #[test]
    fn the_interval_is_the_checks_own_unless_the_region_has_one() {
        let mut check = check("HTTPS", 443);
        assert_eq!(
            Checkers::AsAsked.interval(&check),
            Some(Duration::from_secs(30))
        );
        check.request_interval = Some(10);
        assert_eq!(
            Checkers::AsAsked.interval(&check),
            Some(Duration::from_secs(10))
        );
        let short = Duration::from_millis(300);
        assert_eq!(Checkers::Every(short).interval(&check), Some(short));
        assert_eq!(Checkers::Off.interval(&check), None);
    }

    #[tokio::test]
    async fn a_status_of_2xx_or_3xx_is_well_and_nothing_else() {
        for (answer, well) in [
            ("HTTP/1.1 200 OK\r\n\r\n", true),
            ("HTTP/1.1 302 Found\r\n\r\n", true),
            ("HTTP/1.1 503 Service Unavailable\r\n\r\n", false),
            ("HTTP/1.1 404 Not Found\r\n\r\n", false),
            ("HTTP/1.1 20", false),
            ("", false),
        ] {
            let (ours, mut theirs) = tokio::io::duplex(4096);
            theirs.write_all(answer.as_bytes()).await.unwrap();
            theirs.shutdown().await.unwrap();
            let seen = get(ours, "GET / HTTP/1.1\r\n\r\n").await;
            assert_eq!(seen.is_ok(), well, "{answer:?}: {seen:?}");
        }
    }

    #[tokio::test]
    async fn an_endpoint_that_is_silent_or_not_there_is_not_well() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = probe(&check("HTTP", port)).await.unwrap_err();
        assert!(format!("{silent:#}").contains("too slow"), "{silent:#}");
        drop(listener);
        assert!(probe(&check("HTTP", port)).await.is_err());
    }
}
