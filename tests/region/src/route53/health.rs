//! Health checks: created once per caller reference, healthy until a test says otherwise or the
//! [checkers](super::checkers) have seen otherwise often enough.
//! <https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHealthCheck.html>

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::Deserialize;

use crate::front::Refusal;
use crate::registry::unique;
use crate::xml::Xml;

/// The reference's default.
const THRESHOLD: u8 = 3;

/// A health check as a test sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    pub id: String,
    pub caller_reference: String,
    pub config: HealthCheckConfig,
    /// What the checkers see; `Disabled` and `Inverted` are applied on top.
    pub healthy: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct HealthCheckConfig {
    #[serde(rename = "IPAddress")]
    pub ip_address: Option<String>,
    pub port: Option<u16>,
    #[serde(rename = "Type")]
    pub kind: String,
    pub resource_path: Option<String>,
    pub fully_qualified_domain_name: Option<String>,
    pub search_string: Option<String>,
    pub request_interval: Option<u16>,
    pub failure_threshold: Option<u8>,
    pub inverted: bool,
    pub disabled: bool,
    #[serde(rename = "EnableSNI")]
    pub enable_sni: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateRequest {
    pub(super) caller_reference: String,
    pub(super) health_check_config: HealthCheckConfig,
}

#[derive(Default)]
pub(super) struct HealthChecks {
    living: BTreeMap<String, HealthCheck>,
    deleted_references: Vec<String>,
    /// How often in a row the checkers have seen the contrary of what a check says.
    contrary: BTreeMap<String, u8>,
    /// Where no checker gets through.
    pub(super) cut_off: BTreeSet<IpAddr>,
}

impl HealthChecks {
    /// The same reference and settings give the same check; a reference is never used for another
    /// one, not even after a deletion.
    pub(super) fn create(&mut self, request: CreateRequest) -> Result<HealthCheck, Refusal> {
        let CreateRequest {
            caller_reference,
            health_check_config: config,
        } = request;
        check(&config)?;
        let taken = || {
            let message = format!(
                "A health check with the caller reference {caller_reference} has already been created"
            );
            Refusal::new(409, "HealthCheckAlreadyExists", message)
        };
        if self.deleted_references.contains(&caller_reference) {
            return Err(taken());
        }
        if let Some(known) = self
            .living
            .values()
            .find(|known| known.caller_reference == caller_reference)
        {
            return if known.config == config {
                Ok(known.clone())
            } else {
                Err(taken())
            };
        }
        let hex = unique(32);
        let id = format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        );
        let created = HealthCheck {
            id: id.clone(),
            caller_reference,
            config,
            healthy: true,
        };
        self.living.insert(id, created.clone());
        Ok(created)
    }

    pub(super) fn get(&self, id: &str) -> Result<&HealthCheck, Refusal> {
        self.living.get(id).ok_or_else(|| missing(id))
    }

    pub(super) fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        let deleted = self.living.remove(id).ok_or_else(|| missing(id))?;
        self.contrary.remove(id);
        self.deleted_references.push(deleted.caller_reference);
        Ok(())
    }

    pub(super) fn all(&self) -> Vec<HealthCheck> {
        self.living.values().cloned().collect()
    }

    pub(super) fn exists(&self, id: &str) -> bool {
        self.living.contains_key(id)
    }

    pub(super) fn set_healthy(&mut self, id: &str, healthy: bool) {
        if let Some(check) = self.living.get_mut(id) {
            check.healthy = healthy;
        }
    }

    /// Whether no checker gets through to where the check asks.
    pub(super) fn is_cut_off(&self, config: &HealthCheckConfig) -> bool {
        let address = config.ip_address.as_deref();
        address
            .and_then(|address| address.parse::<IpAddr>().ok())
            .is_some_and(|address| self.cut_off.contains(&address))
    }

    /// What a checker saw: a check turns once its threshold of requests in a row says the contrary.
    pub(super) fn seen(&mut self, id: &str, well: bool) {
        let Some(check) = self.living.get_mut(id) else {
            return;
        };
        if check.healthy == well {
            self.contrary.remove(id);
            return;
        }
        let row = self.contrary.entry(id.to_owned()).or_default();
        *row += 1;
        if *row >= check.config.failure_threshold.unwrap_or(THRESHOLD) {
            check.healthy = well;
            self.contrary.remove(id);
        }
    }

    /// A disabled check counts as healthy, and `Inverted` turns either.
    pub(super) fn is_healthy(&self, id: &str) -> bool {
        let found = self.living.get(id);
        found.is_none_or(|check| (check.healthy || check.config.disabled) != check.config.inverted)
    }
}

fn missing(id: &str) -> Refusal {
    Refusal::new(
        404,
        "NoSuchHealthCheck",
        format!("A health check with id {id} does not exist."),
    )
}

