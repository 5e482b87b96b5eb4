//! How a log line's fields are written: as `tracing` does by default, but fit to be shown, whoever
//! wrote what they hold.

use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{Writer, debug_fn};

use crate::output::continued;

/// The form of an event's fields in our text log: `name=value`, and further lines of a value
/// indented, so that no value looks like a line of its own.
pub fn fields() -> impl for<'w> FormatFields<'w> + 'static {
    debug_fn(write).delimited(" ")
}

fn write(writer: &mut Writer<'_>, field: &Field, value: &dyn std::fmt::Debug) -> std::fmt::Result {
    let value = continued(&format!("{value:?}"));
    match field.name() {
        "message" => write!(writer, "{value}"),
        name if writer.has_ansi_escapes() => {
            write!(writer, "\u{1b}[3m{name}\u{1b}[0m\u{1b}[2m=\u{1b}[0m{value}")
        }
        name => write!(writer, "{name}={value}"),
    }
}
