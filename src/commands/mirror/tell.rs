//! What a person, a program, and a browser are told of a copy.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use mirror::check::{self, Alive, Asked, End};
use mirror::compare::{self, Outcome as Likeness, Reason, Verdict};
use mirror::crawl::{Answer, Finding};
use mirror::render;
use serde::Serialize;

use super::copy::Judged;
use super::making::CopyRun;
use crate::cli::Globals;
use crate::outcome::Outcome;
use crate::output::{self, in_one_line, out};
use crate::site::mirror::{CopyCounts, Hold, MirrorEnd, MirrorReport};

/// Examples of a rule that leaves addresses out.
const EXAMPLES: usize = 3;
/// Problems in the JSON; the page that `--report` writes has all of them.
const MOST_PROBLEMS: usize = 1000;

/// The document of `--json`: the report, and what it is the sum of.
#[derive(Serialize)]
pub struct ToldMirror<'a> {
    #[serde(flatten)]
    report: &'a MirrorReport,
    /// Links, each with its page and line; the first thousand.
    problems: &'a [check::Problem],
    comparison: Option<&'a compare::Report>,
    verdict: &'a Verdict,
    /// What the crawl left out, folded, or did not get.
    findings: &'a [Finding],
    /// What became of forms, redirects and keys.
    rendering: &'a [render::Note],
    /// Links to other sites that are dead or doubtful, with `--external`.
    external: Vec<&'a Asked>,
    #[serde(skip)]
    links: &'a check::Report,
}

impl<'a> ToldMirror<'a> {
    pub fn of(report: &'a MirrorReport, judged: &'a Judged) -> Self {
        let links = &judged.copy.report;
        Self {
            report,
            problems: &links.problems[..links.problems.len().min(MOST_PROBLEMS)],
            comparison: judged.compared.as_ref(),
            verdict: &judged.verdict,
            findings: &judged.copy.index.findings,
            rendering: &judged.copy.rendered.notes,
            external: judged
                .external
                .iter()
                .filter(|asked| asked.alive != Alive::Yes)
                .collect(),
            links,
        }
    }
}

impl Judged {
    /// Why the copy is not good enough. One that is not to be published need not be compared.
    pub fn reasons(&self, compare: bool) -> Vec<String> {
        let Verdict::Refuse { reasons } = &self.verdict else {
            return Vec::new();
        };
        let counts = |reason: &&Reason| compare || !matches!(reason, Reason::NotCompared);
        reasons
            .iter()
            .filter(counts)
            .map(Reason::to_string)
            .collect()
    }
}

impl MirrorReport {
    /// Takes the copy's numbers in.
    pub fn fill(&mut self, judged: &Judged) {
        let (index, objects) = (&judged.copy.index, &judged.copy.rendered.objects);
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        let answered = |wanted: fn(&Answer) -> bool| {
            let entries = index.entries.values();
            count(entries.filter(|entry| wanted(&entry.answer)).count())
        };
        let links = &judged.copy.report;
        self.release.clone_from(&judged.release);
        self.copy = CopyCounts {
            pages: judged.pages,
            objects: count(objects.by_key.len()),
            bytes: objects.by_key.values().map(|object| object.size).sum(),
            requests: index.requests.sent,
            not_modified: index.requests.not_modified,
            dynamic: answered(|answer| matches!(answer, Answer::Dynamic { .. })),
            failed: answered(|answer| matches!(answer, Answer::Failed { .. })),
            left_out: left_out(&index.findings),
            links: links.links,
            broken: count(links.count(End::Broken)),
            to_live: count(links.count(End::Live)),
            dead_live: count(links.count(End::DeadLive)),
            fragments_missing: count(links.count(End::FragmentMissing)),
            likeness: judged.compared.as_ref().map(|compared| compared.likeness),
            compared: judged
                .compared
                .as_ref()
                .map_or(0, |compared| compared.compared),
        };
    }
}

fn left_out(findings: &[Finding]) -> std::collections::BTreeMap<String, u64> {
    let by_rule = |finding: &Finding| match finding {
        Finding::LeftOut { rule, count, .. } => Some((word(rule), *count)),
        _ => None,
    };
    findings.iter().filter_map(by_rule).collect()
}

/// As JSON spells it.
fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Prints what was found, and writes the page of `--report`.
///
/// # Errors
/// The page cannot be written.
pub fn tell(making: &CopyRun<'_>, told: &ToldMirror<'_>) -> Result<()> {
    if let Some(path) = &making.args.report {
        fs::write(path, check::html(told.links))
            .with_context(|| format!("writing {}", path.display()))?;
    }
    if making.globals.json {
        output::json(told)?;
    } else {
        out!("{}", told.text().trim_end());
    }
    Ok(())
}

/// Tells that a person holds the mirror.
pub fn tell_held(globals: &Globals, hold: &Hold) -> Result<Outcome> {
    #[derive(Serialize)]
    struct Held<'a> {
        end: MirrorEnd,
        hold: &'a Hold,
    }
    if globals.json {
        let end = MirrorEnd::Held;
        output::json(&Held { end, hold })?;
    } else {
        out!(
            "the mirror is {}; nothing was published: `spotboot mirror release` gives it free",
            in_one_line(&hold.to_string())
        );
    }
    Ok(Outcome::ProblemFound)
}

