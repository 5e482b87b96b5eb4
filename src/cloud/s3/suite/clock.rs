//! The one clock that two machines share.

use time::{Duration, OffsetDateTime};

use super::*;

against_both!(
    any_answer_tells_the_time,
    buckets_of_one_client_share_the_time
);

async fn any_answer_tells_the_time(store: Store) {
    let s3 = store.without_bucket().await;
    assert_eq!(s3.now(), None);
    s3.get("absent", 100).await.unwrap_err();
    assert_is_now(&s3);
}

async fn buckets_of_one_client_share_the_time(store: Store) {
    let other = store.s3.clone();
    store.s3.get("absent", 100).await.unwrap();
    assert_is_now(&other);
}

/// The stores run on this machine; their `Date` has whole seconds.
fn assert_is_now(s3: &S3) {
    let off = s3.now().unwrap() - OffsetDateTime::now_utc();
    assert!(off.abs() < Duration::seconds(5), "{off}");
}
