//! A lease in a local region's bucket.

use region::{Fault, Match, Options, Region, Service};

use super::*;
use crate::cloud::stand_in::cloud_in;

const BEFORE: OffsetDateTime = OffsetDateTime::UNIX_EPOCH;

#[tokio::test]
async fn a_lease_that_nobody_holds_is_taken_kept_and_given_back_though_each_write_meets_another() {
    let region = Region::start(Options::default()).unwrap();
    let s3 = cloud_in(&region, Service::S3).await.s3("example-site");
    let (key, lasts) = ("locks/deploy.json", Duration::from_secs(60));
    let meet = || {
        let write = Match::service(Service::S3).conditional().nth(1);
        region.fault(write, Fault::conflict())
    };
    let mut met = vec![meet()];
    let Asked::Held(mut ours) = Lease::ask(&s3, key, "i-1", lasts).await.unwrap() else {
        panic!("nobody has it")
    };
    met.push(meet());
    ours.replace(false).await.unwrap();
    met.push(meet());
    ours.release().await.unwrap();
    assert!(!Lease::is_held(&s3, key).await.unwrap());
    assert!(met.into_iter().all(|fault| region.hits(fault) == 1));
}

#[tokio::test]
async fn a_write_of_ours_that_was_never_answered_costs_no_lease_and_anothers_does() {
    let options = Options {
        buckets: vec!["example-site".to_owned()],
        start_acme: false,
        ..Options::default()
    };
    let region = Region::start(options).unwrap();
    let s3 = cloud_in(&region, Service::S3).await.s3("example-site");
    let (key, lasts) = ("locks/deploy.json", Duration::from_secs(60));
    let Asked::Held(mut ours) = Lease::ask(&s3, key, "i-1", lasts).await.unwrap() else {
        panic!("nobody has it")
    };
    let unheard = LeaseRecord {
        holder: "i-1".into(),
        expires: BEFORE,
        done: false,
    }
    .to_json();
    s3.put(key, unheard, Condition::Always, None).await.unwrap();
    ours.replace(false).await.unwrap();
    let others = LeaseRecord {
        holder: "i-2".into(),
        expires: BEFORE,
        done: false,
    }
    .to_json();
    s3.put(key, others, Condition::Always, None).await.unwrap();
    assert!(ours.replace(false).await.unwrap_err().is::<Lost>());
}
