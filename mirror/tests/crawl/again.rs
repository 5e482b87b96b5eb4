//! The second crawl, with the first in mind.

use super::*;

/// Answers 304 where the copy has this tag, or else a page with it.
fn tagged(asked: &site::Asked, tag: &str, body: &str) -> Reply {
    if asked.header("if-none-match") == tag {
        return Reply::with("304 Not Modified", &[("ETag", tag)], "");
    }
    let headers = [
        ("Content-Type", "text/html"),
        ("ETag", tag),
        ("Last-Modified", "Mon, 30 Nov 2026 12:00:00 GMT"),
    ];
    Reply::with("200 OK", &headers, body)
}

#[tokio::test]
async fn nothing_changed_is_asked_once_each_and_answered_304() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/" => tagged(asked, "\"front\"", "<a href=\"/a\">x</a>"),
        "/a" => tagged(asked, "\"a\"", "<a href=\"/b\">x</a>"),
        "/b" => tagged(asked, "\"b\"", "the end"),
        _ => Reply::missing(),
    })
    .await;
    let crawl = Crawl::of(&site);
    let first = crawl.run().await;
    let asked_first = site.asked().len();
    site.forget();
    let stored = Index::load(&crawl.spool.index()).unwrap();
    assert_eq!(stored, Some(first.clone()));
    let second = crawl.run_after(stored).await;
    assert_eq!(site.asked().len(), asked_first);
    // The front page is asked for anew each time, for its cookies.
    assert_eq!(
        (second.requests.conditional, second.requests.not_modified),
        (2, 2)
    );
    assert_eq!(second.entries, first.entries);
    let asked = site.asked();
    let sent = |path: &str| {
        let asked = asked.iter().find(|asked| asked.path == path).unwrap();
        asked.header("if-modified-since").to_string()
    };
    assert_eq!(sent("/"), "");
    assert_eq!(sent("/a"), "Mon, 30 Nov 2026 12:00:00 GMT");
}

#[tokio::test]
async fn what_changed_is_fetched_anew_and_what_nobody_links_to_falls_out() {
    use std::sync::atomic::{AtomicBool, Ordering};
    static CHANGED: AtomicBool = AtomicBool::new(false);
    let site = Site::start(
        |asked| match (asked.path.as_str(), CHANGED.load(Ordering::SeqCst)) {
            ("/", _) => tagged(asked, "\"front\"", "<a href=\"/a\">x</a>"),
            ("/a", false) => tagged(asked, "\"a1\"", "<a href=\"/gone\">x</a>"),
            ("/a", true) => tagged(asked, "\"a2\"", "<a href=\"/new\">x</a>"),
            ("/gone" | "/new", _) => tagged(asked, "\"page\"", "a page"),
            _ => Reply::missing(),
        },
    )
    .await;
    let crawl = Crawl::of(&site);
    let first = crawl.run().await;
    let old = entry(&first, "/a").body().unwrap().clone();
    CHANGED.store(true, Ordering::SeqCst);
    let second = crawl.run_after(Some(first)).await;
    assert_eq!(crawl.body(entry(&second, "/a")), "<a href=\"/new\">x</a>");
    assert_eq!(entry(&second, "/a").etag.as_deref(), Some("\"a2\""));
    assert!(is_body(&second, "/new"));
    assert!(!second.entries.contains_key(&Address::new("/gone")));
    assert!(!crawl.spool.has(&old), "a body that no entry has is swept");
}

#[tokio::test]
async fn a_body_that_the_spool_lost_is_asked_for_without_conditions() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/" => tagged(asked, "\"front\"", "front"),
        _ => Reply::missing(),
    })
    .await;
    let crawl = Crawl::of(&site);
    let first = crawl.run().await;
    std::fs::remove_file(crawl.spool.path(entry(&first, "/").body().unwrap())).unwrap();
    let second = crawl.run_after(Some(first)).await;
    assert_eq!(crawl.body(entry(&second, "/")), "front");
    assert_eq!(second.requests.conditional, 0);
}

#[tokio::test]
async fn a_304_that_nobody_asked_for_is_no_page() {
    let site = site(&["/a"], |asked| {
        (asked.path == "/a").then(|| Reply::with("304 Not Modified", &[], ""))
    })
    .await;
    let index = Crawl::of(&site).run().await;
    assert!(matches!(answer(&index, "/a"), Answer::Failed { .. }));
}
