//! What is published, and in what order; what is written again, and what is deleted.

use crate::desk::{Desk, MIRROR};
use crate::live::body_of;

#[test]
fn the_first_run_publishes_assets_before_pages_and_the_second_writes_nothing() {
    let desk = Desk::with_pages(5);
    let told = desk.publish();
    assert_eq!(told["end"], "published", "{told}");
    let written = desk.written();
    let position = |key: &str| written.iter().position(|each| each == key);
    let last_asset = written
        .iter()
        .rposition(|key| key.ends_with(".png") || key.ends_with(".css"));
    let first_page = written.iter().position(|key| key.ends_with("index.html"));
    assert!(last_asset < first_page, "{written:?}");
    assert!(position("page-3/index.html").is_some(), "{written:?}");
    assert!(
        desk.object("page-3/index.html")
            .unwrap()
            .contains("text of page number 3")
    );
    assert!(
        desk.object("404.html")
            .unwrap()
            .contains("There is no such page")
    );
    assert_eq!(desk.manifest()["error"], "404.html");
    assert_eq!(desk.report()["last_good"]["pages"], told["copy"]["pages"]);
    desk.assert_whole("at the end");

    desk.world.region.forget_requests();
    let again = desk.publish();
    assert_eq!(again["end"], "unchanged", "{again}");
    assert_eq!(desk.written(), Vec::<String>::new());
    assert_eq!(again["publication"]["written"], 0);
}

#[test]
fn only_what_has_changed_is_written_and_what_is_gone_leaves_after_its_grace() {
    let desk = Desk::with_pages(30);
    desk.publish();
    let theirs = "mine.pdf";
    desk.world.put_in(MIRROR, theirs, "a person's own");
    desk.live.html("/page-1/", &body_of(1, "second"));
    let links: String = (0..29)
        .map(|page| format!("<a href=\"/page-{page}/\">page {page}</a>\n"))
        .collect();
    desk.live
        .html("/", &format!("<h1>The front page</h1>\n{links}"));
    desk.live.remove("/page-29/");
    desk.world.region.forget_requests();
    let told = desk.publish();
    let written = desk.written();
    assert!(
        written.contains(&"page-1/index.html".to_owned()),
        "{written:?}"
    );
    assert!(
        !written
            .iter()
            .any(|key| key.contains("page-2") || key.ends_with(".png")),
        "{written:?}"
    );
    assert!(told["publication"]["leaving"].as_u64() > Some(0), "{told}");
    let leaving = desk.manifest()["leaving"].clone();
    assert!(leaving.get("page-29/index.html").is_some(), "{leaving}");
    assert!(
        desk.keys().contains("page-29/index.html"),
        "its grace is not over"
    );

    // An hour later, by the manifest's word.
    let mut manifest = desk.manifest();
    for (_, leaving) in manifest["leaving"].as_object_mut().unwrap() {
        leaving["since"] = "2026-01-01T00:00:00Z".into();
    }
    desk.world.put("mirror/manifest.json", manifest.to_string());
    desk.publish();
    let keys = desk.keys();
    assert!(!keys.iter().any(|key| key.contains("page-29")), "{keys:?}");
    assert!(
        keys.contains(theirs),
        "a person's own file is never deleted"
    );
    desk.assert_whole("after the deletions");
}

#[test]
fn what_somebody_deleted_or_wrote_over_is_published_again() {
    let desk = Desk::with_pages(4);
    desk.publish();
    desk.world.region.s3().delete(MIRROR, "img/2.png").unwrap();
    desk.world
        .put_in(MIRROR, "page-1/index.html", "scribbled over");
    desk.world.region.forget_requests();
    desk.publish();
    let mut written = desk.written();
    written.sort();
    assert_eq!(written, ["img/2.png", "page-1/index.html"]);
    assert!(
        desk.object("page-1/index.html")
            .unwrap()
            .contains("text of page number 1")
    );
}

#[test]
fn types_and_redirects_stand_as_the_website_endpoint_shows_them() {
    let desk = Desk::with_pages(3);
    desk.live.put("/old", 301, "text/html", "");
    desk.live.add_header("/old", "location", "/page-1/");
    desk.live.put("/list", 200, "text/csv", "a,b");
    let name = "attachment; filename=\"list.csv\"";
    desk.live.add_header("/list", "content-disposition", name);
    desk.live.html(
        "/page-0/",
        "<a href=\"/old\">old</a><a href=\"/list\">list</a>",
    );
    desk.publish();
    let old = seen(&desk, "/old");
    assert!(old.starts_with("HTTP/1.1 301 "), "{old}");
    assert!(old.contains("\nlocation: /page-1/\r\n"), "{old}");
    let list = seen(&desk, "/list");
    assert!(list.contains(&format!("\ncontent-disposition: {name}\r\n")));
    assert!(list.contains("\ncontent-type: text/csv\r\n"), "{list}");
    let check = desk.command(&[
        "mirror",
        "check",
        "--published",
        "--json",
        "--url",
        &format!("http://{MIRROR}/"),
        "--connect",
        &website(&desk),
    ]);
    let ended = run(check);
    ended.says(0, &[]);
    let told = ended.json();
    assert_eq!(told["wrong"], serde_json::json!([]));
    assert!(told["reached"].as_u64() >= Some(4), "{told}");

    desk.world
        .put_in(MIRROR, "page-1/index.html", "scribbled over");
    desk.world.region.s3().delete(MIRROR, "img/2.png").unwrap();
    let check = desk.command(&[
        "mirror",
        "check",
        "--published",
        "--url",
        &format!("http://{MIRROR}/"),
        "--connect",
        &website(&desk),
    ]);
    run(check).says(3, &["/page-1/ ", "/img/2.png answers 404"]);
}

/// The head of what the website endpoint answers.
fn seen(desk: &Desk, path: &str) -> String {
    let output = std::process::Command::new("curl")
        .args(["--silent", "--head", "--max-time", "20"])
        .args(["--header", &format!("host: {MIRROR}")])
        .arg(format!("http://{}{path}", website(desk)))
        .output()
        .expect("curl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn website(desk: &Desk) -> String {
    let endpoint = desk.world.region.endpoint(region::Service::Website);
    endpoint
        .trim_start_matches("http://")
        .trim_end_matches('/')
        .to_owned()
}

fn run(mut command: std::process::Command) -> crate::desk::Ended {
    crate::desk::Ended::of(command.output().expect("it runs"))
}
