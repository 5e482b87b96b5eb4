//! Good releases, and visitors who notice nothing.

use region::Recorded;
use region::load::{Load, LoadSpec, Population};

use super::Lone;
use crate::common::eventually;
use crate::common::{DOMAIN, Package, World};

/// What the visitors of the suites expect of an app, under gunicorn: one that drops what waits for
/// it when it is told to stop.
const WSGI: &str = r#"
import hashlib, os, time
from urllib.parse import parse_qs

RELEASE = os.environ["SPOTBOOT_RELEASE"]

def application(environ, start_response):
    said = f"path {environ['PATH_INFO']}"
    if environ["REQUEST_METHOD"] == "POST":
        digest = hashlib.sha256()
        while data := environ["wsgi.input"].read(65536):
            digest.update(data)
        said = f"sha256 {digest.hexdigest()}"
    time.sleep(float(parse_qs(environ.get("QUERY_STRING", "")).get("seconds", ["0"])[0]))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"release {RELEASE} {said}\n".encode()]
"#;
const APP: &str = "kind = \"python\"\nwsgi = \"web:application\"\nstatic = { \"/assets/\" = \"assets\" }\n\
    env = { WEB_CONCURRENCY = \"2\", GUNICORN_CMD_ARGS = \"--threads 16\" }\n";
const RATE: u32 = 200;

fn release(version: &str) -> Package {
    Package::default()
        .file("web.py", WSGI)
        .file("requirements.txt", "gunicorn==23.0.0\n")
        .file("assets/version.txt", version)
}

#[test]
fn at_two_hundred_requests_a_second_a_release_is_live_in_seconds_and_gone_again_and_nobody_is_failed()
 {
    let world = World::new();
    let lone = Lone::with(
        &world,
        |machine| machine.section("app", APP),
        &release("v1"),
    );
    let first = lone.current();
    assert!(!lone.apps("app.sock").is_empty() && lone.apps("app-b.sock").is_empty());
    let spec = LoadSpec::new(&world.region, DOMAIN, lone.machine.https_port)
        .expect("the region's CA answers");
    let visitors = Load::start(LoadSpec { rate: RATE, ..spec }).expect("visitors come");

    let deployed = lone.deploy(&release("v2"));
    deployed.assert_success();
    let second = lone.current();
    assert_ne!(first, second);
    assert_eq!(lone.seen(), "v2");
    let report = lone.report();
    assert_eq!(
        (
            report["release"].as_str(),
            report["tried"]["release"].as_str()
        ),
        (Some(&*second), Some(&*second)),
        "{report}"
    );
    eventually("the first release's app goes", || {
        lone.apps("app.sock").is_empty()
    });
    assert!(!lone.apps("app-b.sock").is_empty(), "{}", lone.log());
    let link = || {
        std::fs::read_link(lone.machine.state().join("releases/current"))
            .expect("a current release")
    };
    eventually("the disk is put in order", || {
        link().to_str() == Some(&second)
    });

    lone.ci(&["rollback", "--in-place"]).assert_success();
    assert_eq!(
        (lone.seen(), lone.current()),
        ("v1".to_owned(), first.clone())
    );
    eventually("the second release's app goes", || {
        lone.apps("app-b.sock").is_empty()
    });

    let asked = |path: &str, status: std::ops::Range<u16>| {
        let asked =
            |request: &Recorded| request.operation == "GetObject" && request.path.contains(path);
        world.region.count_where(|request| {
            asked(request) && request.status.is_some_and(|given| status.contains(&given))
        })
    };
    assert_eq!(
        asked("packages/", 200..300),
        2,
        "a release that is still here was downloaded again"
    );
    assert!(
        asked("releases/candidate.json", 304..305) > 0,
        "the candidate was sent though it was the same"
    );

    let report = visitors.stop();
    let history = lone.history();
    for run in &history[1..] {
        assert_eq!(
            (&run["end"]["outcome"], &run["in_place"]["instances"][0]),
            (&"promoted".into(), &"i-0lone".into()),
            "{run:#}"
        );
        assert!(run["rotation"].is_null());
    }
    lone.print_times();
    println!("{report}");
    report.assert_no_failures();
    report.assert_not_held_up();
    assert!(
        [Population::Slow, Population::Upload, Population::Http2]
            .iter()
            .all(|who| report.totals[who].answered > 0),
        "{report}"
    );
    let releases: Vec<&str> = report
        .seen
        .keys()
        .map(|(_, release)| release.as_str())
        .collect();
    assert_eq!(releases.len(), 2, "{releases:?}");
    let told = lone.ci(&["history"]).stdout;
    assert!(
        told.contains("deploy in place")
            && told.contains("rollback in place")
            && told.contains("i-0lone"),
        "{told}"
    );
}

#[test]
fn a_dry_run_says_which_instances_would_start_it_and_changes_nothing() {
    let world = World::new();
    let lone = Lone::serving(&world);
    let before = world.list("");
    let told = lone.ci(&[
        "deploy",
        &crate::site::zip(&world, &crate::site::app("v2")),
        "--in-place",
        "--dry-run",
    ]);
    told.assert_success();
    assert!(
        told.stdout
            .contains("i-0lone would start the release beside what it serves")
            && told.stdout.contains("1s of baking")
    );
    assert_eq!(world.list(""), before);
    let both = lone.ci(&["deploy", ".", "--in-place", "--batch", "2"]);
    assert_eq!(both.code(), 2, "{}", both.stderr);
}
