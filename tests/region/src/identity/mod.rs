//! Who may get credentials in the region's account, and how: IAM users with their keys, roles,
//! sessions of IAM Identity Center and of `aws login`. The services that give them are STS, the SSO
//! portal, SSO-OIDC and the sign-in service.

mod dpop;
mod oidc;
mod portal;
mod sessions;
mod sign_in;
mod sts;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::front::{Answer, Call, Refusal, answer};
use crate::iam::TrustPolicy;
use crate::locked;
use crate::registry::{Caller, Credentials, Registry};
pub(crate) use oidc::Oidc;
pub(crate) use portal::Portal;
pub use sessions::{LoginSession, SsoSession};
pub(crate) use sign_in::SignIn;
pub(crate) use sts::Sts;

/// As long as AssumeRole's and a permission set's default.
const ROLE_LASTS: Duration = Duration::hours(1);
/// The sign-in service gives credentials of this length.
const LOGIN_LASTS: Duration = Duration::minutes(15);

/// An access key with its secret, and the session token where it is a temporary one.
#[derive(Clone, Debug)]
pub struct Keys {
    pub access_key: String,
    pub secret: String,
    pub session: Option<String>,
}

impl From<Credentials> for Keys {
    fn from(
        Credentials {
            access_key,
            secret,
            session,
        }: Credentials,
    ) -> Keys {
        Keys {
            access_key,
            secret,
            session,
        }
    }
}

/// Who may assume a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trust {
    /// The account's users and roles.
    Account,
    /// EC2 instances alone.
    Instances,
    /// The bearer of this token of an identity provider's.
    WebIdentity(String),
    /// Whose token of an identity provider's the policy takes.
    Policy(TrustPolicy),
    /// Whoever is signed in to IAM Identity Center.
    Sso,
}

/// The account's users, roles and sessions, for tests to make. Clones share them.
#[derive(Clone)]
pub struct Identities {
    registry: Arc<Registry>,
    known: Arc<Mutex<Known>>,
}

#[derive(Default)]
struct Known {
    roles: BTreeMap<String, Trust>,
    sso: Vec<SsoSession>,
    logins: Vec<LoginSession>,
}

impl Identities {
    pub(crate) fn new(registry: Arc<Registry>) -> Identities {
        Identities {
            registry,
            known: Arc::default(),
        }
    }

    /// An IAM user with a key that does not expire.
    pub fn add_user(&self, name: &str) -> Keys {
        let arn = format!("arn:aws:iam::{}:user/{name}", self.registry.account);
        self.registry.issue("AKIA", arn, None).into()
    }

    /// Returns the role's ARN.
    pub fn add_role(&self, name: &str, trust: Trust) -> String {
        locked(&self.known).roles.insert(name.to_owned(), trust);
        self.role_arn(name)
    }

    fn role_arn(&self, name: &str) -> String {
        format!("arn:aws:iam::{}:role/{name}", self.registry.account)
    }

    /// Credentials of a role that has been found to trust the caller, and the ARN of its session.
    fn assume(&self, role: &str, session: &str) -> (Credentials, String, OffsetDateTime) {
        let arn = format!(
            "arn:aws:sts::{}:assumed-role/{role}/{session}",
            self.registry.account
        );
        let expires = OffsetDateTime::now_utc() + ROLE_LASTS;
        (
            self.registry.issue("ASIA", arn.clone(), Some(expires)),
            arn,
            expires,
        )
    }

    /// Whether the role of that ARN exists and trusts; its name where it does.
    fn trusting(&self, role_arn: &str, trusts: impl Fn(&Trust) -> bool) -> Option<String> {
        let known = locked(&self.known);
        let (name, _) = known
            .roles
            .iter()
            .find(|(name, trust)| self.role_arn(name) == role_arn && trusts(trust))?;
        Some(name.clone())
    }

    fn assumable_by(&self, role_arn: &str, caller: &Caller) -> Option<String> {
        self.trusting(role_arn, |trust| match caller {
            Caller::Instance(_) => [Trust::Account, Trust::Instances].contains(trust),
            Caller::Ci => *trust == Trust::Account,
            Caller::Distribution => false,
        })
    }
}

const JSON: &str = "application/json";

fn body(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap_or_default()
}

/// REST-JSON's refusal: the code stands in a header.
/// <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>
fn refused(refusal: &Refusal, mut content: Value) -> Answer {
    content["message"] = refusal.message.clone().into();
    let mut refused = answer(refusal.status, JSON, content.to_string());
    if let Ok(code) = refusal.code.parse() {
        refused.headers_mut().insert("x-amzn-errortype", code);
    }
    refused
}

fn answered(answered: Result<Value, Refusal>) -> Answer {
    match answered {
        Ok(value) => answer(200, JSON, value.to_string()),
        Err(refusal) => refused(&refusal, json!({})),
    }
}
