//! How a run that failed is told: a message and an exit code, and with `--json` an object on
//! standard error.

use std::process::ExitCode;

use serde_json::{Value, json};

use crate::config::Problems;
use crate::outcome::{USAGE, Usage};
use crate::output::{self, shown};
use crate::{cli, cloud, logging};

/// What is told of a failure.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// As a person is told it.
    words: String,
    /// The same in colours, fit to be printed as it is, where there are such.
    styled: Option<String>,
    /// The same without the hint.
    message: String,
    /// What the user can do about it.
    hint: Option<String>,
    code: u8,
    /// What is wrong with a site.toml: the file, the line, what.
    problems: Vec<(String, usize, String)>,
}

impl Failure {
    /// Of a command.
    pub fn of(error: &anyhow::Error) -> Self {
        let words = in_words(error);
        if let Some(problems) = error.downcast_ref::<Problems>() {
            let each = problems
                .each()
                .map(|(line, what)| (problems.file().to_owned(), line, what.to_owned()));
            let context = words.strip_suffix(&problems.to_string());
            let styled =
                context.map(|context| format!("{}{}", shown(context), problems.render(true)));
            return Self {
                words,
                styled,
                message: problems.summary(),
                hint: None,
                code: USAGE,
                problems: each.collect(),
            };
        }
        let (message, hint) = match error
            .downcast_ref::<cloud::Error>()
            .and_then(|error| error.hint.as_deref())
        {
            Some(hint) => (
                words
                    .strip_suffix(hint)
                    .and_then(|words| words.strip_suffix("; "))
                    .unwrap_or(&words),
                Some(hint),
            ),
            None if error.is::<Usage>() => words
                .split_once("; ")
                .map_or((words.as_str(), None), |(what, hint)| (what, Some(hint))),
            None => (words.as_str(), None),
        };
        let code = if error.is::<Usage>() { USAGE } else { 1 };
        Self {
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
            code,
            problems: Vec::new(),
            styled: None,
            words,
        }
    }

    /// Of the command line, in clap's words.
    pub fn of_usage(error: &clap::Error) -> Self {
        let words = error.render().to_string();
        let text = words.strip_prefix("error: ").unwrap_or(&words).trim_end();
        let (message, hint) = text
            .split_once("\n\n")
            .map_or((text, None), |(what, hint)| {
                (what, Some(hint.trim().to_owned()))
            });
        Self {
            message: message.trim().to_owned(),
            hint,
            code: USAGE,
            problems: Vec::new(),
            styled: None,
            words,
        }
    }

    /// Says it on standard error, where nobody has said it yet.
    pub fn tell(&self, json: bool) -> ExitCode {
        let words = format!("error: {}", self.words);
        match &self.styled {
            _ if json => logging::print_json(&self.to_json()),
            Some(styled) => logging::print_in_colour(&words, &format!("error: {styled}")),
            None => logging::print(&words),
        }
        ExitCode::from(self.code)
    }

    /// `{"error": {"message", "hint", "code", "file", "line"}}`, with `problems` where a site.toml
    /// has some: then `file` and `line` are the first one's.
    pub fn to_json(&self) -> Value {
        let first = self.problems.first();
        let mut error = json!({
            "message": self.message,
            "hint": self.hint,
            "code": self.code,
            "file": first.map(|(file, ..)| file),
            "line": first.map(|(_, line, _)| line),
        });
        if first.is_some() {
            let each = self.problems.iter().map(
                |(file, line, message)| json!({ "message": message, "file": file, "line": line }),
            );
            error["problems"] = each.collect();
        }
        json!({ "error": error })
    }
}

/// Says what clap says in place of a command: help and version on standard output, else what is
/// wrong with the command line.
pub fn without_a_command(error: &clap::Error) -> ExitCode {
    cli::set_colour(cli::asked_for(std::env::args_os()));
    let words = error.render();
    if !error.use_stderr() {
        output::write(&if output::may_style() {
            words.ansi().to_string()
        } else {
            words.to_string()
        });
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|arg| arg == "--json") {
        logging::print_json(&Failure::of_usage(error).to_json());
    } else {
        logging::print_styled(&if logging::may_style() {
            words.ansi().to_string()
        } else {
            shown(&words.to_string()).into_owned()
        });
    }
    ExitCode::from(USAGE)
}

