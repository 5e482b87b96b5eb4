//! S3's website endpoint as its visitors meet it.

use bytes::Bytes;
use http::Response;
use region::{Fault, Match, Options, RecordSet, Region, Service, Website};

use crate::client::{runtime, send};

const BUCKET: &str = "www.example.test";

/// A region whose website bucket anybody may read.
fn published() -> Region {
    let region = Region::start(Options {
        public_buckets: vec![BUCKET.to_owned()],
        websites: vec![Website::new(BUCKET)],
        ..Options::default()
    })
    .unwrap();
    for (key, body) in [
        ("index.html", "front"),
        ("about", "about"),
        ("about/index.html", "the folder"),
        ("news/index.html", "news"),
        ("404.html", "no such page"),
    ] {
        put(
            &region,
            key,
            body,
            &[("content-type", "text/html; charset=utf-8")],
        );
    }
    region
}

fn put(region: &Region, key: &str, body: &str, headers: &[(&str, &str)]) {
    let body = body.to_owned();
    region.s3().put_with(BUCKET, key, body, headers).unwrap();
}

fn ask(region: &Region, method: &str, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let mut request = http::Request::builder()
        .method(method)
        .uri(format!("{}{path}", region.endpoint(Service::Website)));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    runtime().block_on(send(request, "")).unwrap()
}

fn get(region: &Region, path: &str) -> (u16, String) {
    let answer = ask(region, "GET", path, &[("host", BUCKET)]);
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    (answer.status().as_u16(), text)
}

fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    answer
        .headers()
        .get(name)
        .map_or("", |value| value.to_str().unwrap())
}

#[test]
fn a_folder_is_answered_with_its_index_document_and_a_key_with_itself() {
    let region = published();
    assert_eq!(get(&region, "/"), (200, "front".to_owned()));
    assert_eq!(get(&region, "/about"), (200, "about".to_owned()));
    assert_eq!(get(&region, "/about/"), (200, "the folder".to_owned()));
    assert_eq!(
        get(&region, "/about/?page=2"),
        (200, "the folder".to_owned())
    );
    let folder = ask(&region, "GET", "/news", &[("host", BUCKET)]);
    assert_eq!(
        (folder.status().as_u16(), header(&folder, "location")),
        (302, "/news/")
    );
}

#[test]
fn the_host_names_the_bucket_by_the_endpoints_name_or_as_its_own() {
    let region = published();
    for host in [
        "www.example.test",
        "WWW.example.test:8080",
        "www.example.test.s3-website-ap-southeast-2.amazonaws.com",
        "www.example.test.s3-website.ap-southeast-2.amazonaws.com",
    ] {
        let answer = ask(&region, "GET", "/about", &[("host", host)]);
        assert_eq!(&answer.body()[..], b"about", "{host}");
    }
    let none = ask(&region, "GET", "/", &[("host", "other.example.test")]);
    assert_eq!(none.status(), 404);
    assert!(String::from_utf8_lossy(none.body()).contains("NoSuchBucket"));
    let unconfigured = ask(&region, "GET", "/", &[("host", "example-site")]);
    assert!(String::from_utf8_lossy(unconfigured.body()).contains("NoSuchWebsiteConfiguration"));
    let host = "s3-website-ap-southeast-2.amazonaws.com";
    assert_eq!(ask(&region, "GET", "/", &[("host", host)]).status(), 301);
}

#[test]
fn an_object_comes_with_the_headers_that_it_was_stored_with() {
    let region = published();
    let stored = [
        ("content-type", "text/css; charset=shift_jis"),
        ("content-encoding", "gzip"),
        ("content-disposition", "attachment; filename=\"a.css\""),
        ("cache-control", "public, max-age=31536000"),
    ];
    put(&region, "a b+c.css", "body", &stored);
    let full = ask(&region, "GET", "/a%20b+c.css", &[("host", BUCKET)]);
    for (name, value) in stored {
        assert_eq!(header(&full, name), value);
    }
    let head = ask(&region, "HEAD", "/a%20b+c.css", &[("host", BUCKET)]);
    assert_eq!(
        (head.status().as_u16(), header(&head, "content-length")),
        (200, "4")
    );
    assert_eq!(header(&head, "content-type"), stored[0].1);
    assert!(head.body().is_empty());
    put(&region, "untold", "x", &[]);
    let untold = ask(&region, "GET", "/untold", &[("host", BUCKET)]);
    assert_eq!(header(&untold, "content-type"), "binary/octet-stream");
}

