use std::time::Instant;

use super::*;

#[tokio::test]
async fn output_is_returned_and_the_environment_is_only_what_was_given() {
    let output = Run::new("env").env("GIVEN", "yes").output().await.unwrap();
    let names: Vec<&str> = output
        .stdout
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(names, ["GIVEN", "LANG", "PATH"]);
}

#[tokio::test]
async fn a_failure_carries_the_status_and_the_last_lines_only() {
    let error = shell("for i in $(seq 1 100); do echo line $i >&2; done; exit 7")
        .output()
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(7));
    let text = error.to_string();
    assert!(
        text.contains("exit status 7") && text.ends_with("line 100") && !text.contains("line 80\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_missing_program_is_told_from_one_that_fails() {
    let error = Run::new("spotboot-no-such-program")
        .output()
        .await
        .unwrap_err();
    assert!(matches!(error, ProcessError::NotFound { .. }), "{error}");
}

#[tokio::test]
async fn the_whole_family_dies_at_the_deadline_also_one_that_ignores_signals() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let begun = Instant::now();
    let line = format!(
        "echo partial; (trap '' TERM HUP; sleep 60) & echo $! > {}; wait",
        file.display()
    );
    let error = shell(&line)
        .deadline(Duration::from_millis(300))
        .output()
        .await
        .unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert!(
        matches!(&error, ProcessError::TimedOut { tail, .. } if tail == "partial"),
        "{error}"
    );
    let child: u32 = std::fs::read_to_string(file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(gone(child).await);
}

#[tokio::test]
async fn a_child_that_holds_the_pipe_does_not_hold_us() {
    let begun = Instant::now();
    let output = shell("sleep 60 & echo done").output().await.unwrap();
    assert_eq!(output.stdout, "done\n");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test]
async fn endless_output_is_kept_to_its_bounded_end() {
    let output = shell("yes filler | head -c 1000000; echo the end")
        .output()
        .await
        .unwrap();
    assert!(output.stdout.len() <= TAIL && output.stdout.ends_with("the end\n"));
}

#[tokio::test]
async fn a_dropped_run_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("pid");
    let line = format!("sleep 60 & echo $! > {}; wait", file.display());
    let _ = tokio::time::timeout(Duration::from_millis(500), shell(&line).output()).await;
    let child: u32 = std::fs::read_to_string(file)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    assert!(gone(child).await);
}

#[tokio::test]
async fn a_session_is_ended_although_its_leader_is_gone() {
    let run = shell("sleep 61 & echo $!; exec sleep 0.3");
    let mut started = run.start().unwrap();
    let leader = started.leader.clone();
    let mut line = [0; 16];
    let count = started
        .output
        .take()
        .unwrap()
        .read(&mut line)
        .await
        .unwrap();
    let orphan: u32 = std::str::from_utf8(&line[..count])
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    started.child.wait().await.unwrap();
    assert!(!gone_now(orphan));
    assert!(end_session(&leader, Duration::from_secs(5)).await);
    assert!(gone(orphan).await);
}

#[test]
fn a_long_command_line_is_cut_at_a_character() {
    let described = Run::new("echo").arg("ä".repeat(500)).describe();
    assert!(described.chars().count() == 161 && described.ends_with('…'));
}

fn gone_now(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

/// Waits a minute, as a machine that checks models beside needs seconds for what takes none.
async fn gone(pid: u32) -> bool {
    for _ in 0..6000 {
        if gone_now(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}
