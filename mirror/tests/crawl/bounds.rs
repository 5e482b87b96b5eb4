//! Where the crawl ends.

use super::*;

fn number(path: &str) -> usize {
    path.rsplit(['/', '='])
        .find_map(|part| part.parse().ok())
        .unwrap_or_default()
}

#[tokio::test]
async fn an_endless_calendar_and_filters_stop_and_a_long_list_of_posts_is_whole() {
    let site = Site::start(|asked| {
        let n = number(&asked.path);
        match asked.path.as_str() {
            "/" => Reply::links(["/calendar/5000", "/shop", "/posts"]),
            "/posts" => Reply::links((1..=300).map(|n| format!("/post/{n}"))),
            path if path.starts_with("/calendar/") => Reply::links([
                format!("/calendar/{}", n - 1),
                format!("/calendar/{}", n + 1),
            ]),
            path if path.starts_with("/shop") => Reply::links((0..9).map(|n| {
                let join = if path.contains('?') { '&' } else { '?' };
                format!("{path}{join}f{n}=1")
            })),
            path if path.starts_with("/post/") => Reply::links([format!("/post/{}", n % 300 + 1)]),
            _ => Reply::missing(),
        }
    })
    .await;
    let index = Crawl::of(&site).run().await;
    let count = |start: &str| {
        site.paths()
            .iter()
            .filter(|path| path.starts_with(start))
            .count()
    };
    // The page where each begins, and two that say nothing new.
    assert_eq!((count("/calendar/"), count("/shop")), (3, 3));
    assert_eq!(count("/post/"), 300);
    assert!(left_out(&index, Rule::Variants) > 0);
}

#[tokio::test]
async fn pages_depth_and_repeats_are_bounded_and_told() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/" => Reply::links(["/deep/", "/r/", "/1", "/2"]),
        path if path.starts_with("/r/") => Reply::links([format!("{path}r/")]),
        path if path.starts_with("/deep") => {
            Reply::links([format!("{path}{}/", "x".repeat(path.len()))])
        }
        _ => page(asked).unwrap_or_else(Reply::missing),
    })
    .await;
    let mut crawl = Crawl::of(&site);
    crawl.settings.bounds.depth = 5;
    let index = crawl.run().await;
    assert_eq!(
        site.paths()
            .iter()
            .filter(|path| path.starts_with("/deep"))
            .count(),
        5
    );
    assert_eq!(
        site.paths()
            .iter()
            .filter(|path| path.starts_with("/r/"))
            .count(),
        3
    );
    assert_eq!(
        (
            left_out(&index, Rule::Depth),
            left_out(&index, Rule::Repeats)
        ),
        (1, 1)
    );
    site.forget();
    crawl.settings.bounds.pages = 6;
    let index = crawl.run().await;
    assert_eq!(site.asked().len(), 6);
    assert!(left_out(&index, Rule::Pages) > 0);
}

#[tokio::test]
async fn bytes_of_one_body_and_of_all_are_bounded_and_told() {
    let site = site(&["/large", "/a", "/b", "/c"], |asked| {
        match asked.path.as_str() {
            "/large" => Some(Reply::html("x".repeat(50_000))),
            "/a" | "/b" | "/c" => Some(Reply::html("x".repeat(4_000))),
            _ => None,
        }
    })
    .await;
    let mut crawl = Crawl::of(&site);
    crawl.settings.bounds.body = 10_000;
    crawl.settings.manners.at_once = 1;
    let index = crawl.run().await;
    assert_eq!(*answer(&index, "/large"), Answer::Left(Rule::Bytes));
    assert_eq!(site.count("/large"), 1);
    assert_eq!(left_out(&index, Rule::Bytes), 1);
    assert!(is_body(&index, "/c"));
    crawl.settings.bounds.bytes = 6_000;
    let index = crawl.run().await;
    assert!(!index.entries.contains_key(&Address::new("/c")) || !is_body(&index, "/c"));
    assert!(left_out(&index, Rule::Bytes) > 1);
}

#[tokio::test]
async fn the_time_of_the_crawl_is_bounded_and_told() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/" => Reply::links((0..400).map(|n| format!("/p{n}"))),
        _ => page(asked)
            .unwrap_or_else(Reply::missing)
            .after(Duration::from_millis(300)),
    })
    .await;
    let mut crawl = Crawl::of(&site);
    crawl.settings.bounds.time = Duration::from_secs(8);
    crawl.settings.manners.at_once = 2;
    let index = crawl.run().await;
    assert!(site.asked().len() < 100);
    assert!(left_out(&index, Rule::Time) > 10, "{:?}", index.findings);
    assert_eq!(*answer(&index, "/p399"), Answer::Left(Rule::Time));
}
