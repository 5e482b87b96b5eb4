//! Standard output: the one way by which results leave this program. A reader that is gone is no
//! failure; a disk that is full is.
//!
//! What other people wrote passes [`shown()`] on its way; standard error is `logs`' duty, by the
//! same rules.

mod shown;

use std::io::{self, ErrorKind, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anstream::{AutoStream, ColorChoice};
use serde::Serialize;

pub use shown::{as_log_of, continued, fenced, in_one_line, json_shown, kept_line, shown};

static STATE: Mutex<OutputState> = Mutex::new(OutputState {
    over: false,
    failure: None,
});

/// What has become of standard output.
#[derive(Debug)]
struct OutputState {
    /// Nothing more is printed.
    over: bool,
    /// Why not, unless its reader is gone, and wants no more.
    failure: Option<io::Error>,
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
    write(&format!(
        "{}\n",
        json_shown(&serde_json::to_string_pretty(value)?)
    ));
    Ok(())
}

/// Prints a value as one line of JSON.
pub fn json_line<T: Serialize + ?Sized>(value: &T) -> serde_json::Result<()> {
    write(&format!("{}\n", json_shown(&serde_json::to_string(value)?)));
    Ok(())
}

/// Prints text that is fit to be shown already: our own, styled, or what went through [`shown()`].
pub fn write(text: &str) {
    let mut state = state();
    if !state.over {
        state.write_to(&mut stdout().lock(), text);
    }
}

impl OutputState {
    fn write_to(&mut self, stream: &mut impl Write, text: &str) {
        if let Err(error) = stream
            .write_all(text.as_bytes())
            .and_then(|()| stream.flush())
        {
            self.over = true;
            self.failure = (error.kind() != ErrorKind::BrokenPipe).then_some(error);
        }
    }
}

/// Nothing more gets through: a command whose only work is to print may end.
pub fn is_over() -> bool {
    state().over
}

/// What kept something from being printed, once. That the reader is gone does not count: the
/// command ends with its own code.
///
/// # Errors
/// The first failure of standard output.
pub fn finish() -> io::Result<()> {
    state().failure.take().map_or(Ok(()), Err)
}

fn state() -> MutexGuard<'static, OutputState> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
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
        let after = |stream: &mut dyn FnMut(&mut OutputState)| {
            let mut state = OutputState {
                over: false,
                failure: None,
            };
            stream(&mut state);
            (state.over, state.failure.map(|error| error.kind()))
        };
        assert_eq!(
            after(&mut |state| state.write_to(&mut Failing(ErrorKind::BrokenPipe), "a")),
            (true, None)
        );
        let full = ErrorKind::StorageFull;
        assert_eq!(
            after(&mut |state| state.write_to(&mut Failing(full), "a")),
            (true, Some(full))
        );
        let mut taken = Vec::new();
        assert_eq!(
            after(&mut |state| state.write_to(&mut taken, "a\n")),
            (false, None)
        );
        assert_eq!(taken, b"a\n");
    }
}
