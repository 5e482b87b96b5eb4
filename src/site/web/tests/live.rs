//! The real nginx serves, under the real keeper, and is looked at with curl and by the proof.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::config::OwnUrls;
use crate::host::process::Run;
use crate::site::proof::{Expectation, prove};

/// A site whose app shows what it was asked; its health path answers as it is told.
struct LiveStand {
    stand: Stand,
    services: Services,
    status: Arc<Mutex<&'static str>>,
    app: JoinHandle<()>,
}

async fn serving(change: impl FnOnce(&mut WebConfig)) -> LiveStand {
    let mut stand = stand(|dir| Upstream::Unix(dir.join("app.sock")));
    let Upstream::Unix(socket) = stand.config.upstream.clone() else {
        unreachable!()
    };
    change(&mut stand.config);
    let status = Arc::new(Mutex::new("200 OK"));
    let app = tokio::spawn(app(
        UnixListener::bind(socket).unwrap(),
        Arc::clone(&status),
    ));
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    LiveStand {
        stand,
        services,
        status,
        app,
    }
}

/// The same in parts, for who asks by other ports.
pub(super) async fn echoing() -> (Stand, Services, JoinHandle<()>) {
    let LiveStand {
        stand,
        services,
        app,
        ..
    } = serving(|_| ()).await;
    (stand, services, app)
}

async fn app(listener: UnixListener, status: Arc<Mutex<&'static str>>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = vec![0; 16 * 1024];
        let count = stream.read(&mut request).await.unwrap();
        let text = String::from_utf8_lossy(&request[..count]).into_owned();
        let status = if text.starts_with("GET /healthy?full=1 ") {
            *status.lock().unwrap()
        } else {
            "200 OK"
        };
        let location = if status.contains("location: ") {
            ""
        } else {
            "location: /elsewhere\r\n"
        };
        let head = format!(
            "HTTP/1.1 {status}\r\n{location}connection: close\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        let _ = stream.write_all((head + &text).as_bytes()).await;
    }
}

/// The whole answer, head and body; `{http}` and `{https}` in the URL are the ports.
pub(super) async fn curl(config: &WebConfig, url: &str, more: &[&str]) -> String {
    let url = url
        .replace("{http}", &config.http_port.to_string())
        .replace("{https}", &config.https_port.to_string());
    let resolve =
        [config.http_port, config.https_port].map(|port| format!("--resolve=*:{port}:127.0.0.1"));
    let [http, https] = resolve
        .each_ref()
        .map(|option| option.split_once('=').unwrap());
    let run = Run::new("curl").args([
        "--silent",
        "--include",
        "--insecure",
        "--path-as-is",
        "--max-time",
        "10",
    ]);
    let run = run
        .args([http.0, http.1, https.0, https.1])
        .args(more.iter().copied())
        .arg(url);
    run.output()
        .await
        .map_or_else(|e| e.to_string(), |output| output.stdout)
}

pub(super) async fn proven(stand: &Stand) -> Result<(), String> {
    let expectation = Expectation {
        addr: ([127, 0, 0, 1], stand.config.https_port).into(),
        hosts: stand
            .config
            .domains
            .iter()
            .map(Domain::example_host)
            .collect(),
        chain_pem: stand.chain.clone(),
        release: stand.config.release.clone(),
        instance: stand.config.instance.clone(),
        health_path: stand.config.health_path.clone(),
        own: OwnUrls::new(
            stand.config.domains.clone(),
            stand.config.http_port,
            stand.config.https_port,
        ),
    };
    let within = Instant::now() + Duration::from_secs(2);
    prove(&expectation, OffsetDateTime::now_utc(), within)
        .await
        .map_err(|e| e.to_string())
}

#[tokio::test]
async fn the_proof_passes_and_fails_with_the_app() {
    let LiveStand {
        stand,
        services,
        status,
        app,
    } = serving(|_| ()).await;
    proven(&stand).await.unwrap();
    *status.lock().unwrap() = "500 Oops";
    let seen = proven(&stand).await.unwrap_err();
    assert!(seen.contains("/healthy?full=1 answers 500"), "{seen}");
    app.abort();
    let seen = proven(&stand).await.unwrap_err();
    assert!(seen.contains("answers 502"), "{seen}");
    services.shutdown().await;
}

