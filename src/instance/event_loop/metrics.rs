//! The page of metrics.

use tracing::warn;

use super::EventLoop;
use super::event::Event;
use crate::host::loopback::Loopback;

const PATH: &str = "/metrics";
/// Prometheus' text as it became a standard.
const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl EventLoop<'_> {
    /// Answers whoever on this machine asks. That the port is taken keeps no site from serving.
    pub(super) async fn tell_metrics(&self) -> Event {
        let port = self.instance.context.site.web.metrics_port;
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
        let now = || {
            let waiting = self.logs.waiting_bytes();
            self.metering
                .page(self.instance, self.serving, self.reporter, waiting)
        };
        let access_log = self.instance.paths.access_log();
        tokio::select! {
            biased;
            never = self.metering.count(&access_log) => match never {},
            never = page.serve(now) => match never {},
        }
    }
}
