//! The release command and the data folder that it works on: a new folder is brought up to the
//! release, and none twice.

use std::path::PathBuf;
use std::process::Command;

use region::{Recorded, State};

use crate::common::{DOMAIN, Machine, PATH, Package, World, eventually};
use crate::trial;

/// A release command that leaves a line in the data folder.
const NOTED: &str = "echo $SPOTBOOT_RELEASE >> $SPOTBOOT_DATA/released";
const WARNING: &str = "[app] release_on is not set";

fn app(release: &str, release_on: &str) -> String {
    format!("kind = \"command\"\nrelease = '{release}'\n{release_on}\n")
}

impl Machine<'_> {
    fn data(&self) -> PathBuf {
        self.state().join("data")
    }

    /// The releases whose command has run on the folder, in order.
    fn released(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.data().join("released")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What it tells of its release command: of which release, and what became of it.
    fn told(&self) -> (String, String) {
        let report = self.world.report(self.id()).expect("the instance reports");
        let word = |field: &str| {
            report["release_command"][field]
                .as_str()
                .unwrap_or("nothing")
                .to_owned()
        };
        (word("release"), word("became"))
    }

    /// Boots it, with the names or without, and stops it again; its log.
    fn boots(&self) -> String {
        let mut running = self.start();
        running.wait_for_any(&["serving https://", "standing by for"]);
        running.stop().stderr
    }

    /// What `up --dry-run` says of the release command.
    fn forecast(&self) -> String {
        let disk = self.disk();
        let (state, site) = (disk.join("state"), self.write_site());
        let ended = self.run(&[
            "up",
            "--dry-run",
            "--state-dir",
            state.to_str().unwrap(),
            "--config",
            site.to_str().unwrap(),
        ]);
        let line = ended
            .stdout
            .lines()
            .find(|line| line.starts_with("release command"))
            .expect("it tells of the command");
        line.to_owned()
    }
}

fn about_leases(request: &Recorded) -> bool {
    request.path.contains("locks/release-")
}

/// Writes a line to the sample's front page, past the site.
fn write_note(machine: &Machine<'_>, text: &str) {
    let script = "import sqlite3, sys\nwith sqlite3.connect(sys.argv[1]) as db:\n    \
        db.execute(\"INSERT INTO notes_note (text, created) VALUES (?, '2026-11-30 12:00:00')\", [sys.argv[2]])\ndb.close()";
    let mut python = Command::new("python3");
    python
        .args(["-c", script])
        .arg(machine.data().join("db.sqlite3"))
        .arg(text)
        .env("PATH", PATH);
    assert!(python.status().expect("python runs").success());
}

#[test]
fn the_sample_killed_three_times_serves_each_time_with_tables_made_anew() {
    let world = World::new();
    world.publish("v1", &Package::sample_site());
    for number in 0..=3 {
        let machine = world
            .machine(&format!("i-0sample{number}"))
            .section("app", Package::sample_app());
        let running = machine.up();
        let front = || machine.visitor().get_as(DOMAIN, "/");
        assert_eq!(front().status, 200, "{}", running.log());
        assert!(
            front().body.contains("No notes yet"),
            "the tables are not new: {}",
            front().body
        );
        write_note(&machine, "written by hand");
        assert!(front().body.contains("written by hand"), "{}", front().body);
        assert_eq!(world.record(DOMAIN, "A"), [machine.address.to_string()]);
        running.kill9();
        machine.instance.set_state(State::Terminated);
    }
}

#[test]
fn each_new_folder_sees_each_release_once_and_one_that_was_emptied_sees_it_again() {
    let world = World::with_small_app();
    let app = app(NOTED, "release_on = \"folder\"");
    let first = world.machine("i-0first").section("app", &app);
    assert!(
        first
            .forecast()
            .contains("run under the fleet's lease: it has not run for v1 on the data folder"),
        "{}",
        first.forecast()
    );
    let log = first.boots();
    assert!(!log.contains(WARNING), "{log}");
    assert_eq!(
        (first.released(), first.told()),
        (vec!["v1".to_owned()], ("v1".into(), "ran".into()))
    );
    assert!(
        world.list("locks/release-").is_empty(),
        "a lease is left: {:?}",
        world.list("locks/")
    );

    world.region.forget_requests();
    first.boots();
    assert_eq!(
        (first.released().len(), first.told().1.as_str()),
        (1, "seen_by_folder"),
        "a restart ran it again"
    );
    assert_eq!(
        world.region.count_where(about_leases),
        0,
        "a restart asked for the lease"
    );
    assert!(
        first
            .forecast()
            .contains("not run: it has run on this data folder before"),
        "{}",
        first.forecast()
    );

    let second = world.machine("i-0second").section("app", &app);
    second.boots();
    assert_eq!(second.released(), ["v1"], "a replacement did not run it");
    assert_eq!(
        world.region.count_where(about_leases),
        2,
        "the lease on the command takes more than its making and its end"
    );

    world.publish(
        "v2",
        &Package::small_app().file("assets/style.css", "body { color: navy }\n"),
    );
    second.boots();
    let v1 = Package::small_app();
    world.publish("v1", &v1);
    second.boots();
    assert_eq!(
        second.released(),
        ["v1", "v2"],
        "a release that came back was new to its folder"
    );

    std::fs::remove_dir_all(second.data()).unwrap();
    second.boots();
    assert_eq!(
        second.released(),
        ["v1"],
        "an empty folder was taken for one that has seen the release"
    );
}