#[tokio::test]
async fn the_app_is_told_who_asks_and_not_what_the_client_says_of_itself() {
    let LiveStand {
        stand, services, ..
    } = serving(|_| ()).await;
    let lies = [
        "Proxy: http://evil",
        "X-Forwarded-For: 1.2.3.4",
        "Forwarded: for=1.2.3.4",
        "X-Aws-Ec2-Metadata-Token: evil",
    ];
    let lies: Vec<&str> = lies.iter().flat_map(|lie| ["--header", *lie]).collect();
    let page = curl(
        &stand.config,
        "https://example.com:{https}/a%20b?x=1",
        &lies,
    )
    .await;
    services.shutdown().await;
    assert!(
        page.starts_with("HTTP/2 200") && page.contains("GET /a%20b?x=1 HTTP/1.1"),
        "{page}"
    );
    let host = format!("Host: example.com:{}", stand.config.https_port);
    for expected in [
        &host,
        "X-Forwarded-Proto: https",
        "X-Forwarded-For: 127.0.0.1",
        "X-Real-IP: 127.0.0.1",
    ] {
        assert!(page.contains(expected), "no {expected} in {page}");
    }
    assert!(
        !page.contains("evil") && !page.contains("1.2.3.4"),
        "{page}"
    );
}

#[tokio::test]
async fn a_websocket_may_be_upgraded_to() {
    let LiveStand {
        stand, services, ..
    } = serving(|_| ()).await;
    let upgrade = [
        "--http1.1",
        "--header",
        "Connection: Upgrade",
        "--header",
        "Upgrade: websocket",
    ];
    let page = curl(&stand.config, "https://example.com:{https}/ws", &upgrade).await;
    services.shutdown().await;
    assert!(
        page.contains("Connection: upgrade") && page.contains("Upgrade: websocket"),
        "{page}"
    );
}

#[tokio::test]
async fn static_files_come_from_their_folder_and_from_nowhere_else() {
    let LiveStand {
        stand, services, ..
    } = serving(|config| {
        let folder = config.paths.state.join("static");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("site.aa676972.css"), "body{}").unwrap();
        std::fs::write(folder.join(".secret"), "hidden").unwrap();
        std::fs::write(config.paths.state.join("outside"), "hidden").unwrap();
        config.static_files = vec![("/static/".into(), folder)];
    })
    .await;
    let css = curl(
        &stand.config,
        "https://www.example.com:{https}/static/site.aa676972.css",
        &[],
    )
    .await;
    assert!(
        css.contains("immutable") && css.contains("text/css") && css.ends_with("body{}"),
        "{css}"
    );
    for path in [
        "/static/.secret",
        "/static/missing.css",
        "/static/%2e%2e/outside",
        "/static../outside",
        "/static/..%2foutside",
    ] {
        let answer = curl(
            &stand.config,
            &format!("https://example.com:{{https}}{path}"),
            &[],
        )
        .await;
        assert!(
            !answer.contains("hidden")
                && (answer.starts_with("HTTP/2 404") || answer.contains("X-Real-IP")),
            "{path}: {answer}"
        );
    }
    services.shutdown().await;
}

#[tokio::test]
async fn plain_http_is_sent_to_https_and_unknown_names_are_refused() {
    let LiveStand {
        stand, services, ..
    } = serving(|_| ()).await;
    let config = &stand.config;
    let moved = curl(config, "http://www.example.com:{http}/x?y=1", &[]).await;
    let to = format!(
        "Location: https://www.example.com:{}/x?y=1\r\n",
        config.https_port
    );
    assert!(
        moved.starts_with("HTTP/1.1 308") && moved.contains(&to),
        "{moved}"
    );
    let plain = curl(config, "http://evil.test:{http}/", &[]).await;
    let handshake = curl(config, "https://evil.test:{https}/", &[]).await;
    let fronted = curl(
        config,
        "https://example.com:{https}/",
        &["--header", "Host: evil.test"],
    )
    .await;
    services.shutdown().await;
    assert!(plain.starts_with("HTTP/1.1 421"), "{plain}");
    assert!(handshake.contains("exit status 35"), "{handshake}");
    assert!(fronted.starts_with("HTTP/2 421"), "{fronted}");
}

