//! The report as one HTML file, which needs nothing else.

use std::fmt::Write;

use super::report::{Problem, Report};
use crate::render::escaped;

const STYLE: &str = "body{font:1em/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;\
color:#222;background:#fff}table{border-collapse:collapse;width:100%}\
td,th{text-align:left;vertical-align:top;padding:.2em .8em .2em 0;border-bottom:1px solid #ddd}\
td:last-child{overflow-wrap:anywhere}.fault{color:#a00;font-weight:600}h2{font-size:1.1em;margin-top:2em}";

/// Lays the report out by page, faults first within each page.
pub fn html(report: &Report) -> String {
    let mut html = String::from(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Links of the mirror</title>\n",
    );
    let _ = write!(html, "<style>{STYLE}</style>\n</head>\n<body>\n");
    head(&mut html, report);
    for problems in report.problems.chunk_by(|a, b| a.page == b.page) {
        page(&mut html, problems);
    }
    external(&mut html, report);
    html.push_str("</body>\n</html>\n");
    html
}

fn head(html: &mut String, report: &Report) {
    let faults = report.faults().count();
    let _ = writeln!(
        html,
        "<h1>Links of the mirror</h1>\n<p>{} pages, {} links: {faults} faults, {} notes. {} links \
         lead to the dynamic name, {} to the page that says what is off.</p>",
        report.pages,
        report.links,
        report.problems.len() - faults,
        report.dynamic,
        report.off,
    );
}

fn page(html: &mut String, problems: &[Problem]) {
    let Some(first) = problems.first() else {
        return;
    };
    let _ = write!(
        html,
        "<h2>{}</h2>\n<p>Object <code>{}</code></p>\n\
         <table>\n<tr><th>Line<th>End<th>Link</tr>\n",
        escaped(first.page.as_str()),
        escaped(&first.key),
    );
    let mut sorted: Vec<&Problem> = problems.iter().collect();
    sorted.sort_by_key(|problem| (!problem.end.is_fault(), problem.line));
    for problem in sorted {
        let class = if problem.end.is_fault() {
            "fault"
        } else {
            "note"
        };
        let _ = writeln!(
            html,
            "<tr><td>{}<td class=\"{class}\">{}<td><code>{}</code></tr>",
            problem.line,
            problem.end.told(),
            escaped(&problem.told()),
        );
    }
    html.push_str("</table>\n");
}

fn external(html: &mut String, report: &Report) {
    if report.external.is_empty() {
        return;
    }
    html.push_str("<h2>Other sites</h2>\n<table>\n<tr><th>Links<th>First on<th>URL</tr>\n");
    for url in &report.external {
        let _ = writeln!(
            html,
            "<tr><td>{}<td>{}:{}<td><code>{}</code></tr>",
            url.links,
            escaped(url.page.as_str()),
            url.line,
            escaped(&url.url),
        );
    }
    html.push_str("</table>\n");
}
