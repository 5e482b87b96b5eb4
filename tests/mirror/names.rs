//! The record of `[failover] name`.

use region::{Fault, Match, RecordSet, Service};

use crate::common::ZONE;
use crate::desk::{Desk, MIRROR};

fn target(desk: &Desk) -> Option<String> {
    let found = desk.world.region.route53().find(ZONE, MIRROR, "A");
    let set = found.into_iter().next()?;
    Some(set.alias?.name)
}

fn named() -> Desk {
    let desk = Desk::with_pages(1);
    desk.configure(&format!("name = \"{MIRROR}\"\n"));
    desk
}

#[test]
fn the_name_is_led_to_the_website_endpoint_once() {
    let desk = named();
    let told = desk.publish();
    assert!(
        told["notes"]
            .to_string()
            .contains("create A static.example.test"),
        "{told}"
    );
    assert_eq!(
        target(&desk).unwrap().trim_end_matches('.'),
        "s3-website-ap-southeast-2.amazonaws.com"
    );
    desk.world.region.forget_requests();
    desk.publish();
    let changes = desk
        .world
        .region
        .count(Service::Route53, "ChangeResourceRecordSets");
    assert_eq!(changes, 0);
}

#[test]
fn a_record_of_somebody_else_is_told_and_left() {
    let desk = named();
    let theirs = RecordSet::simple(MIRROR, "A", 60, ["203.0.113.9"]);
    desk.world.region.route53().seed(ZONE, theirs).unwrap();
    let told = desk.publish();
    assert_eq!(told["end"], "published");
    assert!(
        told["notes"]
            .to_string()
            .contains("which spotboot did not make; delete that record"),
        "{told}"
    );
    assert_eq!(desk.world.record(MIRROR, "A"), ["203.0.113.9"]);
}

#[test]
fn without_the_right_to_change_the_zone_the_mirror_stands_and_the_record_is_told() {
    let desk = named();
    desk.world.region.fault(
        Match::service(Service::Route53).operation("ChangeResourceRecordSets"),
        Fault::access_denied(),
    );
    let told = desk.publish();
    assert_eq!(told["end"], "published");
    assert!(
        told["notes"]
            .to_string()
            .contains("allow route53:ChangeResourceRecordSets"),
        "{told}"
    );
}
