//! Answers that fail, and what is tried again.

use std::time::Instant;

use super::*;

const SHORT: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 100\r\n\r\nonly a part";
const CUT: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5\r\nonly \r\n";

/// An error for the first requests, and then a page.
fn at_last(asked: &site::Asked, failures: usize, failure: Reply) -> Option<Reply> {
    Some(if asked.before < failures {
        failure
    } else {
        Reply::html("at last")
    })
}

#[tokio::test]
async fn what_fails_once_or_twice_is_asked_again_and_kept_whole() {
    let links = &[
        "/busy", "/many", "/error", "/reset", "/short", "/cut", "/packed",
    ];
    let site = site(links, |asked| {
        let wait = [("Retry-After", "0")];
        let packed = [("Content-Encoding", "br")];
        match asked.path.as_str() {
            "/busy" => at_last(
                asked,
                2,
                Reply::with("503 Service Unavailable", &wait, "busy"),
            ),
            "/many" => at_last(
                asked,
                1,
                Reply::with("429 Too Many Requests", &wait, "many"),
            ),
            "/error" => at_last(
                asked,
                1,
                Reply::with("500 Internal Server Error", &[], "error"),
            ),
            "/reset" => at_last(
                asked,
                1,
                Reply::raw("HTTP/1.1 200 OK\r\nContent-Le").resetting(),
            ),
            "/short" => at_last(asked, 1, Reply::raw(SHORT).closing()),
            "/cut" => at_last(asked, 1, Reply::raw(CUT).closing()),
            "/packed" => at_last(asked, 1, Reply::with("200 OK", &packed, "\u{0}torn")),
            _ => None,
        }
    })
    .await;
    let crawl = Crawl::of(&site);
    let index = crawl.run().await;
    for address in *links {
        assert_eq!(crawl.body(entry(&index, address)), "at last", "{address}");
    }
    assert_eq!((site.count("/busy"), site.count("/many")), (3, 2));
    assert_eq!((site.count("/short"), site.count("/cut")), (2, 2));
}

#[tokio::test]
async fn a_busy_site_is_left_alone_for_as_long_as_it_asks() {
    let site = site(&["/busy"], |asked| {
        let busy = Reply::with("503 Service Unavailable", &[("Retry-After", "2")], "busy");
        (asked.path == "/busy").then(|| at_last(asked, 1, busy))?
    })
    .await;
    let began = Instant::now();
    let index = Crawl::of(&site).run().await;
    assert!(is_body(&index, "/busy"));
    assert!(
        began.elapsed() >= Duration::from_secs(2),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test]
async fn what_fails_three_times_keeps_its_former_copy_or_has_none() {
    let site = site(&["/page", "/new", "/short"], |asked| {
        let wait = [("Retry-After", "0")];
        let error = Reply::with("500 Internal Server Error", &wait, "<h1>Traceback</h1>");
        Some(match asked.path.as_str() {
            "/page" if asked.before > 0 => error,
            "/page" => Reply::html("good <img src=\"/shown.png\">"),
            "/shown.png" => Reply::html("image"),
            "/new" => error,
            "/short" => Reply::raw(SHORT).closing(),
            _ => return None,
        })
    })
    .await;
    let crawl = Crawl::of(&site);
    let index = crawl.run().await;
    assert!(matches!(
        answer(&index, "/new"),
        Answer::Failed { former: None, .. }
    ));
    assert!(matches!(
        answer(&index, "/short"),
        Answer::Failed { former: None, .. }
    ));
    assert_eq!((site.count("/new"), site.count("/short")), (3, 3));
    let index = crawl.run_after(Some(index)).await;
    let page = entry(&index, "/page");
    assert!(
        matches!(
            page.answer,
            Answer::Failed {
                former: Some(_),
                ..
            }
        ),
        "{page:?}"
    );
    assert_eq!(crawl.body(page), "good <img src=\"/shown.png\">");
    assert_eq!(
        (page.status, page.content_type.as_str()),
        (500, "text/html; charset=utf-8")
    );
    assert!(is_body(&index, "/shown.png"));
    assert_eq!(site.count("/page"), 4);
    let index = crawl.run_after(Some(index)).await;
    assert!(entry(&index, "/page").body().is_some());
    let told = index.findings.iter().any(|finding| {
        matches!(finding, Finding::Failed { address, why }
            if address.as_str() == "/page" && why.contains("500"))
    });
    assert!(told, "{:?}", index.findings);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_given_up() {
    let site = site(&["/slow", "/a"], |asked| match asked.path.as_str() {
        "/slow" => Some(Reply::html("late").after(Duration::from_secs(60))),
        _ => page(asked),
    })
    .await;
    let mut crawl = Crawl::of(&site);
    crawl.settings.manners.answer_within = Duration::from_secs(2);
    let index = crawl.run().await;
    assert!(is_body(&index, "/a"));
    let why = answer(&index, "/slow");
    assert!(
        matches!(why, Answer::Failed { why, .. } if why.contains("longer than 2s")),
        "{why:?}"
    );
}

#[tokio::test]
async fn one_connection_that_the_site_closed_meanwhile_is_no_failure() {
    let site = site(&["/a", "/b", "/c"], |asked| {
        page(asked).map(|reply| reply.closing().after(Duration::from_millis(5)))
    })
    .await;
    let mut crawl = Crawl::of(&site);
    crawl.settings.manners.at_once = 1;
    let index = crawl.run().await;
    assert!(
        ["/a", "/b", "/c"]
            .iter()
            .all(|address| is_body(&index, address))
    );
    assert!(
        !index
            .findings
            .iter()
            .any(|finding| matches!(finding, Finding::Failed { .. }))
    );
}
