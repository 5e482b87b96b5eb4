//! The report as text for a terminal.

use std::fmt::Write;

use super::report::{End, Report};

/// The most problems of one end that are shown; JSON and HTML have all of them.
const MOST_SHOWN: usize = 50;
/// The ends, in the order of their sections.
const ENDS: [End; 5] = [
    End::Broken,
    End::Live,
    End::LeftOut,
    End::FragmentMissing,
    End::DeadLive,
];
/// The longest link that is shown whole, in characters.
const LONGEST: usize = 100;

/// Lays the report out: a line for each problem, with page and line, then the sums. What the site
/// wrote stands in it without control characters.
pub fn table(report: &Report) -> String {
    let mut text = String::new();
    for end in ENDS {
        section(&mut text, report, end);
    }
    let faults = report.faults().count();
    let notes = report.problems.len() - faults;
    let _ = writeln!(
        text,
        "{} pages, {} links: {faults} faults, {notes} notes; {} links to {} pages of other sites, \
         {} to the dynamic name, {} to what is off",
        report.pages,
        report.links,
        report.external.iter().map(|url| url.links).sum::<u64>(),
        report.external.len(),
        report.dynamic,
        report.off,
    );
    text
}

fn section(text: &mut String, report: &Report, end: End) {
    let of_end = |problem: &&super::Problem| problem.end == end;
    let rows: Vec<(String, String)> = report
        .problems
        .iter()
        .filter(of_end)
        .take(MOST_SHOWN)
        .map(|problem| {
            let place = format!("{}:{}", problem.page, problem.line);
            (shown(&place), shown(&problem.told()))
        })
        .collect();
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(text, "{}:", end.told());
    let width = rows.iter().map(|(place, _)| place.chars().count()).max();
    let width = width.unwrap_or_default();
    for (place, link) in &rows {
        let _ = writeln!(text, "  {place:width$}  {link}");
    }
    let more = report.count(end) - rows.len();
    if more > 0 {
        let _ = writeln!(text, "  … and {more} more");
    }
}

fn shown(text: &str) -> String {
    let acts =
        |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut kept: String = text.chars().filter(|&c| !acts(c)).take(LONGEST).collect();
    if text.chars().count() > LONGEST {
        kept.push('…');
    }
    kept
}
