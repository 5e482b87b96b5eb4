//! A record set as Route 53 holds it, so that a DELETE is exactly what was read. Route 53 refuses a
//! batch that was made for older records (invariant I2 of docs/ARCHITECTURE.md).

use std::fmt;

use aws_sdk_route53::types::{
    AliasTarget, ResourceRecord, ResourceRecordSet, ResourceRecordSetFailover, RrType,
};

use super::names;
use super::text;

/// The kinds of record we write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordType {
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
///
/// Names and alias targets are kept as Route 53 lists them, so one that we make equals the same one
/// read.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordSet(pub(super) ResourceRecordSet);

impl RecordSet {
    /// `name` as people write it; `values` of a TXT record unquoted; `ttl` in seconds.
    pub fn new(name: &str, kind: RecordType, ttl: u32, values: Vec<String>) -> Self {
        let wire = |value: String| {
            if kind == RecordType::Txt {
                text::quoted(&value)
            } else {
                value
            }
        };
        let mut set = bare(name, kind);
        set.ttl = Some(ttl.into());
        set.resource_records = Some(values.into_iter().map(wire).map(record).collect());
        Self(set)
    }

    /// An alias takes its target's TTL. `target_zone_id` is the target's own zone.
    pub fn alias(
        name: &str,
        kind: RecordType,
        target_dns: &str,
        target_zone_id: &str,
        evaluate_health: bool,
    ) -> Self {
        let target = AliasTarget::builder()
            .dns_name(names::listed(target_dns))
            .hosted_zone_id(target_zone_id);
        let mut set = bare(name, kind);
        set.alias_target = Some(
            target
                .evaluate_target_health(evaluate_health)
                .build()
                .expect("all its fields are given"),
        );
        Self(set)
    }

    /// Makes this one of several record sets of the same name and type, told apart by `set_id`;
    /// Route 53 answers with up to eight whose health check passes. `health_check` is the check's
    /// id.
    pub fn multivalue(mut self, set_id: &str, health_check: Option<&str>) -> Self {
        self.0.multi_value_answer = Some(true);
        self.routed(set_id, health_check)
    }

    /// Makes this one of the two record sets of failover routing, told apart by `set_id`.
    /// `health_check` is the check's id; the secondary needs none.
    pub fn failover(mut self, role: Role, set_id: &str, health_check: Option<&str>) -> Self {
        self.0.failover = Some(match role {
            Role::Primary => ResourceRecordSetFailover::Primary,
            Role::Secondary => ResourceRecordSetFailover::Secondary,
        });
        self.routed(set_id, health_check)
    }

    fn routed(mut self, set_id: &str, health_check: Option<&str>) -> Self {
        self.0.set_identifier = Some(set_id.to_owned());
        self.0.health_check_id = health_check.map(str::to_owned);
        self
    }

    /// The same record set with other TXT values, as they are quoted on the wire.
    pub(super) fn with_wire_values(mut self, values: Vec<String>) -> Self {
        self.0.resource_records = Some(values.into_iter().map(record).collect());
        self
    }

    /// Lower case, without a final dot, `*` as `*`.
    pub fn name(&self) -> String {
        names::plain(&self.0.name)
    }

    /// `None` for a kind that we never write.
    pub fn kind(&self) -> Option<RecordType> {
        match self.0.r#type {
            RrType::A => Some(RecordType::A),
            RrType::Aaaa => Some(RecordType::Aaaa),
            RrType::Txt => Some(RecordType::Txt),
            _ => None,
        }
    }

    /// `A`, `CNAME`, …
    pub fn kind_str(&self) -> &str {
        self.0.r#type.as_str()
    }

    /// Seconds; `None` for an alias.
    pub fn ttl(&self) -> Option<u32> {
        self.0.ttl.and_then(|ttl| ttl.try_into().ok())
    }

    /// Of a TXT record unquoted, each value's strings joined; empty for an alias.
    pub fn values(&self) -> Vec<String> {
        let is_text = self.0.r#type == RrType::Txt;
        self.wire_values()
            .map(|value| {
                if is_text {
                    text::unquoted(value)
                } else {
                    value.to_owned()
                }
            })
            .collect()
    }

    pub(super) fn wire_values(&self) -> impl Iterator<Item = &str> {
        self.0.resource_records().iter().map(ResourceRecord::value)
    }

    /// What tells record sets of one name and type apart; `None` with simple routing.
    pub fn set_identifier(&self) -> Option<&str> {
        self.0.set_identifier()
    }

    /// The id of the health check that decides whether the record set is answered.
    pub fn health_check(&self) -> Option<&str> {
        self.0.health_check_id()
    }

    /// The name that an alias leads to, without a final dot.
    pub fn alias_target(&self) -> Option<String> {
        let target = self.0.alias_target.as_ref()?;
        Some(names::plain(&target.dns_name))
    }

    #[cfg(test)]
    pub fn is_alias(&self) -> bool {
        self.0.alias_target.is_some()
    }

    /// Whether Route 53 may answer with several such record sets at once.
    pub fn is_multivalue(&self) -> bool {
        self.0.multi_value_answer == Some(true)
    }

    /// Decides where visitors of the name go: an address, or a name that has one.
    pub fn is_address_or_cname(&self) -> bool {
        matches!(self.0.r#type, RrType::A | RrType::Aaaa | RrType::Cname)
    }

    /// Weighted, by latency, by place: a policy that we never write.
    pub fn is_foreign_routing(&self) -> bool {
        self.set_identifier().is_some() && !self.is_multivalue() && self.0.failover.is_none()
    }
}

