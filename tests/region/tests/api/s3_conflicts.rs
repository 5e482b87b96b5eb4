//! Writes that S3 neither does nor refuses: those that meet others, and those whose answer begins
//! well and ends in an error.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use region::{Fault, Match, Region, Service};

use crate::client::{BUCKET, region, runtime, s3_once};

const CONFLICT: (u16, &str) = (409, "ConditionalRequestConflict");

/// An answer's status, and the code of one that is an error.
fn told<T, E: ProvideErrorMetadata>(answer: Result<T, SdkError<E>>) -> (u16, String) {
    match answer {
        Ok(_) => (200, String::new()),
        Err(error) => (
            error
                .raw_response()
                .map(|raw| raw.status().as_u16())
                .unwrap_or_default(),
            error.code().unwrap_or_default().to_owned(),
        ),
    }
}

fn is(told: &(u16, String), expected: (u16, &str)) -> bool {
    (told.0, told.1.as_str()) == expected
}

async fn create(s3: &Client, body: &str) -> (u16, String) {
    let put = s3.put_object().bucket(BUCKET).key("locks/x");
    let body = ByteStream::from(body.as_bytes().to_vec());
    told(put.if_none_match("*").body(body).send().await)
}

#[test]
fn of_two_creations_that_meet_one_is_done_and_the_other_is_told_to_try_again() {
    let region = region();
    region.s3().let_writes_meet(Duration::from_millis(800));
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let (one, other) = tokio::join!(create(&s3, "one"), create(&s3, "other"));
        let stands = region.s3().get(BUCKET, "locks/x").unwrap().unwrap();
        let (won, lost) = if stands == "one" {
            (one, other)
        } else {
            (other, one)
        };
        assert_eq!(won.0, 200);
        assert!(is(&lost, CONFLICT), "{lost:?}");
        let again = create(&s3, "again").await;
        assert!(is(&again, (412, "PreconditionFailed")), "{again:?}");
    });
}

#[test]
fn an_update_during_which_the_object_is_deleted_is_told_to_try_again() {
    let region = region();
    let etag = region.s3().put(BUCKET, "locks/x", "first").unwrap();
    region.s3().let_writes_meet(Duration::from_secs(2));
    let update = |s3: &Client| {
        let put = s3
            .put_object()
            .bucket(BUCKET)
            .key("locks/x")
            .if_match(&etag);
        put.body(ByteStream::from_static(b"second")).send()
    };
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let deleted = async {
            while region.count(Service::S3, "PutObject") == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            region.s3().delete(BUCKET, "locks/x").unwrap();
        };
        let (updated, ()) = tokio::join!(update(&s3), deleted);
        let updated = told(updated);
        assert!(is(&updated, CONFLICT), "{updated:?}");
        let again = told(update(&s3).await);
        assert!(is(&again, (404, "NoSuchKey")), "{again:?}");
    });
}

#[test]
fn a_conflict_strikes_the_next_conditional_write_and_that_alone() {
    let region = region();
    let next = Match::service(Service::S3).conditional().times(1);
    let fault = region.fault(next, Fault::conflict());
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let plain = s3.put_object().bucket(BUCKET).key("other").send().await;
        plain.expect("it has no condition");
        let first = create(&s3, "x").await;
        assert!(is(&first, CONFLICT), "{first:?}");
        assert_eq!(region.s3().get(BUCKET, "locks/x").unwrap(), None);
        assert_eq!(create(&s3, "x").await.0, 200);
    });
    assert_eq!(region.hits(fault), 1);
}

/// An upload of one part whose end is still to come.
async fn upload(s3: &Client) -> (String, CompletedMultipartUpload) {
    let upload = s3.create_multipart_upload().bucket(BUCKET).key("big");
    let id = upload.send().await.unwrap().upload_id.unwrap();
    let part = s3.upload_part().bucket(BUCKET).key("big").upload_id(&id);
    let part = part.part_number(1).body(ByteStream::from_static(b"x"));
    let etag = part.send().await.unwrap().e_tag;
    let part = CompletedPart::builder().part_number(1).set_e_tag(etag);
    let parts = CompletedMultipartUpload::builder().parts(part.build());
    (id, parts.build())
}

fn struck(fault: Fault) -> Region {
    let region = region();
    let end = Match::service(Service::S3).operation("CompleteMultipartUpload");
    region.fault(end.nth(1), fault);
    region
}

#[test]
fn the_end_of_an_upload_may_be_a_200_with_an_error_in_its_body() {
    let region = struck(Fault::error_within_success());
    runtime().block_on(async {
        let s3 = s3_once(&region).await;
        let (id, parts) = upload(&s3).await;
        let end = || {
            let end = s3.complete_multipart_upload().bucket(BUCKET).key("big");
            end.upload_id(&id).multipart_upload(parts.clone()).send()
        };
        let ended = told(end().await);
        assert!(is(&ended, (200, "InternalError")), "{ended:?}");
        assert_eq!(region.s3().get(BUCKET, "big").unwrap(), None);
        end().await.expect("it is done at the second attempt");
        assert_eq!(region.s3().get(BUCKET, "big").unwrap().unwrap(), "x");
    });
}
