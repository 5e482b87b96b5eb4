//! An app that is down: the mirror's copy on the disk answers what everybody may see.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixListener;

use super::live::{curl, proven};
use super::*;

/// nginx before an app that nobody has started.
async fn down() -> (Stand, Services) {
    let mut stand = stand(|dir| Upstream::Unix(dir.join("app.sock")));
    copied(&mut stand);
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    (stand, services)
}

async fn get(stand: &Stand, path: &str, more: &[&str]) -> String {
    curl(
        &stand.config,
        &format!("https://example.com:{{https}}{path}"),
        more,
    )
    .await
}

fn status(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or_default()
}

/// What a header says, as curl shows headers of HTTP/2.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[tokio::test]
async fn a_page_of_the_mirror_is_shown_with_its_type_and_its_age_while_the_app_is_down() {
    let (stand, services) = down().await;
    let html = Some("text/html; charset=utf-8");
    for (path, content, kind) in [
        ("/", "the front page", html),
        ("/caf%C3%A9", "the caf\u{e9}", html),
        ("/caf%c3%a9?fbclid=x/y&utm_source=z", "the caf\u{e9}", html),
        ("/news/?page=2&tag=a", "page 2", html),
        ("/news/?tag=a&page=2&gclid=1", "page 2", html),
        ("/news/_page-2-tag-a_0123456789.html", "page 2", html),
        (
            "/photo_1_1714521600.jpg",
            "a former photo",
            Some("image/jpeg"),
        ),
        ("/style.css", "color: teal", Some("text/css")),
        ("/file", "color: teal", Some("application/pdf")),
    ] {
        let answer = get(&stand, path, &[]).await;
        assert_eq!(
            (status(&answer), header(&answer, "content-type")),
            ("200", kind),
            "{path}: {answer:.600}"
        );
        assert!(answer.contains(content), "{path}: {answer:.600}");
        assert_eq!(
            header(&answer, "x-spotboot-mirror"),
            Some("2026-11-30T15:00:00Z"),
            "{path}"
        );
        for by_which_it_would_be_kept in ["etag", "last-modified"] {
            assert_eq!(header(&answer, by_which_it_would_be_kept), None, "{path}");
        }
        let head = get(&stand, path, &["--head"]).await;
        assert_eq!(status(&head), "200", "{path}: {head}");
    }
    let style = get(&stand, "/style.css", &["--http1.1"])
        .await
        .to_ascii_lowercase();
    assert!(
        style.contains("cache-control: max-age=600, x=$a"),
        "{style:.600}"
    );
    let file = get(&stand, "/file", &[]).await;
    assert_eq!(
        header(&file, "content-disposition"),
        Some("attachment; filename=\"a $b.pdf\"")
    );
    let packed = get(&stand, "/", &["--compressed"]).await;
    assert_eq!(header(&packed, "content-encoding"), Some("gzip"));
    let moved = get(&stand, "/old", &[]).await;
    assert_eq!(
        (status(&moved), header(&moved, "location")),
        ("302", Some("/caf%C3%A9?a=$host"))
    );
    services.shutdown().await;
}

#[tokio::test]
async fn what_the_mirror_lacks_and_what_is_not_for_everybody_is_asked_again_later() {
    let (stand, services) = down().await;
    let hostile = format!("/{}", "x".repeat(300));
    let asked: &[(&str, &[&str])] = &[
        ("/unknown", &[]),
        ("/news/", &[]),
        ("/news/?page=3", &[]),
        ("/?x=/../../../../etc/passwd", &[]),
        ("/=d.t0", &[]),
        ("/=missing.t0", &[]),
        ("/news/_page-2-tag-a_0123456789.html=f.key.t0", &[]),
        ("/news/_page-2-tag-a_0123456789.html?page=3", &[]),
        (&hostile, &[]),
        ("/", &["--data", "a=b"]),
        ("/", &["--request", "DELETE"]),
        ("/", &["--header", "Cookie: a=b; sessionid=1"]),
        ("/", &["--header", "Cookie: s.$id="]),
        ("/", &["--header", "Authorization: Basic eDp5"]),
        ("/gone", &["--header", "Cookie: sessionid=1"]),
        (
            "/",
            &[
                "--header",
                "Accept: text/event-stream",
                "--header",
                "Cookie: sessionid=1",
            ],
        ),
    ];
    for (path, more) in asked {
        let answer = get(&stand, path, more).await;
        let told = (
            status(&answer),
            header(&answer, "retry-after"),
            header(&answer, "cache-control"),
        );
        assert_eq!(
            told,
            ("503", Some("30"), Some("no-store")),
            "{path} {more:?}: {answer:.600}"
        );
        assert_eq!(
            header(&answer, "x-spotboot-mirror"),
            None,
            "{path} {more:?}"
        );
    }
    for cookie in [
        "Cookie: asessionid=1",
        "Cookie: sessionids=1",
        "Cookie: s1$id=2",
    ] {
        let answer = get(&stand, "/", &["--header", cookie]).await;
        assert_eq!(status(&answer), "200", "{cookie}: {answer:.600}");
    }
    services.shutdown().await;
}

#[tokio::test]
async fn what_the_site_does_not_have_stays_missing_with_the_sites_own_page() {
    let (stand, services) = down().await;
    let gone = get(&stand, "/gone", &[]).await;
    services.shutdown().await;
    assert_eq!(status(&gone), "404", "{gone:.600}");
    assert!(gone.contains("there is no such page"), "{gone:.600}");
    assert_eq!(
        header(&gone, "content-type"),
        Some("text/html; charset=utf-8")
    );
    assert_eq!(
        header(&gone, "x-spotboot-mirror"),
        Some("2026-11-30T15:00:00Z")
    );
}

