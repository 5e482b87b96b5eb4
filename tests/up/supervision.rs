//! Services that end by themselves: started again, more slowly each time, and told of where they
//! cannot stay up.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{DOMAIN, World, eventually, signal};

#[test]
fn an_app_that_cannot_stay_up_is_told_in_the_bucket_by_status_and_once_in_the_log() {
    let world = World::with_small_app();
    let machine = world.machine("i-0dies");
    let running = machine.up();
    let visitor = machine.visitor();
    let get = |path: &str| {
        visitor
            .curl(
                &format!("https://{DOMAIN}:{}{path}", machine.https_port),
                &[],
            )
            .map_or(0, |answer| answer.status)
    };
    assert_eq!(get("/ping"), 200);
    assert_eq!(get("/die"), 502);
    eventually("it is back", || get("/ping") == 200);
    assert!(
        world
            .report("i-0dies")
            .expect("it reports")
            .get("trouble")
            .is_none(),
        "one end is no trouble"
    );
    for _ in 0..2 {
        assert_eq!(get("/die"), 502);
        eventually("ping tells that it is away", || get("/ping") == 503);
        eventually("it is back", || get("/ping") == 200);
    }

    let trouble = || {
        world
            .report("i-0dies")
            .and_then(|report| report["trouble"].as_str().map(str::to_owned))
    };
    eventually("the report tells of it", || trouble().is_some());
    let (told, report) = (
        trouble().expect("it does"),
        world.report("i-0dies").expect("it reports"),
    );
    for words in [
        "spotboot-app cannot stay up for 5 minutes",
        "last: exit status 7",
        "\n    the app dies: out of luck",
    ] {
        assert!(told.contains(words), "no {words:?} in {told:?}");
    }
    assert_eq!(
        (report["phase"].as_str(), report["error"].is_null()),
        (Some("serving"), true),
        "{report}"
    );
    assert_eq!(
        running
            .log()
            .matches("it cannot stay up for 5 minutes")
            .count(),
        1,
        "{}",
        running.log()
    );
    assert_eq!(
        running
            .log()
            .matches("ended by itself; it is started again")
            .count(),
        3,
        "{}",
        running.log()
    );

    let metrics = std::process::Command::new("curl")
        .args([
            "-s",
            &format!("http://127.0.0.1:{}/metrics", machine.metrics_port),
        ])
        .output();
    let metrics = String::from_utf8_lossy(&metrics.expect("curl runs").stdout).into_owned();
    assert!(
        metrics.contains("spotboot_service_in_trouble{service=\"spotboot-app\"} 1"),
        "{metrics}"
    );

    let status = machine.run(&[
        "status",
        "--config",
        machine.write_site().to_str().expect("text"),
    ]);
    assert_eq!(status.code(), 3, "{}{}", status.stdout, status.stderr);
    assert!(
        status
            .stdout
            .contains("PROBLEM        i-0dies: spotboot-app cannot stay up for 5 minutes"),
        "{}",
        status.stdout
    );
}

/// A control group of this host's that limits the memory of a process.
struct Limit(PathBuf);

impl Limit {
    /// None where we may not.
    fn on(pid: u32, bytes: u64) -> Option<Self> {
        let (first, second) = (
            Path::new("/sys/fs/cgroup/memory"),
            Path::new("/sys/fs/cgroup"),
        );
        let (root, limit) = if first.join("memory.limit_in_bytes").exists() {
            (first, "memory.limit_in_bytes")
        } else {
            fs::write(second.join("cgroup.subtree_control"), "+memory").ok()?;
            (second, "memory.max")
        };
        let group = Self(root.join(format!("spotboot-test-{pid}")));
        fs::create_dir(&group.0).ok()?;
        for (file, value) in [
            (limit, bytes.to_string()),
            ("cgroup.procs", pid.to_string()),
        ] {
            fs::write(group.0.join(file), value).ok()?;
        }
        for file in ["memory.swap.max", "memory.swappiness"] {
            let _ = fs::write(group.0.join(file), "0");
        }
        Some(group)
    }
}

impl Drop for Limit {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn an_app_that_the_kernel_ends_for_want_of_memory_is_told_as_such() {
    let world = World::with_small_app();
    let machine = world.machine("i-0eats");
    let mut running = machine.up();
    let app = *running.processes("app.py").last().expect("the app runs");
    let Some(_limit) = Limit::on(app, 96 << 20) else {
        eprintln!(
            "NOT TESTED: only root can limit a process's memory, where the kernel has control groups for that"
        );
        return;
    };
    let get = |path: &str| {
        machine
            .visitor()
            .curl(
                &format!("https://{DOMAIN}:{}{path}", machine.https_port),
                &[],
            )
            .map_or(0, |answer| answer.status)
    };
    assert_eq!(get("/eat"), 502, "400 MB fit into 96");
    running.wait_for("out of memory: killed by SIGKILL");
    eventually("it is back", || get("/ping") == 200);
}

#[test]
fn nginx_that_is_killed_is_back_and_ping_answers_for_the_app_again() {
    let world = World::with_small_app();
    let machine = world.machine("i-0nginx");
    let running = machine.up();
    let visitor = machine.visitor();
    let ping = || {
        visitor
            .curl(
                &format!("https://{DOMAIN}:{}/ping", machine.https_port),
                &[],
            )
            .map_or(0, |answer| answer.status)
    };
    let masters = running.processes("nginx: master");
    masters.iter().for_each(|pid| signal(*pid, "KILL"));
    eventually("another one runs", || {
        running
            .processes("nginx: master")
            .iter()
            .any(|pid| !masters.contains(pid))
    });
    eventually("the app is well behind it", || ping() == 200);
    running
        .processes("app.py")
        .iter()
        .for_each(|pid| signal(*pid, "STOP"));
    eventually("an app that hangs is not well", || ping() == 503);
    running
        .processes("app.py")
        .iter()
        .for_each(|pid| signal(*pid, "CONT"));
    eventually("and one that goes on is", || ping() == 200);
}
