//! An emergency with the mirror that the instances make anew by themselves.

use region::Service;

use crate::common::{DOMAIN, Package, eventually};
use crate::desk::{Desk, FAILOVER, FRONT, LITE};

/// No page leads to the lite page, which has a style sheet of its own, named from where it stands.
fn site() -> Package {
    let page = |text: &str, style: &str, more: &str| {
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{text}</title><link rel=\"stylesheet\" href=\"{style}\"></head><body><h1>{text}</h1>{more}</body></html>"
        )
    };
    let more = "<p><a href=\"/about.html\">about</a></p>";
    Package::default()
        .file("index.html", page(FRONT, "/style.css", more))
        .file("about.html", page("About us", "/style.css", ""))
        .file("404.html", page("no such page", "/style.css", ""))
        .file("style.css", "body { color: black }\n")
        .file("emergency/index.html", page(LITE, "lite.css", ""))
        .file("emergency/lite.css", "body { color: teal }\n")
}

#[test]
fn the_instances_publish_the_lite_page_and_leave_it_at_the_front() {
    let desk = Desk::new();
    desk.world.publish("v1", &site());
    let often = FAILOVER.replace("\"0s\"", "\"10s\"");
    let machine = desk.machine("i-0own").section("failover", &often);
    let mut running = machine.up();
    let config = machine.write_site();
    eventually("the instance's own mirror", || {
        desk.world.get("mirror/report.json").is_some()
    });
    assert!(desk.mirrored("index.html").contains(FRONT));
    assert!(desk.mirrored("emergency/index.html").contains(LITE));

    desk.failover(
        &config,
        &["on", "--page"],
        0,
        &["stands at the mirror's front"],
    );
    desk.assert_on(&config, true);
    let (status, front) = desk.visit_as(Service::CloudFront, DOMAIN, "/");
    assert!(status == "200" && front.contains(LITE), "{front}");
    let style = "/emergency/lite.css";
    assert!(front.contains(&format!("href=\"{style}\"")), "{front}");
    let (status, style) = desk.visit_as(Service::CloudFront, DOMAIN, style);
    assert!(status == "200" && style.contains("teal"), "{style}");

    // The next time at which the instance would make the mirror anew comes while that is held.
    running.wait_for("the mirror is not made anew now");
    desk.assert_on(&config, true);
    desk.failover(&config, &["off"], 0, &["the names lead to i-0own"]);
    desk.assert_off(&config, &machine);
}