fn check(config: &HealthCheckConfig) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new(400, "InvalidInput", message));
    match config.kind.as_str() {
        "HTTP" | "HTTPS" | "HTTP_STR_MATCH" | "HTTPS_STR_MATCH" | "TCP" => {}
        other => return invalid(&format!("Invalid health check type {other}")),
    }
    if config.ip_address.is_none() && config.fully_qualified_domain_name.is_none() {
        return invalid(
            "Invalid parameter : Either the IPAddress or the FullyQualifiedDomainName must be specified.",
        );
    }
    if config
        .request_interval
        .is_some_and(|seconds| seconds != 10 && seconds != 30)
    {
        return invalid("Invalid parameter : RequestInterval must be 10 or 30.");
    }
    if config
        .failure_threshold
        .is_some_and(|times| !(1..=10).contains(&times))
    {
        return invalid("Invalid parameter : FailureThreshold must be between 1 and 10.");
    }
    Ok(())
}

impl HealthCheck {
    pub(super) fn write(&self, xml: &mut Xml) {
        let config = &self.config;
        xml.element("HealthCheck", |xml| {
            xml.text("Id", &self.id);
            xml.text("CallerReference", &self.caller_reference);
            xml.element("HealthCheckConfig", |xml| {
                xml.maybe("IPAddress", config.ip_address.as_ref());
                xml.maybe("Port", config.port);
                xml.text("Type", &config.kind);
                xml.maybe("ResourcePath", config.resource_path.as_ref());
                xml.maybe(
                    "FullyQualifiedDomainName",
                    config.fully_qualified_domain_name.as_ref(),
                );
                xml.maybe("SearchString", config.search_string.as_ref());
                xml.text("RequestInterval", config.request_interval.unwrap_or(30));
                xml.text(
                    "FailureThreshold",
                    config.failure_threshold.unwrap_or(THRESHOLD),
                );
                xml.text("MeasureLatency", false);
                xml.text("Inverted", config.inverted);
                xml.text("Disabled", config.disabled);
                xml.text(
                    "EnableSNI",
                    config
                        .enable_sni
                        .unwrap_or(config.kind.starts_with("HTTPS")),
                );
            });
            xml.text("HealthCheckVersion", 1);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(reference: &str, path: &str) -> CreateRequest {
        let config = HealthCheckConfig {
            ip_address: Some("203.0.113.7".to_owned()),
            kind: "HTTPS".to_owned(),
            resource_path: Some(path.to_owned()),
            ..HealthCheckConfig::default()
        };
        CreateRequest {
            caller_reference: reference.to_owned(),
            health_check_config: config,
        }
    }

    #[test]
    fn a_caller_reference_makes_one_check_and_never_another() {
        let mut checks = HealthChecks::default();
        let first = checks.create(request("i-1", "/ping")).ok().unwrap();
        assert_eq!(checks.create(request("i-1", "/ping")).ok().unwrap(), first);
        assert_eq!(
            checks.create(request("i-1", "/other")).err().unwrap().code,
            "HealthCheckAlreadyExists"
        );
        checks.delete(&first.id).ok().unwrap();
        assert_eq!(
            checks.create(request("i-1", "/ping")).err().unwrap().status,
            409
        );
        assert_eq!(
            checks.delete(&first.id).err().unwrap().code,
            "NoSuchHealthCheck"
        );
    }

    #[test]
    fn a_check_turns_after_its_threshold_of_requests_in_a_row_and_turns_back_alike() {
        let mut checks = HealthChecks::default();
        let id = checks.create(request("i-1", "/ping")).ok().unwrap().id;
        let mut after = |seen: &[bool]| {
            seen.iter().for_each(|well| checks.seen(&id, *well));
            checks.is_healthy(&id)
        };
        assert!(after(&[false, false]), "not yet");
        assert!(after(&[true, false, false]), "a good one begins anew");
        assert!(!after(&[false]), "the third in a row");
        assert!(!after(&[true, true]));
        assert!(after(&[true]));
    }

    #[test]
    fn disabled_is_healthy_and_inverted_turns_it() {
        let mut checks = HealthChecks::default();
        let mut disabled = request("i-1", "/");
        disabled.health_check_config.disabled = true;
        let id = checks.create(disabled).ok().unwrap().id;
        checks.set_healthy(&id, false);
        assert!(checks.is_healthy(&id));
        let mut inverted = request("i-2", "/");
        inverted.health_check_config.inverted = true;
        let id = checks.create(inverted).ok().unwrap().id;
        assert!(!checks.is_healthy(&id));
        checks.set_healthy(&id, false);
        assert!(checks.is_healthy(&id));
    }
}
