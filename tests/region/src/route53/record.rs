//! A resource record set, as it is kept and as it is written into an answer.

use std::fmt;

use super::names::{normal, shown};
use crate::xml::Xml;

/// A record set in a test's terms; names are whole, with the final dot, in lower case and
/// unescaped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordSet {
    pub name: String,
    /// `A`, `AAAA`, `TXT`, …
    pub kind: String,
    pub set_identifier: Option<String>,
    /// None for an alias.
    pub ttl: Option<u32>,
    /// As Route 53 has them: TXT values with their quotes.
    pub values: Vec<String>,
    pub health_check: Option<String>,
    pub multivalue: bool,
    /// `PRIMARY` or `SECONDARY`.
    pub failover: Option<String>,
    pub weight: Option<u8>,
    /// For latency routing.
    pub region: Option<String>,
    pub alias: Option<Alias>,
}

/// Where an alias points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    pub zone_id: String,
    pub name: String,
    pub evaluates_health: bool,
}

impl RecordSet {
    pub fn simple<V: Into<String>>(
        name: &str,
        kind: &str,
        ttl: u32,
        values: impl IntoIterator<Item = V>,
    ) -> RecordSet {
        let values = values.into_iter().map(Into::into).collect();
        RecordSet {
            name: normal(name),
            kind: kind.to_owned(),
            ttl: Some(ttl),
            values,
            ..RecordSet::default()
        }
    }

    pub fn multivalue(mut self, set_identifier: &str) -> RecordSet {
        self.multivalue = true;
        self.set_identifier = Some(set_identifier.to_owned());
        self
    }

    pub fn failover(mut self, role: &str, set_identifier: &str) -> RecordSet {
        self.failover = Some(role.to_owned());
        self.set_identifier = Some(set_identifier.to_owned());
        self
    }

    pub fn health_check(mut self, id: &str) -> RecordSet {
        self.health_check = Some(id.to_owned());
        self
    }

    /// How answers are chosen among the sets of one name and type; all of these must route alike.
    pub(crate) fn routing(&self) -> Option<&'static str> {
        match self {
            set if set.multivalue => Some("multivalue answer"),
            set if set.failover.is_some() => Some("failover"),
            set if set.weight.is_some() => Some("weighted"),
            set if set.region.is_some() => Some("latency"),
            _ => None,
        }
    }

    /// Whether a DELETE of `self` names exactly `other`. The order of values does not matter.
    pub(super) fn is_exactly(&self, other: &RecordSet) -> bool {
        let sorted = |set: &RecordSet| {
            let mut set = set.clone();
            set.values.sort();
            set
        };
        sorted(self) == sorted(other)
    }

    pub(super) fn write(&self, xml: &mut Xml) {
        xml.element("ResourceRecordSet", |xml| {
            xml.text("Name", shown(&self.name));
            xml.text("Type", &self.kind);
            xml.maybe("SetIdentifier", self.set_identifier.as_ref());
            xml.maybe("Weight", self.weight);
            xml.maybe("Region", self.region.as_ref());
            xml.maybe("Failover", self.failover.as_ref());
            xml.maybe("MultiValueAnswer", self.multivalue.then_some(true));
            xml.maybe("TTL", self.ttl);
            if let Some(alias) = &self.alias {
                alias.write(xml);
            } else {
                xml.element("ResourceRecords", |xml| {
                    self.values.iter().for_each(|value| {
                        xml.element("ResourceRecord", |xml| xml.text("Value", value))
                    });
                });
            }
            xml.maybe("HealthCheckId", self.health_check.as_ref());
        });
    }
}

impl Alias {
    fn write(&self, xml: &mut Xml) {
        xml.element("AliasTarget", |xml| {
            xml.text("HostedZoneId", &self.zone_id);
            xml.text("DNSName", shown(&self.name));
            xml.text("EvaluateTargetHealth", self.evaluates_health);
        });
    }
}

/// As messages name a record set.
impl fmt::Display for RecordSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[name='{}', type='{}'", shown(&self.name), self.kind)?;
        match &self.set_identifier {
            Some(id) => write!(f, ", set-identifier='{id}']"),
            None => f.write_str("]"),
        }
    }
}