#[tokio::test]
async fn ping_is_200_only_while_the_app_answers() {
    let LiveStand {
        stand,
        services,
        status,
        app,
    } = serving(|_| ()).await;
    let answers = [
        ("200 OK", 200),
        ("204 No Content", 200),
        ("302 Found", 200),
        ("403 No", 503),
        ("404 Not Found", 503),
        ("500 Oops", 503),
    ];
    for (answer, expected) in answers {
        *status.lock().unwrap() = answer;
        for url in [
            "https://example.com:{https}/ping",
            "http://example.com:{http}/ping",
            "http://127.0.0.1:{http}/ping",
        ] {
            let ping = curl(&stand.config, url, &["--http1.1"]).await;
            assert!(
                ping.starts_with(&format!("HTTP/1.1 {expected}")),
                "{url} while the app answers {answer}: {ping}"
            );
        }
    }
    app.abort();
    assert!(
        curl(&stand.config, "http://example.com:{http}/ping", &[])
            .await
            .starts_with("HTTP/1.1 503")
    );
    services.shutdown().await;
}

#[tokio::test]
async fn ping_is_503_while_the_app_redirects_its_health_path_to_itself() {
    let LiveStand {
        stand,
        services,
        status,
        ..
    } = serving(|_| ()).await;
    let WebConfig {
        http_port,
        https_port,
        ..
    } = stand.config;
    let cases = [
        (
            format!("https://example.com:{https_port}/healthy?full=1"),
            503,
        ),
        (
            format!("http://EXAMPLE.com:{http_port}/healthy?full=1"),
            503,
        ),
        (
            format!("http://example.com:{https_port}/healthy?full=1"),
            503,
        ),
        (format!("//example.com:{https_port}/healthy?full=1"), 503),
        ("/healthy?full=1".to_owned(), 503),
        ("/Healthy?full=1".to_owned(), 200),
        ("/healthyXfull=1".to_owned(), 200),
        ("/healthy?full=1&then".to_owned(), 200),
        (
            format!("https://www.example.com:{https_port}/healthy?full=1"),
            200,
        ),
        (
            format!("https://exampleXcom:{https_port}/healthy?full=1"),
            200,
        ),
    ];
    for (location, expected) in cases {
        *status.lock().unwrap() = format!("302 Found\r\nlocation: {location}").leak();
        let ping = curl(
            &stand.config,
            "https://example.com:{https}/ping",
            &["--http1.1"],
        )
        .await;
        assert!(
            ping.starts_with(&format!("HTTP/1.1 {expected}")),
            "{location}: {ping}"
        );
    }
    services.shutdown().await;
}

#[tokio::test]
async fn the_access_log_is_one_json_object_a_line() {
    let LiveStand {
        stand, services, ..
    } = serving(|_| ()).await;
    curl(
        &stand.config,
        "https://example.com:{https}/a%20b?x=1",
        &["--header", "User-Agent: \"quoted\\ \u{7f}"],
    )
    .await;
    services.shutdown().await;
    let log = std::fs::read_to_string(stand.config.paths.access_log()).unwrap();
    let lines: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(
        lines.len() == 1 && lines[0]["uri"] == "/a%20b?x=1" && lines[0]["status"] == 200,
        "{log}"
    );
}

