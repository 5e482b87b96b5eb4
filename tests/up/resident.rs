//! What the resident does once the site serves.

use std::process::Stdio;
use std::time::Duration;

use crate::common::{DOMAIN, World, eventually, within};

const SOON: Duration = Duration::from_secs(30);

#[test]
fn an_interruption_notice_is_told_in_the_bucket_and_the_site_goes_on() {
    let world = World::with_small_app();
    let machine = world.machine("i-0notice");
    let _running = machine.up();
    machine
        .instance
        .interrupt(time::OffsetDateTime::now_utc() + Duration::from_secs(120));
    within(SOON, "the report says interrupted", || {
        world
            .report("i-0notice")
            .is_some_and(|report| report["phase"] == "interrupted")
    });
    assert_eq!(machine.visitor().get("/").status, 200);
}

#[test]
fn a_resident_lives_on_whoever_reads_what_it_says() {
    let nobody = || Stdio::from(std::io::pipe().expect("a pipe").1);
    let full = || {
        Stdio::from(
            std::fs::OpenOptions::new()
                .write(true)
                .open("/dev/full")
                .expect("Linux has it"),
        )
    };
    let world = World::with_small_app();
    for (id, stdout, stderr) in [
        ("i-0closed", nobody(), nobody()),
        ("i-0full", full(), full()),
        ("i-0told", full(), Stdio::piped()),
    ] {
        let machine = world.machine(id).flag("--json");
        let mut running = machine.start_into(stdout, stderr);
        eventually("it serves", || {
            running.assert_alive();
            world
                .report(id)
                .is_some_and(|report| report["phase"] == "serving")
        });
        // It says so only then.
        std::thread::sleep(Duration::from_secs(1));
        running.assert_alive();
        assert_eq!(machine.visitor().get("/").status, 200);
        let ended = running.stop();
        assert_eq!(ended.code(), 0, "{id}: {}", ended.stderr);
        assert_eq!(
            ended
                .stderr
                .contains("not on standard output: No space left on device"),
            id == "i-0told",
            "{}",
            ended.stderr
        );
    }
}

#[test]
fn an_app_and_a_web_server_that_die_are_started_again() {
    let world = World::with_small_app();
    let machine = world.machine("i-0died");
    let running = machine.up();
    let answers = || {
        machine
            .visitor()
            .curl(&format!("https://{DOMAIN}:{}/", machine.https_port), &[])
            .is_ok_and(|answer| answer.status == 200)
    };
    for program in ["app.py", "nginx: master"] {
        let before = running.processes(program);
        assert!(!before.is_empty(), "no process of {program}");
        before
            .iter()
            .for_each(|pid| crate::common::signal(*pid, "KILL"));
        within(SOON, "another process runs", || {
            running
                .processes(program)
                .iter()
                .any(|pid| !before.contains(pid))
        });
        within(SOON, "the site answers again", answers);
    }
}

#[test]
fn after_sigterm_no_process_of_the_site_is_left() {
    let world = World::with_small_app();
    let machine = world.machine("i-0stop");
    let running = machine.up();
    let nginx = running.processes("nginx: master");
    assert_eq!(running.stop().code(), 0);
    assert_eq!(
        world.report("i-0stop").expect("it reports")["phase"],
        "stopped"
    );
    assert!(
        nginx
            .iter()
            .all(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists()),
        "nginx runs on"
    );
}
