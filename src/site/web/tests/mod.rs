//! Rendered text, and what the real nginx of this machine says of it.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use time::OffsetDateTime;

use super::*;
use crate::host::account::is_root;
use crate::host::linked_copies::LinkedCopies;
use crate::host::services::Mode;

mod copied;
mod emergency;
mod hsts;
mod live;
mod plain_http;
mod proxied;
mod served;
mod websites;

struct Stand {
    _dir: tempfile::TempDir,
    config: WebConfig,
    chain: String,
}

/// A site of two names with a certificate from now on, on ports that were free just now.
fn stand(upstream: impl FnOnce(&Path) -> Upstream) -> Stand {
    let dir = tempfile::tempdir().unwrap();
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let paths = Paths::new(&dir.path().join("state"), &dir.path().join("run")).unwrap();
    paths.prepare(None).unwrap();
    let now = OffsetDateTime::now_utc();
    let (chain, key) = certificate(now);
    let (fullchain, key_file) = (
        paths.tls().join("fullchain.pem"),
        paths.tls().join("key.pem"),
    );
    files::write_atomic(&fullchain, chain.as_bytes(), 0o644).unwrap();
    files::write_atomic(&key_file, key.as_bytes(), 0o600).unwrap();
    let config = WebConfig {
        domains: ["example.com", "*.example.com"]
            .map(|name| Domain::parse(name).unwrap())
            .into(),
        http_port: free_port(),
        https_port: free_port(),
        upstream: upstream(dir.path()),
        http: PlainHttp::Redirect,
        hsts: None,
        copy: None,
        mirror_origin: Some("https://static.example.com".into()),
        dynamic: Some(Domain::parse("app.example.com").unwrap()),
        static_files: Vec::new(),
        health_path: "/healthy?full=1".into(),
        release: "r1".into(),
        instance: "i-1".into(),
        fullchain,
        key: key_file,
        not_after: now + time::Duration::days(30),
        // Where the tests are root: workers that can read a temporary folder.
        account: is_root().then(|| Account {
            name: "root".into(),
            uid: 0,
            gid: 0,
        }),
        paths,
    };
    Stand {
        _dir: dir,
        config,
        chain,
    }
}

fn certificate(now: OffsetDateTime) -> (String, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let mut params =
        CertificateParams::new(vec!["example.com".into(), "*.example.com".into()]).unwrap();
    (params.not_before, params.not_after) = (
        now - time::Duration::hours(1),
        now + time::Duration::days(30),
    );
    let leaf = params.signed_by(&key, &issuer).unwrap();
    (
        format!("{}{}", leaf.pem(), issuer.pem()),
        key.serialize_pem(),
    )
}

/// A port that nobody listens at, below those that the kernel gives to connections: between now and
/// nginx's start it would give such a one to whoever connects.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = u16::try_from(std::process::id() % 200).unwrap() * 100;
    let port = || 10_000 + (first + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
    std::iter::repeat_with(port)
        .find(|port| TcpListener::bind(("0.0.0.0", *port)).is_ok())
        .unwrap()
}

fn machine(major: u32, minor: u32, patch: u32) -> NginxHost {
    let version = Version(major, minor, patch);
    let nginx = Nginx {
        program: "/usr/sbin/nginx".into(),
        version,
    };
    NginxHost {
        nginx,
        ipv6: true,
        name_servers: vec![
            "192.0.2.53".parse().unwrap(),
            "2001:db8::53".parse().unwrap(),
        ],
        trusted: Some("/etc/ssl/certs/ca-certificates.crt".into()),
    }
}

fn text(config: &WebConfig) -> String {
    render(config, &machine(1, 22, 1), &[]).unwrap()
}

fn tcp(_: &Path) -> Upstream {
    Upstream::Tcp("127.0.0.1:9".parse().unwrap())
}

fn website(endpoint: Option<&str>) -> Upstream {
    Upstream::Website(Website::of_bucket("www.example.com", "eu-central-1", endpoint).unwrap())
}

