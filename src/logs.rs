//! Where our own words go: standard error, without disturbing live progress, and a bounded memory of them for the bucket.

mod spool;

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use indicatif::{MultiProgress, ProgressDrawTarget};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::Globals;
pub use spool::open_anew;

/// Where the SDK looks for credentials, but for the metadata service.
const SEARCHES: [&str; 4] = ["aws_config::meta", "aws_config::profile", "aws_config::provider_config", "aws_config::web_identity_token"];
const REMEMBERED: usize = 256 * 1024;

/// What was logged last, oldest first, at most 256 KiB.
static RECENT: Mutex<VecDeque<u8>> = Mutex::new(VecDeque::new());
static PROGRESS: OnceLock<MultiProgress> = OnceLock::new();

/// Starts logging. On a terminal the steps' live progress stands in for `info`.
pub fn start(globals: &Globals) {
    let live = shows_progress(globals);
    let level = match globals.verbose {
        _ if globals.quiet => LevelFilter::ERROR,
        0 if live => LevelFilter::WARN,
        0 => LevelFilter::INFO,
        1 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    };
    // Others' crates may log what they send; ours alone may say more than `warn`, so that no credential can slip out.
    let filter = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("spotboot", level);
    // The SDK warns of missing credentials in the middle of its search; our error says what was missing.
    let searches = if globals.verbose == 0 { LevelFilter::ERROR } else { level.min(LevelFilter::WARN) };
    let filter = SEARCHES.into_iter().fold(filter, |filter, target| filter.with_target(target, searches));
    let lines = tracing_subscriber::fmt::layer().with_writer(Destination).with_ansi(io::stderr().is_terminal());
    if globals.json {
        tracing_subscriber::registry().with(lines.json().with_filter(filter)).init();
    } else {
        tracing_subscriber::registry().with(lines.with_target(false).with_filter(filter)).init();
    }
    let target = if live { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    PROGRESS.get_or_init(|| MultiProgress::with_draw_target(target));
}

pub fn shows_progress(globals: &Globals) -> bool {
    io::stderr().is_terminal() && !globals.json && !globals.quiet && globals.verbose == 0
}

pub fn progress() -> &'static MultiProgress {
    PROGRESS.get_or_init(|| MultiProgress::with_draw_target(ProgressDrawTarget::hidden()))
}

/// Writes a line to standard error and remembers it.
pub fn print(line: &str) {
    let _ = writeln!(Destination, "{line}");
}

/// Writes a line of a service's output.
pub fn print_service(service: &str, line: &str) {
    let text = format!("{service} | {line}\n");
    remember(text.as_bytes());
    spool::tell(service, line.as_bytes());
    let _ = progress().suspend(|| io::stderr().write_all(text.as_bytes()));
}

/// From now on everything is kept in this file too, and what was said before.
///
/// # Errors
/// The file cannot be opened.
pub fn keep_in(path: &Path) -> io::Result<()> {
    spool::keep_in(path, &recent())
}

fn remember(bytes: &[u8]) {
    let mut recent = RECENT.lock().expect("nobody panics while remembering a line");
    recent.extend(bytes);
    let excess = recent.len().saturating_sub(REMEMBERED);
    recent.drain(..excess);
}

/// What was logged last, for the bucket.
pub fn recent() -> Vec<u8> {
    RECENT.lock().expect("nobody panics while remembering a line").iter().copied().collect()
}

/// Standard error and the memory.
#[derive(Clone, Copy)]
struct Destination;

impl Write for Destination {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        remember(bytes);
        spool::tell("spotboot", bytes);
        progress().suspend(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Destination {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}
