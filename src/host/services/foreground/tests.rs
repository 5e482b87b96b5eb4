use std::collections::BTreeMap;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::host::process;
use crate::host::services::seen::to_stderr;

struct Stand {
    dir: tempfile::TempDir,
    printed: Arc<Mutex<Vec<String>>>,
    keeper: Foreground,
}

async fn stand() -> Stand {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("services")).unwrap();
    let printed = Arc::new(Mutex::new(Vec::new()));
    let keeper = Foreground::start(&paths(dir.path()), printer(&printed))
        .await
        .unwrap();
    Stand {
        dir,
        printed,
        keeper,
    }
}

fn paths(dir: &Path) -> Paths {
    Paths {
        state: dir.to_owned(),
        runtime: dir.to_owned(),
    }
}

fn printer(lines: &Arc<Mutex<Vec<String>>>) -> Print {
    let lines = Arc::clone(lines);
    Arc::new(move |service, line| lines.lock().unwrap().push(format!("{service} | {line}")))
}

fn service(line: &str) -> Service {
    Service {
        name: "spotboot-app".into(),
        description: "test".into(),
        argv: ["/bin/sh", "-c", line].map(Into::into).into(),
        env: BTreeMap::from([("GREETING".into(), "hello".into())]),
        workdir: "/".into(),
        account: None,
        writable: Vec::new(),
        deny_imds: false,
        umask: 0o027,
        stop_signal: Signal::SIGTERM,
        stop_timeout: Duration::from_millis(300),
        restart: true,
        reload_signal: Some(Signal::SIGHUP),
        low_ports: false,
    }
}

fn pid(state: ServiceState) -> u32 {
    let ServiceState::Running { pid } = state else {
        panic!("{state:?}")
    };
    pid
}

