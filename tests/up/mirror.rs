//! The mirror that the instances keep: made after a boot and after a release, by one of them, and
//! never at the cost of what serves.

use std::time::{Duration, Instant};

use region::{Fault, Match, Recorded, Service};
use serde_json::Value;

use crate::common::{DOMAIN, Machine, Package, World, eventually, signal};
use crate::metrics::{metrics, value};

/// As often as site.toml may ask for, so that nobody waits long.
const OFTEN: &str = "bucket = \"mirror\"\nrefresh = \"10s\"\n";
/// Longer than an instance waits that finds the mirror due.
const WHILE: Duration = Duration::from_secs(20);

fn site(word: &str) -> Package {
    let page = |text: &str| {
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{text}</title>\
             <link rel=\"stylesheet\" href=\"/style.css\"></head><body><h1>{text}</h1>\
             <p><a href=\"/about.html\">about</a></p></body></html>"
        )
    };
    Package::default()
        .file("index.html", page(&format!("front of {word}")))
        .file("about.html", page(&format!("about {word}")))
        .file("404.html", page("no such page"))
        .file("style.css", "body { color: teal }\n")
}

fn world() -> World {
    let world = World::new();
    world.publish("v1", &site("v1"));
    world
}

fn machine<'w>(world: &'w World, id: &str) -> Machine<'w> {
    world
        .machine(id)
        .section("app", "kind = \"static\"\n")
        .section("failover", OFTEN)
}

fn mirrored(world: &World, key: &str) -> String {
    let body = world.region.s3().get("mirror", key).unwrap();
    String::from_utf8_lossy(&body.unwrap_or_default()).into_owned()
}

fn json(world: &World, key: &str) -> Value {
    let body = world.get(key).unwrap_or_else(|| b"null".to_vec());
    serde_json::from_slice(&body).unwrap()
}

/// What an instance has written into the mirror's bucket.
fn writes(world: &World, instance: &str) -> usize {
    let by = |request: &Recorded| request.instance.as_deref() == Some(instance);
    world.region.count_where(|request| {
        request.service == Service::S3
            && request.method == "PUT"
            && request.path.starts_with("/mirror/")
            && by(request)
    })
}

/// The last try that the instance has told of: none, or whether it was well.
fn tried(world: &World, id: &str) -> Option<Result<(), String>> {
    let report = world.report(id)?;
    let tried = report.get("mirror")?;
    Some(match tried["error"].as_str() {
        Some(error) => Err(error.to_owned()),
        None => Ok(()),
    })
}

#[test]
fn the_mirror_is_made_after_the_boot_and_again_for_another_release() {
    let world = world();
    let machine = machine(&world, "i-0mirror");
    let running = machine.up();
    eventually("the first mirror", || {
        tried(&world, "i-0mirror") == Some(Ok(()))
    });
    assert!(mirrored(&world, "index.html").contains("front of v1"));
    assert!(mirrored(&world, "about.html").contains("about v1"));
    assert!(mirrored(&world, "404.html").contains("no such page"));
    assert_eq!(json(&world, "mirror/report.json")["release"], "v1");
    eventually("the metrics of the mirror", || {
        value(&metrics(&machine), "spotboot_mirror_pages") > 0.0
    });
    let page = metrics(&machine);
    assert!(
        value(&page, "spotboot_mirror_fresh_timestamp_seconds") > 0.0,
        "{page}"
    );
    assert!(!page.contains("spotboot_mirror_failure"), "{page}");
    running.stop().assert_success();
    world.publish("v2", &site("v2"));
    let _running = machine.up();
    eventually("the mirror of the next release", || {
        mirrored(&world, "index.html").contains("front of v2")
    });
}

