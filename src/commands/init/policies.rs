//! The IAM policies, for two readers: JSON that stands alone, and the same within the stack, where
//! CloudFormation knows the account and the fleet.

use std::collections::BTreeSet;

use anyhow::{Result, anyhow};
use minijinja::syntax::SyntaxConfig;
use serde::Serialize;

use super::github::GitHubJobs;
use super::plan::InitPlan;
use super::program::ProgramLocation;
use crate::config::FleetKind;
use crate::config::{ALL_PROGRAMS, Address, Domain, Routing, SecretRef, Site};
use crate::host::templates;

const INSTANCE: &str = include_str!("../../../launch-template/instance-policy.json");
const CI: &str = include_str!("../../../launch-template/ci-policy.json");
const TRUST: &str = include_str!("../../../launch-template/ci-trust.json");

/// The site's IAM policies, each as JSON text: of the instances' role, of CI's role, and who may
/// take CI's role.
pub struct Policies {
    pub instance: String,
    pub ci: String,
    /// Only with `--github`.
    pub trust: Option<String>,
}

#[derive(Serialize)]
struct PolicyValues<'a> {
    account: &'a str,
    region: &'a str,
    site: &'a str,
    bucket: &'a str,
    prefix: &'a str,
    packages_bucket: &'a str,
    packages_prefix: &'a str,
    zone_ids: [&'a str; 1],
    hosted_zone_id: Option<&'a str>,
    names: Vec<String>,
    ownership_names: [String; 1],
    challenge_names: Vec<String>,
    /// Whether the site's names can be led elsewhere by a person's word.
    failover: bool,
    /// Where the site has a mirror that spotboot publishes.
    mirror_bucket: Option<&'a str>,
    /// The mirror's own name, as Route 53 writes names.
    mirror_name: Option<&'a str>,
    kms_key_arn: Option<String>,
    parameter_arns: BTreeSet<String>,
    secret_arns: BTreeSet<String>,
    binary: Option<&'a str>,
    routing: &'static str,
    /// Where the names lead to one; any with the site's tag, unless site.toml names one.
    elastic_ip_arn: Option<String>,
    fleet_kind: &'static str,
    fleet_arn: String,
    /// Of the tokens that CI's role trusts; none without `--github`.
    subjects: Vec<String>,
}

/// Each as a file of its own. Any fleet that carries the site's tag is the site's, unless site.toml
/// names one.
pub fn alone(plan: &InitPlan<'_>) -> Result<Policies> {
    let named = plan.site.fleet.as_ref().map(|fleet| fleet.id.as_str());
    render(&values(plan, plan.account, named.unwrap_or("*")))
}

/// Each with CloudFormation's own names in it, already as `Fn::Sub`. Both roles know the fleet by
/// its tag, for it is made after everything else.
pub fn within_stack(plan: &InitPlan<'_>) -> Result<Policies> {
    let Policies {
        instance,
        ci,
        trust,
    } = render(&values(plan, "${AWS::AccountId}", "*"))?;
    Ok(Policies {
        instance: substituted(&instance),
        ci: substituted(&ci),
        trust: trust.as_deref().map(substituted),
    })
}

fn values<'a>(plan: &'a InitPlan<'a>, account: &'a str, fleet: &str) -> PolicyValues<'a> {
    let site = plan.site;
    let secrets = site.secrets();
    let arns = |of: &dyn Fn(&SecretRef) -> bool| {
        secrets
            .iter()
            .filter(|place| of(place))
            .map(|place| place.arn(&plan.region, account))
            .collect()
    };
    let mirror = site.mirror();
    PolicyValues {
        account,
        region: &plan.region,
        site: &site.name,
        bucket: &site.bucket,
        prefix: &site.prefix,
        packages_bucket: &site.packages.bucket,
        packages_prefix: &site.packages.prefix,
        zone_ids: [&plan.zone],
        hosted_zone_id: site.dns.hosted_zone_id.as_deref(),
        names: names(site).map(ToString::to_string).collect(),
        ownership_names: [format!("_spotboot.{}", site.primary())],
        challenge_names: challenge_names(site),
        failover: site.failover.is_some(),
        mirror_bucket: mirror.map(|mirror| mirror.bucket.as_str()),
        mirror_name: mirror.and_then(|mirror| Some(mirror.name.as_ref()?.as_str())),
        kms_key_arn: site
            .tls
            .kms_key_id
            .as_deref()
            .map(|key| kms_key_arn(key, &plan.region, account)),
        parameter_arns: arns(&|place| matches!(place, SecretRef::Parameter(_))),
        secret_arns: arns(&|place| matches!(place, SecretRef::Secret { .. })),
        binary: binary(plan),
        // With the mirror's stacks the roles are ready for the routing that they are made for.
        routing: match plan.mirror {
            Some(_) => Routing::Failover.word(),
            None => site.dns.routing.word(),
        },
        elastic_ip_arn: elastic_ip_arn(&site.dns.address, &plan.region, account),
        fleet_kind: plan.fleet.word(),
        fleet_arn: fleet_arn(plan.fleet, fleet, &plan.region, account),
        subjects: GitHubJobs::of(plan.init)
            .map(|jobs| jobs.subjects())
            .unwrap_or_default(),
    }
}

