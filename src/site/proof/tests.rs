//! Against a listener of our own that answers as it is told.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use time::macros::datetime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::config::Domain;

const NOW: OffsetDateTime = datetime!(2026-11-20 12:00 UTC);
const ABOUT: &str = r#"{"release":"r2","instance":"i-1"}"#;

struct Authority(CertifiedIssuer<'static, KeyPair>);

struct TestCertificate {
    chain: String,
    key: KeyPair,
}

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
}

impl Authority {
    fn issue(&self, names: &[&str], from: OffsetDateTime, to: OffsetDateTime) -> TestCertificate {
        let mut params = CertificateParams::new(
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>(),
        )
        .unwrap();
        (params.not_before, params.not_after) = (from, to);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.0).unwrap();
        TestCertificate {
            chain: format!("{}{}", leaf.pem(), self.0.pem()),
            key,
        }
    }

    fn valid(&self) -> TestCertificate {
        self.issue(
            &["example.com", "*.example.com"],
            datetime!(2026-11-01 0:00 UTC),
            datetime!(2026-12-01 0:00 UTC),
        )
    }
}

/// Serves the certificate; answers the identity with `about` and all else with `status`.
async fn listen(issued: &TestCertificate, about: &'static str, status: &'static str) -> SocketAddr {
    listen_as(issued, about, move |_, _| status.to_owned()).await
}

