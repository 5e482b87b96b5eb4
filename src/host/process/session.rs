//! Ending whole sessions: a program, its workers, and their children, also those whose parent is
//! gone.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// A session's first process, told from a later one that got the same pid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leader {
    pub pid: u32,
    /// Clock ticks since boot, from `/proc/<pid>/stat`.
    started: u64,
    /// Pids start anew with each boot.
    boot: String,
}

impl Leader {
    /// `None`: no such process.
    pub fn of(pid: u32) -> Option<Self> {
        Some(Self {
            pid,
            started: stat(pid)?.started,
            boot: boot_id(),
        })
    }

    /// The processes of the session that are still there; empty where the pid has gone to someone
    /// else.
    fn session(&self) -> Vec<u32> {
        if self.boot != boot_id() {
            return Vec::new();
        }
        let mut members = all();
        members.retain(|_, stat| stat.session == self.pid && stat.started >= self.started);
        match members.get(&self.pid) {
            Some(leader) if leader.started != self.started => Vec::new(),
            // Without its leader the session is still ours: the kernel gives no pid away that is
            // still a session's id.
            _ => members
                .into_iter()
                .filter(|(_, stat)| !stat.zombie)
                .map(|(pid, _)| pid)
                .collect(),
        }
    }
}

/// Kills all that is left of a session, waiting up to `patience` until it is gone. False: something
/// is still there.
pub async fn end_session(leader: &Leader, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    loop {
        let members = leader.session();
        if members.is_empty() {
            return true;
        }
        for pid in members {
            let _ = kill(pid_of(pid), Signal::SIGKILL);
        }
        if Instant::now() >= deadline {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// SIGKILL to a process group; one that is gone is no error.
pub(super) fn kill_group(group: u32) {
    // 0 would mean our own group, 1 everybody.
    if group > 1 {
        let _ = killpg(pid_of(group), Signal::SIGKILL);
    }
}

fn pid_of(pid: u32) -> Pid {
    Pid::from_raw(pid.cast_signed())
}

/// The processes whose parent this is.
pub fn children(parent: u32) -> Vec<u32> {
    all()
        .into_iter()
        .filter(|(_, stat)| stat.parent == parent && !stat.zombie)
        .map(|(pid, _)| pid)
        .collect()
}

struct Stat {
    parent: u32,
    session: u32,
    started: u64,
    zombie: bool,
}

fn all() -> BTreeMap<u32, Stat> {
    let Ok(entries) = fs::read_dir("/proc") else {
        return BTreeMap::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect()
}

fn stat(pid: u32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// proc_pid_stat(5). The name in parentheses may itself hold spaces and parentheses, so fields are
/// counted from its last one.
fn parse_stat(line: &str) -> Option<Stat> {
    let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse().ok();
    Some(Stat {
        zombie: *fields.first()? == "Z",
        parent: number(1)?,
        session: number(3)?,
        started: fields.get(19)?.parse().ok()?,
    })
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .unwrap_or_default()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_and_spaces_shifts_no_field() {
        let line =
            "42 (evil) S (name) Z 1 42 77 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 9876 1000 200";
        let stat = parse_stat(line).unwrap();
        assert_eq!(
            (stat.parent, stat.session, stat.started, stat.zombie),
            (1, 77, 9876, true)
        );
    }

    #[test]
    fn a_pid_that_was_given_to_another_process_is_left_alone() {
        let me = Leader::of(std::process::id()).unwrap();
        let earlier = Leader {
            started: me.started - 1,
            ..me.clone()
        };
        let other_boot = Leader {
            boot: "another".into(),
            ..me
        };
        assert!(earlier.session().is_empty() && other_boot.session().is_empty());
    }
}