fn record(value: String) -> ResourceRecord {
    ResourceRecord::builder()
        .value(value)
        .build()
        .expect("its value is given")
}

fn bare(name: &str, kind: RecordType) -> ResourceRecordSet {
    let kind = match kind {
        RecordType::A => RrType::A,
        RecordType::Aaaa => RrType::Aaaa,
        RecordType::Txt => RrType::Txt,
    };
    ResourceRecordSet::builder()
        .name(names::listed(name))
        .r#type(kind)
        .build()
        .expect("name and type are given")
}

/// `A example.com → 203.0.113.7`, and what sets it apart from others of the same name and kind.
impl fmt::Display for RecordSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = match &self.0.alias_target {
            Some(target) => format!("alias {}", names::plain(&target.dns_name)),
            None => self.wire_values().collect::<Vec<_>>().join(", "),
        };
        write!(f, "{} {} → {values}", self.kind_str(), self.name())?;
        match self.set_identifier() {
            Some(id) => write!(f, " [{id}]"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_set_we_make_equals_the_same_one_read() {
        let read = ResourceRecordSet::builder()
            .name("\\052.example.com.")
            .r#type(RrType::A)
            .ttl(60);
        let read = read
            .resource_records(
                ResourceRecord::builder()
                    .value("203.0.113.7")
                    .build()
                    .unwrap(),
            )
            .build()
            .unwrap();
        assert_eq!(
            RecordSet::new(
                "*.Example.com",
                RecordType::A,
                60,
                vec!["203.0.113.7".into()]
            ),
            RecordSet(read)
        );
    }

    #[test]
    fn an_alias_equals_the_same_one_read() {
        let target = AliasTarget::builder()
            .dns_name("d111.cloudfront.net.")
            .hosted_zone_id("Z2FDTNDATAQYW2")
            .evaluate_target_health(false);
        let read = ResourceRecordSet::builder()
            .name("example.com.")
            .r#type(RrType::Aaaa)
            .alias_target(target.build().unwrap())
            .build();
        let made = RecordSet::alias(
            "example.com",
            RecordType::Aaaa,
            "d111.cloudfront.net",
            "Z2FDTNDATAQYW2",
            false,
        );
        assert_eq!(made, RecordSet(read.unwrap()));
        assert!(made.is_alias() && made.ttl().is_none() && made.values().is_empty());
    }

    #[test]
    fn a_record_set_is_shown_as_people_say_it() {
        let simple = RecordSet::new("example.com", RecordType::A, 60, vec!["203.0.113.7".into()]);
        assert_eq!(simple.to_string(), "A example.com → 203.0.113.7");
        assert_eq!(
            simple.multivalue("i-1", Some("hc")).to_string(),
            "A example.com → 203.0.113.7 [i-1]"
        );
        let text = RecordSet::new(
            "_spotboot.example.com",
            RecordType::Txt,
            60,
            vec!["heritage=spotboot".into()],
        );
        assert_eq!(
            text.to_string(),
            "TXT _spotboot.example.com → \"heritage=spotboot\""
        );
        let alias = RecordSet::alias(
            "example.com",
            RecordType::A,
            "d111.cloudfront.net.",
            "Z2FDTNDATAQYW2",
            false,
        );
        assert_eq!(
            alias.failover(Role::Secondary, "mirror", None).to_string(),
            "A example.com → alias d111.cloudfront.net [mirror]"
        );
    }

    #[test]
    fn what_was_put_in_comes_out() {
        let set = RecordSet::new(
            "_spotboot.example.com",
            RecordType::Txt,
            60,
            vec!["a \"b\"".into()],
        )
        .multivalue("i-1", Some("hc-1"));
        assert_eq!(
            (set.name().as_str(), set.kind(), set.ttl()),
            ("_spotboot.example.com", Some(RecordType::Txt), Some(60))
        );
        assert_eq!(set.values(), ["a \"b\""]);
        assert_eq!(
            (set.set_identifier(), set.health_check()),
            (Some("i-1"), Some("hc-1"))
        );
    }
}
