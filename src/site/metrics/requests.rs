//! The visitors' requests, counted from nginx's access log.

use std::borrow::Cow;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use serde::Deserialize;

/// Names and values.
pub(super) type Labels = Vec<(&'static str, Cow<'static, str>)>;

/// In seconds: from a static file to what nginx gives up upon.
const BOUNDS: [f64; 11] = [
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];
/// Whatever else a client makes up is one method together.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const OTHER: &str = "other";

/// Since the resident began.
#[derive(Debug)]
pub struct Requests {
    pub(super) answered: Family<Labels, Counter>,
    pub(super) seconds: Histogram,
}

#[derive(Deserialize)]
struct LoggedAnswer<'a> {
    #[serde(borrow)]
    method: Cow<'a, str>,
    status: u16,
    seconds: f64,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            answered: Family::default(),
            seconds: Histogram::new(BOUNDS),
        }
    }
}

impl Requests {
    /// A line of the access log. One that cannot be read is nobody's request.
    pub fn count(&self, line: &[u8]) {
        let Ok(logged) = serde_json::from_slice::<LoggedAnswer<'_>>(line) else {
            return;
        };
        self.answered
            .get_or_create(&labels(&logged.method, logged.status))
            .inc();
        self.seconds.observe(logged.seconds);
    }
}

/// Bounded, whatever clients and app make up: 500 codes at most, and eight methods.
fn labels(method: &str, status: u16) -> Labels {
    let method = METHODS
        .into_iter()
        .find(|known| *known == method)
        .unwrap_or(OTHER);
    let code = if (100..600).contains(&status) {
        status.to_string().into()
    } else {
        OTHER.into()
    };
    vec![("code", code), ("method", method.into())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_code_and_method() {
        let requests = Requests::default();
        for (method, status, seconds) in [
            ("GET", 200, 0.25),
            ("GET", 200, 0.5),
            ("POST", 500, 1.0),
            ("BREW", 418, 0.0),
        ] {
            requests.count(
                format!(r#"{{"time":"x","method":"{method}","uri":"/\u00ff","status":{status},"seconds":{seconds:.3}}}"#).as_bytes(),
            );
        }
        requests.count(b"{\"torn");
        let count = |method, status| {
            requests
                .answered
                .get(&labels(method, status))
                .map(|counter| counter.get())
        };
        assert_eq!(
            (
                count("GET", 200),
                count("POST", 500),
                count("BREW", 418),
                count("GET", 500)
            ),
            (Some(2), Some(1), Some(1), None)
        );
    }

    #[test]
    fn what_clients_make_up_makes_no_further_series() {
        assert_eq!(labels("PROPFIND", 207), labels("ANYTHING", 207));
        assert_eq!(labels("GET", 0), labels("GET", 999));
    }
}
