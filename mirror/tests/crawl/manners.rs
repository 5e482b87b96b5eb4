//! What is asked, how, and what never.

use std::collections::BTreeSet;
use std::time::Instant;

use super::*;

#[tokio::test]
async fn each_own_name_and_spelling_leads_to_one_request() {
    let site = Site::start(|asked| {
        let host = asked.header("host");
        match asked.path.as_str() {
            "/" => Reply::links([
                "/a".to_string(),
                format!("https://{host}/a"),
                format!("//{host}/a#x"),
                "http://WWW.Example.com/a".into(),
                "https://www.example.com./a?".into(),
                "/a?utm_source=x".into(),
                "/a?sid=1".into(),
                "/a;jsessionid=1".into(),
                "/caf%c3%a9".into(),
                "/café".into(),
                "/x?b=1&a=2".into(),
                "/x?a=2&b=1".into(),
                "/A".into(),
                "/a/".into(),
                "/a//b".into(),
            ]),
            _ => page(asked).unwrap_or_else(Reply::missing),
        }
    })
    .await;
    let index = Crawl::with_names(&site, &["www.example.com"]).run().await;
    let expected = ["/", "/A", "/a", "/a/", "/a//b", "/caf%C3%A9", "/x?b=1&a=2"];
    assert_eq!(site.paths(), expected);
    assert_eq!(index.requests.sent as usize, site.asked().len());
    let folds = index.findings.iter().filter_map(|finding| match finding {
        Finding::Folded { folded, count, .. } => Some((folded.dropped.join(","), *count)),
        _ => None,
    });
    let told: BTreeSet<(String, u64)> = folds.collect();
    let expected = ["", "jsessionid", "sid", "utm_source"].map(|name| (name.to_string(), 1));
    assert_eq!(told, BTreeSet::from(expected));
}

#[tokio::test]
async fn the_order_of_parameters_is_asked_as_a_page_writes_it() {
    let site = site(&["/x?z=1&a=2"], |asked| {
        (asked.path == "/x?z=1&a=2").then(|| Reply::html("right"))
    })
    .await;
    let crawl = Crawl::of(&site);
    let index = crawl.run().await;
    assert_eq!(crawl.body(entry(&index, "/x?a=2&z=1")), "right");
    let again = crawl.run_after(Some(index)).await;
    assert!(is_body(&again, "/x?a=2&z=1"));
}

#[tokio::test]
async fn every_request_is_a_get_that_says_who_asks() {
    let site = site(&["/a", "/b"], page).await;
    Crawl::of(&site).run().await;
    for asked in site.asked() {
        assert_eq!(asked.method, "GET");
        assert_eq!(asked.header("host"), site.address.to_string());
        assert!(asked.header("user-agent").starts_with("spotboot-mirror/"));
    }
}

#[tokio::test]
async fn other_sites_are_never_asked() {
    let other = Site::start(|_| Reply::html("off")).await;
    let away = other.origin();
    let site = Site::start(move |asked| match asked.path.as_str() {
        "/" => Reply::html(format!(
            "<a href=\"{away}a\">x</a><img src=\"{away}b.png\"><a href=\"/away\">x</a>"
        )),
        "/away" => Reply::redirect("302 Found", &format!("{away}c#d")),
        _ => Reply::missing(),
    })
    .await;
    let index = Crawl::of(&site).run().await;
    assert_eq!(other.asked().len(), 0);
    let to = format!("{}c#d", other.origin());
    assert_eq!(*answer(&index, "/away"), Answer::Redirect { to });
}

#[tokio::test]
async fn what_changes_the_site_is_never_asked_and_told() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/" => Reply::html(
            "<a href=\"/logout\">x</a><a href=\"/posts/1/delete\">x</a><a href=\"/?logout\">x</a>\
             <a href=\"/basket/add/1\">x</a><a href=\"/vote\" data-method=\"post\">x</a>\
             <a href=\"/list?sort=up\" rel=\"nofollow\">x</a><a href=\"/bye\">x</a>\
             <a href=\"/terms\" rel=\"nofollow\">x</a>\
             <form action=\"/search\"><input name=q></form>\
             <form action=\"/send\" method=post><input name=q></form>",
        ),
        "/bye" => Reply::redirect("302 Found", "/logout"),
        _ => page(asked).unwrap_or_else(Reply::missing),
    })
    .await;
    let mut crawl = Crawl::of(&site);
    crawl.settings.manners.never = vec!["/basket/add".into()];
    let index = crawl.run().await;
    assert_eq!(site.paths(), ["/", "/bye", "/terms"]);
    assert_eq!(left_out(&index, Rule::Never), 4);
    assert_eq!(left_out(&index, Rule::Acts), 1);
    assert_eq!(left_out(&index, Rule::Nofollow), 1);
    assert_eq!(*answer(&index, "/logout"), Answer::Left(Rule::Never));
    assert!(matches!(answer(&index, "/bye"), Answer::Redirect { to } if to.ends_with("/logout")));
}

