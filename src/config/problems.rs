//! The problems of one site.toml, as a person reads them.

use std::fmt;

use super::reader::Problem;
use crate::output::shown;

/// The problems of one site.toml, in the order of their lines.
#[derive(Debug)]
pub struct Problems {
    file: String,
    found: Vec<Problem>,
}

impl std::error::Error for Problems {}

impl Problems {
    pub(super) fn new(file: &str, found: Vec<Problem>) -> Self {
        Self {
            file: file.to_owned(),
            found,
        }
    }

    /// What the file was read under.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How many there are.
    pub fn summary(&self) -> String {
        let plural = if self.found.len() == 1 { "" } else { "s" };
        format!("{} has {} problem{plural}", self.file, self.found.len())
    }

    /// Each with its line, counted from 1.
    pub fn each(&self) -> impl Iterator<Item = (usize, &str)> {
        self.found
            .iter()
            .map(|problem| (problem.line, problem.message.as_str()))
    }

    /// Each in full, in the order of the lines.
    pub fn found(&self) -> &[Problem] {
        &self.found
    }

    /// The summary, and each problem with its source line and a caret, in colours or without; fit
    /// to be printed as it is.
    pub fn render(&self, styled: bool) -> String {
        self.told(styled, |_| None)
    }

    /// The same, with the type, default and sentence of each key.
    pub fn explain(&self, styled: bool) -> String {
        self.told(styled, Problem::help)
    }

    fn told(&self, styled: bool, help: impl Fn(&Problem) -> Option<String>) -> String {
        let each = self.found.iter().map(|problem| {
            let excerpt = problem.excerpt.render(styled, help(problem).as_deref());
            let lines = excerpt.lines().map(|line| format!("\n  {line}"));
            let place = format!("{}:{}", self.file, problem.line);
            let first = format!("\n  {place}: {}", problem.message);
            shown(&first).into_owned() + &lines.collect::<String>()
        });
        shown(&self.summary()).into_owned() + &each.collect::<String>()
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}
