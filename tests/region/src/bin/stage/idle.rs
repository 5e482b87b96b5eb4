//! What the resident takes while nothing happens: memory, time of the processors, calls.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::unistd::{SysconfVar, sysconf};
use tokio::time::{Instant, sleep};

use crate::bench::{IDLE_AFTER, calls, memory, retire};
use crate::boot::{Boot, Voice};
use crate::setting::Setting;

/// Boots one more instance, leaves it alone for that long, and prints what it took.
pub(crate) async fn measure(setting: &Setting, spotboot: &Path, idle: Duration) -> Result<()> {
    let mut boot = Boot::start(setting, spotboot, "i-0bench0000idle", Voice::File)?;
    boot.serving(setting).await?;
    sleep(IDLE_AFTER).await;
    let pid = boot.pid()?;
    setting.region.forget_requests();
    eprintln!("bench: idle for {} s", idle.as_secs());
    let (begun, before) = (Instant::now(), Used::by(pid)?);
    sleep(idle).await;
    let (took, after) = (begun.elapsed(), Used::by(pid)?);
    let (resident_kb, peak_kb) = memory(pid)?;
    let asked = calls(&setting.region.requests());
    retire(boot).await?;
    let percent = |ticks: u64| {
        Ok::<_, anyhow::Error>(100.0 * ticks as f64 / ticks_a_second()? as f64 / took.as_secs_f64())
    };
    println!("\nidle for {:.0} s", took.as_secs_f64());
    println!(
        "  processor time of the resident           {:>8.3} %",
        percent(after.own - before.own)?
    );
    println!(
        "  of the programs that it ran and ended    {:>8.3} %",
        percent(after.children - before.children)?
    );
    println!("  memory, at its highest                   {resident_kb:>8} KiB, {peak_kb} KiB");
    let asked: Vec<String> = asked
        .iter()
        .map(|(call, count)| format!("{count} × {call}"))
        .collect();
    println!(
        "  calls                                    {}",
        asked.join(", ")
    );
    Ok(())
}

/// Processor time in clock ticks (proc_pid_stat(5)).
#[derive(Debug, PartialEq, Eq)]
struct Used {
    own: u64,
    /// Of children that have ended and were waited for.
    children: u64,
}

impl Used {
    fn by(pid: u32) -> Result<Self> {
        let line = std::fs::read_to_string(format!("/proc/{pid}/stat"))
            .context("reading the resident's processor time")?;
        Self::read(&line).with_context(|| format!("no times in {line:?}"))
    }

    /// Fields 14 to 17; the name in parentheses before them may hold anything.
    fn read(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            own: field(14)? + field(15)?,
            children: field(16)? + field(17)?,
        })
    }
}

fn ticks_a_second() -> Result<i64> {
    sysconf(SysconfVar::CLK_TCK)?.context("the system has no clock ticks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_behind_any_name() {
        let line = "42 (a) b (c) S 1 42 77 0 -1 4194560 1 2 3 4 50 6 7 8 20 0 1 0 9876 1000 200";
        assert_eq!(
            Used::read(line),
            Some(Used {
                own: 56,
                children: 15
            })
        );
    }
}
