//! A run that is killed anywhere leaves a mirror that is whole, and the next run converges.

use std::time::{Duration, Instant};

use region::{Match, Service, Stage};

use crate::desk::{Desk, MIRROR};
use crate::live::body_of;

const WITHIN: Duration = Duration::from_secs(120);

/// Kills a publication at the nth request that changes a bucket, before or after it acted.
fn killed_at(desk: &Desk, nth: usize, stage: Stage) -> bool {
    let scope = Match::service(Service::S3).changing().nth(nth);
    let hold = desk.world.region.hold(scope, stage);
    let mut running = desk.mirror_command(&[]).spawn().expect("it starts");
    let deadline = Instant::now() + WITHIN;
    let held = loop {
        if hold.wait(Duration::from_millis(50)).is_ok() {
            break true;
        }
        // Fewer requests than that: the run ends by itself.
        if running.try_wait().expect("it is ours").is_some() || Instant::now() > deadline {
            break false;
        }
    };
    let _ = running.kill();
    let _ = running.wait();
    hold.discard();
    // Its lease lapses after two minutes; a test need not wait for them.
    desk.world.delete("locks/mirror.json");
    held
}

#[test]
fn a_publication_killed_at_any_write_leaves_no_page_without_its_assets_and_converges() {
    let mut kills = 0;
    for stage in [Stage::BeforeActing, Stage::AfterActing] {
        let desk = Desk::with_pages(3);
        desk.publish();
        for nth in 2..16 {
            let version = format!("version {nth} {stage:?}");
            desk.live.style(&format!("body {{ color: #{nth:06} }}"));
            for page in 0..3 {
                let body = body_of(page, &version).replace(".png", &format!("-{nth}.png"));
                desk.live.html(&format!("/page-{page}/"), &body);
                desk.live.put(
                    &format!("/img/{page}-{nth}.png"),
                    200,
                    "image/png",
                    &version,
                );
            }
            if killed_at(&desk, nth, stage) {
                kills += 1;
            }
            desk.assert_whole(&format!("killed at {nth}, {stage:?}"));
        }
        desk.publish();
        desk.assert_whole("at the end");
        let again = desk.publish();
        assert_eq!(again["end"], "unchanged", "{again}");
        assert_eq!(desk.world.get("mirror/coming.json"), None);
        let manifest = desk.manifest();
        let named = |key: &str| {
            manifest["objects"].get(key).is_some() || manifest["leaving"].get(key).is_some()
        };
        let lost: Vec<String> = desk.keys().into_iter().filter(|key| !named(key)).collect();
        assert_eq!(
            lost,
            Vec::<String>::new(),
            "nobody knows of these in {MIRROR}"
        );
    }
    assert!(kills >= 20, "only {kills} runs were killed");
}