fn with_robots(asked: &site::Asked) -> Option<Reply> {
    match asked.path.as_str() {
        "/robots.txt" => {
            let rules = "User-agent: *\nDisallow: /private\nAllow: /private/open\n";
            Some(Reply::with(
                "200 OK",
                &[("Content-Type", "text/plain")],
                rules,
            ))
        }
        "/a" => Some(Reply::html(
            "<img src=\"/private/a.png\"><a href=\"/private/open\">x</a>",
        )),
        _ => page(asked),
    }
}

#[tokio::test]
async fn what_robots_disallow_is_left_out_unless_a_person_says_otherwise() {
    let site = site(&["/a", "/private/page"], with_robots).await;
    let mut crawl = Crawl::of(&site);
    let index = crawl.run().await;
    assert_eq!(site.paths(), ["/", "/a", "/private/open"]);
    assert_eq!(left_out(&index, Rule::Robots), 2);
    site.forget();
    crawl.settings.manners.obey_robots = false;
    crawl.run().await;
    assert_eq!(site.paths().len(), 5);
}

#[tokio::test]
async fn robots_that_cannot_be_had_are_an_error() {
    let site = site(&["/a"], |asked| {
        let error = Reply::with("503 Service Unavailable", &[("Retry-After", "0")], "");
        (asked.path == "/robots.txt").then_some(error)
    })
    .await;
    let crawl = Crawl::of(&site);
    let error = crawl::run(&crawl.settings, &crawl.spool, None)
        .await
        .unwrap_err();
    assert!(
        format!("{error:#}").contains("robots.txt: the site answers 503"),
        "{error:#}"
    );
    assert_eq!(site.asked().len(), 3);
}

#[tokio::test]
async fn cookies_are_kept_for_the_crawl() {
    let site = site(&["/b"], |asked| {
        let known = asked.header("cookie").contains("seen=1");
        let cookie = [("Location", "/b"), ("Set-Cookie", "seen=1; Path=/")];
        match asked.path.as_str() {
            "/b" if known => Some(Reply::html("seen")),
            "/b" => Some(Reply::with("302 Found", &cookie, "")),
            _ => None,
        }
    })
    .await;
    let crawl = Crawl::of(&site);
    let index = crawl.run().await;
    assert_eq!(crawl.body(entry(&index, "/b")), "seen");
}

#[tokio::test]
async fn no_more_requests_are_under_way_than_allowed_and_no_more_a_second() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/" => Reply::links((0..20).map(|n| format!("/p{n}"))),
        _ => page(asked)
            .unwrap_or_else(Reply::missing)
            .after(Duration::from_millis(20)),
    })
    .await;
    let mut crawl = Crawl::of(&site);
    crawl.settings.manners.at_once = 3;
    crawl.run().await;
    assert!(
        (2..=3).contains(&site.most_at_once()),
        "{}",
        site.most_at_once()
    );
    crawl.settings.manners.rate = Some(50.0);
    let began = Instant::now();
    let index = crawl.run().await;
    let least = Duration::from_millis(20) * u32::try_from(index.requests.sent - 1).unwrap();
    assert!(began.elapsed() >= least, "{:?}", began.elapsed());
}

#[tokio::test]
async fn an_own_listener_is_asked_by_the_sites_name() {
    let (site, root) = Site::start_tls(|asked| match asked.path.as_str() {
        "/" => Reply::links(["https://site.example/a"]),
        _ => page(asked).unwrap_or_else(Reply::missing),
    })
    .await;
    let mut crawl = Crawl::of(&site);
    let start = url::Url::parse("https://site.example/").unwrap();
    crawl.settings.own = Own::new(&start, &[], None).unwrap();
    crawl.settings.manners.connect = Some(site.address);
    let untrusted = crawl::run(&crawl.settings, &crawl.spool, None)
        .await
        .unwrap_err();
    assert!(
        format!("{untrusted:#}").contains("certificate"),
        "{untrusted:#}"
    );
    crawl.settings.manners.extra_roots = Some(root);
    let index = crawl.run().await;
    assert!(is_body(&index, "/a"));
    assert!(
        site.asked()
            .iter()
            .all(|asked| asked.header("host") == "site.example")
    );
}
