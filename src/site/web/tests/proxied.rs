//! What passes between a visitor and the app: large headers, streams and upgrades.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::live::{curl, proven};
use super::*;

const SOON: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);
const HTTP: [&str; 2] = ["--http1.1", "--http2"];

/// nginx before an app that answers each request with what `answer` writes; it is given the
/// request's head.
async fn before<F>(answer: impl Fn(String, UnixStream) -> F + Send + 'static) -> (Stand, Services)
where
    F: Future<Output = ()> + Send + 'static,
{
    let stand = stand(|dir| Upstream::Unix(dir.join("app.sock")));
    let Upstream::Unix(socket) = &stand.config.upstream else {
        unreachable!()
    };
    let listener = UnixListener::bind(socket).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if let Some(head) = head(&mut stream).await {
                tokio::spawn(answer(head, stream));
            }
        }
    });
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    (stand, services)
}

/// None: the connection ended before.
async fn head(stream: &mut UnixStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        if stream.read_buf(&mut request).await.ok()? == 0 {
            return None;
        }
    }
    Some(String::from_utf8_lossy(&request).into_owned())
}

async fn write(stream: &mut UnixStream, text: &str) {
    // A visitor may have left.
    let _ = stream.write_all(text.as_bytes()).await;
}

async fn echo(head: String, mut stream: UnixStream) {
    write(
        &mut stream,
        &format!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{head}",
            head.len()
        ),
    )
    .await;
}

#[tokio::test]
async fn answers_with_32_kib_of_headers_pass_as_do_the_cookies_that_come_back() {
    let cookies: String = (0..8)
        .map(|number| format!("set-cookie: c{number}={}\r\n", "x".repeat(4096)))
        .collect();
    let answer = format!(
        "HTTP/1.1 200 OK\r\n{cookies}x-last: here\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
    );
    let (stand, services) = before(move |head, mut stream| {
        let answer = answer.clone();
        async move {
            let answer = if head.starts_with("GET /cookies") {
                format!("HTTP/1.1 200 OK\r\nx-got: {}\r\n\r\n", head.len())
            } else {
                answer
            };
            write(&mut stream, &answer).await;
        }
    })
    .await;
    let returned = format!(
        "Cookie: {}",
        (0..8)
            .map(|number| format!("c{number}={}; ", "x".repeat(4096)))
            .collect::<String>()
    );
    for version in HTTP {
        let page = curl(&stand.config, "https://example.com:{https}/", &[version]).await;
        assert!(
            page.lines().next().unwrap().contains(" 200") && page.contains("x-last: here"),
            "{version}: {:.300}",
            page
        );
        let page = curl(
            &stand.config,
            "https://example.com:{https}/cookies",
            &[version, "--header", &returned],
        )
        .await;
        let got = page
            .to_ascii_lowercase()
            .split_once("x-got: ")
            .map(|(_, rest)| rest.lines().next().unwrap().parse::<usize>().unwrap());
        assert!(
            got.is_some_and(|got| got > 8 * 4096),
            "{version}: {:.300}",
            page
        );
    }
    for url in [
        "https://example.com:{https}/ping",
        "http://example.com:{http}/ping",
    ] {
        let ping = curl(&stand.config, url, &["--http1.1"]).await;
        assert!(ping.starts_with("HTTP/1.1 200"), "{url}: {ping:.300}");
    }
    proven(&stand).await.unwrap();
    services.shutdown().await;
}

/// curl's output as it comes, in a file.
async fn begin(
    config: &WebConfig,
    path: &str,
    more: &[&str],
    into: &Path,
) -> tokio::task::JoinHandle<String> {
    let config = config.clone();
    let (url, into) = (
        format!("https://example.com:{{https}}{path}"),
        into.display().to_string(),
    );
    let more: Vec<String> = more
        .iter()
        .map(|&option| option.to_owned())
        .chain(["--no-buffer".into(), "--output".into(), into])
        .collect();
    tokio::spawn(async move {
        curl(
            &config,
            &url,
            &more.iter().map(String::as_str).collect::<Vec<_>>(),
        )
        .await
    })
}

