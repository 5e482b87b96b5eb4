//! A policy document:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>, but for
//! NotAction, NotResource and variables, which are errors here.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail, ensure};
use serde::Deserialize;

use super::condition::Condition;
use super::pattern::{fits, fits_arn};
use super::{Grant, Request};

/// The one version of the language that is in use.
pub(super) const VERSION: &str = "2012-10-17";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Document {
    version: String,
    statement: Vec<Written>,
}

/// A statement as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Written {
    sid: String,
    effect: Effect,
    action: Values,
    resource: Values,
    #[serde(default)]
    condition: BTreeMap<String, BTreeMap<String, Values>>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Values {
    One(String),
    Many(Vec<String>),
}

impl Values {
    pub(super) fn all(self) -> Vec<String> {
        match self {
            Values::One(value) => vec![value],
            Values::Many(values) => values,
        }
    }
}

#[derive(Clone, Debug)]
struct Statement {
    sid: String,
    effect: Effect,
    actions: Vec<String>,
    resources: Vec<String>,
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug)]
pub(crate) struct Policy(Vec<Statement>);

/// What a policy says of a request.
#[derive(Debug, PartialEq)]
pub(super) enum Decision {
    Allowed(Grant),
    /// No statement allows it.
    Silent,
    /// A statement denies it.
    Forbidden,
}

impl Policy {
    pub(super) fn parse(text: &str) -> Result<Policy> {
        let document: Document = serde_json::from_str(text).context("reading a policy")?;
        ensure!(
            document.version == VERSION,
            "the policy's version is {}, not {VERSION}",
            document.version
        );
        ensure!(
            !text.contains("${"),
            "the policy has a variable, and those are not known here"
        );
        let statements = document
            .statement
            .into_iter()
            .map(Statement::read)
            .collect::<Result<Vec<_>>>()?;
        let sids: BTreeSet<&str> = statements
            .iter()
            .map(|statement| statement.sid.as_str())
            .collect();
        ensure!(
            sids.len() == statements.len(),
            "two statements of the policy have the same Sid"
        );
        Ok(Policy(statements))
    }

    /// A Deny outweighs any Allow; what nobody allows is denied.
    pub(super) fn decide(&self, request: &Request) -> Decision {
        let applying = |effect: Effect| {
            self.0
                .iter()
                .filter(move |each| each.effect == effect)
                .find_map(|each| each.applies(request))
        };
        match (applying(Effect::Deny), applying(Effect::Allow)) {
            (Some(_), _) => Decision::Forbidden,
            (None, Some(grant)) => Decision::Allowed(grant),
            (None, None) => Decision::Silent,
        }
    }

    /// Everything it allows, each action of each statement with each of its resources.
    pub(super) fn grants(&self) -> Vec<Grant> {
        let allows = self
            .0
            .iter()
            .filter(|statement| statement.effect == Effect::Allow);
        let pairs = allows.flat_map(|each| {
            each.actions
                .iter()
                .flat_map(move |a| each.resources.iter().map(move |r| (each, a, r)))
        });
        pairs
            .map(|(each, action, resource)| each.grant(action, resource))
            .collect()
    }
}

impl Statement {
    fn read(written: Written) -> Result<Statement> {
        let sid = written.sid;
        ensure!(
            !sid.is_empty() && sid.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "the Sid {sid:?} has more than letters and digits"
        );
        let mut conditions = Vec::new();
        for (operator, keys) in written.condition {
            for (key, values) in keys {
                conditions.push(
                    Condition::new(&operator, &key, values.all())
                        .with_context(|| format!("in the statement {sid}"))?,
                );
            }
        }
        let (actions, resources) = (written.action.all(), written.resource.all());
        if let Some(odd) = actions.iter().find(|action| !action.contains(':')) {
            bail!("in the statement {sid}: {odd:?} is no action");
        }
        ensure!(
            !actions.is_empty() && !resources.is_empty(),
            "the statement {sid} is about nothing"
        );
        Ok(Statement {
            sid,
            effect: written.effect,
            actions,
            resources,
            conditions,
        })
    }

    fn applies(&self, request: &Request) -> Option<Grant> {
        let action = self.actions.iter().find(|action| {
            fits(
                &action.to_ascii_lowercase(),
                &request.action.to_ascii_lowercase(),
            )
        })?;
        let resource = self
            .resources
            .iter()
            .find(|resource| fits_arn(resource, &request.resource))?;
        self.conditions
            .iter()
            .all(|condition| condition.holds(&request.context))
            .then(|| self.grant(action, resource))
    }

    fn grant(&self, action: &str, resource: &str) -> Grant {
        Grant {
            statement: self.sid.clone(),
            action: action.to_owned(),
            resource: resource.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
        {"Sid": "Read", "Effect": "Allow", "Action": ["s3:Get*", "s3:PutObject"], "Resource": ["arn:aws:s3:::b/a/*", "arn:aws:s3:::b/c"]},
        {"Sid": "List", "Effect": "Allow", "Action": "s3:ListBucket", "Resource": "arn:aws:s3:::b",
         "Condition": {"StringLike": {"s3:prefix": "a/*"}}},
        {"Sid": "Never", "Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::b/a/secret"}]}"#;

    fn decide(action: &str, resource: &str) -> Decision {
        Policy::parse(POLICY)
            .unwrap()
            .decide(&Request::new(action, resource))
    }

    #[test]
    fn what_no_statement_allows_is_denied() {
        assert!(
            matches!(decide("s3:GetObject", "arn:aws:s3:::b/a/x"), Decision::Allowed(grant) if grant.statement == "Read")
        );
        assert!(
            matches!(
                decide("S3:getobject", "arn:aws:s3:::b/c"),
                Decision::Allowed(_)
            ),
            "actions have no case"
        );
        assert_eq!(decide("s3:GetObject", "arn:aws:s3:::b/d"), Decision::Silent);
        assert_eq!(
            decide("s3:DeleteObject", "arn:aws:s3:::b/c"),
            Decision::Silent
        );
    }

    #[test]
    fn a_deny_outweighs_an_allow() {
        assert_eq!(
            decide("s3:GetObject", "arn:aws:s3:::b/a/secret"),
            Decision::Forbidden
        );
    }

    #[test]
    fn a_condition_is_part_of_its_statement() {
        assert_eq!(decide("s3:ListBucket", "arn:aws:s3:::b"), Decision::Silent);
        let asked = Request::new("s3:ListBucket", "arn:aws:s3:::b").with("s3:prefix", ["a/b"]);
        assert!(matches!(
            Policy::parse(POLICY).unwrap().decide(&asked),
            Decision::Allowed(_)
        ));
    }

    #[test]
    fn every_pair_of_action_and_resource_is_a_grant_of_its_own() {
        assert_eq!(Policy::parse(POLICY).unwrap().grants().len(), 5);
    }

    #[test]
    fn a_document_that_says_more_than_is_understood_is_an_error() {
        for (from, to) in [
            ("2012-10-17", "2008-10-17"),
            (
                "\"Resource\": \"arn:aws:s3:::b\"",
                "\"NotResource\": \"arn:aws:s3:::b\"",
            ),
            ("a/secret", "${aws:userid}"),
            ("StringLike", "StringLikes"),
            ("\"List\"", "\"Read\""),
            ("\"List\"", "\"The list\""),
            ("\"s3:*\"", "\"*\""),
        ] {
            assert!(Policy::parse(&POLICY.replace(from, to)).is_err(), "{to}");
        }
    }
}
