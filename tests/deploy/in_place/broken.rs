//! Releases that are broken: they never serve, and what served before goes on.

use std::time::Duration;

use region::load::{Load, LoadSpec};
use region::{Match, Service, Stage};

use super::{APP, Lone};
use crate::common::eventually;
use crate::common::{DOMAIN, Ended, Package, World, signal};
use crate::site::{PATIENCE, app, broken};

struct Stand<'w> {
    lone: Lone<'w>,
    visitors: Load,
    current: String,
    app: Vec<u32>,
}

fn stand<'w>(world: &'w World, health: &str) -> Stand<'w> {
    let lone = Lone::with(
        world,
        |machine| machine.section("app", &APP.replace("60s", health)),
        &app("v1"),
    );
    let spec = LoadSpec::new(&world.region, DOMAIN, lone.machine.https_port)
        .expect("the region's CA answers");
    let lasts = Duration::from_secs(2);
    let visitors = Load::start(LoadSpec {
        rate: 40,
        slow_takes: lasts,
        upload_takes: lasts,
        ..spec
    })
    .expect("visitors come");
    let (current, app) = (lone.current(), lone.apps("app.sock"));
    assert!(!app.is_empty());
    Stand {
        lone,
        visitors,
        current,
        app,
    }
}

impl Stand<'_> {
    /// Exit code 1 with the cause and the instance's own words; and all else is as it was.
    fn assert_rolled_back(&self, what: &str, ended: &Ended, causes: &[&str]) {
        ended.assert_error(1, &["rolled back", "i-0lone"]);
        ended.assert_error(1, causes);
        assert!(
            ended.stderr.contains("--- the log of i-0lone ---"),
            "{what}: {}",
            ended.stderr
        );
        let (lone, world) = (&self.lone, self.lone.machine.world);
        assert_eq!(
            lone.current(),
            self.current,
            "{what}: the current release has moved"
        );
        assert!(
            world.get("releases/candidate.json").is_none()
                && world.get("locks/deploy.json").is_none(),
            "{what}"
        );
        assert_eq!(
            lone.history().last().expect("a run")["end"]["outcome"],
            "rolled_back",
            "{what}"
        );
        let report = lone.report();
        assert_eq!(
            (&report["phase"], report["release"].as_str()),
            (&"serving".into(), Some(&*self.current)),
            "{what}"
        );
        assert_eq!(lone.seen(), "v1", "{what}");
        assert_eq!(
            lone.apps("app.sock"),
            self.app,
            "{what}: the app that served was replaced"
        );
        eventually("nothing of the broken release runs on", || {
            lone.apps("app-b.sock").is_empty()
        });
    }

    fn assert_nobody_noticed(self) {
        let report = self.visitors.stop();
        report.assert_no_failures();
        let seen: Vec<&str> = report
            .seen
            .keys()
            .map(|(_, release)| release.as_str())
            .collect();
        assert_eq!(seen, [self.current], "another release has served somebody");
    }
}

#[test]
fn a_release_that_does_not_start_never_serves() {
    let world = World::new();
    // Nobody waits for an app that has ended, so that this may be long; on a slow machine one takes
    // a while to eat its memory.
    let stand = stand(&world, "120s");
    let migrating =
        "web: exec python3 app.py $SPOTBOOT_SOCKET\nrelease: echo no such column >&2; exit 3\n";
    let cases: [(Package, &[&str]); 4] = [
        (
            broken("v2", "exit"),
            &["exit status 1", "the app gives up: no database"],
        ),
        (
            app("v3").file("Procfile", migrating),
            &["release command", "no such column"],
        ),
        (
            Package::default().file("assets/version.txt", "v4"),
            &["Procfile"],
        ),
        (broken("v5", "hungry"), &["SIGKILL"]),
    ];
    for (number, (package, causes)) in cases.iter().enumerate() {
        stand.assert_rolled_back(
            &format!("case {number}"),
            &stand.lone.deploy(package),
            causes,
        );
    }
    stand.assert_nobody_noticed();
}

#[test]
fn a_release_that_never_answers_well_never_serves() {
    let world = World::new();
    let stand = stand(&world, "8s");
    let cases = [
        ("error", "error", "answered with 500"),
        ("silent", "silent", "no answer"),
        ("hang", "hang", "found nobody"),
        (
            "itself",
            "redirect http://{host}{path}",
            "redirects to itself",
        ),
    ];
    for (name, behaviour, cause) in cases {
        stand.assert_rolled_back(name, &stand.lone.deploy(&broken(name, behaviour)), &[cause]);
    }
    stand.assert_nobody_noticed();
}

#[test]
fn a_package_that_is_damaged_or_lacks_what_nginx_serves_never_serves() {
    let world = World::new();
    let stand = stand(&world, "8s");
    let bare = Package::default()
        .file("app.py", "")
        .file("Procfile", "web: exec sleep 60 $SPOTBOOT_SOCKET\n");
    stand.assert_rolled_back(
        "no folder",
        &stand.lone.deploy(&bare),
        &["the release has no folder assets"],
    );

    let tried = Match::service(Service::S3)
        .operation("PutObject")
        .path("releases/candidate.json");
    let hold = world.region.hold(tried, Stage::BeforeActing);
    let deploying = stand.lone.begin(&app("v3"));
    hold.wait(PATIENCE).expect("the release is put on trial");
    let package = world.list("packages/").pop().expect("it was uploaded");
    let mut bytes = world.get(&package).expect("it stands there");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    world.put(&package, bytes);
    hold.release();
    stand.assert_rolled_back("damaged", &deploying.end(), &["SHA-256"]);
    stand.assert_nobody_noticed();
}

#[test]
fn a_release_that_turns_sour_on_trial_goes_again_by_itself() {
    let world = World::new();
    let lone = Lone::serving(&world);
    let (current, before) = (lone.current(), lone.apps("app.sock"));
    let path = crate::site::zip(&world, &broken("v2", "sour"));
    let ended = lone.ci(&["deploy", &path, "--in-place", "--drain", "60s"]);
    ended.assert_error(1, &["rolled back", "500"]);
    assert_eq!((lone.seen(), lone.current()), ("v1".to_owned(), current));
    assert_eq!(
        lone.apps("app.sock"),
        before,
        "the app that served before was kept, and serves again"
    );
    eventually("the sour one goes", || lone.apps("app-b.sock").is_empty());
    lone.deploy(&app("v3")).assert_success();
    lone.assert_settled("v3", "after a sour one");
}

/// Nobody is there who would take it off trial.
#[test]
fn one_that_turns_sour_after_its_deploy_was_killed_goes_again_all_the_same() {
    let world = World::new();
    let lone = Lone::serving(&world);
    let before = lone.apps("app.sock");
    let attempt = || {
        lone.report()["tried"]["attempt"]
            .as_str()
            .map(str::to_owned)
    };
    let deploying = lone.ci_begin(&[
        "deploy",
        &crate::site::zip(&world, &broken("v2", "sour")),
        "--in-place",
        "--drain",
        "60s",
    ]);
    eventually("it is on trial", || {
        attempt().as_deref() == Some("on_trial")
    });
    signal(deploying.pid(), "KILL");
    eventually("the instance has seen it fail", || {
        attempt().as_deref() == Some("failed")
    });
    assert_eq!(
        (lone.seen().as_str(), lone.apps("app.sock")),
        ("v1", before),
        "{}",
        lone.log()
    );
    eventually("the sour one goes", || lone.apps("app-b.sock").is_empty());
}
