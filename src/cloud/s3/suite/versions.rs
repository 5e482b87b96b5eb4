//! A bucket that keeps versions: a deleted object is one that is not there.

use std::io::Cursor;

use super::faults::{BUCKET, region};
use super::*;

const PART: usize = 8 << 20;

#[tokio::test]
async fn what_a_marker_hides_is_absent_for_every_verb() {
    let (region, s3) = region().await;
    region.s3().keep_versions(BUCKET).unwrap();
    let seen = put(&s3, "locks/a", b"first").await;
    let removed = s3.delete("locks/a", Condition::Matches(&seen));
    assert_eq!(removed.await.unwrap(), Removed::Gone);
    assert_eq!(s3.get("locks/a", 9).await.unwrap(), None);
    assert_eq!(s3.list("", 9).await.unwrap(), []);
    for condition in [Condition::Matches(&seen), Condition::Always] {
        let again = s3.delete("locks/a", condition).await.unwrap();
        assert_eq!(again, Removed::Gone);
    }
    let late = s3.put("locks/a", b"late".to_vec(), Condition::Matches(&seen), None);
    assert_eq!(late.await.unwrap(), Written::Refused);
    let next = s3.put("locks/a", b"next".to_vec(), Condition::Absent, None);
    assert!(matches!(next.await.unwrap(), Written::Stored(_)));
    assert_eq!(s3.get("locks/a", 9).await.unwrap().unwrap().body, b"next");
}

#[tokio::test]
async fn a_package_that_was_pruned_may_be_uploaded_anew() {
    let (region, s3) = region().await;
    region.s3().keep_versions(BUCKET).unwrap();
    for size in [9, PART + 1] {
        for _ in 0..2 {
            let body = Cursor::new(pattern(size));
            let uploaded = s3.upload_new("p/x", body, |_| {}).await.unwrap();
            assert!(matches!(uploaded, Written::Stored(_)), "{size}");
            assert!(
                s3.get("p/x", size).await.unwrap().unwrap().body == pattern(size),
                "{size}"
            );
            s3.delete("p/x", Condition::Always).await.unwrap();
        }
    }
}
