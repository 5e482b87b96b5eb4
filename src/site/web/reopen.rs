//! nginx's log after it was set aside: nginx writes to the file that it has open, whatever its
//! name, until it is told to open it anew.

use std::fs;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::time::{sleep, timeout};

use super::running;
use crate::host::paths::Paths;
use crate::host::spool::is_open;

/// Each worker opens it on its next turn, and writes out first what it had in memory.
const WITHIN: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Makes nginx open its logs anew. True: nothing of it writes to the file that was set aside any
/// more.
pub async fn reopen(paths: &Paths, aside: &Path) -> bool {
    let Some(master) = running(&paths.nginx_pid()) else {
        return true;
    };
    if !is_open(aside, &family(master)) {
        return true;
    }
    // nginx(8): USR1 reopens the log files.
    if kill(Pid::from_raw(master.cast_signed()), Signal::SIGUSR1).is_err() {
        return true;
    }
    let let_go = async {
        while is_open(aside, &family(master)) {
            sleep(LOOK_EVERY).await;
        }
    };
    timeout(WITHIN, let_go).await.is_ok()
}

/// The master and its workers, also those of an earlier configuration that finish what they have
/// begun.
fn family(master: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let children = ids.filter(|&pid| {
        fs::read_to_string(format!("/proc/{pid}/stat"))
            .is_ok_and(|stat| parent(&stat) == Some(master))
    });
    children.chain([master]).collect()
}

/// The second field after the name, which may hold anything (proc(5)).
fn parent(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(1)?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_after_whatever_name() {
        assert_eq!(parent("42 (a) b (c) S 7 42 42 0"), Some(7));
        assert_eq!(parent("42"), None);
        assert!(family(std::process::id()).contains(&std::process::id()));
    }
}
