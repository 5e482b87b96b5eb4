//! The adapter against the region's Route 53, whose rules are those of the real one.

mod batches;
mod health;
mod reading;
mod txt;

use std::time::Duration;

use region::{Fault, Match, Options, Region, Service};
use tokio::time::Instant;

use super::*;
use crate::cloud::stand_in::cloud_in;

const ZONE: &str = "Z0EXAMPLE";

async fn region() -> (Region, Route53) {
    region_with(Options::default()).await
}

async fn region_with(options: Options) -> (Region, Route53) {
    let region = Region::start(options).unwrap();
    let route53 = cloud_in(&region, Service::Route53).await.route53();
    (region, route53)
}

fn on(operation: &str) -> Match {
    Match::service(Service::Route53).operation(operation)
}

fn address(name: &str, value: &str) -> RecordSet {
    RecordSet::new(name, RecordType::A, 60, vec![value.to_owned()])
}

fn seed(region: &Region, name: &str, kind: &str, values: &[&str]) {
    region
        .route53()
        .seed(
            ZONE,
            region::RecordSet::simple(name, kind, 300, values.iter().copied()),
        )
        .unwrap();
}

/// A record's values as they stand; empty where there is none.
fn values(region: &Region, name: &str, kind: &str) -> Vec<String> {
    region
        .route53()
        .find(ZONE, name, kind)
        .into_iter()
        .flat_map(|set| set.values)
        .collect()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}
