//! What the region's front can show: how many requests a verb costs, and what becomes of it when
//! they break.

use std::time::{Duration, Instant};

use region::{Fault, Match, Options, Recorded, Region, Service, Stage};

use super::cutting::{self, Cut};
use super::*;
use crate::cloud::stand_in::{cloud_at, cloud_in};

pub(super) const BUCKET: &str = "example-site";
const SOON: Duration = Duration::from_secs(10);
const RANGE: usize = 8 << 20;

pub(super) async fn region() -> (Region, S3) {
    let region = Region::start(Options::default()).unwrap();
    let s3 = cloud_in(&region, Service::S3).await.s3(BUCKET);
    (region, s3)
}

/// A region behind a line that cuts its first connections off.
async fn cut_region(cuts: impl IntoIterator<Item = Cut>) -> (Region, S3) {
    let region = Region::start(Options::default()).unwrap();
    let store = region
        .endpoint(Service::S3)
        .trim_start_matches("http://")
        .parse()
        .unwrap();
    let at = cutting::before(store, cuts.into_iter().collect()).await;
    let env = region.env();
    let cloud = cloud_at(
        &format!("http://{at}"),
        &env["AWS_REGION"],
        &env["AWS_ACCESS_KEY_ID"],
        &env["AWS_SECRET_ACCESS_KEY"],
    )
    .await;
    (region, cloud.s3(BUCKET))
}

pub(super) fn on(operation: &str) -> Match {
    Match::service(Service::S3).operation(operation)
}

fn gets(region: &Region) -> Vec<Recorded> {
    region
        .requests()
        .into_iter()
        .filter(|request| request.operation == "GetObject")
        .collect()
}

#[tokio::test]
async fn a_verb_costs_one_request_and_a_large_download_one_for_each_range() {
    let (region, s3) = region().await;
    put(&s3, "small", b"x").await;
    s3.get("small", 1).await.unwrap();
    s3.get("absent", 1).await.unwrap();
    s3.list("", 10).await.unwrap();
    s3.delete("small", Condition::Always).await.unwrap();
    assert_eq!(region.count(Service::S3, ""), 5);
    region.forget_requests();
    region
        .s3()
        .put(BUCKET, "large", pattern(2 * RANGE + 1))
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    s3.download("large", &folder.path().join("x"), u64::MAX)
        .await
        .unwrap();
    let gets = gets(&region);
    assert_eq!(gets.len(), 3);
    assert!(
        gets[1..].iter().all(|get| get.header("if-match").is_some()),
        "a later range may be of another version"
    );
}

#[tokio::test]
async fn a_store_that_is_busy_resets_and_breaks_is_asked_again() {
    let (region, s3) = region().await;
    let broken = Fault::respond(
        500,
        "InternalError",
        "We encountered an internal error. Please try again.",
    );
    for (nth, fault) in (1..).zip([Fault::Throttle, Fault::unavailable(), Fault::Reset, broken]) {
        region.fault(on("PutObject").nth(nth), fault);
    }
    assert!(matches!(
        s3.put("k", b"x".to_vec(), Condition::Absent, None)
            .await
            .unwrap(),
        Written::Stored(_)
    ));
    assert_eq!(region.count(Service::S3, "PutObject"), 5);
}

