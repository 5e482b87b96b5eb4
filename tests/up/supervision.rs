//! Services that end by themselves: started again, more slowly each time, and told of where they cannot stay up.

use std::time::{Duration, Instant};

use crate::common::{DOMAIN, World, signal};

fn eventually(what: &str, so: impl Fn() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < Duration::from_secs(120), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_app_that_cannot_stay_up_is_told_in_the_bucket_by_status_and_once_in_the_log() {
    let world = World::with_small_app();
    let machine = world.machine("i-0dies");
    let running = machine.up();
    let visitor = machine.visitor();
    let get = |path: &str| visitor.curl(&format!("https://{DOMAIN}:{}{path}", machine.https_port), &[]).map_or(0, |answer| answer.status);
    assert_eq!(get("/ping"), 200);
    assert_eq!(get("/die"), 502);
    eventually("it is back", || get("/ping") == 200);
    assert!(world.report("i-0dies").expect("it reports").get("trouble").is_none(), "one end is no trouble");
    for _ in 0..2 {
        assert_eq!(get("/die"), 502);
        eventually("ping tells that it is away", || get("/ping") == 503);
        eventually("it is back", || get("/ping") == 200);
    }

    let trouble = || world.report("i-0dies").and_then(|report| report["trouble"].as_str().map(str::to_owned));
    eventually("the report tells of it", || trouble().is_some());
    let (told, report) = (trouble().expect("it does"), world.report("i-0dies").expect("it reports"));
    for words in ["spotboot-app cannot stay up for 5 minutes", "last: exit status 7", "\n    the app dies: out of luck"] {
        assert!(told.contains(words), "no {words:?} in {told:?}");
    }
    assert_eq!((report["phase"].as_str(), report["error"].is_null()), (Some("serving"), true), "{report}");
    assert_eq!(running.log().matches("it cannot stay up for 5 minutes").count(), 1, "{}", running.log());
    assert_eq!(running.log().matches("ended by itself; it is started again").count(), 3, "{}", running.log());

    let status = machine.run(&["status", "--config", machine.write_site().to_str().expect("text")]);
    assert_eq!(status.code(), 3, "{}{}", status.stdout, status.stderr);
    assert!(status.stdout.contains("PROBLEM        i-0dies: spotboot-app cannot stay up for 5 minutes"), "{}", status.stdout);
}

#[test]
fn nginx_that_is_killed_is_back_and_ping_answers_for_the_app_again() {
    let world = World::with_small_app();
    let machine = world.machine("i-0nginx");
    let running = machine.up();
    let visitor = machine.visitor();
    let ping = || visitor.curl(&format!("https://{DOMAIN}:{}/ping", machine.https_port), &[]).map_or(0, |answer| answer.status);
    let masters = running.processes("nginx: master");
    masters.iter().for_each(|pid| signal(*pid, "KILL"));
    eventually("another one runs", || running.processes("nginx: master").iter().any(|pid| !masters.contains(pid)));
    eventually("the app is well behind it", || ping() == 200);
    running.processes("app.py").iter().for_each(|pid| signal(*pid, "STOP"));
    eventually("an app that hangs is not well", || ping() == 503);
    running.processes("app.py").iter().for_each(|pid| signal(*pid, "CONT"));
    eventually("and one that goes on is", || ping() == 200);
}
