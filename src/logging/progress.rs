//! Steps as a person at a terminal sees them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::cli::Globals;
use crate::logging;
use crate::site::report::Observer;

/// Live lines on a terminal; elsewhere the log says it all.
pub fn observer(globals: &Globals) -> Arc<dyn Observer> {
    if logging::shows_progress(globals) {
        Arc::new(Terminal::default())
    } else {
        Arc::new(Silent)
    }
}

struct Silent;

impl Observer for Silent {
    fn began(&self, _name: &'static str) {}
    fn ended(&self, _name: &'static str, _took: Duration, _error: Option<&str>) {}
}

/// A spinner a step.
#[derive(Default)]
struct Terminal {
    running: Mutex<HashMap<&'static str, ProgressBar>>,
}

impl Observer for Terminal {
    fn began(&self, name: &'static str) {
        let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
            .expect("the template is well-formed");
        let bar = logging::progress().add(
            ProgressBar::new_spinner()
                .with_style(style)
                .with_message(name),
        );
        bar.enable_steady_tick(Duration::from_millis(100));
        self.running
            .lock()
            .expect("no step panics while it draws")
            .insert(name, bar);
    }

    fn ended(&self, name: &'static str, took: Duration, error: Option<&str>) {
        if let Some(bar) = self
            .running
            .lock()
            .expect("no step panics while it draws")
            .remove(name)
        {
            bar.finish_and_clear();
        }
        let mark = if error.is_some() { '✗' } else { '✓' };
        let _ =
            logging::progress().println(format!("{mark} {name:<20} {:>6} ms", took.as_millis()));
    }
}
