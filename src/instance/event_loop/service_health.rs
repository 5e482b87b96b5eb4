//! Services that cannot stay up: noticed, told with their last words, and told again when it is
//! over.

use tokio::time::{Instant, sleep_until};
use tracing::{error, info};

use super::crash_loop::WELL;
use super::event::Event;
use crate::instance::Instance;

/// As many of its last lines are told.
const LINES: usize = 10;

impl Instance {
    /// Says so in the log, and in whatever this instance reports from now on.
    pub async fn tell_trouble(&self, service: &'static str, how: String) -> Event {
        let minutes = WELL.as_secs() / 60;
        error!(
            service,
            how, "it cannot stay up for {minutes} minutes; it is started again and again"
        );
        let tail = self.services.log_tail(service, LINES).await;
        let lines: String = tail.lines().map(|line| format!("\n    {line}")).collect();
        let text = format!(
            "{service} cannot stay up for {minutes} minutes, and is started again and again; last: {how}; its last lines:{lines}"
        );
        self.reporter.trouble(service, Some(text));
        Event::Told
    }

    /// Until it may be well.
    pub async fn await_well(&self, service: &'static str, at: Instant) -> Event {
        sleep_until(at).await;
        Event::Quiet {
            service,
            at: Instant::now(),
        }
    }

    pub async fn forget_trouble(&self, service: &'static str) -> Event {
        info!(
            service,
            "it has been up for {} minutes again",
            WELL.as_secs() / 60
        );
        self.reporter.trouble(service, None);
        Event::Told
    }
}