#[test]
fn status_tells_of_the_mirror() {
    let world = world();
    let machine = machine(&world, "i-0status");
    let _running = machine.up();
    eventually("the mirror", || tried(&world, "i-0status") == Some(Ok(())));
    let site = machine.write_site();
    let ask = |flag: &[&str]| {
        let args = ["status", "--config", site.to_str().unwrap()];
        machine.run(&[&args, flag].concat()).stdout
    };
    let told = ask(&[]);
    let line = told.lines().find(|line| line.starts_with("mirror "));
    assert!(line.is_some_and(|line| line.contains("of v1: ")), "{told}");
    let told: Value = serde_json::from_str(&ask(&["--json"])).unwrap();
    assert_eq!(told["mirror"]["release"], "v1", "{told}");
    assert!(told["mirror"]["age_seconds"].is_u64(), "{told}");
}

#[test]
fn of_two_instances_the_owner_of_the_names_makes_it() {
    let world = world();
    let (first, second) = (machine(&world, "i-0first"), machine(&world, "i-0second"));
    let _first = first.up();
    let _second = second.up();
    eventually("the owner's mirror", || {
        tried(&world, "i-0second") == Some(Ok(()))
    });
    let before = writes(&world, "i-0first");
    std::thread::sleep(WHILE);
    assert_eq!(writes(&world, "i-0first"), before, "it stands by");
}

#[test]
fn a_mirror_that_is_held_is_left_alone() {
    let world = world();
    let hold = r#"{"since":"2026-11-30T15:00:00Z","by":"ada on desk"}"#;
    world.put("mirror/hold.json", hold);
    let machine = machine(&world, "i-0held");
    let mut running = machine.up();
    running.wait_for("the mirror is not made anew now");
    assert_eq!(writes(&world, "i-0held"), 0);
    world.delete("mirror/hold.json");
    eventually("a mirror, once it is released", || {
        writes(&world, "i-0held") > 0
    });
    assert!(
        running.log().contains("by ada on desk"),
        "{}",
        running.log()
    );
}

#[test]
fn a_job_that_is_killed_is_told_and_the_next_one_comes() {
    let world = world();
    let machine = machine(&world, "i-0killed");
    let mut running = machine.up();
    let begun = Instant::now();
    let job = loop {
        let jobs = running.processes(" mirror --json");
        if let Some(job) = jobs.into_iter().next() {
            break job;
        }
        assert!(begun.elapsed() < WHILE * 6, "no job: {}", running.log());
        std::thread::sleep(Duration::from_millis(20));
    };
    signal(job, "KILL");
    running.wait_for("no new mirror, the former one stays");
    running.assert_alive();
    eventually("the next try", || {
        tried(&world, "i-0killed") == Some(Ok(()))
    });
}

#[test]
fn a_bucket_that_refuses_the_mirror_is_told_once_and_disturbs_nothing() {
    let world = world();
    let machine = machine(&world, "i-0refused");
    let refused = Fault::Respond {
        status: 403,
        code: "AccessDenied".to_owned(),
        message: "Access Denied".to_owned(),
        retry_after: None,
    };
    let puts = Match::service(Service::S3)
        .operation("PutObject")
        .path("/mirror/index.html");
    world.region.fault(puts, refused);
    let mut running = machine.up();
    running.wait_for("no new mirror, the former one stays");
    eventually("its report", || match tried(&world, "i-0refused") {
        Some(Err(told)) => told.contains("index.html") || told.contains("AccessDenied"),
        _ => false,
    });
    let failures = || {
        value(
            &metrics(&machine),
            "spotboot_mirror_failure_timestamp_seconds",
        )
    };
    eventually("the metrics of the failure", || failures() > 0.0);
    let first = failures();
    eventually("another try", || failures() > first);
    let log = running.log();
    assert_eq!(
        log.matches("no new mirror, the former one stays").count(),
        1,
        "{log}"
    );
    let visitor = machine.visitor();
    assert_eq!(visitor.get_as(DOMAIN, "/").status, 200);
    world.region.lift_all();
    eventually("a mirror after all", || {
        tried(&world, "i-0refused") == Some(Ok(()))
    });
}
