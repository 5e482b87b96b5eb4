//! kind s3: the bucket is asked by TLS, and only who shows the right certificate is believed.

use rcgen::{DistinguishedName, DnType};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsAcceptor;

use super::live::curl;
use super::*;

/// What stands in the bucket.
const KEYS: [(&str, &str); 3] = [
    ("/index.html", "home"),
    ("/docs/index.html", "docs"),
    ("/404.html", "lost"),
];

/// A store by TLS for `name`; what is not there is forbidden, as S3 has it. Its address, and the
/// authority behind its certificate.
async fn store(name: &str) -> (String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec![name.into()]).unwrap();
    // Else both have rcgen's own name, and OpenSSL takes the certificate for its own issuer.
    leaf.distinguished_name = DistinguishedName::new();
    leaf.distinguished_name.push(DnType::CommonName, name);
    let leaf = leaf.signed_by(&key, &issuer).unwrap();
    let chain = vec![CertificateDer::from(leaf.der().to_vec())];
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = socket.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).await.unwrap_or_default();
            let request = String::from_utf8_lossy(&request[..count]).into_owned();
            let path = request.split(' ').nth(1).unwrap_or_default();
            let found = KEYS.iter().find(|(key, _)| *key == path);
            let (status, body) = found.map_or((403, "AccessDenied"), |(_, body)| (200, *body));
            let host = request
                .lines()
                .find_map(|line| line.strip_prefix("Host: "))
                .unwrap_or_default();
            let answer = format!(
                "HTTP/1.1 {status} X\r\nx-host: {host}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, issuer.pem())
}

/// nginx before a distribution that stands at `address`; it trusts this authority.
async fn before(address: String, authority: &str) -> (Stand, Services) {
    let website = Website {
        authority: address,
        ..Website::of_distribution("d111.cloudfront.net")
    };
    let stand = stand(|_| Upstream::Website(website));
    let trusted = stand.config.paths.state.join("authorities.pem");
    std::fs::write(&trusted, authority).unwrap();
    let nginx = Nginx::find().await.unwrap();
    let machine = NginxHost {
        trusted: Some(trusted),
        ..NginxHost::observe(&nginx)
    };
    let text = render(&stand.config, &machine, &[]).unwrap();
    let services = foreground(&stand.config).await;
    let checked = check(&stand.config, &nginx, &text).await.unwrap();
    checked.take_effect().unwrap();
    services
        .ensure(&service(&stand.config, &nginx))
        .await
        .unwrap();
    listening(&stand.config, &services, None).await.unwrap();
    (stand, services)
}

#[tokio::test]
async fn a_private_bucket_is_asked_by_its_distributions_name() {
    let (address, authority) = store("d111.cloudfront.net").await;
    let (stand, services) = before(address, &authority).await;
    for (path, status, body) in [
        ("/", "200", "home"),
        ("/docs/?x=1", "200", "docs"),
        ("/none", "404", "lost"),
        ("/none/", "404", "lost"),
    ] {
        let answer = curl(
            &stand.config,
            &format!("https://example.com:{{https}}{path}"),
            &[],
        )
        .await;
        assert!(
            answer.starts_with(&format!("HTTP/2 {status}")),
            "{path}: {answer}"
        );
        assert!(answer.ends_with(body), "{path}: {answer}");
        assert!(
            answer.contains("x-host: d111.cloudfront.net"),
            "{path}: {answer}"
        );
    }
    let posted = curl(
        &stand.config,
        "https://example.com:{https}/",
        &["--data", "a=b"],
    )
    .await;
    assert!(posted.starts_with("HTTP/2 405"), "{posted}");
    services.shutdown().await;
}

#[tokio::test]
async fn who_shows_another_name_or_another_authority_is_not_believed() {
    let (_, stranger) = store("d111.cloudfront.net").await;
    let (address, authority) = store("evil.example").await;
    let (honest, _) = store("d111.cloudfront.net").await;
    for (address, authority) in [(address, &authority), (honest, &stranger)] {
        let (stand, services) = before(address, authority).await;
        let answer = curl(&stand.config, "https://example.com:{https}/", &[]).await;
        services.shutdown().await;
        assert!(answer.starts_with("HTTP/2 502"), "{answer}");
    }
}
