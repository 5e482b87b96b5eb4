//! Emergency mode and requests to look at once, as the real nginx answers them.

use tokio::time::{Instant, timeout};

use super::live::curl;
use super::*;
use crate::host::doorbell::Doorbell;

const LOOK: &str = "https://example.com:{https}/.well-known/spotboot/look";
const POST: [&str; 3] = ["--http1.1", "--request", "POST"];

async fn serving_files() -> (Stand, Services) {
    serving_files_with(|_| ()).await
}

async fn serving_files_with(change: impl FnOnce(&mut WebConfig)) -> (Stand, Services) {
    let mut stand = stand(|dir| Upstream::Files(dir.join("files")));
    let domains = ["example.com", "*.example.com", "app.example.com"];
    stand.config.domains = domains.map(|name| Domain::parse(name).unwrap()).into();
    stand.config.health_path = "/".into();
    change(&mut stand.config);
    live::fill_files(&stand.config);
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    (stand, services)
}

fn flag(path: &Path) {
    files::write_anew(path, b"", 0o644).unwrap();
}

#[tokio::test]
async fn in_an_emergency_ping_says_503_and_why_and_visitors_are_served_as_ever() {
    let (stand, services) = serving_files().await;
    flag(&stand.config.paths.emergency());
    for url in [
        "https://example.com:{https}/ping",
        "http://example.com:{http}/ping",
    ] {
        let ping = curl(&stand.config, url, &["--http1.1"]).await;
        assert!(
            ping.starts_with("HTTP/1.1 503") && ping.ends_with("by a person's word\n"),
            "{ping}"
        );
    }
    let page = curl(
        &stand.config,
        "https://example.com:{https}/",
        &["--http1.1"],
    )
    .await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    std::fs::remove_file(stand.config.paths.emergency()).unwrap();
    let ping = curl(&stand.config, "https://example.com:{https}/ping", &[]).await;
    assert!(ping.starts_with("HTTP/2 200"), "{ping}");
    services.shutdown().await;
}

#[tokio::test]
async fn redirect_mode_leads_visitors_to_the_mirror_and_answers_for_the_instance_itself() {
    let (stand, services) = serving_files_with(|config| {
        config.hsts = Some(Duration::from_secs(60));
    })
    .await;
    flag(&stand.config.paths.redirecting());
    let led = "Location: https://static.example.com";
    let cases: [(&str, &[&str], &str, String); 12] = [
        (
            "https://example.com:{https}/",
            &[],
            "302",
            format!("{led}/\r"),
        ),
        (
            "https://example.com:{https}/a%20b/?q=%22&r=/../",
            &[],
            "302",
            format!("{led}/a%20b/?q=%22&r=/../\r"),
        ),
        (
            "https://www.example.com:{https}/pingpong",
            &["--head"],
            "302",
            format!("{led}/pingpong\r"),
        ),
        (
            "https://example.com:{https}/missing",
            &[],
            "302",
            format!("{led}/missing\r"),
        ),
        (
            "https://example.com:{https}/form",
            &["--request", "POST"],
            "503",
            "Retry-After: 120\r".to_owned(),
        ),
        (
            "https://example.com:{https}/form",
            &["--request", "DELETE"],
            "503",
            "Strict-Transport-Security".to_owned(),
        ),
        (
            "https://example.com:{https}/ping",
            &[],
            "200",
            "ok".to_owned(),
        ),
        (
            "https://example.com:{https}/.well-known/spotboot",
            &[],
            "200",
            "i-1".to_owned(),
        ),
        (
            "https://example.com:{https}/.well-known/missing",
            &[],
            "404",
            String::new(),
        ),
        // What never leads to the mirror, and spotboot's own looks at the site.
        (
            "https://app.example.com:{https}/",
            &[],
            "200",
            "home".to_owned(),
        ),
        (
            "https://example.com:{https}/",
            &["--user-agent", "spotboot"],
            "200",
            "home".to_owned(),
        ),
        (
            "https://example.com:{https}/",
            &["--user-agent", "spotboot-mirror/0.1.0"],
            "200",
            "home".to_owned(),
        ),
    ];
    for (url, more, status, words) in cases {
        let more: Vec<&str> = ["--http1.1"].iter().chain(more).copied().collect();
        let answer = curl(&stand.config, url, &more).await;
        assert!(
            answer.starts_with(&format!("HTTP/1.1 {status}")) && answer.contains(&words),
            "{url} {more:?}: {answer}"
        );
    }
    std::fs::remove_file(stand.config.paths.redirecting()).unwrap();
    let page = curl(
        &stand.config,
        "https://example.com:{https}/",
        &["--http1.1"],
    )
    .await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    services.shutdown().await;
}

#[tokio::test]
async fn a_request_to_look_is_handed_on_and_answered_alike_whether_or_not_spotboot_is_there() {
    let (stand, services) = serving_files().await;
    let silent = |answer: &str| {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, "no end"));
        head.starts_with("HTTP/1.1 204") && body.is_empty()
    };
    let nobody = curl(&stand.config, LOOK, &POST).await;
    assert!(silent(&nobody), "{nobody}");
    // nginx stays when spotboot ends and comes back.
    for _ in 0..2 {
        let web = stand.config.account.as_ref();
        let bell = Doorbell::hang(&stand.config.paths.look_socket(), web).unwrap();
        let ask = async {
            let body = "x".repeat(100_000);
            let more = [&POST[..], &["--data-binary", &body]].concat();
            curl(&stand.config, LOOK, &more).await
        };
        let (answer, ()) = tokio::join!(ask, async { bell.ring().await.answer().await });
        assert!(silent(&answer), "{answer}");
        // By the address alone, as nobody knows the name there.
        let by_address = curl(
            &stand.config,
            "http://127.0.0.1:{http}/.well-known/spotboot/look",
            &POST,
        );
        let (answer, ()) = tokio::join!(by_address, async { bell.ring().await.answer().await });
        assert!(silent(&answer), "{answer}");
        // One that hears and does not answer keeps nobody for long.
        let begun = Instant::now();
        let (answer, _ring) = tokio::join!(curl(&stand.config, LOOK, &POST), bell.ring());
        assert!(silent(&answer), "{answer}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        drop(bell);
    }
    for method in ["GET", "PUT", "HEAD"] {
        let more: &[&str] = match method {
            "HEAD" => &["--http1.1", "--head"],
            method => &["--http1.1", "--request", method],
        };
        let answer = curl(&stand.config, LOOK, more).await;
        assert!(
            answer.starts_with("HTTP/1.1 405") && answer.contains("Allow: POST"),
            "{method}: {answer}"
        );
    }
    services.shutdown().await;
}

#[tokio::test]
async fn a_flood_of_requests_to_look_is_answered_alike_and_reaches_spotboot_in_part_only() {
    let (stand, services) = serving_files().await;
    let web = stand.config.account.as_ref();
    let bell = Doorbell::hang(&stand.config.paths.look_socket(), web).unwrap();
    let url = LOOK.replace("/look", "/look?[1-200]");
    let flood = curl(&stand.config, &url, &POST);
    let mut heard = 0;
    let hear = async {
        loop {
            bell.ring().await.answer().await;
            heard += 1;
        }
    };
    let answers = tokio::select! {
        answers = flood => answers,
        () = hear => unreachable!("a bell is heard for ever"),
    };
    assert_eq!(answers.matches("HTTP/1.1 204").count(), 200, "{answers}");
    assert!((1..100).contains(&heard), "{heard}");
    assert!(
        timeout(Duration::from_millis(10), bell.ring())
            .await
            .is_err()
    );
    services.shutdown().await;
}
