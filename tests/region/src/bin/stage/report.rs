//! `instances/<id>.json`, as far as it is shown here.

use anyhow::{Context, Result};
use region::Region;
use serde::Deserialize;

use crate::setting::BUCKET;

#[derive(Deserialize)]
pub(crate) struct Report {
    pub(crate) phase: String,
    pub(crate) steps: Vec<Step>,
    pub(crate) critical_path: Vec<String>,
    pub(crate) error: Option<String>,
}

/// Times are milliseconds since the boot began.
#[derive(Deserialize)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) after: Vec<String>,
    pub(crate) start_ms: u64,
    pub(crate) end_ms: Option<u64>,
}

impl Step {
    pub(crate) fn took_ms(&self) -> Option<u64> {
        self.end_ms.map(|end| end.saturating_sub(self.start_ms))
    }
}

impl Report {
    /// None before the instance's first word.
    pub(crate) fn read(region: &Region, instance: &str) -> Result<Option<Self>> {
        let bytes = region
            .s3()
            .get(BUCKET, &format!("instances/{instance}.json"))?;
        bytes
            .map(|bytes| serde_json::from_slice(&bytes).context("reading the instance's report"))
            .transpose()
    }

    pub(crate) fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().rfind(|step| step.name == name)
    }

    /// One line a step; `*` marks those that decided how long it took.
    pub(crate) fn timeline(&self) -> String {
        let mut lines = format!("  {:<22} {:>8} {:>8}  waited for\n", "step", "start", "end");
        for step in &self.steps {
            let mark = if self.critical_path.contains(&step.name) {
                '*'
            } else {
                ' '
            };
            let end = step.end_ms.map_or("–".to_owned(), seconds);
            lines += &format!(
                "{mark} {:<22} {:>8} {end:>8}  {}\n",
                step.name,
                seconds(step.start_ms),
                step.after.join(", ")
            );
        }
        lines
    }
}

fn seconds(ms: u64) -> String {
    format!("{}.{:03} s", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeline_marks_the_steps_that_decided() {
        let report: Report = serde_json::from_value(serde_json::json!({
            "phase": "serving", "critical_path": ["release"], "error": null,
            "steps": [{ "name": "release", "after": ["identity"], "start_ms": 12, "end_ms": 1034 }, { "name": "web", "after": [], "start_ms": 12, "end_ms": null }],
        }))
        .unwrap();
        let timeline = report.timeline();
        let lines: Vec<Vec<&str>> = timeline
            .lines()
            .skip(1)
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(
            lines[0],
            ["*", "release", "0.012", "s", "1.034", "s", "identity"]
        );
        assert_eq!(lines[1], ["web", "0.012", "s", "–"]);
    }
}
