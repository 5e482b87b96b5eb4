//! The word in a local region's bucket.

use region::{Options, Region, Service};
use time::macros::datetime;

use super::*;
use crate::cloud::stand_in::cloud_in;

const BUCKET: &str = "example-site";

async fn file() -> (Region, EmergencyFile) {
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
    let site = Site::parse("site.toml", &text).unwrap();
    (region, EmergencyFile::new(&s3, &site))
}

fn said_by(by: &str) -> Emergency {
    Emergency {
        on: true,
        redirect: false,
        page: true,
        by: by.to_owned(),
        since: datetime!(2026-11-30 15:00 UTC),
        why: None,
    }
}

#[tokio::test]
async fn of_two_who_speak_at_once_the_second_is_refused_and_hears_the_first() {
    let (_region, file) = file().await;
    let nothing = file.read().await.unwrap();
    assert_eq!(nothing, EmergencyRead::default());
    let written = file.write(&nothing, &said_by("ada")).await.unwrap();
    assert!(written.is_some());
    let late = file.write(&nothing, &said_by("bob")).await.unwrap();
    assert_eq!(late, None);
    let stands = file.read().await.unwrap();
    assert_eq!(stands.on(), Some(&said_by("ada")));
    assert_eq!(Some(&stands), written.as_ref(), "as the writer knows it");
    let off = Emergency {
        on: false,
        ..said_by("bob")
    };
    assert!(file.write(&stands, &off).await.unwrap().is_some());
    assert_eq!(file.read().await.unwrap().on(), None);
}

#[tokio::test]
async fn a_broken_object_is_written_over_by_the_next_word() {
    let (_region, file) = file().await;
    let half = b"{\"on\": tr".to_vec();
    let put = file.s3.put(&file.key, half, Condition::Always, None);
    put.await.unwrap();
    let broken = file.read().await.unwrap();
    assert_eq!(broken.on(), None);
    let why = broken.broken.as_deref().expect("it is told");
    assert!(
        why.starts_with("s3://example-site/failover.json is broken: "),
        "{why}"
    );
    let written = file.write(&broken, &said_by("ada")).await.unwrap();
    assert!(written.is_some());
}

#[tokio::test]
async fn who_looks_again_and_again_is_sent_only_what_changed() {
    let (region, file) = file().await;
    let nothing = file.read().await.unwrap();
    file.write(&nothing, &said_by("ada")).await.unwrap();
    let first = file.read_since(&nothing).await.unwrap();
    let again = file.read_since(&first).await.unwrap();
    assert_eq!(again, first);
    let statuses: Vec<Option<u16>> = region
        .requests()
        .into_iter()
        .filter(|request| request.operation == "GetObject")
        .map(|request| request.status)
        .collect();
    assert_eq!(statuses, [Some(404), Some(200), Some(304)]);
    let removed = file.s3.delete(&file.key, Condition::Always);
    removed.await.unwrap();
    let gone = file.read_since(&again).await.unwrap();
    assert_eq!(gone, EmergencyRead::default(), "gone is off");
}

#[tokio::test]
async fn an_object_without_end_is_not_read() {
    let (_region, file) = file().await;
    let large = vec![b' '; LARGEST + 1];
    let put = file.s3.put(&file.key, large, Condition::Always, None);
    put.await.unwrap();
    let error = file.read().await.unwrap_err().to_string();
    assert!(error.contains("no more than 65536 are expected"), "{error}");
}
