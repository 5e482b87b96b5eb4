//! Streamed writes, small and in parts.

use futures_util::stream::iter;
use hyper::body::Bytes;
use tokio_util::io::StreamReader;

use super::*;

/// S3's smallest part.
const PART: usize = 5 << 20;

against_both!(
    a_small_body_is_written,
    a_body_of_whole_parts_is_written,
    a_body_of_parts_and_a_rest_is_written_over_an_older_object,
    a_body_that_fails_leaves_the_older_object,
);

async fn a_small_body_is_written(store: Store) {
    for body in [&b""[..], b"small", &[7; PART - 1]] {
        assert_uploads(&store.s3, body).await;
    }
}

async fn a_body_of_whole_parts_is_written(store: Store) {
    assert_uploads(&store.s3, &pattern(PART)).await;
    assert_uploads(&store.s3, &pattern(2 * PART)).await;
}

async fn a_body_of_parts_and_a_rest_is_written_over_an_older_object(store: Store) {
    put(&store.s3, "cache/x.tar.zst", b"older").await;
    assert_uploads(&store.s3, &pattern(2 * PART + 7)).await;
}

async fn a_body_that_fails_leaves_the_older_object(store: Store) {
    put(&store.s3, "cache/x.tar.zst", b"older").await;
    let pieces = [Ok(Bytes::from(pattern(PART + 1))), Err(std::io::Error::other("the disk is gone"))];
    let error = store.s3.upload("cache/x.tar.zst", StreamReader::new(iter(pieces))).await.unwrap_err();
    assert!(error.to_string().ends_with("/cache/x.tar.zst: the disk is gone"), "{error}");
    assert_eq!(store.s3.get("cache/x.tar.zst", 100).await.unwrap().unwrap().body, b"older");
}

async fn assert_uploads(s3: &S3, body: &[u8]) {
    s3.upload("cache/x.tar.zst", body).await.unwrap();
    assert!(s3.get("cache/x.tar.zst", body.len()).await.unwrap().unwrap().body == body, "the object is not what was written");
}
