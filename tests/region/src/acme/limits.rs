//! Let's Encrypt's limits, which pebble lacks: so many certificates per exact set of names and 7
//! days, one more every 34 hours; so many orders per account and 3 hours. An order that names the
//! certificate that it replaces is exempt from both.
//! <https://letsencrypt.org/docs/rate-limits/>

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::front::{Call, Refusal};

const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
const REFILL: Duration = Duration::from_secs(34 * 3600);
const THREE_HOURS: Duration = Duration::from_secs(3 * 3600);

type Names = Vec<String>;

/// The certificates of every set of names, and the orders that may still become some.
pub(super) struct Limits {
    per_week: Option<u32>,
    per_three_hours: Option<u32>,
    /// When each account has ordered.
    ordered: BTreeMap<String, Vec<Instant>>,
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
    pub(super) fn new(per_week: Option<u32>, per_three_hours: Option<u32>) -> Limits {
        Limits {
            per_week,
            per_three_hours,
            ordered: BTreeMap::new(),
            orders: BTreeMap::new(),
            issued: BTreeMap::new(),
        }
    }

    pub(super) fn rule(&self, operation: &str, call: &Call) -> Ruling {
        let order = new_order(&call.body).filter(|order| order.replaces.is_none());
        let (Some(order), "newOrder") = (order, operation) else {
            return Ruling::Allowed;
        };
        let account = account(&call.body).unwrap_or_default();
        let refused = self
            .too_many_orders(&account)
            .or_else(|| self.too_many_alike(&order.names()));
        refused.map_or(Ruling::Allowed, |(detail, retry_after)| Ruling::Refused {
            refusal: Refusal::new(429, "rateLimited", detail),
            retry_after,
        })
    }

    /// Why an account may not order now, and for how long.
    fn too_many_orders(&self, account: &str) -> Option<(String, Duration)> {
        let most = self.per_three_hours?;
        let recent = recent(self.ordered.get(account), THREE_HOURS);
        let detail = format!("too many new orders ({recent}) from this account in the last 3h0m0s");
        (recent >= most as usize).then(|| (detail, THREE_HOURS / most.max(1)))
    }

    /// Why these names may have no further certificate now, and for how long.
    fn too_many_alike(&self, names: &Names) -> Option<(String, Duration)> {
        let most = self.per_week?;
        let recent = recent(self.issued.get(names), WEEK);
        let detail = format!(
            "too many certificates ({recent}) already issued for this exact set of identifiers in the last 168h0m0s"
        );
        (recent >= most as usize).then_some((detail, REFILL))
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
            let Some(order) = new_order(&call.body) else {
                return;
            };
            if let Some(id) = location.and_then(last) {
                self.orders.insert(id, order.names());
            }
            if order.replaces.is_none() {
                let account = account(&call.body).unwrap_or_default();
                self.ordered
                    .entry(account)
                    .or_default()
                    .push(Instant::now());
            }
        }
        if operation == "finalize"
            && let Some(names) = last(call.path()).and_then(|order| self.orders.remove(&order))
        {
            self.issued.entry(names).or_default().push(Instant::now());
        }
    }
}

fn recent(times: Option<&Vec<Instant>>, within: Duration) -> usize {
    times
        .into_iter()
        .flatten()
        .filter(|at| at.elapsed() < within)
        .count()
}

/// The last part of a URL: the order's id.
fn last(url: &str) -> Option<String> {
    url.rsplit('/').next().map(str::to_owned)
}

#[derive(Deserialize)]
struct Jws {
    protected: String,
    payload: String,
}

#[derive(Deserialize)]
struct Protected {
    kid: String,
}

#[derive(Deserialize)]
struct NewOrder {
    identifiers: Vec<Identifier>,
    replaces: Option<String>,
}

#[derive(Deserialize)]
struct Identifier {
    value: String,
}

impl NewOrder {
    /// Its names, in an order that does not depend on the request's.
    fn names(&self) -> Names {
        let mut names: Names = self
            .identifiers
            .iter()
            .map(|identifier| identifier.value.to_ascii_lowercase())
            .collect();
        names.sort();
        names
    }
}

fn new_order(body: &[u8]) -> Option<NewOrder> {
    let jws: Jws = serde_json::from_slice(body).ok()?;
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(jws.payload).ok()?).ok()
}

/// The URL of the account that signed a request (RFC 8555, 6.2).
fn account(body: &[u8]) -> Option<String> {
    let jws: Jws = serde_json::from_slice(body).ok()?;
    let protected = BASE64_URL_SAFE_NO_PAD.decode(jws.protected).ok()?;
    let protected: Protected = serde_json::from_slice(&protected).ok()?;
    Some(protected.kid)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(path: &str, names: &[&str]) -> Call {
        call_by("https://x/my-account/1", path, names, None)
    }

    fn call_by(account: &str, path: &str, names: &[&str], replaces: Option<&str>) -> Call {
        let identifiers: Vec<_> = names
            .iter()
            .map(|name| serde_json::json!({ "type": "dns", "value": name }))
            .collect();
        let encoded = |part: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let payload =
            encoded(serde_json::json!({ "identifiers": identifiers, "replaces": replaces }));
        let protected = encoded(serde_json::json!({ "kid": account }));
        let body = serde_json::json!({ "protected": protected, "payload": payload }).to_string();
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
        let mut limits = Limits::new(Some(1), None);
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

    #[test]
    fn an_account_has_so_many_orders_and_those_that_replace_count_for_nothing() {
        let mut limits = Limits::new(None, Some(2));
        let order = |account: &str, replaces| {
            let account = format!("https://x/my-account/{account}");
            call_by(&account, "/order-plz", &["a.test"], replaces)
        };
        let created = created("https://x/my-order/7");
        for order in [order("1", None), order("1", Some("x.y")), order("1", None)] {
            assert!(matches!(limits.rule("newOrder", &order), Ruling::Allowed));
            limits.learn("newOrder", &order, &created);
        }
        let Ruling::Refused {
            refusal,
            retry_after,
        } = limits.rule("newOrder", &order("1", None))
        else {
            panic!("the limit was passed")
        };
        assert_eq!(
            refusal.message,
            "too many new orders (2) from this account in the last 3h0m0s"
        );
        assert_eq!(retry_after, Duration::from_secs(90 * 60));
        for allowed in [order("2", None), order("1", Some("x.y"))] {
            assert!(matches!(limits.rule("newOrder", &allowed), Ruling::Allowed));
        }
    }
}