/// The same; all else gets the status, and what is to stand in the head after it, by its host and
/// path.
async fn listen_as(
    issued: &TestCertificate,
    about: &'static str,
    answer: impl Fn(&str, &str) -> String + Clone + Send + 'static,
) -> SocketAddr {
    let chain = CertificateDer::pem_slice_iter(issued.chain.as_bytes())
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key.serialize_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let (acceptor, answer) = (acceptor.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(socket).await else {
                    return;
                };
                let mut request = [0; 2048];
                while let Ok(count @ 1..) = stream.read(&mut request).await {
                    let text = String::from_utf8_lossy(&request[..count]).into_owned();
                    let path = text.split(' ').nth(1).unwrap();
                    let host = text
                        .lines()
                        .find_map(|line| line.strip_prefix("host: "))
                        .unwrap();
                    let (status, body) = if path == "/.well-known/spotboot" {
                        ("200 OK".to_owned(), about)
                    } else {
                        (answer(host, path), "")
                    };
                    let answer = format!(
                        "HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}",
                        body.len()
                    );
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    addr
}

fn expectation(addr: SocketAddr, chain: &str) -> Expectation {
    Expectation {
        addr,
        hosts: vec!["example.com".into(), "spotboot-proof.example.com".into()],
        chain_pem: chain.into(),
        release: "r2".into(),
        instance: "i-1".into(),
        health_path: "/healthy".into(),
        own: OwnUrls::new(
            ["example.com", "*.example.com"]
                .map(|name| Domain::parse(name).unwrap())
                .into(),
            80,
            addr.port(),
        ),
    }
}

async fn seen(expected: &Expectation) -> String {
    seen_within(expected, Duration::from_millis(300)).await
}

async fn seen_within(expected: &Expectation, time: Duration) -> String {
    prove(expected, NOW, Instant::now() + time)
        .await
        .unwrap_err()
        .to_string()
}

#[tokio::test]
async fn a_site_that_is_as_expected_passes_also_where_no_root_is_known() {
    let issued = authority().valid();
    let addr = listen(&issued, ABOUT, "200 OK").await;
    prove(
        &expectation(addr, &issued.chain),
        NOW,
        Instant::now() + Duration::from_secs(5),
    )
    .await
    .unwrap();
}

#[tokio::test]
async fn a_lone_certificate_passes_only_as_the_very_same() {
    let authority = authority();
    let lone = |mut issued: TestCertificate| {
        let end = issued.chain.find("-----END CERTIFICATE-----").unwrap()
            + "-----END CERTIFICATE-----\n".len();
        issued.chain.truncate(end);
        issued
    };
    let (stored, other) = (lone(authority.valid()), lone(authority.valid()));
    let addr = listen(&stored, ABOUT, "200 OK").await;
    prove(
        &expectation(addr, &stored.chain),
        NOW,
        Instant::now() + Duration::from_secs(5),
    )
    .await
    .unwrap();
    let seen = seen(&expectation(addr, &other.chain)).await;
    assert!(seen.contains("another certificate"), "{seen}");
}

#[tokio::test]
async fn another_chain_than_the_stored_one_is_told_with_its_issuer() {
    let authority = authority();
    let (stored, shown) = (authority.valid(), authority.valid());
    let addr = listen(&shown, ABOUT, "200 OK").await;
    let seen = seen(&expectation(addr, &stored.chain)).await;
    assert!(
        seen.contains("another certificate")
            && seen.contains("for example.com, *.example.com, issued by"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_chain_that_does_not_belong_together_fails() {
    let (one, two) = (authority(), authority());
    let leaf = one.valid();
    let end =
        leaf.chain.find("-----END CERTIFICATE-----").unwrap() + "-----END CERTIFICATE-----\n".len();
    let mixed = TestCertificate {
        chain: format!("{}{}", &leaf.chain[..end], two.0.pem()),
        key: leaf.key,
    };
    let addr = listen(&mixed, ABOUT, "200 OK").await;
    let seen = seen(&expectation(addr, &mixed.chain)).await;
    assert!(
        seen.contains("does not lead from its first certificate to its last"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_certificate_outside_its_dates_fails_by_the_given_clock() {
    let authority = authority();
    let ended = authority.issue(
        &["example.com", "*.example.com"],
        datetime!(2026-01-01 0:00 UTC),
        datetime!(2026-11-20 11:59 UTC),
    );
    let addr = listen(&ended, ABOUT, "200 OK").await;
    let text = seen(&expectation(addr, &ended.chain)).await;
    assert!(text.contains("ended at 2026-11-20 11:59"), "{text}");
    let early = authority.issue(
        &["example.com", "*.example.com"],
        datetime!(2026-11-20 12:01 UTC),
        datetime!(2027-01-01 0:00 UTC),
    );
    let text = seen(&expectation(addr, &early.chain)).await;
    assert!(text.contains("not valid before 2026-11-20 12:01"), "{text}");
}

#[tokio::test]
async fn a_certificate_for_other_names_fails_and_tells_them() {
    let issued = authority().issue(
        &["example.com"],
        datetime!(2026-11-01 0:00 UTC),
        datetime!(2026-12-01 0:00 UTC),
    );
    let addr = listen(&issued, ABOUT, "200 OK").await;
    let seen = seen(&expectation(addr, &issued.chain)).await;
    assert!(
        seen.starts_with("proving spotboot-proof.example.com")
            && seen.ends_with("is for example.com"),
        "{seen}"
    );
}

#[tokio::test]
async fn another_release_or_instance_fails() {
    let issued = authority().valid();
    let addr = listen(&issued, r#"{"release":"r1","instance":"i-1"}"#, "200 OK").await;
    let text = seen(&expectation(addr, &issued.chain)).await;
    assert!(
        text.contains("release r1 on i-1 answers, expected release r2 on i-1"),
        "{text}"
    );
    let addr = listen(&issued, "<html>", "200 OK").await;
    let text = seen(&expectation(addr, &issued.chain)).await;
    assert!(text.contains("not what nginx was told"), "{text}");
}

#[tokio::test]
async fn a_site_that_answers_with_an_error_fails() {
    let issued = authority().valid();
    for status in ["502 Bad Gateway", "404 Not Found", "403 Forbidden"] {
        let addr = listen(&issued, ABOUT, status).await;
        let text = seen(&expectation(addr, &issued.chain)).await;
        assert!(
            text.contains(&format!("/healthy answers {status}")),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_redirect_passes_where_it_leads_to_an_answer_or_to_another_site() {
    let issued = authority().valid();
    for (location, then) in [
        ("/login", "200 OK"),
        ("/healthy/", "404 Not Found"),
        ("https://www.example.com:{port}/healthy", "200 OK"),
        ("http://www.example.com/healthy", "200 OK"),
        ("https://example.org/", "500 Internal Server Error"),
    ] {
        let answer = move |host: &str, path: &str| {
            let port = host.rsplit_once(':').unwrap().1;
            let is_first = path == "/healthy" && host.starts_with("example.com:");
            if is_first {
                format!(
                    "302 Found\r\nlocation: {}",
                    location.replace("{port}", port)
                )
            } else {
                then.to_owned()
            }
        };
        let addr = listen_as(&issued, ABOUT, answer).await;
        let proof = prove(
            &expectation(addr, &issued.chain),
            NOW,
            Instant::now() + Duration::from_secs(5),
        )
        .await;
        assert!(proof.is_ok(), "{location}: {proof:?}");
    }
}

#[tokio::test]
async fn a_redirect_that_never_ends_fails_and_the_way_is_told() {
    const MANY_HANDSHAKES: Duration = Duration::from_secs(3);
    let issued = authority().valid();
    let addr = listen(
        &issued,
        ABOUT,
        "301 Moved Permanently\r\nlocation: /healthy",
    )
    .await;
    let text = seen_within(&expectation(addr, &issued.chain), MANY_HANDSHAKES).await;
    assert!(
        text.contains(
            "/healthy redirects to itself: the app does not see that the visitor uses https"
        ),
        "{text}"
    );
    let addr = listen_as(&issued, ABOUT, |host, _| {
        let other = if host.starts_with("www.") {
            host.replacen("www.", "", 1)
        } else {
            format!("www.{host}")
        };
        format!("308 Permanent Redirect\r\nlocation: https://{other}/healthy")
    })
    .await;
    let text = seen_within(&expectation(addr, &issued.chain), MANY_HANDSHAKES).await;
    let (apex, www) = (
        format!("https://example.com:{}/healthy", addr.port()),
        format!("https://www.example.com:{}/healthy", addr.port()),
    );
    assert!(
        text.contains(&format!(
            "/healthy redirects in a circle: {apex} → {www} → {apex};"
        )),
        "{text}"
    );
    let addr = listen_as(&issued, ABOUT, |_, path| {
        format!("302 Found\r\nlocation: {path}x")
    })
    .await;
    let text = seen_within(&expectation(addr, &issued.chain), MANY_HANDSHAKES).await;
    assert!(
        text.contains("/healthy redirects more than 5 times: https://example.com:"),
        "{text}"
    );
}

#[tokio::test]
async fn a_port_where_nothing_or_no_tls_answers_fails_by_the_deadline() {
    let issued = authority().valid();
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let text = seen(&expectation(closed, &issued.chain)).await;
    assert!(text.contains("nothing listens"), "{text}");
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = seen(&expectation(silent.local_addr().unwrap(), &issued.chain)).await;
    assert!(
        text.contains("no answer in time, in the TLS handshake"),
        "{text}"
    );
}

/// As after a reload: the old certificate at first, the stored one soon after.
#[tokio::test]
async fn a_listener_that_is_still_changing_over_is_given_time() {
    let issued = authority().valid();
    let addr = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let expected = expectation(addr, &issued.chain);
    let late = async {
        sleep(Duration::from_millis(200)).await;
        relay(addr, listen(&issued, ABOUT, "200 OK").await).await;
    };
    let proof = prove(&expected, NOW, Instant::now() + Duration::from_secs(5));
    tokio::select! {
        proof = proof => proof.unwrap(),
        () = late => panic!("the relay ended"),
    }
}

async fn relay(at: SocketAddr, to: SocketAddr) {
    let listener = TcpListener::bind(at).await.unwrap();
    while let Ok((mut client, _)) = listener.accept().await {
        tokio::spawn(async move {
            let mut server = TcpStream::connect(to).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
        });
    }
}
