//! What a switch of emergency mode did, or would do, for a person and for programs.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::ask::AskedInstance;
use crate::cli::Globals;
use crate::output::{self, in_one_line, out};
use crate::site::emergency::Emergency;

/// What `failover on` and `failover off` tell.
#[derive(Debug, Default, Serialize)]
pub struct FailoverTold {
    /// The word that holds now, or would; none where nobody has ever said anything.
    pub word: Option<Emergency>,
    pub dry_run: bool,
    /// Whether all was as it was wanted, so that nothing was done.
    pub already: bool,
    /// What was done, or would be, a sentence each.
    pub steps: Vec<String>,
    /// The changes of records, or those that would be made.
    pub records: Vec<String>,
    /// Seconds after which no resolver leads visitors where the names led before, once Route 53's
    /// servers know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub felt_within: Option<u64>,
    /// The instances that were asked to look at once.
    pub instances: Vec<AskedInstance>,
    /// What a person should know, a sentence each.
    pub notes: Vec<String>,
    /// What could not be done.
    pub problems: Vec<String>,
}

impl FailoverTold {
    pub fn step(&mut self, sentence: impl Into<String>) {
        self.steps.push(sentence.into());
    }

    pub fn note(&mut self, sentence: impl Into<String>) {
        self.notes.push(sentence.into());
    }

    pub fn problem(&mut self, sentence: impl Into<String>) {
        self.problems.push(sentence.into());
    }

    /// Prints it.
    pub fn print(&self, globals: &Globals) -> Result<()> {
        if globals.json {
            return Ok(output::json(self)?);
        }
        self.lines().iter().for_each(|line| out!("{line}"));
        Ok(())
    }

    fn lines(&self) -> Vec<String> {
        let mut lines = vec![in_one_line(&self.headline()).into_owned()];
        let rows = [
            ("", &self.steps),
            ("", &self.records),
            ("NOTE: ", &self.notes),
            ("PROBLEM: ", &self.problems),
        ];
        for (before, sentences) in rows {
            let indented = |text: &String| format!("  {before}{}", in_one_line(text));
            lines.extend(sentences.iter().map(indented));
        }
        if let Some(seconds) = self.felt_within.filter(|_| !self.dry_run) {
            let time = humantime::format_duration(Duration::from_secs(seconds));
            lines.push(format!(
                "  visitors feel it once Route 53's servers know, mostly within a minute, and resolvers have forgotten what they knew, within {time} more"
            ));
        }
        lines
    }

    fn headline(&self) -> String {
        let word = self
            .word
            .as_ref()
            .map_or_else(|| "off".to_owned(), ToString::to_string);
        if self.already {
            return match word.split_once(' ') {
                Some((state, rest)) => {
                    let state = state.trim_end_matches(',');
                    format!("emergency mode is {state} already, {rest}")
                }
                None => format!("emergency mode is {word} already"),
            };
        }
        let is = if self.dry_run { "would be" } else { "is" };
        format!("emergency mode {is} {word}")
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn word() -> Option<Emergency> {
        Some(Emergency {
            on: true,
            redirect: false,
            page: false,
            by: "ada on desk".into(),
            since: datetime!(2026-11-30 03:12 UTC),
            why: Some("the app\nis down\u{1b}[2J".into()),
        })
    }

    #[test]
    fn what_was_there_already_says_since_when_and_by_whom() {
        let told = FailoverTold {
            word: word(),
            already: true,
            ..FailoverTold::default()
        };
        let lines = told.lines();
        assert_eq!(lines.len(), 1);
        assert!(
            lines[0].starts_with(
                "emergency mode is on already, since 2026-11-30T03:12:00Z by ada on desk: the app"
            ) && !lines[0].contains('\u{1b}')
                && !lines[0].contains('\n'),
            "{lines:?}"
        );
        let never = FailoverTold {
            already: true,
            ..FailoverTold::default()
        };
        assert_eq!(never.lines(), ["emergency mode is off already"]);
    }

    #[test]
    fn a_dry_run_says_would_and_no_time() {
        let mut told = FailoverTold {
            word: word(),
            dry_run: true,
            felt_within: Some(60),
            ..FailoverTold::default()
        };
        told.step("would lead the names to the mirror");
        told.problem("it cannot");
        let lines = told.lines();
        assert!(lines[0].starts_with("emergency mode would be on since"));
        assert_eq!(
            lines[1..],
            [
                "  would lead the names to the mirror",
                "  PROBLEM: it cannot"
            ]
        );
    }
}
