//! The program: it says where everything is, and leaves nothing behind, however it ends.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

/// The program once it serves, with what it printed.
#[expect(clippy::disallowed_methods, reason = "a test runs the program")]
fn started() -> (Child, Vec<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_region"))
        .args(["--zone", "site.test=Z1"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
    {
        printed.push(line);
        if printed.last().is_some_and(|line| line.contains("Ctrl-C")) {
            break;
        }
    }
    (child, printed)
}

fn folder(printed: &[String]) -> String {
    let ca = printed
        .iter()
        .find(|line| line.contains("directory_ca"))
        .unwrap()
        .split('"')
        .nth(1)
        .unwrap();
    Path::new(ca).parent().unwrap().display().to_string()
}

fn runs_in(folder: &str) -> bool {
    let commands = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands
        .map(|command| String::from_utf8_lossy(&command).into_owned())
        .any(|command| command.contains(folder))
}

fn within_patience(done: impl Fn() -> bool) -> bool {
    let start = Instant::now();
    while !done() && start.elapsed() < PATIENCE {
        std::thread::yield_now();
    }
    done()
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a test sends a signal by kill(1)"
)]
fn an_interrupt_ends_it_and_leaves_nothing_behind() {
    let (mut child, printed) = started();
    let folder = folder(&printed);
    for part in [
        "export AWS_ENDPOINT_URL_S3=http://",
        "export AWS_ENDPOINT_URL_AUTO_SCALING=http://",
        "export AWS_EC2_METADATA_SERVICE_ENDPOINT=http://",
        "hosted_zone_id = \"Z1\"    (site.test)",
    ] {
        assert!(printed.iter().any(|line| line.contains(part)), "{part}");
    }
    assert!(runs_in(&folder));
    assert!(
        Command::new("kill")
            .args(["-INT", &child.id().to_string()])
            .status()
            .unwrap()
            .success()
    );
    assert!(child.wait().unwrap().success());
    assert!(!runs_in(&folder));
    assert!(!Path::new(&folder).exists());
}

#[test]
fn pebble_dies_with_it_even_where_it_is_killed() {
    let (mut child, printed) = started();
    let folder = folder(&printed);
    assert!(runs_in(&folder));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(within_patience(|| !runs_in(&folder)));
    std::fs::remove_dir_all(folder).unwrap();
}