#[tokio::test]
async fn kind_static_serves_files_with_their_indexes_and_its_own_404() {
    let stand = stand(|dir| Upstream::Files(dir.join("files")));
    fill_files(&stand.config);
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    proven(&stand).await.unwrap();
    let home = curl(&stand.config, "https://example.com:{https}/", &[]).await;
    assert!(
        home.ends_with("home") && home.contains("no-cache"),
        "{home}"
    );
    assert!(
        curl(&stand.config, "https://example.com:{https}/docs", &[])
            .await
            .contains("location: /docs/")
    );
    assert!(
        curl(&stand.config, "https://example.com:{https}/docs/", &[])
            .await
            .ends_with("docs")
    );
    for absent in ["/missing", "/.env", "/404.html"] {
        let answer = curl(
            &stand.config,
            &format!("https://example.com:{{https}}{absent}"),
            &[],
        )
        .await;
        assert!(
            answer.starts_with("HTTP/2 404") && answer.ends_with("not here"),
            "{absent}: {answer}"
        );
    }
    services.shutdown().await;
}

#[tokio::test]
async fn a_drain_ends_each_connection_with_its_answer_until_the_next_start() {
    let stand = stand(|dir| Upstream::Files(dir.join("files")));
    fill_files(&stand.config);
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    drain(
        &stand.config.paths,
        &[stand.config.http_port, stand.config.https_port],
    )
    .await
    .unwrap();
    let pages = [
        ("https://example.com:{https}/", "200", "home"),
        ("https://example.com:{https}/docs/", "200", "docs"),
        ("https://example.com:{https}/docs", "301", ""),
        ("https://example.com:{https}/missing", "404", "not here"),
        ("https://example.com:{https}/.env", "404", "not here"),
        (
            "https://example.com:{https}/.spotboot/draining/",
            "200",
            "home",
        ),
        (
            "https://example.com:{https}/.well-known/spotboot",
            "200",
            "",
        ),
        ("https://example.com:{https}/ping", "503", "about to stop\n"),
        ("http://example.com:{http}/ping", "503", "about to stop\n"),
        ("http://example.com:{http}/x", "308", ""),
        ("http://evil.test:{http}/x", "421", ""),
    ];
    for (url, status, end) in pages {
        let page = curl(&stand.config, url, &["--http1.1"]).await;
        assert!(
            page.starts_with(&format!("HTTP/1.1 {status}")) && page.ends_with(end),
            "{url}: {page}"
        );
        assert!(
            page.contains("Connection: close") && !page.contains("keep-alive"),
            "{url}: {page}"
        );
    }
    let page = curl(
        &stand.config,
        "https://example.com:{https}/docs/",
        &["--http2"],
    )
    .await;
    assert!(
        page.starts_with("HTTP/2 200") && !page.contains("onnection") && page.ends_with("docs"),
        "{page}"
    );
    start(&stand.config, &services).await.unwrap();
    let page = curl(
        &stand.config,
        "https://example.com:{https}/",
        &["--http1.1"],
    )
    .await;
    assert!(
        page.contains("Connection: keep-alive") && !page.contains("close"),
        "{page}"
    );
    let ping = curl(&stand.config, "http://example.com:{http}/ping", &[]).await;
    services.shutdown().await;
    assert!(ping.starts_with("HTTP/1.1 200"), "{ping}");
}

#[tokio::test]
async fn a_drain_waits_for_those_who_are_connected_and_for_nobody_else() {
    let LiveStand {
        stand, services, ..
    } = serving(|_| ()).await;
    let ports = [stand.config.http_port, stand.config.https_port];
    let client = std::net::TcpStream::connect(("127.0.0.1", ports[1])).unwrap();
    let waiting = drain(&stand.config.paths, &ports);
    tokio::pin!(waiting);
    let patience = Duration::from_secs(2);
    assert!(
        tokio::time::timeout(patience, &mut waiting).await.is_err(),
        "somebody was connected"
    );
    drop(client);
    let left = tokio::time::timeout(patience, &mut waiting).await;
    services.shutdown().await;
    left.expect("nobody is connected").unwrap();
}

