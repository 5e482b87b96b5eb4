//! The lite page at the mirror's front.

use std::time::Duration;

use serde_json::Value;

use crate::desk::{Desk, FRONT, LITE};

fn manifest(desk: &Desk) -> Value {
    let body = desk
        .world
        .get("mirror/manifest.json")
        .expect("there is one");
    serde_json::from_slice(&body).expect("it is JSON")
}

#[test]
fn with_page_the_front_shows_the_lite_page_until_off() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    assert!(desk.visit("/").1.contains(FRONT));
    let before = (
        manifest(&desk)["objects"].clone(),
        desk.mirrored("index.html"),
    );
    desk.failover(
        &config,
        &["on", "--page"],
        0,
        &[
            "/emergency/ stands at the mirror's front",
            "where CloudFront has kept the former front page it shows it for",
        ],
    );
    desk.assert_on(&config, true);
    let kept = desk.visit("/").1;
    assert!(kept.contains(FRONT), "CloudFront has kept it: {kept}");
    desk.world.region.age_edges(Duration::from_secs(60));
    let (status, body) = desk.visit("/");
    assert_eq!(status, "200");
    assert!(body.contains(LITE), "{body}");
    assert!(
        desk.visit("/page-0/").1.contains("Page 0"),
        "the rest of the mirror stands"
    );
    let told = desk.ci(&config, &["mirror", "check", "--json"]);
    assert_eq!(
        told.code(),
        0,
        "the manifest tells of the page: {}{}",
        told.stdout,
        told.stderr
    );
    let url = desk.live.url();
    let refresh = desk.ci(&config, &["mirror", "--url", &url]);
    assert_eq!(refresh.code(), 3, "the mirror is held: {}", refresh.stdout);

    desk.failover(&config, &["off"], 0, &["stands there again"]);
    desk.assert_off(&config, &machine);
    assert_eq!(
        (
            manifest(&desk)["objects"].clone(),
            desk.mirrored("index.html")
        ),
        before
    );
    let again = desk.ci(&config, &["mirror", "--url", &url, "--json"]);
    let again: Value = serde_json::from_str(&again.stdout).expect("it is JSON");
    assert_eq!(again["end"], "unchanged", "{again}");
}

#[test]
fn the_page_comes_where_the_names_are_at_the_mirror_already() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    desk.failover(&config, &["on"], 0, &[]);
    desk.world.region.forget_requests();
    desk.failover(
        &config,
        &["on", "--page"],
        0,
        &["stands at the mirror's front"],
    );
    assert_eq!(desk.batches(), 0);
    desk.assert_on(&config, true);
    desk.failover(&config, &["on"], 0, &["on already"]);
    desk.assert_on(&config, true);
}

#[test]
fn a_persons_own_hold_outlives_the_emergency() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    desk.ci(&config, &["mirror", "hold", "the article"])
        .assert_success();
    desk.failover(&config, &["on", "--page"], 0, &[]);
    desk.failover(&config, &["off"], 0, &[]);
    let hold = desk.world.get("mirror/hold.json").expect("it is held");
    assert!(String::from_utf8_lossy(&hold).contains("the article"));
    assert!(desk.mirrored("index.html").contains(FRONT));
}

#[test]
fn a_page_that_the_mirror_lacks_keeps_nobody_from_the_mirror() {
    let desk = Desk::new();
    desk.live.remove("/emergency/");
    desk.publish();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    let words = "the published mirror has no /emergency/";
    desk.failover(&config, &["on", "--page", "--dry-run"], 3, &[words]);
    desk.failover(
        &config,
        &["on", "--page"],
        1,
        &[words, "the names lead to the mirror"],
    );
    assert_eq!(desk.word()["on"], true);
    desk.failover(&config, &["off"], 0, &[]);
    desk.assert_off(&config, &machine);
}

/// A person releases the mirror during the emergency, and it is made anew with another front page
/// and another lite page.
#[test]
fn a_page_that_a_publication_has_overwritten_is_told_and_comes_again() {
    let desk = Desk::with_mirror();
    let machine = desk.machine("i-0app");
    let _running = machine.up();
    let config = machine.write_site();
    desk.failover(&config, &["on", "--page"], 0, &[]);
    desk.ci(&config, &["mirror", "release"]).assert_success();
    let newer = format!("<h1>{FRONT}</h1><p>newer</p><a href=\"/page-0/\">a page</a>");
    desk.live.html("/", &newer);
    desk.live
        .html("/emergency/", &format!("<h1>{LITE}</h1><p>newer</p>"));
    desk.publish();
    let again = "run `spotboot failover on --page` again";
    desk.failover(&config, &["status"], 3, &[again]);
    desk.failover(&config, &["on", "--page"], 0, &["at the mirror's front"]);
    desk.assert_on(&config, true);
    desk.failover(&config, &["off"], 0, &["stands there again"]);
    desk.assert_off(&config, &machine);
    assert!(desk.mirrored("index.html").contains("newer"));
}