#[test]
fn a_visitor_that_has_a_page_gets_304_and_a_range_is_a_part() {
    let region = published();
    let etag = header(&ask(&region, "GET", "/about", &[("host", BUCKET)]), "etag").to_owned();
    let again = ask(
        &region,
        "GET",
        "/about",
        &[("host", BUCKET), ("if-none-match", &etag)],
    );
    assert_eq!(again.status(), 304);
    let part = ask(
        &region,
        "GET",
        "/about",
        &[("host", BUCKET), ("range", "bytes=1-2")],
    );
    assert_eq!(
        (part.status().as_u16(), &part.body()[..]),
        (206, &b"bo"[..])
    );
}

#[test]
fn an_object_that_redirects_is_answered_with_301() {
    let region = published();
    let to = "/about/#team";
    put(
        &region,
        "old",
        "moved",
        &[("x-amz-website-redirect-location", to)],
    );
    for method in ["GET", "HEAD"] {
        let moved = ask(&region, method, "/old", &[("host", BUCKET)]);
        assert_eq!(
            (moved.status().as_u16(), header(&moved, "location")),
            (301, to)
        );
    }
    let unfit = region.s3().put_with(
        BUCKET,
        "bad",
        "x",
        &[("x-amz-website-redirect-location", "about")],
    );
    assert!(
        unfit
            .unwrap_err()
            .to_string()
            .contains("InvalidRedirectLocation")
    );
}

#[test]
fn what_is_missing_gets_the_error_document_with_404() {
    let region = published();
    assert_eq!(get(&region, "/nothing"), (404, "no such page".to_owned()));
    assert_eq!(get(&region, "/nothing/"), (404, "no such page".to_owned()));
    region.s3().delete(BUCKET, "404.html").unwrap();
    let (status, text) = get(&region, "/noth%3Cing");
    assert_eq!(status, 404);
    assert!(
        text.contains("NoSuchKey") && text.contains("noth&lt;ing"),
        "{text}"
    );
}

#[test]
fn nobody_reads_a_bucket_that_is_not_public() {
    let region = published();
    region.host_website(Website::new("private")).unwrap();
    region.s3().put("private", "index.html", "secret").unwrap();
    region.s3().put("private", "404.html", "secret").unwrap();
    for path in ["/", "/nothing"] {
        let refused = ask(&region, "GET", path, &[("host", "private")]);
        assert_eq!(refused.status(), 403);
        assert!(!String::from_utf8_lossy(refused.body()).contains("secret"));
    }
    region.publish_bucket("private");
    assert_eq!(
        ask(&region, "GET", "/", &[("host", "private")]).status(),
        200
    );
}

#[test]
fn nothing_but_get_and_head_is_allowed() {
    let region = published();
    for method in ["POST", "PUT", "DELETE"] {
        let refused = ask(&region, method, "/about", &[("host", BUCKET)]);
        assert_eq!(refused.status(), 405, "{method}");
    }
}

#[test]
fn requests_are_recorded_and_faults_strike() {
    let region = published();
    let fault = region.fault(
        Match::service(Service::Website).path("about"),
        Fault::Throttle,
    );
    assert_eq!(get(&region, "/about").0, 503);
    assert_eq!(get(&region, "/").0, 200);
    assert_eq!(region.hits(fault), 1);
    assert_eq!(region.count(Service::Website, "GetPage"), 2);
    assert_eq!(region.count(Service::S3, ""), 0);
}

#[test]
fn a_name_that_leads_to_the_endpoint_resolves_to_where_the_endpoint_listens() {
    let region = published();
    let cname = "www.example.test.s3-website-ap-southeast-2.amazonaws.com";
    let set = RecordSet::simple("static.example.test", "CNAME", 60, [cname]);
    region.route53().seed("Z0EXAMPLE", set).unwrap();
    let asked = crate::dns::addresses(&region, "static.example.test");
    let endpoint = region.endpoint(Service::Website);
    assert!(
        endpoint.starts_with(&format!("http://{}:", asked[0])),
        "{asked:?}"
    );
}
