//! Where our own words go: standard error, without disturbing live progress, and a bounded memory
//! of them for the bucket.
//!
//! Standard error may be closed or full: nothing here fails for that.

pub mod form;
pub mod output_file;
pub mod progress;

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock};

use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressDrawTarget};
use serde_json::{Value, json};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::Globals;
use crate::output::{as_log_of, continued, fenced, in_one_line, json_shown};
pub use output_file::open_anew;

/// Where the SDK looks for credentials, but for the metadata service.
const SEARCHES: [&str; 4] = [
    "aws_config::meta",
    "aws_config::profile",
    "aws_config::provider_config",
    "aws_config::web_identity_token",
];
const REMEMBERED: usize = 256 * 1024;

/// What was logged last, oldest first, at most 256 KiB.
static RECENT: Mutex<VecDeque<u8>> = Mutex::new(VecDeque::new());
static PROGRESS: OnceLock<MultiProgress> = OnceLock::new();

/// Whether standard error is for programs.
static JSON: AtomicBool = AtomicBool::new(false);

/// Starts logging. On a terminal the steps' live progress stands in for `info`.
pub fn start(globals: &Globals) {
    JSON.store(globals.json, Ordering::Relaxed);
    let live = shows_progress(globals);
    let level = match globals.verbose {
        _ if globals.quiet => LevelFilter::ERROR,
        0 if live => LevelFilter::WARN,
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Others' crates may log what they send; ours alone may say more than `warn`, so that no
    // credential can slip out.
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target("spotboot", level);
    // The SDK warns of missing credentials in the middle of its search; our error says what was
    // missing.
    let searches = if globals.verbose == 0 {
        LevelFilter::ERROR
    } else {
        level.min(LevelFilter::WARN)
    };
    let filter = SEARCHES.into_iter().fold(filter, |filter, target| {
        filter.with_target(target, searches)
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(Destination);
    if globals.json {
        tracing_subscriber::registry()
            .with(lines.json().with_ansi(false).with_filter(filter))
            .init();
    } else {
        let lines = lines.fmt_fields(form::fields()).with_ansi(may_style());
        tracing_subscriber::registry()
            .with(lines.with_target(false).with_filter(filter))
            .init();
    }
    let target = if live {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    PROGRESS.get_or_init(|| MultiProgress::with_draw_target(target));
}

/// Live progress is made of escape sequences, as colours are: who wants none of them has log lines
/// in its place.
pub fn shows_progress(globals: &Globals) -> bool {
    is_terminal() && may_style() && !globals.json && !globals.quiet && globals.verbose == 0
}

/// Whether a person reads standard error.
pub fn is_terminal() -> bool {
    stderr().is_terminal()
}

/// Whether standard error takes colours, by `--color`, NO_COLOR, CLICOLOR, CLICOLOR_FORCE, TERM,
/// and by what it is.
pub fn may_style() -> bool {
    AutoStream::choice(&stderr()) != ColorChoice::Never
}

/// The place of all progress bars and spinners; it draws nothing before [`start`] has set it up.
pub fn progress() -> &'static MultiProgress {
    PROGRESS.get_or_init(|| MultiProgress::with_draw_target(ProgressDrawTarget::hidden()))
}

/// Writes a message to standard error and remembers it; its further lines are indented.
pub fn print(message: &str) {
    match is_json() {
        true => print_json(&json!({ "message": message })),
        false => tell(&format!("{}\n", continued(message))),
    }
}

/// Writes a message to standard error, in colours where those are wanted, and remembers it without.
pub fn print_in_colour(message: &str, styled: &str) {
    if is_json() || !may_style() {
        return print(message);
    }
    let plain = format!("{}\n", continued(message));
    remember(plain.as_bytes());
    output_file::tell("spotboot", plain.as_bytes());
    to_stderr(format!("{styled}\n").as_bytes());
}

/// Writes words of ours to standard error as they are: coloured ones, or a question.
pub fn print_styled(words: &str) {
    to_stderr(words.as_bytes());
}

/// Writes a line of JSON to standard error and remembers it.
pub fn print_json(value: &Value) {
    tell(&format!("{}\n", json_shown(&value.to_string())));
}

/// Writes the log of an instance to standard error, each line with whose it is, and out of reach of
/// GitHub's runner.
pub fn print_log_of(instance: &str, log: &str) {
    if is_json() {
        log.lines()
            .for_each(|line| print_json(&json!({ "instance": instance, "line": line })));
        return;
    }
    let on_github = std::env::var("GITHUB_ACTIONS").is_ok_and(|value| value == "true");
    print(&format!("--- the log of {instance} ---"));
    tell(&fenced(&as_log_of(instance, log), on_github));
    print("---");
}

/// Writes a line of a service's output.
pub fn print_service(service: &str, line: &str) {
    let text = format!("{} | {}\n", in_one_line(service), in_one_line(line));
    remember(text.as_bytes());
    output_file::tell(service, line.as_bytes());
    match is_json() {
        true => to_stderr(
            format!(
                "{}\n",
                json_shown(&json!({ "service": service, "line": line }).to_string())
            )
            .as_bytes(),
        ),
        false => to_stderr(text.as_bytes()),
    }
}

/// From now on everything is kept in this file too, and what was said before.
///
/// # Errors
/// The file cannot be opened.
pub fn keep_in(path: &Path) -> io::Result<()> {
    output_file::keep_in(path, &recent())
}

fn is_json() -> bool {
    JSON.load(Ordering::Relaxed)
}

fn tell(text: &str) {
    remember(text.as_bytes());
    output_file::tell("spotboot", text.as_bytes());
    to_stderr(text.as_bytes());
}

/// Who does not listen is told nothing.
fn to_stderr(bytes: &[u8]) {
    let _ = progress().suspend(|| stderr().write_all(bytes));
}

fn remember(bytes: &[u8]) {
    let mut recent = RECENT
        .lock()
        .expect("nobody panics while remembering a line");
    recent.extend(bytes);
    let excess = recent.len().saturating_sub(REMEMBERED);
    recent.drain(..excess);
}

/// What was logged last, for the bucket.
pub fn recent() -> Vec<u8> {
    RECENT
        .lock()
        .expect("nobody panics while remembering a line")
        .iter()
        .copied()
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "this module is the way out")]
fn stderr() -> io::Stderr {
    io::stderr()
}

/// Standard error and the memory, for what `tracing` has formed.
#[derive(Clone, Copy)]
struct Destination;

impl Write for Destination {
    /// Never fails: `tracing` would panic over standard error on standard error.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        tell(&if is_json() {
            json_shown(&text)
        } else {
            text.into_owned()
        });
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Destination {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
