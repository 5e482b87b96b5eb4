//! Services that cannot stay up: noticed, told with their last words, and told again when it is
//! over.

use tokio::time::{Instant, sleep_until};
use tracing::{error, info};

use super::crash_loop::WELL;
use super::event::Event;
use crate::host::slot::Slot;
use crate::instance::Instance;
use crate::instance::serving::Serving;
use crate::site::web;

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
        self.troubles.borrow_mut().insert(service, text);
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
        self.troubles.borrow_mut().remove(service);
        Event::Told
    }

    /// What is wrong with the services just now, by their names. An app whose place another release
    /// has taken is nobody's any more.
    pub fn troubles(&self, serving: &Serving) -> Vec<(&'static str, String)> {
        let app = serving.live().app.slot().map(Slot::service);
        let serves = |service: &str| service == web::SERVICE || Some(service) == app;
        let troubles = self.troubles.borrow();
        troubles
            .iter()
            .filter(|(service, _)| serves(service))
            .map(|(service, text)| (*service, text.clone()))
            .collect()
    }

    pub fn trouble(&self, serving: &Serving) -> Option<String> {
        let told: Vec<String> = self
            .troubles(serving)
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        (!told.is_empty()).then(|| told.join("\n"))
    }
}