/// A copy of pages, one of them behind a query with a key that only the mirror has, a style sheet, a
/// redirect and a photo whose address is spelled as such keys are; the site has no `/gone`.
fn copied(stand: &mut Stand) {
    let folder = stand.config.paths.state.join("copied");
    let copies = LinkedCopies::new(folder.clone());
    files::create_dir(&folder, 0o755, None).unwrap();
    let answer = |path, query, sha256, content_type| CopiedAnswer {
        path,
        query,
        only_mirrored: false,
        sha256,
        content_type,
        cache_control: None,
        disposition: None,
        redirect: None,
    };
    let html = "text/html; charset=utf-8";
    let answers = [
        answer("/", None, "front", html),
        answer("/caf\u{e9}", None, "cafe", html),
        answer("/news/", Some("page=2&tag=a"), "second", html),
        CopiedAnswer {
            only_mirrored: true,
            disposition: Some("inline; filename=second"),
            ..answer("/news/_page-2-tag-a_0123456789.html", None, "second", html)
        },
        answer("/photo_1_1714521600.jpg", None, "photo", "image/jpeg"),
        CopiedAnswer {
            cache_control: Some("max-age=600, x=$a"),
            ..answer("/style.css", None, "style", "text/css")
        },
        CopiedAnswer {
            disposition: Some("attachment; filename=\"a $b.pdf\""),
            ..answer("/file", None, "style", "application/pdf")
        },
        CopiedAnswer {
            redirect: Some("/caf%C3%A9?a=$host"),
            ..answer("/old", None, "front", html)
        },
    ];
    let missing = [("/gone".to_owned(), None)];
    let error = answer("/404.html", None, "lost", html);
    let layout = lay_out(&answers, &missing, Some(&error), &CopyTables::default());
    for (hash, content) in [
        ("front", "the front page"),
        ("cafe", "the caf\u{e9}"),
        ("second", "page 2"),
        ("photo", "a former photo"),
        ("style", "body { color: teal }"),
        ("lost", "there is no such page"),
    ] {
        std::fs::write(copies.part(hash).unwrap(), content.repeat(200)).unwrap();
        copies.keep(hash).unwrap();
    }
    let made = "2026-11-30T15:00:00Z";
    copies.replace(made, &layout.files, "").unwrap();
    stand.config.copy = Some(DiskCopy {
        current: copies.current(),
        session_cookies: vec!["sessionid".into(), "s.$id".into()],
        tables: layout.tables,
    });
}

async fn nginx_finds_it_good(config: &WebConfig) {
    let nginx = Nginx::find().await.unwrap();
    let text = render(config, &NginxHost::observe(&nginx), &[]).unwrap();
    if let Err(error) = check(config, &nginx, &text).await {
        panic!("{error}\n{text}");
    }
}

#[tokio::test]
async fn nginx_itself_finds_every_kind_of_site_good() {
    let kinds: [fn(&Path) -> Upstream; 6] = [
        tcp,
        |dir| Upstream::Unix(dir.join("app.sock")),
        |dir| Upstream::Files(dir.join("files")),
        |_| website(None),
        |_| website(Some("http://127.0.0.1:9000")),
        |_| Upstream::Website(Website::of_distribution("d111.cloudfront.net")),
    ];
    for kind in kinds {
        let mut stand = stand(kind);
        stand.config.static_files = vec![
            ("/static/".into(), "/srv/static".into()),
            ("/favicon.ico".into(), "/srv/icon".into()),
        ];
        nginx_finds_it_good(&stand.config).await;
    }
}

#[tokio::test]
async fn hostile_values_stay_in_their_place() {
    let mut stand = stand(|dir| Upstream::Unix(dir.join("a b;'}.sock")));
    let hostile = "\"; } server { listen 1; } #\\ ${host} $uri '";
    stand.config.health_path = format!("/{hostile}");
    stand.config.release = hostile.into();
    stand.config.instance = hostile.into();
    stand.config.static_files = vec![("/\";}#\\{/".into(), format!("/srv/{hostile}").into())];
    nginx_finds_it_good(&stand.config).await;
    let text = text(&stand.config);
    assert!(
        !text.contains("${host}")
            && text.contains(r#"alias "/srv/\"; } server { listen 1; } #\\ ${spotboot_dollar}{host} ${spotboot_dollar}uri '/";"#),
        "{text}"
    );
    let servers = text
        .lines()
        .filter(|line| line.trim_start().starts_with("server {"))
        .count();
    assert_eq!(servers, 3);
}

/// Endings and their types.
fn types(text: &str) -> BTreeMap<&str, &str> {
    let lines = text
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';'));
    let endings = lines.filter_map(|line| line.split_once(char::is_whitespace));
    endings
        .flat_map(|(kind, endings)| endings.split_whitespace().map(move |ending| (ending, kind)))
        .collect()
}

