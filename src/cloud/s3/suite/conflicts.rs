//! Writes that S3 neither does nor refuses: tried again, to an end that is true.

use std::io::Cursor;
use std::sync::Mutex;
use std::time::Duration;

use region::{Fault, FaultId, Region, Service};

use super::conditions::assert_one_wins;
use super::faults::{BUCKET, on, region};
use super::*;

/// That of an upload from CI.
const PART: usize = 8 << 20;
/// Few: each attempt that meets another is taken from the SDK's quota of retries, which all tests
/// of this process share.
const WRITERS: usize = 6;
const MEETING: Duration = Duration::from_millis(60);

async fn upload(s3: &S3, size: usize) -> Result<Written, crate::cloud::Error> {
    s3.upload_new("p/x", Cursor::new(pattern(size)), |_| {})
        .await
}

fn counts<const N: usize>(region: &Region, operations: [&str; N]) -> [usize; N] {
    operations.map(|operation| region.count(Service::S3, operation))
}

fn met(region: &Region) -> usize {
    region.count_where(|request| request.status == Some(409))
}

#[tokio::test]
async fn of_writers_that_really_meet_one_wins_and_the_others_are_refused() {
    let (region, s3) = region().await;
    region.s3().let_writes_meet(MEETING);
    assert_one_wins(&s3, WRITERS, Condition::Absent).await;
    let created = met(&region);
    let seen = put(&s3, "locks/a.json", b"before").await;
    assert_one_wins(&s3, WRITERS, Condition::Matches(&seen)).await;
    assert!(
        0 < created && created < met(&region),
        "no two of them have met"
    );
}

#[tokio::test]
async fn of_deletions_that_really_meet_none_is_refused() {
    let (region, s3) = region().await;
    region.s3().let_writes_meet(MEETING);
    let seen = put(&s3, "locks/a.json", b"before").await;
    let delete = || s3.delete("locks/a.json", Condition::Matches(&seen));
    let (one, other) = tokio::join!(delete(), delete());
    assert_eq!(
        (one.unwrap(), other.unwrap()),
        (Removed::Gone, Removed::Gone)
    );
    assert!(met(&region) > 0, "they have not met");
}

#[tokio::test]
async fn a_write_that_met_another_is_tried_again_and_done() {
    let (region, s3) = region().await;
    for operation in ["PutObject", "DeleteObject"] {
        region.fault(on(operation).conditional().nth(1), Fault::conflict());
    }
    let made = s3.put("locks/a", b"we".to_vec(), Condition::Absent, None);
    let Written::Stored(etag) = made.await.unwrap() else {
        panic!("nobody holds it")
    };
    region.fault(on("PutObject").conditional().nth(1), Fault::conflict());
    let next = b"we again".to_vec();
    let replaced = s3.put("locks/a", next, Condition::Matches(&etag), None);
    let Written::Stored(etag) = replaced.await.unwrap() else {
        panic!("nobody has replaced it")
    };
    let removed = s3.delete("locks/a", Condition::Matches(&etag));
    assert_eq!(removed.await.unwrap(), Removed::Gone);
    assert_eq!(region.s3().get(BUCKET, "locks/a").unwrap(), None);
    assert_eq!(counts(&region, ["PutObject", "DeleteObject"]), [4, 2]);
}

#[tokio::test]
async fn a_write_that_met_another_is_refused_once_the_others_stands() {
    let (region, s3) = region().await;
    region.s3().put(BUCKET, "locks/a", "they").unwrap();
    region.fault(on("PutObject").nth(1), Fault::conflict());
    let made = s3.put("locks/a", b"we".to_vec(), Condition::Absent, None);
    assert_eq!(made.await.unwrap(), Written::Refused);
    assert_eq!(region.s3().get(BUCKET, "locks/a").unwrap().unwrap(), "they");
    assert_eq!(region.count(Service::S3, "PutObject"), 2);
}

#[tokio::test]
async fn an_attempt_that_met_an_earlier_one_of_ours_finds_that_one_done() {
    let (region, s3) = region().await;
    region.fault(on("PutObject").nth(1), Fault::LoseAnswer);
    region.fault(on("PutObject").nth(2), Fault::conflict());
    let made = s3.put("locks/a", b"we".to_vec(), Condition::Absent, None);
    assert!(matches!(made.await.unwrap(), Written::Stored(_)));
    assert_eq!(region.count(Service::S3, "PutObject"), 3);
}

#[tokio::test]
async fn a_write_that_meets_others_at_every_attempt_is_an_error_and_no_refusal() {
    let (region, s3) = region().await;
    region.fault(on("PutObject"), Fault::conflict());
    let made = s3.put("locks/a", b"we".to_vec(), Condition::Absent, None);
    let error = made.await.unwrap_err().to_string();
    assert!(
        error.starts_with("writing s3://example-site/locks/a: The conditional request")
            && error.ends_with(
                "(ConditionalRequestConflict); another write of it was under way each time that it was tried: try again"
            ),
        "{error}"
    );
    assert_eq!(region.s3().get(BUCKET, "locks/a").unwrap(), None);
}

