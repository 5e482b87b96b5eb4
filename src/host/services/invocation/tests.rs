use super::*;

fn run() -> Invocation {
    Invocation::new(&running("one"), None)
}

fn running(invocation: &str) -> UnitProperties {
    UnitProperties::parse(&format!(
        "LoadState=loaded\nActiveState=active\nMainPID=7\nInvocationID={invocation}\n"
    ))
}

fn exited(invocation: &str) -> UnitProperties {
    UnitProperties::parse(&format!(
        "LoadState=loaded\nActiveState=activating\nSubState=auto-restart\nMainPID=0\nExecMainCode=1\nExecMainStatus=3\nInvocationID={invocation}\n"
    ))
}

#[test]
fn an_end_is_told_once() {
    let mut run = run();
    assert_eq!(run.compare(&running("one")), None);
    assert_eq!(
        run.compare(&exited("one")).as_deref(),
        Some("exit status 3")
    );
    assert_eq!(run.compare(&exited("one")), None);
    assert_eq!(run.compare(&running("two")), None);
    assert_eq!(
        run.compare(&exited("two")).as_deref(),
        Some("exit status 3")
    );
}

#[test]
fn an_end_that_systemd_has_forgotten_is_told_once_too() {
    let mut run = run();
    let forgotten = UnitProperties::parse(
        "LoadState=loaded\nActiveState=inactive\nMainPID=0\nExecMainCode=0\nInvocationID=\n",
    );
    assert_eq!(run.compare(&forgotten).as_deref(), Some(FORGOTTEN));
    assert_eq!(run.compare(&forgotten), None);
}

#[test]
fn an_end_between_two_looks_is_told_too() {
    let mut run = run();
    assert!(run.compare(&running("two")).is_some());
    assert_eq!(run.compare(&running("two")), None);
}

#[test]
fn a_running_process_is_watched_and_one_that_ended_is_looked_for_closely() {
    let mut run = run();
    assert_eq!(run.look(&running("one")), None);
    assert_eq!(run.pid, Some(7));
    assert!(run.next_look > Instant::now() + CLOSE_LOOK);
    let (ran, status) = run.look(&exited("one")).unwrap();
    assert!(status == "exit status 3" && ran < Duration::from_secs(60));
    assert!(run.pid.is_none() && run.next_look <= Instant::now() + CLOSE_LOOK);
}
