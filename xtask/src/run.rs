//! Starting programs, always in the workspace's root folder.
#![expect(
    clippy::disallowed_methods,
    reason = "the rule is about the product; chores exist to start programs"
)]

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Seek};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// The workspace's root folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask stands in the workspace")
}

/// The cargo that started us, so that both use one toolchain.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// The folder of cargo's output for a profile (`debug`, `release`): this program stands in the
/// first.
pub(crate) fn built(profile: &str, name: &str) -> Result<PathBuf> {
    let ours = std::env::current_exe().context("finding this program's own path")?;
    let target = ours
        .ancestors()
        .nth(2)
        .context("this program does not stand in cargo's target folder")?;
    Ok(target.join(profile).join(name))
}

/// Runs a program to its end with our own input and output; anything but success is an error.
pub(crate) fn run(program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    let line = line(program, args);
    eprintln!("$ {line}");
    let status = command(program, args)
        .envs(env.iter().copied())
        .status()
        .with_context(|| format!("starting {program}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}

/// The same for a program that runs beside others: what it printed, on both its streams in their
/// order, is handed over whole at its end.
pub(crate) fn run_quietly(
    program: &str,
    args: &[&str],
    env: &[(&str, &str)],
    tell: impl FnOnce(&str),
) -> Result<()> {
    let line = line(program, args);
    let mut printed = tempfile::tempfile().context("making a file for what a step prints")?;
    let status = command(program, args)
        .envs(env.iter().copied())
        .stdout(printed.try_clone()?)
        .stderr(printed.try_clone()?)
        .status()
        .with_context(|| format!("starting {program}"))?;
    let mut text = Vec::new();
    printed.rewind()?;
    printed.read_to_end(&mut text)?;
    tell(&format!("$ {line}\n{}", String::from_utf8_lossy(&text)));
    if !status.success() {
        bail!(
            "{line}: {status}{}",
            what_panicked(&String::from_utf8_lossy(&text))
        );
    }
    Ok(())
}

/// Where tests panicked and their first words, from what they printed: a test that fails prints so
/// much of its world after them that they are hard to find.
fn what_panicked(printed: &str) -> String {
    const PANICS: usize = 20;
    const LINES: usize = 4;
    const COLUMNS: usize = 300;
    let lines: Vec<&str> = printed.lines().collect();
    let panics = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains(" panicked at "));
    let mut told = String::new();
    for (number, _) in panics.take(PANICS) {
        for line in lines.iter().skip(number).take(LINES) {
            told.push('\n');
            told.extend(line.chars().take(COLUMNS));
        }
    }
    told
}

/// What a program prints, whether or not it succeeds: for questions whose answer may be "no".
pub(crate) fn ask(program: &str, args: &[&str]) -> Result<String> {
    let output = command(program, args)
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("starting {program}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program starts and succeeds, silently.
pub(crate) fn succeeds(program: &str, args: &[&str]) -> bool {
    command(program, args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Becomes another program, which then has our terminal and our signals. Returns only if that
/// cannot be.
pub(crate) fn become_program(program: &Path, args: &[OsString]) -> Result<()> {
    let error = Command::new(program).args(args).current_dir(root()).exec();
    Err(error).with_context(|| format!("starting {}", program.display()))
}

/// The lines that a program prints, whether or not it succeeds.
pub(crate) fn lines(program: &str, args: &[&str]) -> Result<Vec<String>> {
    Ok(ask(program, args)?.lines().map(str::to_owned).collect())
}

/// A program that runs until this is dropped.
pub(crate) struct Child(std::process::Child);

/// Starts a program beside us.
pub(crate) fn start(program: &str, args: &[&str]) -> Result<Child> {
    start_with(program, args, &[])
}

/// The same with variables. What the program prints is not shown.
pub(crate) fn start_with(program: &str, args: &[&str], env: &[(&str, &str)]) -> Result<Child> {
    let line = guarded(&[&[program], args].concat());
    let child = command(line[0], &line[1..])
        .envs(env.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn();
    Ok(Child(child.with_context(|| format!("starting {program}"))?))
}

/// The line by which a program ends with the one that starts it, however that ends: a show that is
/// killed must leave no port open.
pub(crate) fn guarded<'a>(line: &[&'a str]) -> Vec<&'a str> {
    [&["setpriv", "--pdeathsig", "KILL"][..], line].concat()
}

impl Child {
    /// Waits for the first line that the program prints, which must hold a word.
    pub(crate) fn has_said(&mut self, word: &str) -> Result<()> {
        let mut line = String::new();
        let out = self.0.stdout.as_mut().context("its output is not ours")?;
        BufReader::new(out).read_line(&mut line)?;
        if !line.contains(word) {
            bail!("it said {line:?}");
        }
        Ok(())
    }
}

impl Drop for Child {
    /// Ends the program, and waits for its end.
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).current_dir(root());
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    for name in names.filter(|name| is_about_xtask(name)) {
        command.env_remove(name);
    }
    command
}

/// Whether `cargo run` has set the variable to describe this program. A cargo that inherits such
/// variables builds the crates that read them in their build scripts (ring is one) anew, and all
/// that needs those crates, each time it is called by turns from here and from a shell.
fn is_about_xtask(name: &str) -> bool {
    ["CARGO_PKG_", "CARGO_MANIFEST_"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// A command line as one would type it (our arguments need no quoting).
fn line(program: &str, args: &[&str]) -> String {
    let name = Path::new(program)
        .file_name()
        .map_or(program.into(), |name| name.to_string_lossy());
    [&[name.as_ref()], args].concat().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_words_of_each_panic_are_told() {
        let long = "x".repeat(1000);
        let printed = format!(
            "running 2 tests\nthread 'a' panicked at a.rs:1:\nleft: 1\n{long}\nd\ne\nthread 'b' panicked at b.rs:2:\nlast"
        );
        let told = what_panicked(&printed);
        let lines: Vec<&str> = told.lines().skip(1).collect();
        assert_eq!(lines[..2], ["thread 'a' panicked at a.rs:1:", "left: 1"]);
        assert_eq!(lines[2].len(), 300);
        assert_eq!(lines[3..], ["d", "thread 'b' panicked at b.rs:2:", "last"]);
        assert_eq!(what_panicked("running 0 tests\n"), "");
    }

    #[test]
    fn a_program_that_is_started_does_not_inherit_what_cargo_says_of_this_one() {
        assert!(
            std::env::var_os("CARGO_PKG_NAME").is_some(),
            "cargo test sets it as cargo run does"
        );
        let environment = ask("env", &[]).unwrap();
        assert!(!environment.lines().any(is_about_xtask), "{environment}");
        assert!(environment.contains("PATH="), "{environment}");
    }
}