#[tokio::test]
async fn an_upload_in_parts_whose_end_met_another_write_begins_anew() {
    let (region, s3) = region().await;
    region.fault(
        on("CompleteMultipartUpload").conditional().nth(1),
        Fault::conflict(),
    );
    let told = Mutex::new(Vec::new());
    let tell = |bytes: u64| told.lock().unwrap().push(bytes);
    let body = pattern(PART + 7);
    let uploaded = s3.upload_new("p/x", Cursor::new(body.as_slice()), tell);
    assert!(matches!(uploaded.await.unwrap(), Written::Stored(_)));
    assert!(region.s3().get(BUCKET, "p/x").unwrap().unwrap() == body);
    let operations = [
        "CreateMultipartUpload",
        "UploadPart",
        "CompleteMultipartUpload",
        "AbortMultipartUpload",
    ];
    assert_eq!(counts(&region, operations), [2, 4, 2, 1]);
    let told = told.into_inner().unwrap();
    let whole = body.len() as u64;
    assert_eq!(
        (told.len(), told[1], told[3]),
        (4, whole, whole),
        "{told:?}"
    );
}

#[tokio::test]
async fn an_upload_in_parts_that_met_another_is_refused_once_the_others_stands() {
    let (region, s3) = region().await;
    region.s3().put(BUCKET, "p/x", "theirs").unwrap();
    region.fault(on("CompleteMultipartUpload").nth(1), Fault::conflict());
    assert_eq!(upload(&s3, PART).await.unwrap(), Written::Refused);
    assert_eq!(region.s3().get(BUCKET, "p/x").unwrap().unwrap(), "theirs");
    assert_eq!(region.count(Service::S3, "AbortMultipartUpload"), 2);
}

#[tokio::test]
async fn an_upload_in_parts_that_meets_others_again_and_again_is_an_error_and_leaves_nothing() {
    let (region, s3) = region().await;
    region.fault(on("CompleteMultipartUpload"), Fault::conflict());
    let error = upload(&s3, PART).await.unwrap_err().to_string();
    assert!(error.contains("(ConditionalRequestConflict)"), "{error}");
    let operations = ["CreateMultipartUpload", "AbortMultipartUpload"];
    assert_eq!(counts(&region, operations), [4, 4]);
    assert_eq!(region.s3().get(BUCKET, "p/x").unwrap(), None);
}

#[tokio::test]
async fn an_end_that_is_answered_200_with_an_error_is_said_again() {
    let (region, s3) = region().await;
    let ends = on("CompleteMultipartUpload");
    region.fault(ends.nth(1), Fault::error_within_success());
    assert!(matches!(
        upload(&s3, PART + 1).await.unwrap(),
        Written::Stored(_)
    ));
    assert!(region.s3().get(BUCKET, "p/x").unwrap().unwrap() == pattern(PART + 1));
    let operations = ["CreateMultipartUpload", "CompleteMultipartUpload"];
    assert_eq!(counts(&region, operations), [1, 2]);
}

/// The object stands although S3 said that something went wrong.
#[tokio::test]
async fn an_end_that_was_done_and_answered_by_an_error_counts_as_taken_and_the_object_stands() {
    let (region, s3) = region().await;
    let error = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>InternalError</Code><Message>We encountered an \
                 internal error. Please try again.</Message></Error>";
    region.fault(
        on("CompleteMultipartUpload").nth(1),
        Fault::Replace(error.into()),
    );
    assert_eq!(upload(&s3, PART + 1).await.unwrap(), Written::Refused);
    assert!(region.s3().get(BUCKET, "p/x").unwrap().unwrap() == pattern(PART + 1));
}

/// Each write of the adapter, with each refusal by which S3 says "later".
#[tokio::test]
async fn every_write_outlasts_every_refusal_that_means_later() {
    let (region, s3) = region().await;
    let ends = ["CompleteMultipartUpload"];
    let all = [
        "PutObject",
        "DeleteObject",
        "CreateMultipartUpload",
        "UploadPart",
        ends[0],
        "AbortMultipartUpload",
    ];
    let later = [
        (Fault::Throttle, &all[..]),
        (Fault::unavailable(), &all[..]),
        (Fault::Reset, &all[..]),
        (Fault::error_within_success(), &ends[..]),
    ];
    for (fault, operations) in later {
        let struck: Vec<FaultId> = operations
            .iter()
            .map(|operation| region.fault(on(operation).nth(1), fault.clone()))
            .collect();
        let small = put(&s3, "p/x", b"older").await;
        // The key is taken, so that the upload is given up at its end.
        let large = upload(&s3, PART).await;
        assert_eq!(large.unwrap(), Written::Refused, "{fault}");
        let removed = s3.delete("p/x", Condition::Matches(&small)).await;
        assert_eq!(removed.unwrap(), Removed::Gone, "{fault}");
        assert!(
            struck.iter().all(|fault| region.hits(*fault) == 1),
            "{fault}: a write was not struck"
        );
    }
}
