//! The port of plain http: it sends visitors to https, or serves the site as well.

use super::live::curl;
use super::*;

/// nginx before files, where the port serves; and what it says to these requests.
async fn asked(http: PlainHttp, urls: &[&str]) -> Vec<String> {
    let mut stand = stand(|dir| Upstream::Files(dir.join("files")));
    stand.config.http = http;
    stand.config.domains = vec![Domain::parse("example.com").unwrap()];
    super::live::fill_files(&stand.config);
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    let mut answers = Vec::new();
    for url in urls {
        answers.push(curl(&stand.config, url, &[]).await);
    }
    services.shutdown().await;
    answers
}

const URLS: [&str; 6] = [
    "http://example.com:{http}/docs/",
    "http://example.com:{http}/ping",
    "http://example.com:{http}/.well-known/spotboot",
    "http://another.example:{http}/docs/",
    "http://another.example:{http}/ping",
    "http://127.0.0.1:{http}/.well-known/spotboot/look",
];

fn starts(answers: &[String]) -> Vec<&str> {
    answers
        .iter()
        .map(|answer| answer.get(..12).unwrap_or(answer))
        .collect()
}

#[tokio::test]
async fn where_it_serves_the_site_is_there_and_no_other_name() {
    let answers = asked(PlainHttp::Serve, &URLS).await;
    assert_eq!(
        starts(&answers),
        [
            "HTTP/1.1 200",
            "HTTP/1.1 200",
            "HTTP/1.1 200",
            "HTTP/1.1 421",
            "HTTP/1.1 421",
            // Whoever asks for a look knows the address alone, and asks by POST.
            "HTTP/1.1 405",
        ]
    );
    assert!(answers[0].ends_with("docs"), "{answers:?}");
    assert!(answers[2].contains("\"release\":\"r1\""), "{answers:?}");
}

#[tokio::test]
async fn else_it_sends_everybody_to_https() {
    let answers = asked(PlainHttp::Redirect, &URLS).await;
    assert_eq!(
        starts(&answers),
        [
            "HTTP/1.1 308",
            "HTTP/1.1 200",
            "HTTP/1.1 308",
            "HTTP/1.1 421",
            "HTTP/1.1 200",
            "HTTP/1.1 405",
        ]
    );
}

#[tokio::test]
async fn the_app_hears_by_which_scheme_and_port_it_is_asked() {
    let (mut stand, services, app) = super::live::echoing().await;
    stand.config.http = PlainHttp::Serve;
    start(&stand.config, &services).await.unwrap();
    let (http, https) = (stand.config.http_port, stand.config.https_port);
    for (scheme, port) in [("http", http), ("https", https)] {
        let page = curl(
            &stand.config,
            &format!("{scheme}://example.com:{{{scheme}}}/x"),
            &[],
        )
        .await;
        for line in [
            format!("Host: example.com:{port}"),
            format!("X-Forwarded-Port: {port}"),
            format!("X-Forwarded-Proto: {scheme}"),
        ] {
            assert!(page.contains(&line), "{scheme}: no {line} in {page}");
        }
    }
    services.shutdown().await;
    app.abort();
}