#[tokio::test]
async fn an_event_stream_arrives_as_it_is_sent_and_any_other_that_says_so() {
    let go_on = Arc::new(Notify::new());
    let told = Arc::clone(&go_on);
    let (stand, services) = before(move |head, mut stream| {
        let told = Arc::clone(&told);
        async move {
            let buffering = if head.starts_with("GET /log") { "x-accel-buffering: no\r\n" } else { "" };
            let kind = if head.starts_with("GET /events") { "text/event-stream" } else { "text/plain" };
            write(&mut stream, &format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{buffering}connection: close\r\n\r\ndata: first\n\n"))
                .await;
            told.notified().await;
            write(&mut stream, "data: second\n\n").await;
        }
    })
    .await;
    let events: &[&str] = &[
        "--header",
        "Accept: text/event-stream",
        "--header",
        "Accept-Encoding: gzip",
    ];
    let posted: &[&str] = &[
        "--header",
        "Accept: application/json, text/event-stream",
        "--request",
        "POST",
        "--data",
        "a=b",
    ];
    let arrived = |file: &Path| std::fs::read_to_string(file).unwrap_or_default();
    let mut number = 0;
    for version in HTTP {
        for (path, options) in [
            ("/events?from=a%20b", events),
            ("/events", posted),
            ("/log", &[]),
        ] {
            number += 1;
            let file = stand.config.paths.state.join(format!("arrived-{number}"));
            let asked = begin(&stand.config, path, &[&[version], options].concat(), &file).await;
            let first = async {
                while !arrived(&file).contains("data: first") {
                    sleep(LOOK_EVERY).await;
                }
            };
            assert!(
                timeout(SOON / 2, first).await.is_ok(),
                "{version} {path} holds the first event back: {:?}",
                arrived(&file)
            );
            go_on.notify_one();
            timeout(SOON, asked).await.unwrap().unwrap();
            assert!(
                arrived(&file).ends_with("data: second\n\n"),
                "{version} {path}: {:?}",
                arrived(&file)
            );
        }
    }
    services.shutdown().await;
}

#[test]
fn an_event_stream_may_be_silent_for_an_hour() {
    let text = text(&stand(tcp).config);
    let location = text
        .split("location @spotboot_stream {")
        .nth(1)
        .expect("there is a location for streams");
    let location = location.split("\n        }").next().unwrap();
    for line in [
        "proxy_buffering off;",
        "proxy_read_timeout 1h;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
    ] {
        assert!(location.contains(line), "no {line} in {location}");
    }
}

#[tokio::test]
async fn a_request_for_a_stream_reaches_the_app_as_it_was_sent() {
    let (stand, services) = before(echo).await;
    let options = [
        "--http1.1",
        "--header",
        "Accept: text/event-stream",
        "--request",
        "PUT",
        "--data",
        "what is sent",
    ];
    let page = curl(
        &stand.config,
        "https://example.com:{https}/a%20b//c?x=%2f",
        &options,
    )
    .await;
    drain(&stand.config.paths, &[]).await.unwrap();
    let drained = curl(
        &stand.config,
        "https://example.com:{https}/a%20b//c?x=%2f",
        &options,
    )
    .await;
    services.shutdown().await;
    for page in [page, drained] {
        assert!(page.contains("PUT /a%20b//c?x=%2f HTTP/1.1"), "{page}");
        assert!(
            page.contains("X-Forwarded-Proto: https") && page.contains("X-Real-IP: 127.0.0.1"),
            "{page}"
        );
        assert!(
            page.contains("Content-Length: 12") && page.contains("text/event-stream"),
            "{page}"
        );
    }
}

#[tokio::test]
async fn nothing_but_a_websocket_may_be_upgraded_to() {
    let (stand, services) = before(echo).await;
    let mut pages = Vec::new();
    for upgrade in [
        "h2c",
        "websocket, h2c",
        "h2c, websocket",
        "TLS/1.0",
        "websocket2",
    ] {
        let headers = [
            format!("Upgrade: {upgrade}"),
            "Connection: Upgrade, HTTP2-Settings".into(),
            "HTTP2-Settings: AAMAAABkAAQAAP__".into(),
        ];
        let headers: Vec<&str> = headers
            .iter()
            .flat_map(|header| ["--header", header])
            .collect();
        for accept in ["Accept: */*", "Accept: text/event-stream"] {
            let options = [&["--http1.1", "--header", accept], &headers[..]].concat();
            pages.push((
                upgrade,
                curl(&stand.config, "https://example.com:{https}/", &options).await,
            ));
        }
    }
    let ordinary = [
        "--http1.1",
        "--header",
        "Connection: Upgrade",
        "--header",
        "Upgrade: WebSocket",
        "--header",
        "HTTP2-Settings: AAMA",
    ];
    let websocket = curl(&stand.config, "https://example.com:{https}/", &ordinary)
        .await
        .to_ascii_lowercase();
    services.shutdown().await;
    for (upgrade, page) in pages {
        let seen = page
            .split_once("\r\n\r\n")
            .expect("an answer with a body")
            .1
            .to_ascii_lowercase();
        assert!(seen.starts_with("get / http/1.1"), "{upgrade}: {page}");
        for gone in ["upgrade", "http2-settings", "h2c"] {
            assert!(
                !seen.contains(gone),
                "{upgrade}: the app sees {gone} in {seen}"
            );
        }
    }
    assert!(
        websocket.contains("upgrade: websocket") && websocket.contains("connection: upgrade"),
        "{websocket}"
    );
    assert!(!websocket.contains("http2-settings"), "{websocket}");
}