/// The error and its causes, each once: some types tell their cause in their own words, too.
fn in_words(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for part in error.chain().map(ToString::to_string) {
        if text.is_empty() {
            text = part;
        } else if !text.ends_with(&part) {
            text = format!("{text}: {part}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use anyhow::{Context, anyhow};

    use super::*;
    use crate::config::Site;

    #[test]
    fn a_cause_is_told_once_whoever_tells_it() {
        let io = || std::io::Error::from(std::io::ErrorKind::NotFound);
        assert_eq!(
            in_words(
                &anyhow::Error::new(io())
                    .context("reading a")
                    .context("first")
            ),
            format!("first: reading a: {}", io())
        );
        #[derive(Debug, thiserror::Error)]
        #[error("reading b: {0}")]
        struct Twice(#[source] std::io::Error);
        assert_eq!(
            in_words(&Twice(io()).into()),
            format!("reading b: {}", io())
        );
    }

    /// `{error:#}` prints a type's words and then its source: a cause that is in both is said
    /// twice.
    #[test]
    fn no_error_of_ours_tells_its_cause_both_in_its_words_and_as_its_source() {
        let mut looked_at = 0;
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().path())
            {
                if entry.is_dir() {
                    folders.push(entry);
                } else if entry.extension().is_some_and(|extension| extension == "rs")
                    && !entry.ends_with("failure.rs")
                {
                    let text = std::fs::read_to_string(&entry).unwrap();
                    for told in text
                        .split("#[error(")
                        .skip(1)
                        .filter(|told| !told.starts_with("transparent"))
                    {
                        // The attribute and what it stands on, to the next variant's.
                        let (words, body) = told.split_once(")]").unwrap();
                        let body = body
                            .split("#[error(")
                            .next()
                            .unwrap()
                            .split("\n}")
                            .next()
                            .unwrap();
                        let tells = words.contains("{source}")
                            || (words.contains("{0}")
                                && (body.contains("#[from]") || body.contains("#[source]")));
                        assert!(!tells, "{}: {words}", entry.display());
                        looked_at += 1;
                    }
                }
            }
        }
        assert!(looked_at > 30, "{looked_at}");
    }

    #[test]
    fn a_failure_is_an_object_with_its_hint_apart() {
        let denied = cloud::Error {
            doing: "reading s3://b/k".into(),
            code: Some("AccessDenied".into()),
            message: "Access Denied".into(),
            hint: Some("allow s3:GetObject".into()),
        };
        let told = Failure::of(&Err::<(), _>(denied).context("release").unwrap_err()).to_json();
        let expected = json!({ "error": { "message": "release: reading s3://b/k: Access Denied (AccessDenied)", "hint": "allow s3:GetObject",
            "code": 1, "file": null, "line": null } });
        assert_eq!(told, expected);
        let usage = Failure::of(&Usage("no site.toml; name one with --config".into()).into());
        assert_eq!(
            (usage.message.as_str(), usage.hint.as_deref(), usage.code),
            ("no site.toml", Some("name one with --config"), 2)
        );
        assert_eq!(Failure::of(&anyhow!("it; broke")).message, "it; broke");
    }

    #[test]
    fn only_the_styled_words_have_escapes() {
        let problems = Site::parse("a\u{1b}[2J.toml", "[site]\n").unwrap_err();
        let failure = Failure::of(&anyhow::Error::new(problems).context("re\u{1b}ading"));
        let styled = failure.styled.expect("problems have colours");
        assert!(styled.starts_with("reading: a[2J.toml has ") && styled.contains("\u{1b}["));
        assert!(!styled.contains("\u{1b}[2J") && !failure.words.contains("\u{1b}[1m"));
    }

    #[test]
    fn every_problem_of_a_site_toml_stands_in_the_object_with_its_line() {
        let problems =
            Site::parse("site.toml", "[site]\nname = 7\ncolour = \"red\"\n").unwrap_err();
        let error = Failure::of(&anyhow::Error::new(problems)).to_json()["error"].take();
        let each = error["problems"].as_array().unwrap();
        assert!(
            each.len() > 2
                && each
                    .iter()
                    .all(|problem| problem["file"] == "site.toml" && problem["line"].is_u64()),
            "{error}"
        );
        assert_eq!(
            (&error["line"], &error["code"], &error["hint"]),
            (&each[0]["line"], &2.into(), &Value::Null)
        );
        assert_eq!(
            error["message"],
            format!("site.toml has {} problems", each.len())
        );
    }
}
