//! A resource record set, as it is kept, read from a request and written into an answer.

use std::fmt;

use serde::Deserialize;

use super::names::{normal, shown};
use crate::xml::Xml;

/// A record set in a test's terms; names are whole, with the final dot, in lower case and unescaped.
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
    pub fn simple<V: Into<String>>(name: &str, kind: &str, ttl: u32, values: impl IntoIterator<Item = V>) -> RecordSet {
        let values = values.into_iter().map(Into::into).collect();
        RecordSet { name: normal(name), kind: kind.to_owned(), ttl: Some(ttl), values, ..RecordSet::default() }
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
                    self.values.iter().for_each(|value| xml.element("ResourceRecord", |xml| xml.text("Value", value)));
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

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeRequest {
    pub(super) change_batch: ChangeBatch,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeBatch {
    #[serde(default)]
    pub(super) comment: String,
    pub(super) changes: Changes,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Changes {
    #[serde(default)]
    pub(super) change: Vec<ChangeElement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ChangeElement {
    pub(super) action: String,
    pub(super) resource_record_set: SetElement,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SetElement {
    pub(super) name: String,
    #[serde(rename = "Type")]
    pub(super) kind: String,
    pub(super) set_identifier: Option<String>,
    pub(super) weight: Option<u8>,
    pub(super) region: Option<String>,
    pub(super) failover: Option<String>,
    pub(super) multi_value_answer: Option<bool>,
    #[serde(rename = "TTL")]
    pub(super) ttl: Option<u32>,
    pub(super) resource_records: Option<ValueElements>,
    pub(super) alias_target: Option<AliasElement>,
    pub(super) health_check_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ValueElements {
    #[serde(default)]
    resource_record: Vec<ValueElement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ValueElement {
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AliasElement {
    hosted_zone_id: String,
    #[serde(rename = "DNSName")]
    dns_name: String,
    evaluate_target_health: bool,
}

impl From<SetElement> for RecordSet {
    fn from(given: SetElement) -> RecordSet {
        let values = given.resource_records.map(|records| records.resource_record).unwrap_or_default();
        RecordSet {
            name: normal(&given.name),
            kind: given.kind,
            set_identifier: given.set_identifier,
            ttl: given.ttl,
            values: values.into_iter().map(|record| record.value).collect(),
            health_check: given.health_check_id,
            multivalue: given.multi_value_answer == Some(true),
            failover: given.failover,
            weight: given.weight,
            region: given.region,
            alias: given.alias_target.map(|alias| Alias {
                zone_id: alias.hosted_zone_id,
                name: normal(&alias.dns_name),
                evaluates_health: alias.evaluate_target_health,
            }),
        }
    }
}
