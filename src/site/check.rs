//! A check: what was looked at and what was seen. Dry runs, `status`, `init` and `check` report in
//! this one shape.

use std::fmt;

use serde::Serialize;

use crate::cloud;
use crate::config::Problems;
use crate::output::continued;

/// The result of a look at one thing. In JSON, `seen` is an object with one member: `well`, `warning`
/// or `problem`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// A name for programs, stable between versions.
    pub id: &'static str,
    /// The thing that was looked at, for people.
    pub what: String,
    pub seen: Finding,
    /// The person's next step, if one is known.
    pub remedy: Option<String>,
}

/// What was seen, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finding {
    Well(String),
    /// Odd, but nobody has to act at once.
    Warning(String),
    Problem(String),
}

impl Check {
    /// A check without a remedy.
    pub fn new(id: &'static str, what: impl Into<String>, seen: Finding) -> Self {
        Self {
            id,
            what: what.into(),
            seen,
            remedy: None,
        }
    }

    /// A problem without a remedy.
    pub fn problem(id: &'static str, what: impl Into<String>, seen: impl Into<String>) -> Self {
        Self::new(id, what, Finding::Problem(seen.into()))
    }

    /// The check of a look that may fail: the error is the problem, and its hint the remedy.
    pub fn of(id: &'static str, what: &str, looked: anyhow::Result<String>) -> Self {
        match looked {
            Ok(seen) => Self::new(id, what, Finding::Well(seen)),
            Err(error) => Self {
                remedy: error
                    .downcast_ref::<cloud::Error>()
                    .and_then(|error| error.hint.clone()),
                ..Self::problem(id, what, format!("{error:#}"))
            },
        }
    }

    /// A check for each problem of a site.toml; `what` is the file and the line.
    pub fn of_file(problems: &Problems) -> Vec<Self> {
        let check = |problem: &crate::config::Problem| Self {
            remedy: problem.help(),
            ..Self::problem(
                problem.about,
                format!("{}:{}", problems.file(), problem.line),
                &problem.message,
            )
        };
        problems.found().iter().map(check).collect()
    }

    /// The same check with a next step.
    pub fn with_remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: Some(remedy.into()),
            ..self
        }
    }

    /// The words, if all is well.
    pub fn as_well(&self) -> Option<&str> {
        match &self.seen {
            Finding::Well(seen) => Some(seen),
            _ => None,
        }
    }

    /// The words of a warning.
    pub fn as_warning(&self) -> Option<&str> {
        match &self.seen {
            Finding::Warning(seen) => Some(seen),
            _ => None,
        }
    }

    /// The words of a problem.
    pub fn as_problem(&self) -> Option<&str> {
        match &self.seen {
            Finding::Problem(seen) => Some(seen),
            _ => None,
        }
    }
}

/// A line for a person; further lines of the words are indented.
impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:<15} ", self.what)?;
        match &self.seen {
            Finding::Well(seen) => f.write_str(&seen.replace('\n', "\n                ")),
            Finding::Warning(seen) => write!(f, "WARNING: {}", continued(seen)),
            Finding::Problem(seen) => write!(f, "PROBLEM: {}", continued(seen)),
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use serde_json::json;

    use super::*;
    use crate::config::Site;

    #[test]
    fn an_error_is_a_problem_whose_hint_is_the_remedy_under_any_context() {
        let denied = cloud::Error {
            doing: "reading s3://b/k".into(),
            code: None,
            message: "Access Denied".into(),
            hint: Some("allow s3:GetObject".into()),
        };
        let looked = Err::<String, _>(denied).context("release");
        let check = Check::of("release", "release", looked);
        assert_eq!(
            serde_json::to_value(&check).unwrap(),
            json!({ "id": "release", "what": "release", "remedy": "allow s3:GetObject",
                "seen": { "problem": "release: reading s3://b/k: Access Denied; allow s3:GetObject" } })
        );
        let check = Check::of("fleet", "fleet", Ok("none\ntwo".into()));
        assert_eq!(
            check.to_string(),
            "fleet           none\n                two"
        );
        assert_eq!(
            (check.as_well(), check.as_problem()),
            (Some("none\ntwo"), None)
        );
    }

    #[test]
    fn each_problem_of_a_file_is_a_check_by_its_key_and_its_line() {
        let problems = Site::parse("site.toml", "[site]\nname = 7\ncolour = 1\n= 2\n").unwrap_err();
        let checks = Check::of_file(&problems);
        assert_eq!(checks.len(), problems.found().len());
        let places: Vec<_> = checks
            .iter()
            .map(|check| (check.id, check.what.as_str()))
            .collect();
        for place in [
            ("site.name", "site.toml:2"),
            ("unknown-key", "site.toml:3"),
            ("syntax", "site.toml:4"),
        ] {
            assert!(places.contains(&place), "no {place:?} in {places:?}");
        }
        let name = checks.iter().find(|check| check.id == "site.name").unwrap();
        let remedy = name.remedy.as_deref().unwrap();
        assert!(
            remedy.starts_with("site.name is a string, required. "),
            "{remedy}"
        );
    }
}