#[tokio::test]
async fn a_store_that_is_busy_for_ever_ends_in_an_error_that_says_so() {
    let (region, s3) = region().await;
    region.fault(Match::service(Service::S3), Fault::Throttle);
    let started = Instant::now();
    let error = s3.get("k", 1).await.unwrap_err();
    assert!(
        error.is_throttled() && error.to_string().contains("try again in a minute"),
        "{error}"
    );
    assert!(
        started.elapsed() < Duration::from_secs(40),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn our_own_write_is_known_again_where_its_answer_was_lost() {
    let (region, s3) = region().await;
    region.fault(on("PutObject").nth(1), Fault::LoseAnswer);
    let Written::Stored(etag) = s3
        .put("locks/a", b"we".to_vec(), Condition::Absent, None)
        .await
        .unwrap()
    else {
        panic!("our own write counts as another's")
    };
    region.fault(on("PutObject").nth(1), Fault::LoseAnswer);
    let Written::Stored(next) = s3
        .put(
            "locks/a",
            b"we again".to_vec(),
            Condition::Matches(&etag),
            None,
        )
        .await
        .unwrap()
    else {
        panic!("our own update counts as another's")
    };
    region.fault(on("DeleteObject").nth(1), Fault::LoseAnswer);
    assert_eq!(
        s3.delete("locks/a", Condition::Matches(&next))
            .await
            .unwrap(),
        Removed::Gone
    );
}

#[tokio::test]
async fn anothers_write_is_not_taken_for_ours_where_an_answer_was_lost() {
    let (region, s3) = region().await;
    region.s3().put(BUCKET, "locks/a", "they").unwrap();
    region.fault(on("PutObject").nth(1), Fault::LoseAnswer);
    assert_eq!(
        s3.put("locks/a", b"we".to_vec(), Condition::Absent, None)
            .await
            .unwrap(),
        Written::Refused
    );
    assert_eq!(region.s3().get(BUCKET, "locks/a").unwrap().unwrap(), "they");
}

#[tokio::test]
async fn a_denial_names_the_permission_and_is_not_repeated() {
    let (region, s3) = region().await;
    region.fault(Match::service(Service::S3), Fault::access_denied());
    let read = s3.get("certs/a", 1).await.unwrap_err();
    let write = s3
        .put("certs/a", Vec::new(), Condition::Always, None)
        .await
        .unwrap_err();
    assert!(
        read.is_access_denied()
            && read
                .to_string()
                .contains("allow s3:GetObject on arn:aws:s3:::example-site/certs/a"),
        "{read}"
    );
    assert!(
        write
            .to_string()
            .contains("allow s3:PutObject on arn:aws:s3:::example-site/certs/a"),
        "{write}"
    );
    assert_eq!(region.count(Service::S3, ""), 2);
}

#[tokio::test]
async fn a_body_is_taken_up_where_it_broke_off_and_of_the_same_version() {
    let (region, s3) = cut_region([Cut::Close(30_000), Cut::Close(30_000)]).await;
    let body = pattern(100_000);
    let etag = region.s3().put(BUCKET, "k", body.clone()).unwrap();
    assert!(s3.get("k", body.len()).await.unwrap().unwrap().body == body);
    let later: Vec<_> = gets(&region).into_iter().skip(1).collect();
    assert_eq!(later.len(), 2);
    for get in later {
        assert!(
            get.header("range").unwrap().ends_with("-99999")
                && get.header("range") != Some("bytes=0-99999"),
            "{:?}",
            get.header("range")
        );
        assert_eq!(get.header("if-match"), Some(etag.as_str()));
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_for_ever_ends_in_an_error() {
    let (region, s3) = cut_region([Cut::Close(2_000); 20]).await;
    region.s3().put(BUCKET, "k", pattern(100_000)).unwrap();
    let error = s3.get("k", 100_000).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("reading s3://example-site/k: the body breaks off again and again"),
        "{error}"
    );
}

#[tokio::test]
async fn a_request_that_hangs_is_given_up_and_sent_again() {
    let (region, s3) = region().await;
    region.s3().put(BUCKET, "k", "x").unwrap();
    region.fault(on("GetObject").nth(1), Fault::Hang(Duration::from_secs(60)));
    let started = Instant::now();
    assert_eq!(s3.get("k", 1).await.unwrap().unwrap().body, b"x");
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "{:?}",
        started.elapsed()
    );
}

/// Stops the download at its second range, lets `change` happen, and goes on.
async fn download_while(
    change: impl FnOnce(&Region),
) -> (
    Result<Option<super::super::download::Download>, crate::cloud::Error>,
    bool,
) {
    let (region, s3) = region().await;
    region.s3().put(BUCKET, "k", pattern(2 * RANGE)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x");
    let hold = region.hold(on("GetObject").nth(2), Stage::BeforeActing);
    let download = tokio::spawn({
        let file = file.clone();
        async move { s3.download("k", &file, u64::MAX).await }
    });
    tokio::task::block_in_place(|| hold.wait(SOON)).unwrap();
    change(&region);
    hold.release();
    (download.await.unwrap(), file.exists())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_replaced_while_it_is_downloaded_is_downloaded_anew() {
    let (download, _) = download_while(|region| {
        drop(
            region
                .s3()
                .put(BUCKET, "k", pattern(2 * RANGE + 1))
                .unwrap(),
        )
    })
    .await;
    assert_eq!(download.unwrap().unwrap().size, 2 * RANGE as u64 + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_deleted_while_it_is_downloaded_is_an_error_and_leaves_no_file() {
    let (download, file_left) =
        download_while(|region| region.s3().delete(BUCKET, "k").unwrap()).await;
    let error = download.unwrap_err();
    assert!(
        error
            .to_string()
            .contains("it was deleted while it was being read"),
        "{error}"
    );
    assert!(!file_left);
}

#[tokio::test]
async fn the_time_is_the_stores_and_not_the_machines() {
    let (region, s3) = region().await;
    region.fault(
        Match::service(Service::S3),
        Fault::ClockSkew(time::Duration::minutes(-10)),
    );
    s3.get("absent", 1).await.unwrap();
    let off = s3.now().unwrap() - time::OffsetDateTime::now_utc();
    assert!(
        (off + time::Duration::minutes(10)).abs() < time::Duration::seconds(5),
        "{off}"
    );
}

#[tokio::test]
async fn a_key_is_written_under_the_given_kms_key_and_else_under_the_buckets_own_encryption() {
    let (region, s3) = region().await;
    s3.put("a", Vec::new(), Condition::Always, Some("alias/site"))
        .await
        .unwrap();
    s3.put("b", Vec::new(), Condition::Always, None)
        .await
        .unwrap();
    let puts: Vec<_> = region.requests();
    let encryption = |put: &Recorded| {
        put.header("x-amz-server-side-encryption")
            .zip(put.header("x-amz-server-side-encryption-aws-kms-key-id"))
            .map(|(kind, key)| format!("{kind} {key}"))
    };
    assert_eq!(
        puts.iter().map(encryption).collect::<Vec<_>>(),
        [Some("aws:kms alias/site".to_owned()), None]
    );
}

#[tokio::test]
async fn an_upload_in_parts_survives_broken_parts_and_a_lost_end() {
    let (region, s3) = region().await;
    let body = pattern((5 << 20) + 1);
    region.fault(on("UploadPart").nth(1), Fault::Reset);
    region.fault(on("UploadPart").nth(2), Fault::unavailable());
    s3.upload("cache/x", body.as_slice()).await.unwrap();
    assert!(region.s3().get(BUCKET, "cache/x").unwrap().unwrap() == body);
    assert_eq!(
        (
            region.count(Service::S3, "UploadPart"),
            region.count(Service::S3, "CompleteMultipartUpload")
        ),
        (4, 1)
    );
}

#[tokio::test]
async fn an_upload_that_fails_is_aborted() {
    let (region, s3) = region().await;
    region.fault(on("UploadPart").nth(2), Fault::access_denied());
    s3.upload("cache/x", pattern(11 << 20).as_slice())
        .await
        .unwrap_err();
    assert_eq!(
        (
            region.count(Service::S3, "AbortMultipartUpload"),
            region.count(Service::S3, "CompleteMultipartUpload")
        ),
        (1, 0)
    );
    assert_eq!(region.s3().get(BUCKET, "cache/x").unwrap(), None);
}
