//! The log's objects in a local region's bucket.

use region::{Options, Region, Service};
use time::macros::datetime;

use super::{By, Log, Record, RecordedStep, Verb};
use crate::cloud::s3::S3;
use crate::cloud::stand_in::cloud_in;
use crate::config::Site;

const BUCKET: &str = "example-site";

async fn region() -> (Region, S3, Site) {
    let region = Region::start(Options {
        buckets: vec![BUCKET.to_owned()],
        start_acme: false,
        ..Options::default()
    })
    .unwrap();
    let s3 = cloud_in(&region, Service::S3).await.s3(BUCKET);
    let text = format!(
        "[site]\nname = \"example\"\ndomains = [\"example.test\"]\nbucket = \"{BUCKET}\"\n[app]\nkind = \"static\"\n"
    );
    (region, s3, Site::parse("site.toml", &text).unwrap())
}

fn record(id: &str) -> Record {
    Record::new(
        id.to_owned(),
        Verb::Rotate,
        By::default(),
        datetime!(2026-11-21 12:00 UTC),
        None,
        None,
    )
}

fn step(name: &str) -> RecordedStep {
    RecordedStep {
        name: name.to_owned(),
        start_ms: 0,
        end_ms: None,
        error: None,
    }
}

#[tokio::test]
async fn a_write_of_ours_that_was_dropped_after_it_arrived_is_no_others() {
    let (_region, s3, site) = region().await;
    let mut ours = Log::create(&s3, &site, record("20261121T120000Z-000001"))
        .await
        .unwrap();
    // The same run's write, of whose answer nothing was heard.
    let mut dropped = Log::newest(&s3, &site).await.unwrap().unwrap();
    dropped.write().await.unwrap();
    ours.record.steps.push(step("boot"));
    ours.write().await.unwrap();
    assert_eq!(
        Log::newest(&s3, &site).await.unwrap().unwrap().record.steps,
        [step("boot")]
    );
}

#[tokio::test]
async fn a_run_that_another_has_taken_over_writes_no_more() {
    let (_region, s3, site) = region().await;
    let mut suspended = Log::create(&s3, &site, record("20261121T120000Z-000001"))
        .await
        .unwrap();
    let mut next = Log::newest(&s3, &site).await.unwrap().unwrap();
    next.take_over("20261121T121000Z-000002").await.unwrap();
    let refused = suspended.write().await.unwrap_err().to_string();
    assert!(
        refused.contains("another run has taken this deploy over"),
        "{refused}"
    );
    next.write().await.unwrap();
}

#[tokio::test]
async fn two_runs_never_share_a_name() {
    let (_region, s3, site) = region().await;
    Log::create(&s3, &site, record("20261121T120000Z-000001"))
        .await
        .unwrap();
    assert!(
        Log::create(&s3, &site, record("20261121T120000Z-000001"))
            .await
            .is_err()
    );
}
