//! Standard output: the one way by which results leave this program. A reader that is gone is no failure; a disk that is full is.
//!
//! What other people wrote passes [`shown`] on its way; standard error is `logs`' duty, by the same rules.

mod shown;

use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, PoisonError};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

pub use shown::{as_log_of, continued, fenced, in_one_line, json_shown, kept_line, shown};

static STATE: Mutex<State> = Mutex::new(State::Open);

/// What has become of standard output.
#[derive(Debug)]
enum State {
    Open,
    /// Its reader is gone, and wants no more.
    Closed,
    Failed(io::Error),
}

impl State {
    fn after(error: io::Error) -> Self {
        if error.kind() == ErrorKind::BrokenPipe { Self::Closed } else { Self::Failed(error) }
    }
}

/// Prints a line on standard output, as `println!` does, and never panics: see [`finish`].
macro_rules! out {
    ($($text:tt)*) => { $crate::output::line(&format!($($text)*)) };
}
pub(crate) use out;

/// Prints text that may have several lines, and a line break.
pub fn line(text: &str) {
    write(&format!("{}\n", shown(text)));
}

/// Prints a value as JSON for people to read, too.
pub fn json<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<()> {
    write(&format!("{}\n", json_shown(&serde_json::to_string_pretty(value)?)));
    Ok(())
}

/// Prints a value as one line of JSON.
pub fn json_line<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<()> {
    write(&format!("{}\n", json_shown(&serde_json::to_string(value)?)));
    Ok(())
}

/// Prints text that is fit to be shown already: our own, styled, or what went through [`shown`].
pub fn write(text: &str) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*state, State::Open) {
        *state = write_to(&mut stdout().lock(), text);
    }
}

fn write_to(stream: &mut impl Write, text: &str) -> State {
    stream.write_all(text.as_bytes()).and_then(|()| stream.flush()).map_or_else(State::after, |()| State::Open)
}

/// Nobody reads any more: a command whose only work is to print may end.
pub fn is_closed() -> bool {
    !matches!(*STATE.lock().unwrap_or_else(PoisonError::into_inner), State::Open)
}

/// What kept something from being printed, once. That the reader is gone does not count: the command ends with its own code.
///
/// # Errors
/// The first failure of standard output since this was last asked.
pub fn finish() -> io::Result<()> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    match std::mem::replace(&mut *state, State::Closed) {
        State::Failed(error) => Err(error),
        State::Open => {
            *state = State::Open;
            Ok(())
        }
        State::Closed => Ok(()),
    }
}

/// Whether standard output takes colours, by `--color` and the environment, and by what it is.
pub fn may_style() -> bool {
    AutoStream::choice(&stdout()) != ColorChoice::Never
}

#[expect(clippy::disallowed_methods, reason = "this module is the way out")]
fn stdout() -> io::Stdout {
    io::stdout()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_is_gone_is_no_failure_and_a_full_disk_is() {
        assert!(matches!(write_to(&mut Failing(ErrorKind::BrokenPipe), "a"), State::Closed));
        assert!(matches!(write_to(&mut Failing(ErrorKind::StorageFull), "a"), State::Failed(_)));
        let mut taken = Vec::new();
        assert!(matches!(write_to(&mut taken, "a\n"), State::Open));
        assert_eq!(taken, b"a\n");
    }
}
