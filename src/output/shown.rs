//! Text of visitors, apps and instances, made fit for a terminal and for the log of a CI run. Every
//! such text passes here (invariant I15 of docs/ARCHITECTURE.md).
//!
//! Three things can act there: control characters (a terminal obeys them), controls of the writing
//! direction (they rewrite what a person reads), and workflow commands, which GitHub's runner
//! obeys: `::name::` after leading blanks, and the older `##[name]` anywhere in a line
//! (actions/runner, `ActionCommand.cs`; other CI systems have `##vso[…]` and `##teamcity[…]`).

use std::borrow::Cow;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

/// Before a line that would be taken for a command.
const HARMLESS: &str = "| ";
/// Before a further line of a message, so that nobody takes it for a message of its own.
const FURTHER: &str = "    ";

/// Whether a character acts on whoever displays it: C0 but line break and tab, DEL, C1, and the
/// bidirectional controls (Unicode Standard Annex #9, "Directional Formatting Characters").
fn acts(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t')
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// One line of a log as it is kept: without what acts.
pub fn kept_line(line: &str) -> Cow<'_, str> {
    without(line, |c| acts(c) || c == '\n')
}

fn without(text: &str, unwanted: impl Fn(char) -> bool) -> Cow<'_, str> {
    if text.contains(&unwanted) {
        text.chars()
            .filter(|&c| !unwanted(c))
            .collect::<String>()
            .into()
    } else {
        text.into()
    }
}

/// The text without what acts, its lines kept; what a CI system would obey is spelled so that it
/// does not.
pub fn shown(text: &str) -> Cow<'_, str> {
    let kept = without(text, acts);
    if !kept.contains("##") && !kept.contains("::") {
        return kept;
    }
    let lines: Vec<Cow<'_, str>> = kept.split('\n').map(disarmed).collect();
    lines.join("\n").into()
}

/// The text as a single line: what stands beside something else.
pub fn in_one_line(text: &str) -> Cow<'_, str> {
    match shown(text) {
        kept if kept.contains('\n') => kept.replace('\n', " ").into(),
        kept => kept,
    }
}

/// A message whose further lines are indented, so that none of them passes for a message of its
/// own.
pub fn continued(text: &str) -> String {
    let mut lines = text.split('\n');
    let first = lines.next().unwrap_or_default().to_owned();
    let further = lines.fold(first, |text, line| {
        let indent = if line.starts_with("  ") || line.is_empty() {
            ""
        } else {
            FURTHER
        };
        format!("{text}\n{indent}{line}")
    });
    shown(&further).into_owned()
}

/// A log of another machine with `whose` before each of its lines.
pub fn as_log_of(whose: &str, text: &str) -> String {
    let whose = in_one_line(whose);
    text.lines()
        .map(|line| format!("{whose} | {}\n", in_one_line(line)))
        .collect()
}

/// Lines that GitHub's runner does not look into ("Workflow commands", "Stopping and starting
/// workflow commands"); elsewhere the lines alone.
pub fn fenced(lines: &str, on_github: bool) -> String {
    if !on_github {
        return lines.to_owned();
    }
    let random = || RandomState::new().build_hasher().finish();
    let token = format!("spotboot-{:016x}{:016x}", random(), random());
    format!("::stop-commands::{token}\n{lines}::{token}::\n")
}

/// JSON text whose strings are fit to be shown, once they are decoded, too.
pub fn json_shown(json: &str) -> String {
    let mut kept = String::with_capacity(json.len());
    let mut chars = json.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => {
                let length = if json[at..].starts_with("\\u") { 6 } else { 2 };
                let escape = json.get(at..at + length).unwrap_or(&json[at..]);
                escape.chars().skip(1).for_each(|_| _ = chars.next());
                let coded = escape
                    .get(2..)
                    .and_then(|hex| u32::from_str_radix(hex, 16).ok())
                    .and_then(char::from_u32);
                if !coded.is_some_and(acts) && !matches!(escape, "\\b" | "\\f" | "\\r") {
                    kept.push_str(escape);
                }
            }
            '[' if opens_command(&kept) => kept.push_str("\\u005b"),
            c if acts(c) => {}
            c => kept.push(c),
        }
    }
    kept
}

