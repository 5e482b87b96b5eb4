//! Streamed writes, small and in parts.

use std::io::Cursor;

use futures_util::stream::iter;
use hyper::body::Bytes;
use tokio_util::io::StreamReader;

use super::*;

/// S3's smallest part.
const PART: usize = 5 << 20;
/// That of an upload from CI.
const SWIFT_PART: usize = 8 << 20;

against_both!(
    a_small_body_is_written,
    a_body_of_whole_parts_is_written,
    a_body_of_parts_and_a_rest_is_written_over_an_older_object,
    a_body_that_fails_leaves_the_older_object,
    a_new_object_is_written_whole_and_its_progress_told,
    a_key_that_is_taken_is_refused_and_keeps_its_object,
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
    let pieces = [
        Ok(Bytes::from(pattern(PART + 1))),
        Err(std::io::Error::other("the disk is gone")),
    ];
    let error = store
        .s3
        .upload("cache/x.tar.zst", StreamReader::new(iter(pieces)))
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("/cache/x.tar.zst: the disk is gone"),
        "{error}"
    );
    assert_eq!(
        store
            .s3
            .get("cache/x.tar.zst", 100)
            .await
            .unwrap()
            .unwrap()
            .body,
        b"older"
    );
}

async fn a_new_object_is_written_whole_and_its_progress_told(store: Store) {
    for (key, size) in [
        ("p/small", 9),
        ("p/empty", 0),
        ("p/parts", 5 * SWIFT_PART),
        ("p/rest", 2 * SWIFT_PART + 7),
    ] {
        let body = pattern(size);
        let told = std::sync::Mutex::new(Vec::new());
        let written = store
            .s3
            .upload_new(key, Cursor::new(body.as_slice()), |bytes| {
                told.lock().unwrap().push(bytes)
            })
            .await
            .unwrap();
        let object = store.s3.get(key, size).await.unwrap().unwrap();
        assert!(
            object.body == body,
            "{key}: the object is not what was written"
        );
        assert_eq!(written, Written::Stored(object.etag), "{key}");
        let told = told.into_inner().unwrap();
        assert!(
            told.is_sorted()
                && told.last() == Some(&(size as u64))
                && told.len() == size.div_ceil(SWIFT_PART).max(1),
            "{key}: {told:?}"
        );
    }
}

async fn a_key_that_is_taken_is_refused_and_keeps_its_object(store: Store) {
    put(&store.s3, "p/taken", b"older").await;
    for size in [9, SWIFT_PART + 1] {
        assert_eq!(
            store
                .s3
                .upload_new("p/taken", Cursor::new(pattern(size)), |_| {})
                .await
                .unwrap(),
            Written::Refused
        );
        assert_eq!(
            store.s3.get("p/taken", 100).await.unwrap().unwrap().body,
            b"older"
        );
    }
    let unfinished = store
        .s3
        .client
        .list_multipart_uploads()
        .bucket(store.s3.bucket())
        .send()
        .await;
    // s3s-fs does not list them; moto does.
    assert!(
        unfinished.is_err() || unfinished.unwrap().uploads().is_empty(),
        "an unfinished upload is left"
    );
}

async fn assert_uploads(s3: &S3, body: &[u8]) {
    s3.upload("cache/x.tar.zst", body).await.unwrap();
    assert!(
        s3.get("cache/x.tar.zst", body.len())
            .await
            .unwrap()
            .unwrap()
            .body
            == body,
        "the object is not what was written"
    );
}
