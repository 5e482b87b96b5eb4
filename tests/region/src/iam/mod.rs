//! What the region's callers may do: the policies of CI's role and of the instances', decided
//! before any service acts. Which action, resource and keys a request stands for is each service's
//! to say, as AWS's Service Authorization Reference has it.

mod condition;
mod pattern;
mod policy;
mod trust;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;

use anyhow::Result;

use crate::locked;
use policy::{Decision, Policy};
pub use trust::{TrustPolicy, WebIdentity};

/// Whose policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Principal {
    Ci,
    /// All of them: they have one role.
    Instances,
}

/// An action that a statement allows on a resource, both as the policy writes them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    pub statement: String,
    pub action: String,
    pub resource: String,
}

impl fmt::Display for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} on {}",
            self.statement, self.action, self.resource
        )
    }
}

pub(crate) type Context = BTreeMap<String, Vec<String>>;

/// One permission that a call needs.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) action: String,
    /// An ARN, or `*` for an action that knows no resources.
    pub(crate) resource: String,
    pub(crate) context: Context,
}

impl Request {
    pub(crate) fn new(action: impl Into<String>, resource: impl Into<String>) -> Request {
        Request {
            action: action.into(),
            resource: resource.into(),
            context: Context::new(),
        }
    }

    pub(crate) fn with(
        mut self,
        key: impl Into<String>,
        values: impl IntoIterator<Item = impl Into<String>>,
    ) -> Request {
        self.context
            .insert(key.into(), values.into_iter().map(Into::into).collect());
        self
    }

    /// The resource's tags, under the key that all services share and under the service's own.
    pub(crate) fn tagged(self, service: &str, tags: &BTreeMap<String, String>) -> Request {
        tags.iter().fold(self, |request, (key, value)| {
            let request = request.with(format!("aws:ResourceTag/{key}"), [value]);
            request.with(format!("{service}:ResourceTag/{key}"), [value])
        })
    }
}

/// Why a call was refused.
#[derive(Clone, Debug)]
pub(crate) struct Denied {
    pub(crate) action: String,
    pub(crate) resource: String,
    forbidden: bool,
}

impl Denied {
    /// In the services' common words; `who` is the caller's ARN.
    pub(crate) fn words(&self, who: &str) -> String {
        let Denied {
            action,
            resource,
            forbidden,
        } = self;
        let why = if *forbidden {
            "with an explicit deny in an identity-based policy".to_owned()
        } else {
            format!("because no identity-based policy allows the {action} action")
        };
        let on = if resource == "*" {
            String::new()
        } else {
            format!(" on resource: {resource}")
        };
        format!("User: {who} is not authorized to perform: {action}{on} {why}")
    }
}

/// The policies in force, and what of them was of use. A principal without one may do all.
#[derive(Default)]
pub(crate) struct Guard {
    policies: Mutex<BTreeMap<Principal, Policy>>,
    used: Mutex<BTreeSet<(Principal, Grant)>>,
}

impl Guard {
    pub(crate) fn enforce(&self, principal: Principal, policy: &str) -> Result<()> {
        locked(&self.policies).insert(principal, Policy::parse(policy)?);
        Ok(())
    }

    /// Whether the principal may do all of this.
    pub(crate) fn check(&self, principal: Principal, requests: &[Request]) -> Result<(), Denied> {
        let policies = locked(&self.policies);
        let Some(policy) = policies.get(&principal) else {
            return Ok(());
        };
        for request in requests {
            let decision = policy.decide(request);
            if let Decision::Allowed(grant) = decision {
                locked(&self.used).insert((principal, grant));
                continue;
            }
            let forbidden = decision == Decision::Forbidden;
            return Err(Denied {
                action: request.action.clone(),
                resource: request.resource.clone(),
                forbidden,
            });
        }
        Ok(())
    }

    /// Whether the principal's policy allows this without any condition on it.
    pub(crate) fn allows(&self, principal: Principal, request: &Request) -> bool {
        locked(&self.policies)
            .get(&principal)
            .is_none_or(|policy| matches!(policy.decide(request), Decision::Allowed(_)))
    }

    /// Every grant of the principal's policy in force that no request has needed yet.
    pub(crate) fn unused(&self, principal: Principal) -> Vec<Grant> {
        let grants = locked(&self.policies)
            .get(&principal)
            .map(Policy::grants)
            .unwrap_or_default();
        let used = locked(&self.used);
        grants
            .into_iter()
            .filter(|grant| !used.contains(&(principal, grant.clone())))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [
        {"Sid": "A", "Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"], "Resource": "arn:aws:s3:::b/*"}]}"#;

    #[test]
    fn without_a_policy_all_is_allowed_and_with_one_only_what_it_says() {
        let guard = Guard::default();
        let delete = [Request::new("s3:DeleteObject", "arn:aws:s3:::b/a")];
        assert!(guard.check(Principal::Ci, &delete).is_ok());
        guard.enforce(Principal::Ci, POLICY).unwrap();
        let denied = guard.check(Principal::Ci, &delete).unwrap_err();
        assert_eq!(
            denied.words("arn:aws:iam::1:user/ci"),
            "User: arn:aws:iam::1:user/ci is not authorized to perform: s3:DeleteObject on resource: arn:aws:s3:::b/a because no \
             identity-based policy allows the s3:DeleteObject action"
        );
        assert!(
            guard.check(Principal::Instances, &delete).is_ok(),
            "the other principal has no policy"
        );
    }

    #[test]
    fn a_grant_that_nobody_needs_is_told() {
        let guard = Guard::default();
        guard.enforce(Principal::Ci, POLICY).unwrap();
        assert!(
            guard
                .check(
                    Principal::Ci,
                    &[Request::new("s3:GetObject", "arn:aws:s3:::b/a")]
                )
                .is_ok()
        );
        let unused = guard.unused(Principal::Ci);
        assert_eq!(
            unused
                .iter()
                .map(|grant| grant.action.as_str())
                .collect::<Vec<_>>(),
            ["s3:PutObject"]
        );
        assert!(guard.unused(Principal::Instances).is_empty());
    }
}