#[test]
fn unset_it_is_the_folder_with_one_warning_also_where_an_earlier_spotboot_ran_it_once_for_all() {
    let world = World::with_small_app();
    world.put(
        "locks/release-v1.json",
        r#"{"holder":"i-0old","expires":"2026-11-20T12:00:00Z","done":true}"#,
    );
    let unset = world.machine("i-0unset").section("app", &app(NOTED, ""));
    assert!(
        unset
            .forecast()
            .contains("[app] release_on is not set, which means \"folder\""),
        "{}",
        unset.forecast()
    );
    let log = unset.boots();
    assert_eq!(log.matches(WARNING).count(), 1, "{log}");
    assert!(log.contains("release_on = \"fleet\""), "{log}");
    assert_eq!(
        (unset.released(), unset.told().1.as_str()),
        (vec!["v1".to_owned()], "ran")
    );

    let kept = world
        .machine("i-0fleet")
        .section("app", &app(NOTED, "release_on = \"fleet\""));
    assert!(
        kept.forecast()
            .contains("not run: it has run once for the whole fleet"),
        "{}",
        kept.forecast()
    );
    let log = kept.boots();
    assert!(
        kept.released().is_empty() && !log.contains(WARNING),
        "{log}"
    );
    assert_eq!(kept.told(), ("v1".into(), "done_in_fleet".into()));

    let without = world.machine("i-0without").boots();
    assert!(
        !without.contains(WARNING),
        "a site without a release command was warned:\n{without}"
    );
}

#[test]
fn two_new_folders_are_brought_up_one_after_the_other() {
    let world = World::with_small_app();
    let shared = world.path("shared");
    std::fs::write(&shared, "").unwrap();
    assert!(
        Command::new("chmod")
            .arg("666")
            .arg(&shared)
            .status()
            .unwrap()
            .success()
    );
    let command = format!(
        "echo begin >> {0}; sleep 2; echo end >> {0}",
        shared.display()
    );
    let app = app(&command, "release_on = \"folder\"");
    let machines = ["i-0a", "i-0b"].map(|id| world.machine(id).section("app", &app));
    let mut running: Vec<_> = machines.iter().map(Machine::start).collect();
    for boot in &mut running {
        boot.wait_for_any(&["serving https://", "standing by"]);
    }
    assert_eq!(
        std::fs::read_to_string(&shared).unwrap(),
        "begin\nend\nbegin\nend\n"
    );
    assert!(
        world.list("locks/release-").is_empty(),
        "{:?}",
        world.list("locks/")
    );
}

#[test]
fn killed_between_the_command_and_the_note_of_it_the_command_runs_again() {
    let world = World::with_small_app();
    let machine = world.machine("i-0killed").section(
        "app",
        &app(&format!("{NOTED}; sleep 2"), "release_on = \"folder\""),
    );
    let running = machine.start();
    eventually("the command has done its work", || {
        machine.released().len() == 1
    });
    running.kill9();
    let _again = machine.up();
    assert_eq!(machine.released(), ["v1", "v1"]);
    assert_eq!(machine.told(), ("v1".into(), "ran".into()));
}

#[test]
fn a_command_that_fails_is_not_noted_and_leaves_no_lease() {
    let world = World::with_small_app();
    let failing = |id: &str, release_on: &str| {
        let machine = world
            .machine(id)
            .section("app", &app("echo no column >&2; exit 3", release_on));
        machine
            .up_to_end()
            .assert_error(1, &["release command", "no column"]);
        assert!(
            world.list("locks/release-").is_empty(),
            "{:?}",
            world.list("locks/")
        );
    };
    failing("i-0fleet", "release_on = \"fleet\"");
    failing("i-0folder", "release_on = \"folder\"");
    let machine = world.machine("i-0folder2").section(
        "app",
        &app(
            &format!("test -e $SPOTBOOT_DATA/ready && {NOTED}"),
            "release_on = \"folder\"",
        ),
    );
    machine.up_to_end().assert_error(1, &["release command"]);
    std::fs::write(machine.data().join("ready"), "").unwrap();
    machine.boots();
    assert_eq!(machine.released(), ["v1"]);
}

#[test]
fn what_boots_the_current_release_during_a_trial_leaves_a_fleets_command_alone_and_brings_its_own_folder_up()
 {
    let world = trial::world(
        time::Duration::minutes(10),
        Some(time::Duration::minutes(1)),
    );
    let fleet = app(NOTED, "release_on = \"fleet\"");
    let earlier = time::OffsetDateTime::now_utc() - time::Duration::minutes(5);
    let older = Machine::launched(&world, "i-0older", earlier).section("app", &fleet);
    assert!(
        older.forecast().contains("not run: it is left"),
        "{}",
        older.forecast()
    );
    older.boots();
    assert_eq!(
        (older.released(), older.told()),
        (vec![], ("v1".into(), "left_to_trial".into()))
    );
    assert!(
        world.list("locks/release-").is_empty(),
        "{:?}",
        world.list("locks/")
    );

    let trying = Machine::launched(&world, "i-0trying", time::OffsetDateTime::now_utc())
        .section("app", &fleet);
    trying.boots();
    assert_eq!(
        (trying.released(), trying.told()),
        (vec!["v2".to_owned()], ("v2".into(), "ran".into()))
    );

    let folder = app(NOTED, "release_on = \"folder\"");
    let own = Machine::launched(&world, "i-0own", earlier).section("app", &folder);
    own.boots();
    assert_eq!(
        (own.released(), own.told().1.as_str()),
        (vec!["v1".to_owned()], "ran")
    );

    world.delete("releases/candidate.json");
    older.boots();
    assert_eq!(
        (older.released(), older.told().1.as_str()),
        (vec!["v1".to_owned()], "ran"),
        "nothing is on trial any more"
    );
}