/// One line that no CI system takes for a command.
fn disarmed(line: &str) -> Cow<'_, str> {
    let front = if line.trim_start().starts_with("::") {
        HARMLESS
    } else {
        ""
    };
    if front.is_empty() && !line.contains("##") {
        return line.into();
    }
    let mut kept = front.to_owned();
    for c in line.chars() {
        if c == '[' && opens_command(&kept) {
            kept.push(' ');
        }
        kept.push(c);
    }
    kept.into()
}

/// Whether a `[` after this would begin a command: `##[`, `##vso[`.
fn opens_command(before: &str) -> bool {
    before
        .trim_end_matches(|c: char| c.is_ascii_alphabetic())
        .ends_with("##")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "\u{9b}31mred\u{1b}[2J\r\u{7}\u{7f}\u{202e}txt\u{2066}\n \u{a0}::error::owned\n\t##[error]x ##vso[task]\n::add-mask::y";

    /// What must hold of all that is printed outside of a fence.
    fn assert_harmless(text: &str) {
        assert!(
            !text
                .chars()
                .any(|c| (c.is_control() && c != '\n' && c != '\t')
                    || "\u{202e}\u{2066}".contains(c)),
            "{text:?}"
        );
        assert!(
            !text.lines().any(|line| line.trim_start().starts_with("::")),
            "{text:?}"
        );
        assert!(
            !text.contains("##[") && !text.contains("##vso["),
            "{text:?}"
        );
    }

    #[test]
    fn nothing_of_a_hostile_text_acts_and_its_words_stay() {
        let kept = shown(HOSTILE);
        assert_harmless(&kept);
        assert_eq!(
            kept,
            "31mred[2Jtxt\n|  \u{a0}::error::owned\n\t## [error]x ##vso [task]\n| ::add-mask::y"
        );
        assert_harmless(&continued(HOSTILE));
        assert_harmless(&as_log_of(HOSTILE, HOSTILE));
        assert!(!in_one_line(HOSTILE).contains('\n'));
        assert_eq!(
            shown("plain ünïcode\twords: a::b\n"),
            "plain ünïcode\twords: a::b\n"
        );
    }

    #[test]
    fn what_characters_hide_from_the_look_for_commands_is_found() {
        assert_harmless(&shown("##\u{1b}[error]"));
        assert_harmless(&shown(":\u{7f}:error::x"));
        assert_harmless(&shown("\u{85}::error::x"));
    }

    #[test]
    fn each_line_of_a_log_says_whose_it_is() {
        assert_eq!(
            as_log_of("i-1", "app | one\r\n\n::error::two"),
            "i-1 | app | one\ni-1 | \ni-1 | | ::error::two\n"
        );
    }

    #[test]
    fn a_further_line_never_passes_for_a_message() {
        assert_eq!(
            continued("one\nerror: two\n    three\n"),
            "one\n    error: two\n    three\n"
        );
    }

    #[test]
    fn a_fence_is_another_each_time_and_stands_on_github_only() {
        let (first, second) = (fenced("a\n", true), fenced("a\n", true));
        assert_ne!(first, second);
        let token = first
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("::stop-commands::"))
            .unwrap();
        assert!(
            token.len() > 32 && first.ends_with(&format!("\na\n::{token}::\n")),
            "{first}"
        );
        assert_eq!(fenced("a\n", false), "a\n");
    }

    #[test]
    fn json_is_cleaned_and_stays_json() {
        let value = serde_json::json!({ HOSTILE: [HOSTILE, "a\\u001b \"quoted\" \\", 1.5, null], "b": "tab\t\n" });
        for text in [
            serde_json::to_string(&value).unwrap(),
            serde_json::to_string_pretty(&value).unwrap(),
        ] {
            let kept = json_shown(&text);
            assert_harmless(&kept);
            let back: serde_json::Value = serde_json::from_str(&kept).expect("it is JSON still");
            let hostile: String = HOSTILE.chars().filter(|&c| !acts(c)).collect();
            assert_eq!(
                back,
                serde_json::json!({ hostile.clone(): [hostile, "a\\u001b \"quoted\" \\", 1.5, null], "b": "tab\t\n" })
            );
        }
    }
}