/// The names whose records lead to the site, and for which it has a certificate: its domains, and
/// the name that always leads to an instance.
fn names(site: &Site) -> impl Iterator<Item = &Domain> {
    site.domains.iter().chain(site.dynamic())
}

/// The TXT records of DNS-01 challenges (RFC 8555, section 8.4); a wildcard shares the record of its
/// base.
fn challenge_names(site: &Site) -> Vec<String> {
    let mut names: Vec<String> = names(site)
        .map(|domain| format!("_acme-challenge.{}", domain.base()))
        .collect();
    names.dedup();
    names
}

/// The key under the site's prefix that instances fetch the binary from. `None`: the binary is not
/// in the bucket.
fn binary<'a>(plan: &'a InitPlan<'a>) -> Option<&'a str> {
    match &plan.program.place {
        // Later binaries stand beside it.
        ProgramLocation::Key(_) if plan.init.binary.is_none() => Some(ALL_PROGRAMS),
        ProgramLocation::Key(key) => key.strip_prefix(&plan.site.prefix),
        ProgramLocation::Https(_) => None,
    }
}

/// `id`: the fleet's, or a pattern.
fn fleet_arn(kind: FleetKind, id: &str, region: &str, account: &str) -> String {
    let (service, resource) = match kind {
        FleetKind::AutoScalingGroup => ("autoscaling", "autoScalingGroup:*:autoScalingGroupName/"),
        FleetKind::Ec2Fleet => ("ec2", "fleet/"),
        FleetKind::SpotFleet => ("ec2", "spot-fleet-request/"),
    };
    format!("arn:aws:{service}:{region}:{account}:{resource}{id}")
}

/// `None`: the site has no Elastic IP.
fn elastic_ip_arn(address: &Address, region: &str, account: &str) -> Option<String> {
    let Address::Elastic { allocation } = address else {
        return None;
    };
    let id = allocation.as_deref().unwrap_or("*");
    Some(format!("arn:aws:ec2:{region}:{account}:elastic-ip/{id}"))
}

/// A policy names a key by its own id, never by an alias (KMS developer guide, "Specifying KMS keys
/// in IAM policy statements"): an alias leaves it to the condition that it is used through S3.
fn kms_key_arn(key: &str, region: &str, account: &str) -> String {
    match key {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        alias if alias.starts_with("alias/") => format!("arn:aws:kms:{region}:{account}:key/*"),
        id => format!("arn:aws:kms:{region}:{account}:key/{id}"),
    }
}

fn render(values: &PolicyValues<'_>) -> Result<Policies> {
    // These templates steer their own line breaks.
    let mut environment = templates::environment();
    environment.set_syntax(
        SyntaxConfig::builder()
            .keep_trailing_newline(true)
            .build()?,
    );
    let fill = |template: &str| -> Result<String> {
        let text = templates::fill(&environment, template, values).map_err(anyhow::Error::msg)?;
        serde_json::from_str::<serde_json::Value>(&text)
            .map_err(|error| anyhow!("a policy is not JSON: {error}"))?;
        Ok(text)
    };
    Ok(Policies {
        instance: fill(INSTANCE)?,
        ci: fill(CI)?,
        trust: (!values.subjects.is_empty())
            .then(|| fill(TRUST))
            .transpose()?,
    })
}

/// Wraps each string of a JSON text that names something of CloudFormation's. None holds an escaped
/// quotation mark.
fn substituted(json: &str) -> String {
    let mut parts: Vec<String> = json.split('"').map(str::to_owned).collect();
    for text in parts.iter_mut().skip(1).step_by(2) {
        *text = if text.contains("${") {
            format!("{{ \"Fn::Sub\": \"{text}\" }}")
        } else {
            format!("\"{text}\"")
        };
    }
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_names_something_of_cloudformation_is_substituted() {
        let json = r#"{"a": ["x", "arn:${AWS::AccountId}:y"], "b": {"c": "z"}}"#;
        assert_eq!(
            substituted(json),
            r#"{"a": ["x", { "Fn::Sub": "arn:${AWS::AccountId}:y" }], "b": {"c": "z"}}"#
        );
    }
}
