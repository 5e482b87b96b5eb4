//! Strict-Transport-Security (RFC 6797): in every answer by TLS, once, and in none without.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};

use super::live::{curl, fill_files};
use super::*;

const DAY: &str = "strict-transport-security: max-age=86400";

fn headers(answer: &str) -> Vec<String> {
    let head = answer
        .split("\r\n\r\n")
        .next()
        .unwrap_or_default()
        .to_ascii_lowercase();
    head.lines()
        .filter(|line| line.starts_with("strict-transport-security"))
        .map(str::to_owned)
        .collect()
}

/// The app or the bucket behind nginx; the path says whether it sends the header itself.
async fn answer(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) {
    let mut request = vec![0; 16 << 10];
    let count = stream.read(&mut request).await.unwrap_or(0);
    let own = if String::from_utf8_lossy(&request[..count]).contains("/own") {
        "Strict-Transport-Security: max-age=7; includeSubDomains\r\n"
    } else {
        ""
    };
    let status = if String::from_utf8_lossy(&request[..count]).contains("/missing") {
        "404 Not Found"
    } else {
        "200 OK"
    };
    let _ = stream
        .write_all(
            format!("HTTP/1.1 {status}\r\n{own}connection: close\r\ncontent-length: 0\r\n\r\n")
                .as_bytes(),
        )
        .await;
}

async fn served(mut stand: Stand, hsts: Option<Duration>) -> (Stand, Services) {
    let folder = stand.config.paths.state.join("static");
    std::fs::create_dir_all(&folder).unwrap();
    for name in ["a.css", "apple-app-site-association"] {
        std::fs::write(folder.join(name), "x").unwrap();
    }
    stand.config.static_files = vec![
        ("/static/".into(), folder.clone()),
        ("/favicon.ico".into(), folder.join("a.css")),
    ];
    stand.config.hsts = hsts;
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    (stand, services)
}

/// Every location of the template, and the errors of nginx itself.
const EVERYWHERE: [&str; 10] = [
    "/",
    "/missing",
    "/.well-known/spotboot",
    "/ping",
    "/static/a.css",
    "/static/apple-app-site-association",
    "/static/missing.css",
    "/static/.hidden",
    "/favicon.ico",
    "/.spotboot/health",
];

async fn assert_everywhere(config: &WebConfig, more: &[&str]) {
    for path in EVERYWHERE.iter().chain(more) {
        let answer = curl(config, &format!("https://example.com:{{https}}{path}"), &[]).await;
        assert_eq!(headers(&answer), [DAY], "{path}: {answer}");
    }
    let refused = curl(
        config,
        "https://example.com:{https}/",
        &["--header", "Host: evil.test"],
    )
    .await;
    assert_eq!(headers(&refused), [DAY], "{refused}");
    let too_large = curl(
        config,
        "https://example.com:{https}/",
        &["--http1.1", "--header", "Content-Length: 99999999999"],
    )
    .await;
    assert_eq!(headers(&too_large), [DAY], "{too_large}");
    for path in ["/", "/ping", "/.well-known/spotboot"] {
        let plain = curl(config, &format!("http://example.com:{{http}}{path}"), &[]).await;
        assert!(
            plain.starts_with("HTTP/1.1 ") && headers(&plain).is_empty(),
            "{path}: {plain}"
        );
    }
}

