//! The page of metrics.

use tracing::warn;

use super::event::Event;
use crate::cloud::calls::calls;
use crate::host::loopback::Loopback;
use crate::instance::Instance;
use crate::instance::serving::Serving;
use crate::site::metrics::{Gauges, text};
use crate::site::release::version_text;

const PATH: &str = "/metrics";
/// Prometheus' text as it became a standard.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Instance {
    /// Answers whoever on this machine asks. That the port is taken keeps no site from serving.
    pub async fn metrics(&self, serving: &Serving) -> Event {
        let port = self.context.site.web.metrics_port;
        if port == 0 {
            return Event::Done;
        }
        let page = match Loopback::bind(port, PATH, CONTENT_TYPE).await {
            Ok(page) => page,
            Err(error) => {
                warn!(
                    port,
                    "no metrics: {error}; set [web] metrics_port to another port, or to 0"
                );
                return Event::Done;
            }
        };
        self.metering.begin(&self.paths.access_log());
        tokio::select! {
            never = page.serve(|| self.metrics_now(serving)) => match never {},
            never = self.metering.go_on() => match never {},
        }
    }

    fn metrics_now(&self, serving: &Serving) -> String {
        self.metering.catch_up();
        let live = serving.live();
        let phase = serde_json::to_value(self.metering.phase()).expect("a phase is a word");
        let done = |step: crate::site::report::Step| {
            Some((step.name, step.end_ms?.saturating_sub(step.start_ms)))
        };
        let tally = &self.metering.tally;
        let standing = Gauges {
            instance: &self.identity.instance_id,
            release: version_text(live.version()),
            phase: phase.as_str().unwrap_or_default(),
            certificate_ends: live.certificate.not_after,
            renewal_due: serving.renewal_due.get(),
            steps: self.timeline.steps().into_iter().filter_map(done).collect(),
            calls: calls(),
            restarts: tally.restarts(),
            troubled: self
                .troubles(serving)
                .into_iter()
                .map(|(service, _)| service)
                .collect(),
            last_shipped: tally.last_shipped(),
            waiting_bytes: self
                .outbox
                .waiting()
                .map_or(0, |waiting| waiting.iter().map(|piece| piece.size).sum()),
            pieces_dropped: tally.pieces_dropped(),
        };
        text(&self.metering.requests, &standing)
    }
}
