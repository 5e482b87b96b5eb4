//! How much memory and time a large site takes. The figures are printed; the site runs in the same
//! process, and its own share is in them.

use std::fmt::Write;
use std::time::Instant;

use super::*;

/// A build for debugging takes a tenth; `cargo test --release` takes them all.
const PAGES: usize = if cfg!(debug_assertions) {
    1_000
} else {
    10_000
};
const LINKS: usize = if cfg!(debug_assertions) {
    4_800
} else {
    48_000
};

/// The most memory that this process had, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn large_page() -> String {
    let mut page = String::from("<!doctype html><title>all</title>");
    for n in 0..LINKS {
        let text = "a link with some words, so that the page is large";
        writeln!(
            page,
            "<p><a class=\"entry\" href=\"/page/{}.html#{n}\">{text}</a></p>",
            n % PAGES
        )
        .unwrap();
    }
    page
}

#[tokio::test]
async fn many_pages_and_a_very_long_one_fit_into_little_memory() {
    let site = Site::start(|asked| match asked.path.as_str() {
        "/" => Reply::html(large_page()),
        path if path.starts_with("/page/") => Reply::html(format!(
            "<title>{path}</title><a href=\"/\">x</a>{}",
            "text ".repeat(1000)
        )),
        _ => Reply::missing(),
    })
    .await;
    let before = peak();
    let began = Instant::now();
    let index = Crawl::of(&site).run().await;
    let took = began.elapsed();
    let bytes = large_page().len();
    #[expect(
        clippy::disallowed_macros,
        reason = "the test's figures are for a person"
    )]
    {
        println!(
            "{} requests, a page of {bytes} bytes: {took:?}, {} MiB before, {} MiB at most",
            index.requests.sent,
            before / 1024,
            peak() / 1024
        );
    }
    assert!(index.requests.sent as usize > PAGES);
}