fn gone(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

/// Waits a minute, as a machine that checks models beside needs seconds for what takes none.
async fn eventually(mut done: impl FnMut() -> bool) -> bool {
    for _ in 0..6000 {
        if done() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn the_same_definition_is_kept_and_another_replaces_it() {
    let stand = stand().await;
    let first = service("exec sleep 60");
    assert_eq!(stand.keeper.ensure(&first).await.unwrap(), Ensured::Started);
    let before = pid(stand.keeper.state("spotboot-app"));
    assert_eq!(stand.keeper.ensure(&first).await.unwrap(), Ensured::Kept);
    assert_eq!(pid(stand.keeper.state("spotboot-app")), before);
    assert_eq!(
        stand
            .keeper
            .ensure(&service("exec sleep 61"))
            .await
            .unwrap(),
        Ensured::Replaced
    );
    assert!(gone(before));
    stand.keeper.shutdown().await;
    assert_eq!(stand.keeper.state("spotboot-app"), ServiceState::Absent);
}

#[tokio::test]
async fn output_is_prefixed_kept_and_cannot_steer_the_terminal() {
    let stand = stand().await;
    stand
        .keeper
        .ensure(&service(
            "echo $GREETING; printf 'a\\033[2Jb\\n' >&2; umask; exec sleep 60",
        ))
        .await
        .unwrap();
    assert!(eventually(|| stand.printed.lock().unwrap().len() == 3).await);
    assert_eq!(
        *stand.printed.lock().unwrap(),
        ["app | hello", "app | a[2Jb", "app | 0027"]
    );
    assert_eq!(stand.keeper.log_tail("spotboot-app", 2), "a[2Jb\n0027");
    stand.keeper.shutdown().await;
}

#[tokio::test]
async fn a_service_that_ends_is_told_of_once_and_started_again() {
    let stand = stand().await;
    let mark = stand.dir.path().join("second");
    let line = format!(
        "test -e {0} && exec sleep 60; touch {0}; echo last words; exit 3",
        mark.display()
    );
    stand.keeper.ensure(&service(&line)).await.unwrap();
    assert_eq!(stand.keeper.ended("spotboot-app").await, "exit status 3");
    assert_eq!(stand.keeper.log_tail("spotboot-app", 5), "last words");
    assert!(
        eventually(|| matches!(
            stand.keeper.state("spotboot-app"),
            ServiceState::Running { .. }
        ))
        .await
    );
    assert!(
        tokio::time::timeout(
            Duration::from_millis(100),
            stand.keeper.ended("spotboot-app")
        )
        .await
        .is_err()
    );
    stand.keeper.shutdown().await;
}

#[tokio::test]
async fn one_that_is_not_to_be_restarted_stays_ended() {
    let stand = stand().await;
    stand
        .keeper
        .ensure(&Service {
            restart: false,
            ..service("exit 0")
        })
        .await
        .unwrap();
    assert_eq!(stand.keeper.ended("spotboot-app").await, "exit status 0");
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(
        stand.keeper.state("spotboot-app"),
        ServiceState::Exited {
            status: "exit status 0".into()
        }
    );
    stand.keeper.shutdown().await;
}

#[tokio::test]
async fn a_stop_kills_workers_that_ignore_it_and_is_no_end_to_tell_of() {
    let stand = stand().await;
    let file = stand.dir.path().join("worker");
    let line = format!(
        "trap '' TERM; (trap '' TERM; sleep 60) & echo $! > {}; wait",
        file.display()
    );
    stand.keeper.ensure(&service(&line)).await.unwrap();
    let read = || {
        fs::read_to_string(&file)
            .ok()
            .and_then(|text| text.trim().parse::<u32>().ok())
    };
    assert!(eventually(|| read().is_some()).await);
    stand.keeper.stop("spotboot-app").await.unwrap();
    assert!(gone(read().unwrap()));
    assert_eq!(
        fs::read_dir(stand.dir.path().join("services"))
            .unwrap()
            .count(),
        0
    );
    assert!(
        tokio::time::timeout(
            Duration::from_millis(50),
            stand.keeper.ended("spotboot-app")
        )
        .await
        .is_err()
    );
}

#[tokio::test]
async fn the_reload_signal_reaches_the_service_and_a_stopped_one_says_so() {
    let stand = stand().await;
    stand
        .keeper
        .ensure(&service(
            "trap 'echo reloaded' HUP; echo up; while :; do sleep 0.05; done",
        ))
        .await
        .unwrap();
    assert!(eventually(|| stand.printed.lock().unwrap().len() == 1).await);
    stand.keeper.reload("spotboot-app").await.unwrap();
    assert!(
        eventually(|| stand
            .printed
            .lock()
            .unwrap()
            .contains(&"app | reloaded".to_owned()))
        .await
    );
    stand.keeper.shutdown().await;
    assert!(stand.keeper.reload("spotboot-app").await.is_err());
}

#[tokio::test]
async fn a_missing_program_is_the_callers_error() {
    let stand = stand().await;
    let missing = Service {
        argv: vec!["/no/such/program".into()],
        ..service("")
    };
    let error = stand.keeper.ensure(&missing).await.unwrap_err().to_string();
    assert!(
        error.contains("starting spotboot-app") && error.contains("not on this machine"),
        "{error}"
    );
}

/// What a kill -9 of ourselves leaves: a note, and a session whose leader may be gone already.
#[tokio::test]
async fn a_next_run_ends_what_outlived_the_last_one() {
    let stand = stand().await;
    let run = process::shell("(trap '' TERM; exec sleep 62) & echo $!; exec sleep 62");
    let mut started = run.start().unwrap();
    let mut line = [0; 16];
    let mut output = started.output.take().unwrap();
    let count = tokio::io::AsyncReadExt::read(&mut output, &mut line)
        .await
        .unwrap();
    let orphan: u32 = std::str::from_utf8(&line[..count])
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    fs::write(
        stand.dir.path().join("services/spotboot-app.json"),
        serde_json::to_vec(&started.leader).unwrap(),
    )
    .unwrap();
    fs::write(stand.dir.path().join("services/torn.json"), "{").unwrap();
    kill(
        Pid::from_raw(started.leader.pid.cast_signed()),
        Signal::SIGKILL,
    )
    .unwrap();
    started.child.wait().await.unwrap();
    assert!(!gone(orphan));
    Foreground::start(&paths(stand.dir.path()), to_stderr())
        .await
        .unwrap();
    assert!(gone(orphan));
    assert_eq!(
        fs::read_dir(stand.dir.path().join("services"))
            .unwrap()
            .count(),
        0
    );
}