#[tokio::test]
async fn a_new_release_and_certificate_are_a_reload_of_the_same_process() {
    let mut stand = stand(|dir| Upstream::Files(dir.join("files")));
    fill_files(&stand.config);
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    assert!(
        curl(&stand.config, "http://example.com:{http}/ping", &[])
            .await
            .starts_with("HTTP/1.1 200")
    );
    let before = services.state(SERVICE).await.unwrap();
    let (chain, key) = certificate(OffsetDateTime::now_utc());
    files::write_atomic(&stand.config.fullchain, chain.as_bytes(), 0o644).unwrap();
    files::write_atomic(&stand.config.key, key.as_bytes(), 0o600).unwrap();
    stand.chain = chain;
    stand.config.release = "r2".into();
    stand.config.not_after = OffsetDateTime::now_utc() + time::Duration::hours(23);
    start(&stand.config, &services).await.unwrap();
    proven(&stand).await.unwrap();
    assert_eq!(services.state(SERVICE).await.unwrap(), before);
    let ping = curl(&stand.config, "http://example.com:{http}/ping", &[]).await;
    assert!(
        ping.starts_with("HTTP/1.1 503") && ping.contains("within a day"),
        "{ping}"
    );
    services.shutdown().await;
}

pub(super) fn fill_files(config: &WebConfig) {
    let Upstream::Files(root) = &config.upstream else {
        unreachable!()
    };
    std::fs::create_dir_all(root.join("docs")).unwrap();
    for (name, text) in [
        ("index.html", "home"),
        ("docs/index.html", "docs"),
        ("404.html", "not here"),
        (".env", "hidden"),
        ("healthy", "yes"),
    ] {
        std::fs::write(root.join(name), text).unwrap();
    }
}

#[tokio::test]
async fn an_s3_site_comes_from_the_endpoint_with_an_index_for_each_folder() {
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", socket.local_addr().unwrap());
    let store = tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let mut request = vec![0; 4096];
            let count = stream.read(&mut request).await.unwrap();
            let text = String::from_utf8_lossy(&request[..count]).into_owned();
            let head = format!(
                "HTTP/1.1 200 OK\r\nx-amz-request-id: 7\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                text.len()
            );
            let _ = stream.write_all((head + &text).as_bytes()).await;
        }
    });
    let stand = stand(|_| website(Some(&endpoint)));
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    let page = curl(
        &stand.config,
        "https://example.com:{https}/docs/?q=1",
        &["--header", "Cookie: session=1"],
    )
    .await;
    let file = curl(
        &stand.config,
        "https://example.com:{https}/a/b%20c.css",
        &[],
    )
    .await;
    let ping = curl(&stand.config, "http://example.com:{http}/ping", &[]).await;
    services.shutdown().await;
    store.abort();
    assert!(
        page.contains("GET /www.example.com/docs/index.html HTTP/1.1"),
        "{page}"
    );
    assert!(
        !page.contains("session=1") && !page.contains("x-amz-request-id"),
        "{page}"
    );
    assert!(
        file.contains("GET /www.example.com/a/b%20c.css HTTP/1.1"),
        "{file}"
    );
    assert!(ping.starts_with("HTTP/1.1 200"), "{ping}");
}

#[tokio::test]
async fn nginx_is_reloaded_for_another_configuration_only() {
    let LiveStand {
        mut stand,
        services,
        ..
    } = serving(|_| ()).await;
    let workers = |stand: &Stand| {
        crate::host::process::children(running(&stand.config.paths.nginx_pid()).unwrap())
    };
    // A reload starts a new worker before it ends an old one; where none is begun, there is nothing
    // to wait for.
    let changes = async |stand: &Stand, before: &[u32]| {
        for _ in 0..100 {
            if workers(stand).iter().any(|pid| !before.contains(pid)) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        false
    };
    // nginx says that it runs before its last worker does.
    let mut before = workers(&stand);
    while before.is_empty() || changes(&stand, &before).await {
        before = workers(&stand);
    }
    start(&stand.config, &services).await.unwrap();
    assert!(
        !changes(&stand, &before).await,
        "it was reloaded for nothing"
    );
    stand.config.release = "another".into();
    start(&stand.config, &services).await.unwrap();
    assert!(changes(&stand, &before).await, "it was not reloaded");
    let before = workers(&stand);
    forget(&stand.config.paths);
    start(&stand.config, &services).await.unwrap();
    assert!(
        changes(&stand, &before).await,
        "what is not known to be read is told again"
    );
    services.shutdown().await;
}
