//! What systemctl and journalctl say of a unit.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::signal::Signal;

use super::{ServiceError, ServiceState};
use crate::host::process::Run;

const PROPERTIES: &str = "--property=LoadState,ActiveState,SubState,MainPID,ExecMainCode,ExecMainStatus,Result,InvocationID,TimeoutStopUSec";
/// systemd's answers come at once, or it is in trouble.
const ASK: Duration = Duration::from_secs(20);

/// Runs a verb of systemctl.
pub(super) async fn systemctl(
    args: &[&str],
    name: &str,
    deadline: Duration,
) -> Result<(), ServiceError> {
    let run = Run::new("systemctl")
        .arg("--no-ask-password")
        .args(args.iter().copied())
        .deadline(deadline);
    run.output()
        .await
        .map(drop)
        .map_err(|cause| ServiceError::Process {
            doing: "telling systemd about",
            name: name.into(),
            cause,
        })
}

pub(super) async fn show(name: &str) -> Result<UnitProperties, ServiceError> {
    let run = Run::new("systemctl")
        .args(["show", PROPERTIES, &format!("{name}.service")])
        .deadline(ASK);
    let output = run.output().await.map_err(|cause| ServiceError::Process {
        doing: "asking systemd about",
        name: name.into(),
        cause,
    })?;
    Ok(UnitProperties::parse(&output.stdout))
}

/// The machine is about to go down: shutdown.target is wanted or there already (systemctl(1),
/// "is-system-running").
pub(super) async fn is_shutting_down() -> bool {
    match Run::new("systemctl")
        .args(["show", "--property=SystemState", "--value"])
        .deadline(ASK)
        .output()
        .await
    {
        Ok(output) => output.stdout.trim() == "stopping",
        Err(error) => {
            tracing::warn!("asking systemd whether the machine goes down: {error}");
            false
        }
    }
}

/// The last lines of a unit's log, empty where there is none.
pub(super) async fn journal(name: &str, lines: usize, since: Option<SystemTime>) -> String {
    let unit = format!("{name}.service");
    // What a program wrote just before its end may still be on its way; this waits until all of it
    // is written (journalctl(1)).
    if let Err(error) = Run::new("journalctl")
        .arg("--sync")
        .deadline(ASK)
        .output()
        .await
    {
        tracing::debug!(%error, "waiting for the journal");
    }
    let mut run = Run::new("journalctl").args([
        "--no-pager",
        "--quiet",
        "--output=cat",
        "--reverse",
        "--lines",
        &lines.to_string(),
        "--unit",
        &unit,
    ]);
    if let Some(since) = since.and_then(|since| since.duration_since(UNIX_EPOCH).ok()) {
        run = run.arg(format!(
            "--since=@{}.{:06}",
            since.as_secs(),
            since.subsec_micros()
        ));
    }
    match run.deadline(ASK).output().await {
        // Newest first, since beside --since a number of lines means the first ones.
        Ok(output) => output
            .stdout
            .trim_end()
            .lines()
            .rev()
            .collect::<Vec<_>>()
            .join("\n"),
        Err(error) => error.to_string(),
    }
}

/// A unit's properties.
pub(super) struct UnitProperties(BTreeMap<String, String>);

impl UnitProperties {
    pub(super) fn parse(text: &str) -> Self {
        Self(
            text.lines()
                .filter_map(|line| line.split_once('='))
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        )
    }

    fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// systemd holds something of it, however old.
    pub(super) fn is_known(&self) -> bool {
        self.get("LoadState") != "not-found"
    }

    pub(super) fn is_loaded(&self) -> bool {
        self.get("LoadState") == "loaded"
    }

    /// Changes with each start; empty before the first.
    pub(super) fn invocation(&self) -> &str {
        self.get("InvocationID")
    }

    pub(super) fn state(&self) -> ServiceState {
        match (self.get("MainPID").parse(), self.get("ActiveState")) {
            (Ok(pid @ 1..), "active" | "reloading" | "activating" | "deactivating") => {
                ServiceState::Running { pid }
            }
            // 0: it never ran.
            _ if matches!(self.get("ExecMainCode"), "" | "0") => ServiceState::Absent,
            // Stopped by us, and left so.
            (_, "inactive")
                if self.get("Result") == "success" && self.get("ExecMainStatus") != "0" =>
            {
                ServiceState::Absent
            }
            _ => ServiceState::Exited { status: self.end() },
        }
    }

    pub(super) fn stop_timeout(&self) -> Duration {
        parse_span(self.get("TimeoutStopUSec")).unwrap_or(Duration::from_secs(90))
    }

    /// ExecMainCode is the si_code of sigaction(2): 1 exited, 2 killed, 3 dumped core.
    fn end(&self) -> String {
        let status = self.get("ExecMainStatus");
        let how = match (
            self.get("ExecMainCode"),
            status
                .parse()
                .ok()
                .and_then(|number: i32| Signal::try_from(number).ok()),
        ) {
            ("2" | "3", Some(signal)) => format!("killed by {signal}"),
            ("2" | "3", None) => format!("killed by signal {status}"),
            _ => format!("exit status {status}"),
        };
        match self.get("Result") {
            "" | "success" | "exit-code" | "signal" => how,
            "oom-kill" => format!("out of memory: {how}"),
            reason => format!("{how} ({reason})"),
        }
    }
}

/// As systemctl prints a TimeoutStopUSec: `1min 30s`, `31s`, `infinity`.
fn parse_span(text: &str) -> Option<Duration> {
    text.split_whitespace()
        .try_fold(Duration::ZERO, |sum, part| {
            let unit = part.find(|c: char| !c.is_ascii_digit())?;
            let count: u64 = part[..unit].parse().ok()?;
            let span = match &part[unit..] {
                "h" => Duration::from_secs(count.checked_mul(3600)?),
                "min" => Duration::from_secs(count.checked_mul(60)?),
                "s" => Duration::from_secs(count),
                "ms" => Duration::from_millis(count),
                _ => return None,
            };
            sum.checked_add(span)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_running_ended_or_absent() {
        let state = |text: &str| UnitProperties::parse(text).state();
        assert_eq!(
            state("LoadState=not-found\nActiveState=inactive\nMainPID=0\nExecMainCode=0\n"),
            ServiceState::Absent
        );
        assert_eq!(
            state("ActiveState=active\nMainPID=42\nExecMainCode=0\n"),
            ServiceState::Running { pid: 42 }
        );
        let failed =
            "ActiveState=failed\nMainPID=0\nExecMainCode=2\nExecMainStatus=9\nResult=oom-kill\n";
        assert_eq!(
            state(failed),
            ServiceState::Exited {
                status: "out of memory: killed by SIGKILL".into()
            }
        );
    }

    #[test]
    fn a_service_that_ended_well_by_itself_has_ended() {
        let text =
            "ActiveState=inactive\nMainPID=0\nExecMainCode=1\nExecMainStatus=0\nResult=success\n";
        assert_eq!(
            UnitProperties::parse(text).state(),
            ServiceState::Exited {
                status: "exit status 0".into()
            }
        );
    }

    #[test]
    fn systemds_time_spans_are_read() {
        assert_eq!(parse_span("1min 30s"), Some(Duration::from_secs(90)));
        assert_eq!(parse_span("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_span("infinity"), None);
    }
}