/// Tells that the mirror would have been copied in place of the site, and why.
pub fn tell_led_away(globals: &Globals, why: &str) -> Result<Outcome> {
    #[derive(Serialize)]
    struct LedAway<'a> {
        end: MirrorEnd,
        why: [&'a str; 1],
    }
    if globals.json {
        let end = MirrorEnd::Refused;
        output::json(&LedAway { end, why: [why] })?;
    } else {
        out!(
            "nothing was published: {}; under the site's names the mirror answers, and the copy would be of the mirror: run `spotboot failover off` first, or ask an instance itself by --connect ADDRESS:443 or --url",
            in_one_line(why)
        );
    }
    Ok(Outcome::ProblemFound)
}

impl ToldMirror<'_> {
    fn text(&self) -> String {
        let mut text = String::new();
        if !self.problems.is_empty() {
            let _ = writeln!(text, "{}", check::table(self.links));
        }
        self.findings(&mut text);
        self.comparison(&mut text);
        self.counts(&mut text);
        for note in &self.report.notes {
            let _ = writeln!(text, "note: {}", in_one_line(note));
        }
        self.end(&mut text);
        text
    }

    fn findings(&self, text: &mut String) {
        for finding in self.findings {
            let line = match finding {
                Finding::LeftOut {
                    rule,
                    count,
                    examples,
                } => {
                    let some: Vec<String> = examples
                        .iter()
                        .take(EXAMPLES)
                        .map(ToString::to_string)
                        .collect();
                    format!(
                        "left out by {}: {count}, as {}",
                        word(rule),
                        some.join(", ")
                    )
                }
                Finding::Failed { address, why } => format!("failed: {address}: {why}"),
                Finding::Charset { address, why } => format!("not readable: {address}: {why}"),
                Finding::Folded { count, example, .. } => {
                    format!("folded into one address: {count}, as {example}")
                }
                other => format!("{other:?}"),
            };
            let _ = writeln!(text, "{}", in_one_line(&line));
        }
        for note in self.rendering {
            let examples: Vec<&str> = note
                .examples
                .iter()
                .map(String::as_str)
                .take(EXAMPLES)
                .collect();
            let line = format!(
                "{}: {}, as {}",
                note.what.told(),
                note.count,
                examples.join(", ")
            );
            let _ = writeln!(text, "{}", in_one_line(&line));
        }
        for asked in &self.external {
            let doubt = if asked.alive == Alive::No {
                "dead"
            } else {
                "doubtful"
            };
            let line = format!("{doubt} elsewhere: {} ({})", asked.url, asked.answer);
            let _ = writeln!(text, "{}", in_one_line(&line));
        }
    }

    fn comparison(&self, text: &mut String) {
        let worst = self
            .comparison
            .map_or(&[][..], |compared| &compared.worst[..]);
        for page in worst {
            let line = match &page.outcome {
                Likeness::Unlike { missing, .. } => {
                    format!("unlike: {} lacks {}", page.address, missing.join(" … "))
                }
                outcome => format!("unlike: {}: {}", page.address, word_of(outcome)),
            };
            let _ = writeln!(text, "{}", in_one_line(&line));
        }
    }

    fn counts(&self, text: &mut String) {
        let CopyCounts {
            pages,
            objects,
            bytes,
            requests,
            not_modified,
            dynamic,
            failed,
            ..
        } = &self.report.copy;
        let _ = writeln!(
            text,
            "{pages} pages, {objects} objects, {bytes} bytes; {requests} requests, {not_modified} of them not modified; {dynamic} dynamic, {failed} failed"
        );
        if let Some(compared) = self.comparison {
            let _ = writeln!(
                text,
                "{:.2} % of the weight is like the site, by {} of {} pages",
                (compared.likeness * 10_000.0).floor() / 100.0,
                compared.compared,
                compared.pages
            );
        }
        if let Some(publication) = &self.report.publication {
            let would = if self.report.end == MirrorEnd::Sound {
                "would be "
            } else {
                ""
            };
            let _ = writeln!(
                text,
                "{} objects {would}written, {} unchanged, {} {would}deleted, {} to be deleted later",
                publication.written,
                publication.unchanged,
                publication.deleted,
                publication.leaving
            );
        }
    }

    fn end(&self, text: &mut String) {
        let told = match self.report.end {
            MirrorEnd::Published => "the mirror is published",
            MirrorEnd::Unchanged => "the published mirror is as the site is; nothing was written",
            MirrorEnd::Unserved => "the mirror is published, and something else is served:",
            MirrorEnd::Written if self.report.why.is_empty() => "the copy is written",
            MirrorEnd::Written => "the copy is written, and not good enough to be published:",
            MirrorEnd::Sound if self.report.why.is_empty() => {
                "the copy is good; nothing was written"
            }
            MirrorEnd::Sound | MirrorEnd::Refused => {
                "the mirror is not published; a former one stays:"
            }
            MirrorEnd::Held => "the mirror is held",
            MirrorEnd::Failed => "the mirror could not be made",
        };
        let _ = writeln!(text, "{told}");
        for why in &self.report.why {
            let _ = writeln!(text, "- {}", in_one_line(why));
        }
    }
}

fn word_of(outcome: &Likeness) -> String {
    let value = serde_json::to_value(outcome).unwrap_or_default();
    let word = value.get("outcome").and_then(serde_json::Value::as_str);
    word.unwrap_or_default().replace('_', " ")
}
