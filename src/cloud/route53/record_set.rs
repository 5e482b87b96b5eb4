//! A record set as Route 53 holds it, so that a DELETE is exactly what was read.

use std::fmt;

use aws_sdk_route53::types::ResourceRecordSet;

/// The kinds of record we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    A,
    Aaaa,
    Txt,
}

/// A record set's place in failover routing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Primary,
    Secondary,
}

/// All values of one name and kind (and, with a routing policy, one set identifier).
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSet(pub(super) ResourceRecordSet);

impl RecordSet {
    /// `name` as people write it; `values` of a TXT record unquoted; `ttl` in seconds.
    pub fn new(name: &str, kind: Kind, ttl: u32, values: Vec<String>) -> Self {
        let _ = (name, kind, ttl, values);
        unimplemented!()
    }

    /// An alias takes its target's TTL. `target_zone_id` is the target's own zone.
    pub fn alias(name: &str, kind: Kind, target_dns: &str, target_zone_id: &str, evaluate_health: bool) -> Self {
        let _ = (name, kind, target_dns, target_zone_id, evaluate_health);
        unimplemented!()
    }

    pub fn multivalue(self, set_id: &str, health_check: Option<&str>) -> Self {
        let _ = (set_id, health_check);
        unimplemented!()
    }

    pub fn failover(self, role: Role, set_id: &str, health_check: Option<&str>) -> Self {
        let _ = (role, set_id, health_check);
        unimplemented!()
    }

    /// Lower case, without a final dot, `*` as `*`.
    pub fn name(&self) -> String {
        unimplemented!()
    }

    pub fn kind(&self) -> Option<Kind> {
        unimplemented!()
    }

    /// `A`, `CNAME`, …
    pub fn kind_str(&self) -> &str {
        unimplemented!()
    }

    /// Seconds; `None` for an alias.
    pub fn ttl(&self) -> Option<u32> {
        unimplemented!()
    }

    /// Of a TXT record unquoted and joined; empty for an alias.
    pub fn values(&self) -> Vec<String> {
        unimplemented!()
    }

    pub fn set_identifier(&self) -> Option<&str> {
        unimplemented!()
    }

    pub fn health_check(&self) -> Option<&str> {
        unimplemented!()
    }

    pub fn is_alias(&self) -> bool {
        unimplemented!()
    }
}

impl fmt::Display for RecordSet {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!()
    }
}
