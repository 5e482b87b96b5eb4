//! What the edges keep, each for its time. All edges are one here, and what many visitors ask for at
//! once may reach the origin several times.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;

use super::distribution::{Caching, Deployed};
use super::page;
use crate::front::{Answer, Call, full};
use crate::locked;

/// An error of the origin; page `HTTPStatusCodes` of CloudFront's guide.
pub(super) const ERROR_KEPT_FOR: Duration = Duration::from_secs(10);

/// Whose answer it is: the distribution's domain name and the path without its query.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(String, String);

impl Key {
    /// None for what is never kept here, and always asked of the origin: a head alone, a part, and
    /// what a visitor has already.
    pub(super) fn of(distribution: &Deployed, call: &Call) -> Option<Key> {
        let conditions = [
            header::RANGE,
            header::IF_NONE_MATCH,
            header::IF_MODIFIED_SINCE,
            header::IF_MATCH,
            header::IF_UNMODIFIED_SINCE,
        ];
        let is_whole = call.parts.method == Method::GET
            && !conditions
                .iter()
                .any(|name| call.parts.headers.contains_key(name));
        let domain = &distribution.spec.domain;
        is_whole.then(|| Key(domain.clone(), call.path().to_owned()))
    }
}

#[derive(Clone, Default)]
pub(crate) struct Edges(Arc<Mutex<Shelf>>);

#[derive(Default)]
struct Shelf {
    kept: HashMap<Key, Kept>,
    /// How far the edges' clock is ahead of the machine's.
    ahead: Duration,
}

struct Kept {
    since: Instant,
    until: Instant,
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Edges {
    /// As much time passes for all that is kept.
    pub(crate) fn age(&self, by: Duration) {
        locked(&self.0).ahead += by;
    }

    pub(super) fn find(&self, key: &Key) -> Option<Answer> {
        let shelf = locked(&self.0);
        let now = Instant::now() + shelf.ahead;
        let kept = shelf.kept.get(key).filter(|kept| now < kept.until)?;
        let mut answer = Answer::new(full(kept.body.clone()));
        *answer.status_mut() = kept.status;
        *answer.headers_mut() = kept.headers.clone();
        let age = HeaderValue::from(now.duration_since(kept.since).as_secs());
        answer.headers_mut().insert(header::AGE, age);
        if kept.status.is_success() {
            let hit = HeaderValue::from_static("Hit from cloudfront");
            answer.headers_mut().insert("x-cache", hit);
        }
        Some(answer)
    }

    /// The same answer, which is kept from now on where it is whole.
    pub(super) async fn keep(&self, key: Key, answer: Answer, kept_for: Duration) -> Answer {
        let (parts, body) = answer.into_parts();
        let Ok(body) = body.collect().await else {
            return page(502, "The origin closed the connection.");
        };
        let body = body.to_bytes();
        let mut shelf = locked(&self.0);
        let now = Instant::now() + shelf.ahead;
        let kept = Kept {
            since: now,
            until: now + kept_for,
            status: parts.status,
            headers: parts.headers.clone(),
            body: body.clone(),
        };
        shelf.kept.insert(key, kept);
        Answer::from_parts(parts, full(body))
    }
}

impl Caching {
    /// How long an answer of the origin is kept that no error response stands in for.
    pub(super) fn of(&self, answer: &Answer) -> Duration {
        if !answer.status().is_success() {
            return ERROR_KEPT_FOR;
        }
        let said = answer.headers().get(header::CACHE_CONTROL);
        self.said(said.and_then(|value| value.to_str().ok()).unwrap_or(""))
    }

    fn said(&self, cache_control: &str) -> Duration {
        let words: Vec<&str> = cache_control.split(',').map(str::trim).collect();
        let seconds = |name: &str| {
            let mut values = words
                .iter()
                .filter_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            values.next()?.parse().ok().map(Duration::from_secs)
        };
        let age = seconds("s-maxage").or_else(|| seconds("max-age"));
        let forbids = ["no-cache", "no-store", "private"];
        if words.iter().any(|word| forbids.contains(word)) {
            self.min
        } else {
            age.map_or(self.default, |age| age.clamp(self.min, self.max))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_origin_says_how_long_within_the_policys_bounds() {
        let caching = Caching {
            max: Duration::from_secs(1000),
            ..Caching::MIRROR
        };
        for (said, seconds) in [
            ("", 60),
            ("public", 60),
            ("max-age=300", 300),
            ("public, max-age=0", 1),
            ("max-age=300, s-maxage=20", 20),
            ("max-age=86400", 1000),
            ("no-cache", 1),
            ("private, max-age=300", 1),
        ] {
            assert_eq!(caching.said(said), Duration::from_secs(seconds), "{said}");
        }
    }
}
