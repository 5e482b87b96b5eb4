//! All that is asked of a copy, by the judge's word.

use fixture::judge::differ;
use fixture::site::Size;

use crate::copied::World;

/// Requests beyond the site's addresses, of a hundred: retries, the missing page, and all of the
/// traps' pages.
const MORE_REQUESTS: usize = 3;
/// Pages of a trap that a crawl may ask for: the one that leads in, and those that tell it.
const TRAP_PAGES: usize = 10;

#[tokio::test]
async fn a_site_that_is_hard_to_copy_is_copied_whole() {
    // The large page's links lead to no further addresses, and the judge is slow with them.
    let links = Size::SMALL.links;
    let size = Size {
        links,
        ..Size::WHOLE
    };
    let world = World::of_size(size, |_| ()).await;
    let (_, out, log) = world.copy(&world.settings()).await;
    let verdict = world.judge(&out, &log);
    assert!(verdict.is_clean(), "{verdict}");
    let (asked, there) = (verdict.requests.all, verdict.requests.resources);
    assert!(
        asked * 100 <= there * (100 + MORE_REQUESTS),
        "{asked} requests for {there} addresses: {:?}",
        verdict.requests
    );
    let trapped = &verdict.requests.trapped;
    assert!(
        trapped.values().all(|pages| *pages <= TRAP_PAGES),
        "{trapped:?}"
    );
}

#[tokio::test]
async fn a_second_copy_asks_for_what_has_changed_and_writes_nothing() {
    let world = World::new(|_| ()).await;
    let settings = world.settings();
    let known = world.work.path().join("known");
    let (first, out, _) = world.copy(&settings).await;
    differ(&out, &known).unwrap();
    let (second, out, log) = world.copy(&settings).await;
    assert!(first.index.entries.keys().eq(second.index.entries.keys()));
    let changed = differ(&out, &known).unwrap();
    assert!(
        changed.starts_with("0 objects") && changed.ends_with(" 0 to delete\n"),
        "{changed}"
    );
    let requests = world.judge(&out, &log).requests;
    assert!(
        requests.not_modified * 10 > requests.all * 8,
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_page_that_changed_is_the_only_one_that_is_written() {
    let world = World::new(|_| ()).await;
    let settings = world.settings();
    let known = world.work.path().join("known");
    let (_, out, _) = world.copy(&settings).await;
    differ(&out, &known).unwrap();
    world.server.rewrite("/item/1", |body| {
        body.replace("Paragraph 2", "Another paragraph")
    });
    let (_, out, _) = world.copy(&settings).await;
    let changed = differ(&out, &known).unwrap();
    assert!(
        changed.starts_with("1 objects") && changed.contains("    item/1\n"),
        "{changed}"
    );
}
