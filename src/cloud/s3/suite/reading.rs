//! Reads: absent, bounded, in ranges, and over a line that breaks.

use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::cutting::Cut;
use super::*;

const MIB: usize = 1 << 20;

against_both!(
    what_is_absent_is_none_and_leaves_no_file,
    an_empty_object_is_read_and_downloaded,
    who_looks_again_is_told_of_changes_only,
    what_is_larger_than_expected_is_refused,
    a_large_object_is_downloaded_in_ranges_with_its_hash,
    an_object_of_exactly_one_range_is_downloaded,
    a_file_that_stood_there_is_replaced,
    a_body_that_breaks_off_is_taken_up_again,
    a_stream_that_breaks_off_is_taken_up_again,
    a_download_whose_parts_break_off_is_whole,
);

async fn what_is_absent_is_none_and_leaves_no_file(store: Store) {
    let file = tempfile::tempdir().unwrap().path().join("x");
    assert_eq!(store.s3.get("absent", 10).await.unwrap(), None);
    assert!(store.s3.open("absent", 10).await.unwrap().is_none());
    assert_eq!(store.s3.download("absent", &file, 10).await.unwrap(), None);
    assert!(!file.exists());
}

async fn an_empty_object_is_read_and_downloaded(store: Store) {
    let etag = put(&store.s3, "empty", b"").await;
    assert_eq!(store.s3.get("empty", 0).await.unwrap().unwrap().body, b"");
    assert_downloads(&store.s3, "empty", b"", &etag).await;
}

async fn who_looks_again_is_told_of_changes_only(store: Store) {
    assert_eq!(
        store.s3.get_since("pointer", 10, None).await.unwrap(),
        Since::Gone
    );
    let first = put(&store.s3, "pointer", b"one").await;
    let object = |body: &[u8], etag: &Etag| {
        Since::Changed(Object {
            body: body.to_vec(),
            etag: etag.clone(),
        })
    };
    assert_eq!(
        store.s3.get_since("pointer", 10, None).await.unwrap(),
        object(b"one", &first)
    );
    assert_eq!(
        store
            .s3
            .get_since("pointer", 10, Some(&first))
            .await
            .unwrap(),
        Since::Unchanged
    );
    let second = put(&store.s3, "pointer", b"two").await;
    assert_eq!(
        store
            .s3
            .get_since("pointer", 10, Some(&first))
            .await
            .unwrap(),
        object(b"two", &second)
    );
    store.s3.delete("pointer", Condition::Always).await.unwrap();
    assert_eq!(
        store
            .s3
            .get_since("pointer", 10, Some(&second))
            .await
            .unwrap(),
        Since::Gone
    );
    put(&store.s3, "pointer", b"much too much").await;
    assert!(
        store
            .s3
            .get_since("pointer", 10, Some(&second))
            .await
            .is_err()
    );
}

async fn what_is_larger_than_expected_is_refused(store: Store) {
    put(&store.s3, "large", &[7; 11]).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    let expected = "reading s3://";
    for error in [
        store.s3.get("large", 10).await.map(drop).unwrap_err(),
        store.s3.open("large", 10).await.map(drop).unwrap_err(),
        store
            .s3
            .download("large", &file, 10)
            .await
            .map(drop)
            .unwrap_err(),
    ] {
        assert!(
            error.to_string().starts_with(expected) && error.message.contains("it has 11 bytes"),
            "{error}"
        );
    }
    assert!(!file.exists());
    assert_eq!(
        store.s3.get("large", 11).await.unwrap().unwrap().body,
        [7; 11]
    );
}

async fn a_large_object_is_downloaded_in_ranges_with_its_hash(store: Store) {
    let body = pattern(33 * MIB + 5);
    let etag = put_large(&store.s3, "large", &body).await;
    assert_downloads(&store.s3, "large", &body, &etag).await;
}

async fn an_object_of_exactly_one_range_is_downloaded(store: Store) {
    for size in [8 * MIB, 8 * MIB + 1] {
        let body = pattern(size);
        let etag = put_large(&store.s3, "large", &body).await;
        assert_downloads(&store.s3, "large", &body, &etag).await;
    }
}

async fn a_file_that_stood_there_is_replaced(store: Store) {
    put(&store.s3, "small", b"new").await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), b"older and longer").unwrap();
    store
        .s3
        .download("small", file.path(), 100)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(std::fs::read(file.path()).unwrap(), b"new");
}

async fn a_body_that_breaks_off_is_taken_up_again(store: Store) {
    let body = pattern(2 * MIB);
    put(&store.s3, "package", &body).await;
    let s3 = store
        .cut([Cut::Reset(200_000), Cut::Close(300_000), Cut::Reset(100)])
        .await;
    assert_eq!(
        s3.get("package", body.len()).await.unwrap().unwrap().body,
        body
    );
}

async fn a_stream_that_breaks_off_is_taken_up_again(store: Store) {
    let body = pattern(3 * MIB);
    put(&store.s3, "cache", &body).await;
    let s3 = store
        .cut([Cut::Close(1_000_000), Cut::Reset(600_000)])
        .await;
    let mut read = Vec::new();
    s3.open("cache", body.len() as u64)
        .await
        .unwrap()
        .unwrap()
        .read_to_end(&mut read)
        .await
        .unwrap();
    assert!(read == body);
}

async fn a_download_whose_parts_break_off_is_whole(store: Store) {
    let body = pattern(25 * MIB);
    let etag = put_large(&store.s3, "large", &body).await;
    let s3 = store
        .cut([3_000_000, 2_000_000, 1_000_000, 500_000, 400_000].map(Cut::Reset))
        .await;
    assert_downloads(&s3, "large", &body, &etag).await;
}

/// In parts, as one PUT of so much takes a debug build longer than its time-out.
async fn put_large(s3: &S3, key: &str, body: &[u8]) -> Etag {
    s3.upload(key, body).await.unwrap();
    s3.reader(key, Some(0..1), None)
        .await
        .unwrap()
        .unwrap()
        .etag
}

async fn assert_downloads(s3: &S3, key: &str, body: &[u8], etag: &Etag) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    let download = s3
        .download(key, &file, body.len() as u64)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((download.size, &download.etag), (body.len() as u64, etag));
    assert_eq!(download.sha256, hex::encode(Sha256::digest(body)));
    assert!(
        std::fs::read(&file).unwrap() == body,
        "the file is not what was stored"
    );
}
