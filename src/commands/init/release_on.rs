//! `release_on` of a new site.toml: by the flag, by a question on a terminal, else the folder.

use std::io::{self, BufRead, IsTerminal};

use anyhow::{Context, Result};
use tracing::warn;

use crate::cli::ReleaseChoice;
use crate::config::ReleaseOn;
use crate::logging;

const QUESTION: &str = "Where does the site keep its data: in files on the instance (as with SQLite), or in a database server?\n\
    Type folder (files: its release command runs on each new instance) or fleet (a server: it runs once per release) [folder]: ";

/// Takes the flag, else the answer of the person at the terminal, else the folder, and says so.
///
/// # Errors
/// The terminal cannot be read.
pub fn choose(flag: Option<ReleaseChoice>) -> Result<ReleaseOn> {
    if let Some(flag) = flag {
        return Ok(meant(flag));
    }
    if io::stdin().is_terminal() && logging::is_terminal() {
        return ask(&mut io::stdin().lock(), &mut logging::print_styled)
            .context("asking where the site keeps its data");
    }
    warn!(
        "site.toml gets release_on = \"folder\": there is no terminal to ask at; for a site with a database server, --release-on fleet"
    );
    Ok(ReleaseOn::Folder)
}

/// The key's value that the flag stands for.
pub fn meant(flag: ReleaseChoice) -> ReleaseOn {
    match flag {
        ReleaseChoice::Folder => ReleaseOn::Folder,
        ReleaseChoice::Fleet => ReleaseOn::Fleet,
    }
}

/// Asks until the answer is one of the two; the end of the input is an empty answer.
fn ask(input: &mut impl BufRead, say: &mut impl FnMut(&str)) -> io::Result<ReleaseOn> {
    loop {
        say(QUESTION);
        let mut line = String::new();
        input.read_line(&mut line)?;
        match line.trim() {
            "" | "folder" => return Ok(ReleaseOn::Folder),
            "fleet" => return Ok(ReleaseOn::Fleet),
            other => say(&format!("{other:?} is neither folder nor fleet\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> (ReleaseOn, String) {
        let mut said = String::new();
        let chosen = ask(&mut text.as_bytes(), &mut |words| said.push_str(words)).unwrap();
        (chosen, said)
    }

    #[test]
    fn an_empty_answer_is_the_folder_and_an_odd_one_is_asked_for_again() {
        assert_eq!(answered("\n").0, ReleaseOn::Folder);
        assert_eq!(answered("").0, ReleaseOn::Folder);
        assert_eq!(answered("folder\n").0, ReleaseOn::Folder);
        let (chosen, said) = answered("postgres\n fleet \n");
        assert_eq!(chosen, ReleaseOn::Fleet);
        assert!(
            said.contains("\"postgres\" is neither folder nor fleet")
                && said.matches(QUESTION).count() == 2,
            "{said}"
        );
    }

    #[test]
    fn the_question_has_two_lines() {
        assert_eq!(QUESTION.lines().count(), 2);
    }
}