/// An app that says "app" with the status that is the path, and breaks off at `/style.css`.
async fn app(listener: UnixListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut request = vec![0; 16 * 1024];
        let count = stream.read(&mut request).await.unwrap_or_default();
        let request = String::from_utf8_lossy(&request[..count]).into_owned();
        let path = request.split(' ').nth(1).unwrap_or_default();
        let status = path.trim_start_matches('/');
        let status = if status.starts_with('5') {
            status
        } else {
            "200"
        };
        // What an app says of the copy is not believed.
        let answer = format!(
            "HTTP/1.1 {status} X\r\nx-spotboot-mirror: no\r\nconnection: close\r\ncontent-length: 3\r\n\r\napp"
        );
        // What breaks off before it says anything has not answered.
        if path != "/style.css" {
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    }
}

/// The app is up from now on.
fn mend(stand: &Stand) {
    let Upstream::Unix(socket) = &stand.config.upstream else {
        unreachable!()
    };
    tokio::spawn(app(UnixListener::bind(socket).unwrap()));
}

#[tokio::test]
async fn an_app_that_answers_is_asked_and_its_own_errors_are_its_own() {
    let (stand, services) = down().await;
    assert!(
        proven(&stand).await.unwrap_err().contains("503"),
        "the health path is in no mirror"
    );
    mend(&stand);
    for (path, expected) in [
        ("/", "200"),
        ("/500", "500"),
        ("/502", "502"),
        ("/503", "503"),
        ("/504", "504"),
        ("/gone", "200"),
    ] {
        let answer = get(&stand, path, &[]).await;
        assert_eq!(status(&answer), expected, "{path}: {answer}");
        assert!(answer.ends_with("app"), "{path}: {answer}");
        assert_eq!(header(&answer, "x-spotboot-mirror"), None, "{path}");
    }
    let broken = get(&stand, "/style.css", &[]).await;
    assert!(
        status(&broken) == "200" && broken.contains("teal"),
        "{broken:.600}"
    );
    proven(&stand).await.unwrap();
    services.shutdown().await;
}

#[tokio::test]
async fn what_only_the_mirror_has_is_answered_while_the_app_is_up_and_nothing_else() {
    let (stand, services) = down().await;
    mend(&stand);
    let only_there = get(&stand, "/news/_page-2-tag-a_0123456789.html", &[]).await;
    assert!(
        only_there.contains("page 2"),
        "a page of the mirror may still stand open: {only_there:.600}"
    );
    assert_eq!(
        (
            header(&only_there, "content-type"),
            header(&only_there, "content-disposition"),
            header(&only_there, "x-spotboot-mirror"),
        ),
        (
            Some("text/html; charset=utf-8"),
            Some("inline; filename=second"),
            Some("2026-11-30T15:00:00Z"),
        ),
        "{only_there:.600}"
    );
    for own in ["/x_y_0123456789abcdef.html", "/photo_1_1714521600.jpg"] {
        let answer = get(&stand, own, &[]).await;
        assert!(
            answer.ends_with("app"),
            "such a name may be the app's own, in the mirror or not: {answer:.600}"
        );
        assert_eq!(header(&answer, "x-spotboot-mirror"), None, "{own}");
    }
    let known = get(
        &stand,
        "/news/_page-2-tag-a_0123456789.html",
        &["--header", "Cookie: sessionid=1"],
    )
    .await;
    assert!(known.ends_with("app"), "{known}");
    services.shutdown().await;
}

#[tokio::test]
async fn the_copy_is_no_proof_of_the_app() {
    let mut stand = stand(|dir| Upstream::Unix(dir.join("app.sock")));
    copied(&mut stand);
    stand.config.health_path = "/".into();
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    let seen = proven(&stand).await.unwrap_err();
    let ping = get(&stand, "/ping", &[]).await;
    services.shutdown().await;
    assert!(seen.contains("the app does not answer /:"), "{seen}");
    assert_eq!(status(&ping), "503", "{ping}");
}

#[tokio::test]
async fn a_copy_that_nginx_cannot_be_told_of_keeps_nothing_from_being_served() {
    let mut stand = stand(|dir| Upstream::Unix(dir.join("app.sock")));
    copied(&mut stand);
    let copy = stand.config.copy.as_mut().unwrap();
    copy.current = "/tmp/$host".into();
    let services = foreground(&stand.config).await;
    start(&stand.config, &services).await.unwrap();
    let about = get(&stand, "/.well-known/spotboot", &[]).await;
    let down = get(&stand, "/", &[]).await;
    services.shutdown().await;
    assert_eq!(
        (status(&about), status(&down)),
        ("200", "502"),
        "{about}{down}"
    );
}

#[tokio::test]
async fn another_copy_with_the_same_tables_is_shown_without_a_reload() {
    let (stand, services) = down().await;
    let copies = LinkedCopies::new(stand.config.paths.state.join("copied"));
    // The second of them is of the same time as the first.
    for content in ["made anew", "changed since"] {
        std::fs::write(copies.part(content).unwrap(), content).unwrap();
        copies.keep(content).unwrap();
        let files = [("=d.t0".to_owned(), Some(content.to_owned()))].into();
        copies.replace("2026-11-30T16:00:00Z", &files, "").unwrap();
        let answer = get(&stand, "/", &[]).await;
        assert!(answer.ends_with(content), "{answer}");
        assert_eq!(
            header(&answer, "x-spotboot-mirror"),
            Some("2026-11-30T16:00:00Z")
        );
    }
    services.shutdown().await;
}
