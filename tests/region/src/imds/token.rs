//! Session tokens: each belongs to one instance and ends with its TTL.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::locked;
use crate::registry::{Machine, unique};

pub(super) const HEADER: &str = "x-aws-ec2-metadata-token";
pub(super) const TTL_HEADER: &str = "x-aws-ec2-metadata-token-ttl-seconds";
const LONGEST: u64 = 21_600;

/// A TTL that IMDS accepts, in seconds.
pub(super) fn lifetime(header: &str) -> Option<u64> {
    header
        .parse()
        .ok()
        .filter(|ttl| (1..=LONGEST).contains(ttl))
}

struct Token {
    instance: String,
    issued: Instant,
    ends: Instant,
}

#[derive(Default)]
pub(super) struct Tokens(Mutex<BTreeMap<String, Token>>);

impl Tokens {
    pub(super) fn issue(&self, machine: &Machine, ttl: u64) -> String {
        let text = format!("{}==", unique(54));
        let issued = Instant::now();
        let token = Token {
            instance: machine.spec.id.clone(),
            issued,
            ends: issued + Duration::from_secs(ttl),
        };
        locked(&self.0).insert(text.clone(), token);
        text
    }

    /// The seconds that the token is still good for this instance.
    pub(super) fn left(&self, text: &str, machine: &Machine) -> Option<u64> {
        let tokens = locked(&self.0);
        let token = tokens
            .get(text)
            .filter(|token| token.instance == machine.spec.id)?;
        let since = locked(&machine.now).tokens_since;
        let left = token.ends.checked_duration_since(Instant::now())?;
        (token.issued >= since).then_some(left.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instance::{InstanceSpec, State};
    use crate::registry::Registry;

    #[test]
    fn a_lifetime_is_between_a_second_and_six_hours() {
        assert_eq!(lifetime("1"), Some(1));
        assert_eq!(lifetime("21600"), Some(21_600));
        for wrong in ["0", "21601", "-1", "", "an hour"] {
            assert_eq!(lifetime(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_token_serves_its_own_instance_until_it_is_expired() {
        let registry = Registry::new("r", "a");
        let (one, other) = (
            registry
                .launch(InstanceSpec::new("i-1"), State::Running)
                .unwrap(),
            registry
                .launch(InstanceSpec::new("i-2"), State::Running)
                .unwrap(),
        );
        let tokens = Tokens::default();
        let token = tokens.issue(&one, 60);
        assert!(tokens.left(&token, &one).is_some());
        assert!(tokens.left(&token, &other).is_none());
        locked(&one.now).tokens_since = Instant::now();
        assert!(tokens.left(&token, &one).is_none());
    }
}
