//! Let's Encrypt's limit on duplicates, which pebble lacks: so many certificates per exact set of
//! names and 7 days, one more every 34 hours.
//! <https://letsencrypt.org/docs/rate-limits/>

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::front::{Call, Refusal};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
const REFILL: Duration = Duration::from_secs(34 * 3600);

type Names = Vec<String>;

/// The certificates of every set of names, and the orders that may still become some.
pub(super) struct Limits {
    per_week: Option<u32>,
    orders: BTreeMap<String, Names>,
    issued: BTreeMap<Names, Vec<Instant>>,
}

pub(super) enum Ruling {
    Allowed,
    Refused {
        refusal: Refusal,
        retry_after: Duration,
    },
}

impl Limits {
    pub(super) fn new(per_week: Option<u32>) -> Limits {
        Limits {
            per_week,
            orders: BTreeMap::new(),
            issued: BTreeMap::new(),
        }
    }

    pub(super) fn rule(&self, operation: &str, call: &Call) -> Ruling {
        let (Some(most), "newOrder") = (self.per_week, operation) else {
            return Ruling::Allowed;
        };
        let names = names(&call.body).unwrap_or_default();
        let recent = self
            .issued
            .get(&names)
            .map(|times| times.iter().filter(|at| at.elapsed() < WEEK).count())
            .unwrap_or_default();
        if recent < most as usize {
            return Ruling::Allowed;
        }
        let detail = format!(
            "too many certificates ({recent}) already issued for this exact set of identifiers in the last 168h0m0s"
        );
        Ruling::Refused {
            refusal: Refusal::new(429, "rateLimited", detail),
            retry_after: REFILL,
        }
    }

    /// Remembers whose order it is, and counts the certificate when it is finalized.
    pub(super) fn learn(&mut self, operation: &str, call: &Call, parts: &http::response::Parts) {
        if !parts.status.is_success() {
            return;
        }
        if operation == "newOrder" {
            let location = parts
                .headers
                .get(http::header::LOCATION)
                .and_then(|value| value.to_str().ok());
            if let (Some(order), Some(names)) = (location.and_then(last), names(&call.body)) {
                self.orders.insert(order, names);
            }
        }
        if operation == "finalize"
            && let Some(names) = last(call.path()).and_then(|order| self.orders.remove(&order))
        {
            self.issued.entry(names).or_default().push(Instant::now());
        }
    }
}

/// The last part of a URL: the order's id.
fn last(url: &str) -> Option<String> {
    url.rsplit('/').next().map(str::to_owned)
}

#[derive(Deserialize)]
struct Jws {
    payload: String,
}

#[derive(Deserialize)]
struct NewOrder {
    identifiers: Vec<Identifier>,
}

#[derive(Deserialize)]
struct Identifier {
    value: String,
}

/// The names of a newOrder request, in an order that does not depend on its.
fn names(body: &[u8]) -> Option<Names> {
    let jws: Jws = serde_json::from_slice(body).ok()?;
    let order: NewOrder =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(jws.payload).ok()?).ok()?;
    let mut names: Names = order
        .identifiers
        .into_iter()
        .map(|identifier| identifier.value.to_ascii_lowercase())
        .collect();
    names.sort();
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(path: &str, names: &[&str]) -> Call {
        let identifiers: Vec<_> = names
            .iter()
            .map(|name| serde_json::json!({ "type": "dns", "value": name }))
            .collect();
        let payload = BASE64_URL_SAFE_NO_PAD
            .encode(serde_json::json!({ "identifiers": identifiers }).to_string());
        let body = serde_json::json!({ "payload": payload }).to_string();
        let (parts, ()) = http::Request::post(path).body(()).unwrap().into_parts();
        Call {
            parts,
            body: body.into(),
            peer: ([127, 0, 0, 1], 1).into(),
            opened: std::time::Instant::now(),
        }
    }

    fn created(location: &str) -> http::response::Parts {
        http::Response::builder()
            .status(201)
            .header("location", location)
            .body(())
            .unwrap()
            .into_parts()
            .0
    }

    #[test]
    fn only_issued_certificates_of_the_same_names_count() {
        let mut limits = Limits::new(Some(1));
        let order = call("/order-plz", &["b.test", "a.test"]);
        limits.learn("newOrder", &order, &created("https://x/my-order/7"));
        assert!(matches!(limits.rule("newOrder", &order), Ruling::Allowed));
        limits.learn("finalize", &call("/finalize-order/7", &[]), &created(""));
        let same = call("/order-plz", &["a.test", "B.test"]);
        assert!(matches!(
            limits.rule("newOrder", &same),
            Ruling::Refused { .. }
        ));
        assert!(matches!(
            limits.rule("newOrder", &call("/order-plz", &["a.test"])),
            Ruling::Allowed
        ));
    }
}
