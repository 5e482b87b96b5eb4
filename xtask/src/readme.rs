//! What the README promises: one page, and two commands of which CI runs the second. And what the
//! page of the first hour on AWS does: every stand-in of the region.

use std::fs;

use clap::CommandFactory;

use crate::Chore;
use crate::run::root;

/// Lines that are read in a few minutes.
const ONE_PAGE: usize = 150;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

#[test]
fn the_readme_fits_one_page() {
    let lines = read("README.md").lines().count();
    assert!(lines <= ONE_PAGE, "{lines} lines");
}

#[test]
fn the_readmes_commands_are_chores_and_ci_runs_its_test_command() {
    let readme = read("README.md");
    let commands: Vec<&str> = readme
        .lines()
        .filter_map(|line| line.strip_prefix("cargo xtask "))
        .filter_map(|rest| rest.split_whitespace().next())
        .collect();
    assert_eq!(commands, ["demo", "test"]);
    for name in commands {
        assert!(
            Chore::command().find_subcommand(name).is_some(),
            "{name} is no chore"
        );
    }
    let ci = read(".ci/run");
    let run = ci.lines().last().unwrap();
    assert!(run.ends_with(" cargo xtask test"), "CI runs {run:?}");
}

#[test]
fn the_first_hour_on_aws_names_every_stand_in_of_the_region() {
    let (page, region) = (
        read("docs/aws-first-hour.md"),
        read("tests/region/README.md"),
    );
    let (_, table) = region.split_once("## What stands in for what").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let links = table.split("](").skip(1);
    let links = links.filter_map(|rest| rest.split(')').next());
    let folders: Vec<&str> = links.filter(|to| to.starts_with("src/")).collect();
    assert!(folders.len() > 10, "{folders:?}");
    for folder in folders {
        let link = format!("(../tests/region/{folder})");
        assert!(page.contains(&link), "{folder} is not there");
    }
}
