//! Large new objects over a bad line: several parts at once, none left behind.

use std::io::Cursor;
use std::time::Duration;

use region::{Fault, Recorded, Region, Service, Stage};

use super::faults::{BUCKET, on, region};
use super::*;

const PART: usize = 8 << 20;
const AT_ONCE: usize = 4;
const SOON: Duration = Duration::from_secs(10);

async fn upload(s3: &S3, size: usize) -> Result<Written, crate::cloud::Error> {
    s3.upload_new("p/x", Cursor::new(pattern(size)), |_| {})
        .await
}

fn assert_stands(region: &Region, size: usize) {
    assert!(
        region.s3().get(BUCKET, "p/x").unwrap().unwrap() == pattern(size),
        "the object is not what was written"
    );
}

#[tokio::test]
async fn several_parts_go_up_at_once_but_no_more_than_the_memory_is_worth() {
    let (region, s3) = region().await;
    region.fault(on("UploadPart"), Fault::Delay(Duration::from_millis(400)));
    upload(&s3, 9 * PART).await.unwrap();
    let parts: Vec<Recorded> = region
        .requests()
        .into_iter()
        .filter(|request| request.operation == "UploadPart")
        .collect();
    let under_way = |at| {
        parts
            .iter()
            .filter(|part| part.at <= at && at < part.at + part.took.unwrap())
            .count()
    };
    let most = parts.iter().map(|part| under_way(part.at)).max();
    assert_eq!((parts.len(), most), (9, Some(AT_ONCE)));
    assert_stands(&region, 9 * PART);
}

#[tokio::test]
async fn parts_that_break_are_sent_again() {
    let (region, s3) = region().await;
    for (nth, fault) in [
        (1, Fault::Reset),
        (2, Fault::unavailable()),
        (4, Fault::LoseAnswer),
        (6, Fault::Throttle),
    ] {
        region.fault(on("UploadPart").nth(nth), fault);
    }
    assert!(matches!(
        upload(&s3, 3 * PART + 1).await.unwrap(),
        Written::Stored(_)
    ));
    assert_eq!(region.count(Service::S3, "UploadPart"), 8);
    assert_stands(&region, 3 * PART + 1);
}

#[tokio::test]
async fn an_end_whose_answer_was_lost_counts_as_taken_and_the_object_stands() {
    for (operation, size) in [("CompleteMultipartUpload", PART + 1), ("PutObject", 9)] {
        let (region, s3) = region().await;
        region.fault(on(operation).nth(1), Fault::LoseAnswer);
        assert_eq!(
            upload(&s3, size).await.unwrap(),
            Written::Refused,
            "{operation}"
        );
        assert_stands(&region, size);
    }
}

#[tokio::test]
async fn an_upload_that_no_attempt_brings_up_is_aborted() {
    let (region, s3) = region().await;
    region.fault(on("UploadPart").nth(2), Fault::access_denied());
    let error = upload(&s3, 3 * PART).await.unwrap_err();
    assert!(error.is_access_denied(), "{error}");
    assert_eq!(
        (
            region.count(Service::S3, "AbortMultipartUpload"),
            region.count(Service::S3, "CompleteMultipartUpload")
        ),
        (1, 0)
    );
    assert_eq!(region.s3().get(BUCKET, "p/x").unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_nobody_waits_for_any_more_is_aborted() {
    let (region, s3) = region().await;
    let hold = region.hold(on("UploadPart").nth(2), Stage::BeforeActing);
    let uploading = tokio::spawn(async move { upload(&s3, 3 * PART).await });
    tokio::task::block_in_place(|| hold.wait(SOON)).unwrap();
    uploading.abort();
    let aborted = tokio::task::block_in_place(|| {
        region.wait_for_request(|request| request.operation == "AbortMultipartUpload", SOON)
    });
    assert!(aborted.is_some(), "parts are left behind");
    hold.release();
}
