//! Listings: order, pages, bounds, odd names.

use futures_util::stream::{StreamExt, iter};
use time::OffsetDateTime;

use super::*;
use crate::cloud::s3::PAGE;

against_both!(
    keys_come_in_the_order_of_their_bytes,
    a_listing_goes_over_several_pages_and_stops_at_its_bound,
    only_keys_with_the_prefix_are_listed_with_size_and_time,
    an_odd_key_is_written_read_and_listed_as_it_is,
    a_missing_bucket_is_named_by_every_verb,
    a_listing_begins_after_a_key_that_need_not_be_there,
    folders_are_told_once_each,
);

async fn keys(s3: &S3, prefix: &str, max: usize) -> Vec<String> {
    s3.list(prefix, max)
        .await
        .unwrap()
        .into_iter()
        .map(|listed| listed.key)
        .collect()
}

async fn keys_come_in_the_order_of_their_bytes(store: Store) {
    let sorted = [
        "p/B", "p/a", "p/a-b", "p/a.b", "p/a/b", "p/aB", "p/ab", "p/ä",
    ];
    for key in sorted.iter().rev() {
        if *key != "p/a" {
            put(&store.s3, key, b"x").await;
        }
    }
    let sorted: Vec<_> = sorted.into_iter().filter(|key| *key != "p/a").collect();
    assert_eq!(keys(&store.s3, "p/", 100).await, sorted);
    assert_eq!(keys(&store.s3, "p/", 3).await, sorted[..3]);
    assert_eq!(keys(&store.s3, "p/a", 100).await, sorted[1..6]);
}

async fn a_listing_goes_over_several_pages_and_stops_at_its_bound(store: Store) {
    let all: Vec<_> = (0..PAGE + 3)
        .map(|n| format!("packages/{n:05}.zip"))
        .collect();
    iter(&all)
        .for_each_concurrent(16, async |key| drop(put(&store.s3, key, b"x").await))
        .await;
    assert_eq!(keys(&store.s3, "packages/", 5000).await, all);
    assert_eq!(keys(&store.s3, "packages/", PAGE + 1).await, all[..=PAGE]);
}

async fn only_keys_with_the_prefix_are_listed_with_size_and_time(store: Store) {
    put(&store.s3, "certs/a.json", b"12345").await;
    put(&store.s3, "other.json", b"1").await;
    let listed = store.s3.list("certs/", 10).await.unwrap();
    assert_eq!(
        (listed.len(), listed[0].key.as_str(), listed[0].size),
        (1, "certs/a.json", 5)
    );
    assert!((OffsetDateTime::now_utc() - listed[0].modified).abs() < time::Duration::MINUTE);
    assert_eq!(store.s3.list("nothing/", 10).await.unwrap(), []);
    assert_eq!(store.s3.list("", 0).await.unwrap(), []);
}

async fn an_odd_key_is_written_read_and_listed_as_it_is(store: Store) {
    for key in [
        "odd/a b+c.zip",
        "odd/a&b=c?d#e",
        "odd/100%25.zip",
        "odd/grüße/<x>.json",
        "odd/_wildcard.example.com/1.json",
        "odd/*.example",
    ] {
        put(&store.s3, key, key.as_bytes()).await;
        assert_eq!(
            store.s3.get(key, 100).await.unwrap().unwrap().body,
            key.as_bytes()
        );
        assert_eq!(keys(&store.s3, key, 10).await, [key]);
        assert_eq!(
            store.s3.delete(key, Condition::Always).await.unwrap(),
            Removed::Gone
        );
    }
    assert_eq!(keys(&store.s3, "odd/", 10).await, Vec::<String>::new());
}

async fn a_listing_begins_after_a_key_that_need_not_be_there(store: Store) {
    for key in ["l/a/1", "l/a/3", "l/b/1"] {
        put(&store.s3, key, b"x").await;
    }
    let after = async |key| {
        store
            .s3
            .list_after("l/a/", Some(key), 9)
            .await
            .unwrap()
            .into_iter()
            .map(|listed| listed.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(after("l/a/2").await, ["l/a/3"]);
    assert_eq!(after("l/a/3").await, Vec::<String>::new());
}

async fn folders_are_told_once_each(store: Store) {
    for key in ["f/a/1", "f/a/2", "f/b/c/3", "f/alone"] {
        put(&store.s3, key, b"x").await;
    }
    assert_eq!(store.s3.folders("f/").await.unwrap(), ["f/a/", "f/b/"]);
    assert_eq!(
        store.s3.folders("none/").await.unwrap(),
        Vec::<String>::new()
    );
}

async fn a_missing_bucket_is_named_by_every_verb(store: Store) {
    let s3 = store.without_bucket().await;
    let file = tempfile::tempdir().unwrap().path().join("x");
    let errors = [
        s3.get("k", 10).await.map(drop).unwrap_err(),
        s3.open("k", 10).await.map(drop).unwrap_err(),
        s3.download("k", &file, 10).await.map(drop).unwrap_err(),
        s3.list("k", 10).await.map(drop).unwrap_err(),
        s3.put("k", Vec::new(), Condition::Absent, None)
            .await
            .map(drop)
            .unwrap_err(),
        s3.upload("k", &b"x"[..]).await.unwrap_err(),
    ];
    for error in errors {
        let text = error.to_string();
        assert_eq!(error.code.as_deref(), Some("NoSuchBucket"), "{text}");
        assert!(
            text.contains("s3://no-such-bucket/")
                && text.ends_with("create the bucket, or correct its name in site.toml"),
            "{text}"
        );
    }
    assert!(!file.exists());
}
