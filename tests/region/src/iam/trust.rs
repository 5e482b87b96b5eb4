//! A role's trust policy, as far as it is about tokens of an OpenID Connect provider's:
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_providers_create_oidc.html>.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, ensure};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Context;
use super::condition::Condition;
use super::policy::{Effect, VERSION, Values};

const ACTION: &str = "sts:AssumeRoleWithWebIdentity";
/// The one that the region's account knows.
const GITHUB: &str = "token.actions.githubusercontent.com";

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
    principal: Federated,
    action: String,
    condition: BTreeMap<String, BTreeMap<String, Values>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Federated {
    federated: String,
}

/// What a token says of the job that bears it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WebIdentity {
    #[serde(rename = "iss")]
    pub issuer: String,
    #[serde(rename = "aud")]
    pub audience: String,
    #[serde(rename = "sub")]
    pub subject: String,
}

impl WebIdentity {
    /// A token of GitHub's for AWS.
    pub fn github(subject: &str) -> WebIdentity {
        WebIdentity {
            issuer: format!("https://{GITHUB}"),
            audience: "sts.amazonaws.com".to_owned(),
            subject: subject.to_owned(),
        }
    }

    /// As a JSON Web Token, which nobody has signed.
    pub fn token(&self) -> String {
        let claims =
            serde_json::json!({ "iss": self.issuer, "aud": self.audience, "sub": self.subject });
        let [header, claims] = [r#"{"alg":"none"}"#.to_owned(), claims.to_string()]
            .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part));
        format!("{header}.{claims}.")
    }

    /// What such a token says; none of a text that is no token.
    pub(crate) fn read(token: &str) -> Option<WebIdentity> {
        let claims = BASE64_URL_SAFE_NO_PAD
            .decode(token.split('.').nth(1)?)
            .ok()?;
        serde_json::from_slice(&claims).ok()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Statement {
    /// The provider's ARN.
    provider: String,
    conditions: Vec<Condition>,
}

/// Whose tokens may assume a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustPolicy(Vec<Statement>);

impl TrustPolicy {
    /// As IAM takes it: a policy that trusts GitHub without asking for a token's subject is refused.
    pub fn parse(text: &str) -> Result<TrustPolicy> {
        let document: Document = serde_json::from_str(text).context("reading a trust policy")?;
        ensure!(
            document.version == VERSION,
            "the policy's version is {}, not {VERSION}",
            document.version
        );
        let statements = document.statement.into_iter().map(Statement::read);
        Ok(TrustPolicy(statements.collect::<Result<Vec<_>>>()?))
    }

    /// Whether the bearer of such a token may assume the role, which is of this account.
    pub fn trusts(&self, account: &str, identity: &WebIdentity) -> bool {
        let Some(host) = identity.issuer.strip_prefix("https://") else {
            return false;
        };
        let provider = format!("arn:aws:iam::{account}:oidc-provider/{host}");
        let claims: Context = [("aud", &identity.audience), ("sub", &identity.subject)]
            .map(|(claim, value)| (format!("{host}:{claim}"), vec![value.clone()]))
            .into();
        self.0.iter().any(|statement| {
            statement.provider == provider
                && statement
                    .conditions
                    .iter()
                    .all(|condition| condition.holds(&claims))
        })
    }
}

impl Statement {
    fn read(written: Written) -> Result<Statement> {
        let (sid, provider) = (written.sid, written.principal.federated);
        ensure!(
            written.effect == Effect::Allow && written.action == ACTION,
            "the statement {sid} does not allow {ACTION}"
        );
        let subject = format!("{GITHUB}:sub");
        ensure!(
            written
                .condition
                .values()
                .any(|keys| keys.contains_key(&subject)),
            "the statement {sid} trusts every job of GitHub's: it has no condition on {subject}"
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
        Ok(Statement {
            provider,
            conditions,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "A", "Effect": "Allow",
        "Principal": {"Federated": "arn:aws:iam::1:oidc-provider/token.actions.githubusercontent.com"},
        "Action": "sts:AssumeRoleWithWebIdentity", "Condition": {
            "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
            "StringLike": {"token.actions.githubusercontent.com:sub": ["repo:me/a:*", "repo:me@*/a@*:x"]}}}]}"#;

    #[test]
    fn provider_audience_and_subject_have_to_fit() {
        let policy = TrustPolicy::parse(POLICY).unwrap();
        let job = WebIdentity::github("repo:me/a:ref:refs/heads/b");
        assert!(policy.trusts("1", &job));
        assert!(policy.trusts("1", &WebIdentity::github("repo:me@1/a@2:x")));
        assert!(!policy.trusts("2", &job), "another account's provider");
        for other in [
            WebIdentity::github("repo:me/ab:ref:refs/heads/b"),
            WebIdentity {
                audience: "https://github.com/me".to_owned(),
                ..job.clone()
            },
            WebIdentity {
                issuer: "https://gitlab.com".to_owned(),
                ..job.clone()
            },
        ] {
            assert!(!policy.trusts("1", &other), "{other:?}");
        }
    }

    #[test]
    fn a_policy_that_asks_for_no_subject_or_is_not_understood_is_an_error() {
        for (from, to) in [
            (
                "token.actions.githubusercontent.com:sub",
                "token.actions.githubusercontent.com:aud",
            ),
            (
                "token.actions.githubusercontent.com:aud",
                "token.actions.githubusercontent.com:actor",
            ),
            ("Allow", "Deny"),
            ("sts:AssumeRoleWithWebIdentity", "sts:AssumeRole"),
            ("StringLike", "StringLikes"),
            ("2012-10-17", "2008-10-17"),
        ] {
            assert!(
                TrustPolicy::parse(&POLICY.replace(from, to)).is_err(),
                "{to}"
            );
        }
    }

    #[test]
    fn a_token_says_what_it_was_made_from() {
        let identity = WebIdentity::github("repo:me/a:environment:b");
        assert_eq!(WebIdentity::read(&identity.token()), Some(identity));
        assert_eq!(WebIdentity::read("the.token.of-github"), None);
    }
}
