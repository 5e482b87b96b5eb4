//! What the site's answers mean.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use super::*;

const CHUNKED: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\
                       \r\n3\r\nchu\r\n4\r\nnked\r\n0\r\n\r\n";

fn encoded(name: &str, body: &[u8]) -> Reply {
    let headers = [("Content-Type", "text/html"), ("Content-Encoding", name)];
    Reply::with("200 OK", &headers, body)
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(body).unwrap();
    packed.finish().unwrap()
}

fn deflate(body: &[u8]) -> Vec<u8> {
    let mut packed = DeflateEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(body).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn answers_of_every_make_are_kept_whole() {
    let links = &[
        "/gzip", "/plain", "/deflate", "/old", "/chunked", "/bare", "/more",
    ];
    let site = site(links, |asked| {
        Some(match asked.path.as_str() {
            "/gzip" => encoded("gzip", &gzip(b"<a href=\"/linked\">packed</a>")),
            "/plain" => encoded("gzip", b"no gzip at all"),
            "/deflate" => encoded("deflate", &deflate(b"deflated")),
            "/old" => Reply::raw("HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\nold").closing(),
            "/chunked" => Reply::raw(CHUNKED),
            "/bare" => Reply::raw("HTTP/1.1 200 OK\r\n\r\n<p>no type, no length").closing(),
            "/more" => {
                Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nmore than said").closing()
            }
            "/linked" => Reply::html("linked"),
            _ => return None,
        })
    })
    .await;
    let crawl = Crawl::of(&site);
    let index = crawl.run().await;
    for (address, body) in [
        ("/gzip", "<a href=\"/linked\">packed</a>"),
        ("/plain", "no gzip at all"),
        ("/deflate", "deflated"),
        ("/old", "old"),
        ("/chunked", "chunked"),
        ("/bare", "<p>no type, no length"),
        ("/more", "more"),
        ("/linked", "linked"),
    ] {
        assert_eq!(crawl.body(entry(&index, address)), body, "{address}");
        assert_eq!(site.count(address), 1, "{address}");
    }
    assert_eq!(entry(&index, "/bare").content_type, "");
}

#[tokio::test]
async fn bytes_and_headers_of_a_download_are_kept() {
    let headers = [
        ("Content-Type", "application/zip"),
        ("Cache-Control", "max-age=60"),
        ("Content-Disposition", "attachment; filename=\"a.zip\""),
        ("ETag", "\"1\""),
        ("Last-Modified", "Mon, 30 Nov 2026 12:00:00 GMT"),
    ];
    let bytes = [0, 159, 146, 150].repeat(200_000);
    let sent = bytes.clone();
    let site = site(&["/a.zip"], move |asked| {
        (asked.path == "/a.zip").then(|| Reply::with("200 OK", &headers, &sent))
    })
    .await;
    let crawl = Crawl::of(&site);
    let index = crawl.run().await;
    let download = entry(&index, "/a.zip");
    assert_eq!(crawl.spool.read(download.body().unwrap()).unwrap(), bytes);
    assert_eq!(download.content_type, "application/zip");
    assert_eq!(
        download.content_disposition.as_deref(),
        Some("attachment; filename=\"a.zip\"")
    );
    assert_eq!(download.cache_control.as_deref(), Some("max-age=60"));
}

#[tokio::test]
async fn a_login_is_dynamic_and_never_saved_as_the_page() {
    let links = &["/members/", "/account", "/club", "/en", "/secret", "/moved"];
    let site = site(links, |asked| {
        let form = "<form method=post><input type=\"password\" name=\"word\"></form>";
        Some(match asked.path.as_str() {
            "/members/" => Reply::redirect("302 Found", "/accounts/login/?next=/members/"),
            "/account" => Reply::redirect("303 See Other", "/gate?return_to=%2Faccount"),
            "/club" => Reply::redirect("302 Found", "/door"),
            "/en" => Reply::redirect("302 Found", "/en/"),
            "/door" | "/en/" => Reply::html(form),
            "/moved" => Reply::redirect("301 Moved Permanently", "/door"),
            "/secret" => Reply::with("403 Forbidden", &[], "no"),
            _ => return None,
        })
    })
    .await;
    let index = Crawl::of(&site).run().await;
    for address in ["/members/", "/account", "/club", "/secret"] {
        assert!(
            matches!(answer(&index, address), Answer::Dynamic { .. }),
            "{address}"
        );
    }
    for address in ["/en", "/moved"] {
        assert!(
            matches!(answer(&index, address), Answer::Redirect { .. }),
            "{address}"
        );
    }
    assert!(is_body(&index, "/door"));
    assert!(
        !site
            .paths()
            .iter()
            .any(|path| path.contains("login") || path.contains("gate"))
    );
}

#[tokio::test]
async fn redirects_are_kept_with_their_fragment_and_loops_end() {
    let site = site(&["/old", "/round", "/self", "/nowhere"], |asked| {
        Some(match asked.path.as_str() {
            "/old" => Reply::redirect("301 Moved Permanently", "new#part"),
            "/new" => Reply::html("new"),
            "/round" => Reply::redirect("302 Found", "/about"),
            "/about" => Reply::redirect("302 Found", "/round"),
            "/self" => Reply::redirect("302 Found", "/self"),
            "/nowhere" => Reply::with("302 Found", &[], ""),
            _ => return None,
        })
    })
    .await;
    let index = Crawl::of(&site).run().await;
    let to = site.origin().join("/new#part").unwrap().to_string();
    assert_eq!(*answer(&index, "/old"), Answer::Redirect { to });
    assert!(is_body(&index, "/new"));
    assert!(matches!(answer(&index, "/about"), Answer::Redirect { .. }));
    assert!(matches!(answer(&index, "/self"), Answer::Failed { .. }));
    assert!(matches!(answer(&index, "/nowhere"), Answer::Failed { .. }));
    assert_eq!((site.count("/round"), site.count("/about")), (1, 1));
    assert!(site.count("/self") <= 4);
}

#[tokio::test]
async fn errors_are_no_pages() {
    let site = site(&["/gone", "/missing", "/teapot", "/posted"], |asked| {
        Some(match asked.path.as_str() {
            "/gone" => Reply::with("410 Gone", &[], "gone"),
            "/teapot" => Reply::with("418 I'm a teapot", &[], "tea"),
            "/posted" => Reply::with("405 Method Not Allowed", &[], "post"),
            _ => return None,
        })
    })
    .await;
    let index = Crawl::of(&site).run().await;
    assert_eq!(*answer(&index, "/gone"), Answer::Missing);
    assert_eq!(*answer(&index, "/missing"), Answer::Missing);
    assert!(matches!(
        answer(&index, "/teapot"),
        Answer::Failed { former: None, .. }
    ));
    assert!(matches!(answer(&index, "/posted"), Answer::Dynamic { .. }));
    assert_eq!(site.count("/teapot"), 1);
}

#[tokio::test]
async fn the_page_for_missing_paths_is_kept_with_its_images() {
    let told = |index: &Index| {
        index
            .findings
            .iter()
            .any(|finding| matches!(finding, Finding::NoErrorStatus { .. }))
    };
    let site = site(&["/a"], |asked| {
        (asked.path == "/img/lost.png").then(|| Reply::html("image"))
    })
    .await;
    let crawl = Crawl::of(&site);
    let index = crawl.run().await;
    let missing = index.missing_page.as_ref().unwrap();
    assert_eq!(missing.status, 404);
    assert!(crawl.body(missing).contains("<title>none"));
    assert!(is_body(&index, "/img/lost.png"));
    assert!(!told(&index));
    let soft = Site::start(|asked| match asked.path.as_str() {
        path if path.starts_with("/spotboot") => Reply::redirect("302 Found", "/soft"),
        _ => Reply::html("all is well"),
    })
    .await;
    let crawl = Crawl::of(&soft);
    let index = crawl.run().await;
    assert_eq!(
        crawl.body(index.missing_page.as_ref().unwrap()),
        "all is well"
    );
    assert!(told(&index));
    assert!(
        !index
            .entries
            .keys()
            .any(|address| address.path().starts_with("/spotboot"))
    );
}

#[tokio::test]
async fn a_site_that_sends_its_visitors_to_another_own_name_is_asked_there() {
    let other = Site::start(|asked| match asked.path.as_str() {
        "/" => Reply::links(["/a", "/b"]),
        "/a" | "/b" => Reply::html("there"),
        _ => Reply::missing(),
    })
    .await;
    let there = other.origin();
    let site = Site::start(move |asked| {
        let to = there.join(&asked.path).unwrap();
        Reply::redirect("301 Moved Permanently", to.as_str())
    })
    .await;
    let crawl = Crawl::with_names(&site, &[&other.address.to_string()]);
    let index = crawl.run().await;
    assert_eq!(crawl.body(entry(&index, "/a")), "there");
    assert!(site.asked().len() <= 2, "{:?}", site.asked());
}

#[tokio::test]
async fn a_front_page_of_another_site_is_told() {
    let site = Site::start(|_| Reply::redirect("302 Found", "https://www.example.com/")).await;
    let index = Crawl::of(&site).run().await;
    let told = index.findings.iter().any(|finding| {
        matches!(finding, Finding::Failed { why, .. } if why.contains("www.example.com is not one"))
    });
    assert!(told, "{:?}", index.findings);
}

#[tokio::test]
async fn a_page_that_is_not_of_its_charset_is_told() {
    let site = site(&["/a"], |asked| {
        (asked.path == "/a").then(|| Reply::html(b"caf\xe9"))
    })
    .await;
    let index = Crawl::of(&site).run().await;
    let told = index.findings.iter().any(
        |finding| matches!(finding, Finding::Charset { address, .. } if address.as_str() == "/a"),
    );
    assert!(told, "{:?}", index.findings);
}
