//! What cannot be switched on, and what is said of it.

use std::path::PathBuf;

use crate::common::DOMAIN;
use crate::desk::{Desk, desk_id};

/// A site.toml with this `[failover]`.
fn config(desk: &Desk, failover: &str, web: &str) -> PathBuf {
    let machine = desk
        .world
        .machine(&desk_id())
        .section("app", "kind = \"static\"\n")
        .section("failover", failover);
    let machine = if web.is_empty() {
        machine
    } else {
        machine.section("web", web)
    };
    machine.write_site()
}

fn refused(desk: &Desk, failover: &str, args: &[&str], code: i32, says: &[&str]) {
    desk.world.region.forget_requests();
    desk.failover(&config(desk, failover, ""), args, code, says);
    let changing = desk
        .world
        .region
        .count_where(|request| request.is_changing());
    assert_eq!(changing, 0, "{args:?}");
}

#[test]
fn a_site_without_a_table_has_no_mirror_to_lead_to() {
    let desk = Desk::new();
    let machine = desk
        .world
        .machine(&desk_id())
        .section("app", "kind = \"static\"\n");
    let config = machine.write_site();
    for args in [&["on"][..], &["off"], &["status"]] {
        desk.failover(&config, args, 2, &["no [failover] table"]);
    }
}

#[test]
fn a_mirror_that_was_never_published_is_told() {
    let desk = Desk::new();
    let config = desk.config();
    desk.failover(
        &config,
        &["on"],
        3,
        &["no mirror of example is published", "spotboot mirror"],
    );
    assert_eq!(desk.word(), serde_json::Value::Null);
}

#[test]
fn https_visitors_are_led_to_no_website_endpoint() {
    let desk = Desk::with_mirror();
    let bucket = format!("bucket = \"{DOMAIN}\"\n");
    refused(
        &desk,
        &bucket,
        &["on"],
        2,
        &["has no TLS", "failover.cloudfront"],
    );
}

#[test]
fn flags_need_their_keys() {
    let desk = Desk::with_mirror();
    let bare = "bucket = \"mirror\"\ncloudfront = \"d111.cloudfront.net\"\n";
    refused(&desk, bare, &["on", "--page"], 2, &["failover.page"]);
    refused(&desk, bare, &["on", "--redirect"], 2, &["failover.name"]);
}
