//! A copy in a folder, with neither site.toml nor AWS.

use crate::common::spotboot;
use crate::desk::{Desk, Ended};

#[test]
fn a_copy_in_a_folder_needs_no_site_toml_and_asks_aws_nothing() {
    let desk = Desk::with_pages(3);
    let out = desk.world.path("out");
    let mut command = spotboot(&desk.world);
    command
        .current_dir("/")
        .args(["mirror", "--url", &desk.live.url()]);
    command.args([
        "--own",
        "127.0.0.1:1",
        "www.example.org",
        "--own",
        "*.example.org",
        "--out",
    ]);
    command.arg(&out).arg("--json");
    let ended = Ended::of(command.output().expect("it runs"));
    ended.says(0, &[]);
    let told = ended.json();
    assert_eq!(
        (&told["end"], &told["copy"]["broken"]),
        (&"written".into(), &0.into()),
        "{told}"
    );
    let meta = std::fs::read_to_string(desk.world.path("out.meta.json")).expect("it is written");
    let meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
    let file = meta["objects"]["page-1/index.html"]["file"]
        .as_str()
        .expect("it is listed");
    let page = std::fs::read_to_string(out.join(file)).unwrap();
    assert!(page.contains("text of page number 1"), "{page}");
    assert!(desk.world.path("out.crawl").is_dir());
    assert_eq!(
        desk.world
            .region
            .count_where(|request| request.is_changing()),
        0
    );
}

#[test]
fn without_a_site_and_without_a_folder_there_is_nothing_to_do() {
    let desk = Desk::with_pages(1);
    let mut command = spotboot(&desk.world);
    command
        .current_dir(desk.world.root().join(".."))
        .args(["mirror", "--out", "x"]);
    let ended = Ended::of(command.output().expect("it runs"));
    ended.says(2, &["no site.toml"]);
}
