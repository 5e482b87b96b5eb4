//! The policies as `init` renders them for the test's site, and with one action left out.
#![allow(dead_code, reason = "each suite uses its part")]

use std::collections::BTreeSet;

use minijinja::{Environment, context};
use serde_json::Value;

const INSTANCE: &str = include_str!("../../launch-template/instance-policy.json");
const CI: &str = include_str!("../../launch-template/ci-policy.json");
const BUCKET: &str = "example-site";

/// What differs between the sites of the tests.
#[derive(Clone, Copy, Default)]
pub struct Site {
    pub routing: Option<&'static str>,
    pub kms_key_arn: Option<&'static str>,
    pub hosted_zone_id: Option<&'static str>,
    pub packages_bucket: Option<&'static str>,
    pub packages_prefix: Option<&'static str>,
    /// Of parameters and of secrets.
    pub secrets: [&'static [&'static str]; 2],
    pub elastic_ip_arn: Option<&'static str>,
    /// Its kind and ARN.
    pub fleet: Option<(&'static str, &'static str)>,
    /// Whether it has a mirror, in the bucket `mirror` and under a name of its own.
    pub failover: bool,
}

/// A statement's action.
pub type Action = (String, String);

pub fn instance_policy(site: Site) -> Value {
    render(INSTANCE, site)
}

pub fn ci_policy(site: Site) -> Value {
    render(CI, site)
}

fn render(template: &str, site: Site) -> Value {
    let values = context! {
        account => "123456789012", region => "ap-southeast-2", site => "example",
        bucket => BUCKET, prefix => "",
        packages_bucket => site.packages_bucket.unwrap_or(BUCKET), packages_prefix => site.packages_prefix.unwrap_or("packages/"),
        zone_ids => ["Z0EXAMPLE"], hosted_zone_id => site.hosted_zone_id,
        names => ["example.test", "*.example.test"], ownership_names => ["_spotboot.example.test"], challenge_names => ["_acme-challenge.example.test"],
        kms_key_arn => site.kms_key_arn, elastic_ip_arn => site.elastic_ip_arn, parameter_arns => site.secrets[0].to_vec(), secret_arns => site.secrets[1].to_vec(), fleet_kind => site.fleet.map(|(kind, _)| kind), fleet_arn => site.fleet.map(|(_, arn)| arn),
        routing => site.routing.unwrap_or("simple"),
        failover => site.failover, mirror_bucket => site.failover.then_some("mirror"), mirror_name => site.failover.then_some("static.example.test"),
    };
    let text = Environment::new()
        .render_str(template, values)
        .expect("the template renders");
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

/// Every action of every statement.
pub fn actions(policy: &Value) -> BTreeSet<Action> {
    let statements = policy["Statement"]
        .as_array()
        .expect("a policy has statements");
    statements
        .iter()
        .flat_map(|each| {
            actions_of(each)
                .into_iter()
                .map(|action| (text(&each["Sid"]), action))
        })
        .collect()
}

/// The policy without one action of one statement; the statement goes with its last one.
pub fn without(policy: &Value, statement: &str, action: &str) -> Value {
    let mut policy = policy.clone();
    let statements = policy["Statement"]
        .as_array_mut()
        .expect("a policy has statements");
    let found = statements
        .iter_mut()
        .find(|each| each["Sid"] == statement)
        .unwrap_or_else(|| panic!("no statement {statement}"));
    let mut left = actions_of(found);
    let before = left.len();
    left.retain(|each| each != action);
    assert_eq!(
        left.len() + 1,
        before,
        "{statement} does not allow {action}"
    );
    found["Action"] = left.into();
    statements.retain(|each| each["Action"] != Value::Array(Vec::new()));
    policy
}

fn actions_of(statement: &Value) -> Vec<String> {
    match &statement["Action"] {
        Value::Array(actions) => actions.iter().map(text).collect(),
        one => vec![text(one)],
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("it is text").to_owned()
}