#[test]
fn no_ending_that_nginxs_own_list_has_is_lost() {
    let ours = types(include_str!("../../../../templates/mime.types"));
    let Ok(stock) = std::fs::read_to_string("/etc/nginx/mime.types") else {
        return;
    };
    let (stock, known) = (types(&stock), |ending: &str| ours.get(ending).copied());
    assert!(stock.len() > 50, "{stock:?}");
    let lost: Vec<_> = stock
        .keys()
        .filter(|ending| known(ending).is_none())
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn what_nginx_cannot_be_told_is_refused() {
    let stand = stand(tcp);
    let refused = |change: fn(&mut WebConfig)| {
        let mut config = stand.config.clone();
        change(&mut config);
        render(&config, &machine(1, 22, 1), &[])
            .unwrap_err()
            .to_string()
    };
    assert!(
        refused(|config| config.static_files = vec![("/x/".into(), "/a\nb".into())])
            .contains("control character")
    );
    assert!(
        refused(|config| config.static_files = vec![("/$x/".into(), "/a".into())])
            .contains("has a $")
    );
    assert!(refused(|config| config.fullchain = "/tmp/$dir/chain.pem".into()).contains("has a $"));
    assert!(refused(|config| config.domains.clear()).contains("no name"));
}

#[test]
fn http2_and_ipv6_are_spelled_as_the_machine_has_them() {
    let stand = stand(tcp);
    let port = stand.config.https_port;
    let old = text(&stand.config);
    assert!(old.contains(&format!("listen [::]:{port} ssl http2;")) && !old.contains("http2 on;"));
    let new = render(
        &stand.config,
        &NginxHost {
            ipv6: false,
            ..machine(1, 26, 3)
        },
        &[],
    )
    .unwrap();
    assert!(
        new.contains(&format!("listen {port} ssl;"))
            && new.contains("http2 on;")
            && !new.contains("[::]")
    );
}

#[test]
fn an_s3_site_asks_the_regions_endpoint_by_https_and_believes_no_other_name() {
    let text = text(&stand(|_| website(None)).config);
    for line in [
        "resolver 192.0.2.53 [2001:db8::53] valid=30s;",
        r#"proxy_set_header Host "s3.eu-central-1.amazonaws.com";"#,
        r#"proxy_ssl_name "s3.eu-central-1.amazonaws.com";"#,
        "proxy_ssl_verify on;",
        r#"proxy_ssl_trusted_certificate "/etc/ssl/certs/ca-certificates.crt";"#,
        r#"proxy_pass "https://$spotboot_website";"#,
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
}

#[test]
fn without_a_list_of_authorities_a_bucket_is_not_asked_unseen() {
    let stand = stand(|_| website(None));
    let machine = NginxHost {
        trusted: None,
        ..machine(1, 22, 1)
    };
    let refused = render(&stand.config, &machine, &[]).unwrap_err();
    assert!(refused.to_string().contains("ca-certificates"), "{refused}");
    let plain = self::stand(|_| website(Some("http://127.0.0.1:9000")));
    assert!(render(&plain.config, &machine, &[]).is_ok());
}

#[tokio::test]
async fn nginxs_own_words_are_in_the_error_and_the_old_configuration_stays() {
    let mut stand = stand(tcp);
    let in_use = stand.config.paths.nginx().join("nginx.conf");
    std::fs::write(&in_use, "old").unwrap();
    stand.config.key = stand.config.paths.tls().join("missing.pem");
    let services = foreground(&stand.config).await;
    let error = start(&stand.config, &services)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("cannot load certificate key") && error.contains("missing.pem"),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(in_use).unwrap(), "old");
}

#[tokio::test]
async fn a_taken_port_is_told_in_nginxs_words() {
    let stand = stand(tcp);
    let _taken = TcpListener::bind(("0.0.0.0", stand.config.https_port)).unwrap();
    let services = foreground(&stand.config).await;
    let error = start(&stand.config, &services)
        .await
        .unwrap_err()
        .to_string();
    services.shutdown().await;
    assert!(
        error.contains("Address already in use")
            && error.contains(&stand.config.https_port.to_string()),
        "{error}"
    );
}

async fn foreground(config: &WebConfig) -> Services {
    Services::choose(
        Some(Mode::Foreground),
        &config.paths,
        Arc::new(|_: &str, _: &str| ()),
    )
    .await
    .unwrap()
}
