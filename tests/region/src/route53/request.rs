//! The body of ChangeResourceRecordSets, and what is wrong with it before any record is looked at.

use serde::Deserialize;

use super::names::normal;
use super::record::{Alias, RecordSet};
use super::rules::{Action, Change};
use crate::front::Refusal;

const CONTENT: &str = "AliasTarget, all of [TTL, and ResourceRecords], or TrafficPolicyInstanceId";
const ROUTING: &str = "Weight, Region, Failover, GeoLocation, or MultiValueAnswer";

/// Reads a change; what is missing or contradicts itself is refused before anything else is looked
/// at.
pub(super) fn read(given: ChangeElement) -> Result<Change, Refusal> {
    let element = &given.resource_record_set;
    let identifier = element.set_identifier.as_deref().unwrap_or("null");
    let place = format!(
        "in Change with [Action={}, Name={}, Type={}, SetIdentifier={identifier}]",
        given.action, element.name, element.kind
    );
    let invalid = |problem: String| {
        Refusal::new(
            400,
            "InvalidInput",
            format!("Invalid request: {problem} {place}"),
        )
    };
    if let Some(problem) = contradiction(element) {
        return Err(invalid(problem));
    }
    let action = match given.action.as_str() {
        "CREATE" => Action::Create,
        "DELETE" => Action::Delete,
        "UPSERT" => Action::Upsert,
        other => return Err(invalid(format!("Unknown Action '{other}'"))),
    };
    Ok(Change {
        action,
        set: RecordSet::from(given.resource_record_set),
    })
}

fn contradiction(element: &SetElement) -> Option<String> {
    let values = element
        .resource_records
        .as_ref()
        .map(|records| records.resource_record.len());
    let content = match (
        element.ttl.is_some() && values.is_some(),
        element.alias_target.is_some(),
    ) {
        (false, false) => one_of(CONTENT, "none"),
        (_, true) if element.ttl.is_some() || values.is_some() => one_of(CONTENT, "more than one"),
        _ => None,
    };
    let routes = [
        element.multi_value_answer.is_some(),
        element.failover.is_some(),
        element.weight.is_some(),
        element.region.is_some(),
    ];
    let routing = match (
        routes.into_iter().filter(|given| *given).count(),
        element.set_identifier.is_some(),
    ) {
        (1.., false) => Some("Missing field 'SetIdentifier'".to_owned()),
        (0, true) => one_of(ROUTING, "none"),
        (2.., true) => one_of(ROUTING, "more than one"),
        _ => None,
    };
    let role = element
        .failover
        .as_deref()
        .filter(|role| !["PRIMARY", "SECONDARY"].contains(role));
    let empty = values.is_some_and(|values| values == 0);
    content
        .or(routing)
        .or_else(|| role.map(|role| format!("Unknown Failover '{role}'")))
        .or_else(|| empty.then(|| "Expected at least one ResourceRecord".to_owned()))
}

fn one_of(choices: &str, found: &str) -> Option<String> {
    Some(format!(
        "Expected exactly one of [{choices}], but found {found}"
    ))
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
        let values = given
            .resource_records
            .map(|records| records.resource_record)
            .unwrap_or_default();
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