#[tokio::test]
async fn an_app_has_it_everywhere_and_its_own_is_not_doubled() {
    let stand = stand(|dir| Upstream::Unix(dir.join("app.sock")));
    let Upstream::Unix(socket) = &stand.config.upstream else {
        unreachable!()
    };
    let listener = UnixListener::bind(socket).unwrap();
    let app = tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            answer(&mut stream).await;
        }
    });
    let (stand, services) = served(stand, Some(Duration::from_secs(86_400))).await;
    assert_everywhere(&stand.config, &[]).await;
    let stream = curl(
        &stand.config,
        "https://example.com:{https}/",
        &["--header", "Accept: text/event-stream"],
    )
    .await;
    assert_eq!(headers(&stream), [DAY], "{stream}");
    for accept in ["Accept: */*", "Accept: text/event-stream"] {
        let own = curl(
            &stand.config,
            "https://example.com:{https}/own",
            &["--header", accept],
        )
        .await;
        assert_eq!(
            headers(&own),
            ["strict-transport-security: max-age=7; includesubdomains"],
            "{own}"
        );
    }
    drain(&stand.config.paths, &[]).await.unwrap();
    assert_everywhere(&stand.config, &[]).await;
    app.abort();
    let _ = app.await;
    for path in ["/", "/ping"] {
        let gone = curl(
            &stand.config,
            &format!("https://example.com:{{https}}{path}"),
            &[],
        )
        .await;
        assert!(
            gone.starts_with("HTTP/2 50") && headers(&gone) == [DAY],
            "{path}: {gone}"
        );
    }
    services.shutdown().await;
}

#[tokio::test]
async fn kind_static_has_it_everywhere() {
    let stand = stand(|dir| Upstream::Files(dir.join("files")));
    fill_files(&stand.config);
    let (stand, services) = served(stand, Some(Duration::from_secs(86_400))).await;
    assert_everywhere(
        &stand.config,
        &["/docs", "/docs/", "/.env", "/404.html", "/healthy"],
    )
    .await;
    services.shutdown().await;
}

#[tokio::test]
async fn kind_s3_has_it_everywhere_and_the_buckets_own_is_not_doubled() {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", socket.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            answer(&mut stream).await;
        }
    });
    let (stand, services) = served(
        stand(|_| website(Some(&endpoint))),
        Some(Duration::from_secs(86_400)),
    )
    .await;
    assert_everywhere(&stand.config, &[]).await;
    let own = curl(&stand.config, "https://example.com:{https}/own", &[]).await;
    services.shutdown().await;
    assert_eq!(
        headers(&own),
        ["strict-transport-security: max-age=7; includesubdomains"],
        "{own}"
    );
}

#[tokio::test]
async fn without_the_key_nothing_is_added() {
    let stand = stand(|dir| Upstream::Files(dir.join("files")));
    fill_files(&stand.config);
    let (stand, services) = served(stand, None).await;
    for path in EVERYWHERE {
        let answer = curl(
            &stand.config,
            &format!("https://example.com:{{https}}{path}"),
            &[],
        )
        .await;
        assert!(
            answer.starts_with("HTTP/2 ") && headers(&answer).is_empty(),
            "{path}: {answer}"
        );
    }
    services.shutdown().await;
}

/// nginx passes headers on to a location only where that adds none of its own.
#[test]
fn no_location_that_adds_a_header_leaves_it_out() {
    let kinds: [fn(&Path) -> Upstream; 3] = [
        tcp,
        |dir| Upstream::Files(dir.join("files")),
        |_| website(None),
    ];
    for kind in kinds {
        let mut stand = stand(kind);
        copied(&mut stand);
        stand.config.static_files = vec![
            ("/static/".into(), "/srv/static".into()),
            ("/favicon.ico".into(), "/srv/icon".into()),
        ];
        stand.config.hsts = Some(Duration::from_secs(86_400));
        let text = text(&stand.config);
        let (mut blocks, mut own) = (vec![Vec::new()], 0);
        for line in text.lines().map(str::trim) {
            if line.ends_with('{') {
                blocks.push(Vec::new());
            } else if line == "}" {
                let headers: Vec<&str> = blocks.pop().unwrap();
                let hsts = headers
                    .iter()
                    .filter(|line| line.contains("Strict-Transport-Security"))
                    .count();
                own += usize::from(!headers.is_empty());
                assert!(headers.is_empty() || hsts == 1, "{headers:?} in {text}");
            } else if line.starts_with("add_header ") {
                blocks.last_mut().unwrap().push(line);
            }
        }
        assert!(own > 4, "{text}");
    }
}
