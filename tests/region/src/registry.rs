//! Who is in the region: its instances with their state, and whose credentials are whose.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use time::OffsetDateTime;

use crate::elastic::{Addresses, Numbering};
use crate::front::{Call, Refusal};
use crate::instance::{InstanceSpec, State};
use crate::locked;

/// What the ARNs of CloudFront's distributions begin with.
pub(crate) const DISTRIBUTIONS: &str = "arn:aws:cloudfront:";

/// An access key with its secret, and the session token of a temporary one.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) session: Option<String>,
}

impl Credentials {
    fn new(prefix: &str, session: bool) -> Credentials {
        let access_key = format!("{prefix}{}", unique(16).to_uppercase());
        Credentials {
            access_key,
            secret: unique(40),
            session: session.then(|| unique(120)),
        }
    }
}

/// Whose an access key is.
#[derive(Clone)]
struct Holder {
    credentials: Credentials,
    arn: String,
    expires: Option<OffsetDateTime>,
    machine: Option<Arc<Machine>>,
}

/// What is wrong with the session token of a signed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    Invalid,
    Expired,
}

/// A launched instance.
pub(crate) struct Machine {
    pub(crate) spec: InstanceSpec,
    /// What its identity document tells as its launch; EC2 tells the spec's.
    pub(crate) pending: OffsetDateTime,
    /// From when on its tags are told.
    tags_from: Instant,
    pub(crate) credentials: Credentials,
    pub(crate) now: Mutex<Situation>,
}

impl Machine {
    /// Whether EC2 and the metadata tell its tags by now.
    pub(crate) fn tells_tags(&self) -> bool {
        Instant::now() >= self.tags_from
    }

    /// The tags that EC2 tells by now.
    pub(crate) fn told_tags(&self) -> BTreeMap<String, String> {
        if self.tells_tags() {
            locked(&self.now).tags.clone()
        } else {
            BTreeMap::new()
        }
    }
}

/// How far what is told of a launch lags behind it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LaunchLags {
    pub(crate) tags: Duration,
    pub(crate) pending: Duration,
}

/// What changes in an instance's life.
#[derive(Clone, Debug)]
pub(crate) struct Situation {
    pub(crate) state: State,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) interruption: Option<OffsetDateTime>,
    pub(crate) rebalance: Option<OffsetDateTime>,
    pub(crate) numbering: Numbering,
    /// Metadata tokens issued before this are no longer good.
    pub(crate) tokens_since: Instant,
}

pub(crate) struct Registry {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) ci: Credentials,
    pub(crate) addresses: Addresses,
    /// Of instances that are launched from then on.
    pub(crate) lags: Mutex<LaunchLags>,
    machines: Mutex<BTreeMap<String, Arc<Machine>>>,
    /// Of users, roles and sessions.
    issued: Mutex<Vec<Holder>>,
    tokens: Mutex<Vec<String>>,
}

pub(crate) enum Caller {
    /// CI, and every other caller that is no instance.
    Ci,
    /// A distribution of CloudFront, which no policy of a role speaks of.
    Distribution,
    Instance(Arc<Machine>),
}

impl Registry {
    pub(crate) fn new(region: &str, account: &str) -> Registry {
        let ci = Credentials::new("AKIA", false);
        let (region, account) = (region.to_owned(), account.to_owned());
        let (machines, issued, tokens) = (Mutex::default(), Mutex::default(), Mutex::default());
        Registry {
            region,
            account,
            ci,
            addresses: Addresses::default(),
            lags: Mutex::default(),
            machines,
            issued,
            tokens,
        }
    }

    pub(crate) fn launch(&self, spec: InstanceSpec, state: State) -> Result<Arc<Machine>> {
        if spec.tags_in_metadata
            && let Some(key) = spec.tags.keys().find(|key| !fits_metadata(key))
        {
            bail!(
                "'{key}' is not a valid tag key. Tag keys must match pattern ([0-9a-zA-Z\\-_+=,.@:]{{1,255}}), and must not be a reserved name \
                 ('.', '..', '_index')"
            );
        }
        let mut machines = locked(&self.machines);
        if machines.contains_key(&spec.id) {
            bail!("launching {}: an instance with this id exists", spec.id);
        }
        let now = Situation {
            state,
            tags: spec.tags.clone(),
            interruption: None,
            rebalance: None,
            numbering: Numbering::new(spec.public_ipv4),
            tokens_since: Instant::now(),
        };
        let lags = *locked(&self.lags);
        let machine = Arc::new(Machine {
            pending: spec.launched + lags.pending,
            tags_from: Instant::now() + lags.tags,
            credentials: Credentials::new("ASIA", true),
            now: Mutex::new(now),
            spec,
        });
        machines.insert(machine.spec.id.clone(), machine.clone());
        Ok(machine)
    }

    pub(crate) fn machines(&self) -> Vec<Arc<Machine>> {
        locked(&self.machines).values().cloned().collect()
    }

    pub(crate) fn machine(&self, id: &str) -> Option<Arc<Machine>> {
        locked(&self.machines).get(id).cloned()
    }

    pub(crate) fn at(&self, peer: IpAddr) -> Option<Arc<Machine>> {
        let peer = peer.to_canonical();
        locked(&self.machines)
            .values()
            .find(|machine| machine.spec.peer == Some(peer))
            .cloned()
    }

    /// Gives somebody an access key: a temporary one, with a session token, where it expires.
    pub(crate) fn issue(
        &self,
        prefix: &str,
        arn: String,
        expires: Option<OffsetDateTime>,
    ) -> Credentials {
        let credentials = Credentials::new(prefix, expires.is_some());
        locked(&self.issued).push(Holder {
            credentials: credentials.clone(),
            arn,
            expires,
            machine: None,
        });
        credentials
    }

    pub(crate) fn credentials(&self, access_key: &str) -> Option<Credentials> {
        self.holder(access_key).map(|holder| holder.credentials)
    }

    fn holder(&self, access_key: &str) -> Option<Holder> {
        if access_key == self.ci.access_key {
            let arn = format!("arn:aws:iam::{}:user/ci", self.account);
            return Some(Holder {
                credentials: self.ci.clone(),
                arn,
                expires: None,
                machine: None,
            });
        }
        if let Some(machine) = self.owner(access_key) {
            let arn = format!(
                "arn:aws:sts::{}:assumed-role/instance/{}",
                self.account, machine.spec.id
            );
            return Some(Holder {
                credentials: machine.credentials.clone(),
                arn,
                expires: None,
                machine: Some(machine),
            });
        }
        locked(&self.issued)
            .iter()
            .find(|holder| holder.credentials.access_key == access_key)
            .cloned()
    }

    fn owner(&self, access_key: &str) -> Option<Arc<Machine>> {
        locked(&self.machines)
            .values()
            .find(|machine| machine.credentials.access_key == access_key)
            .cloned()
    }

    /// The ARN of whoever signed the call.
    pub(crate) fn signer(&self, call: &Call) -> Option<String> {
        self.holder(access_key(call)?).map(|holder| holder.arn)
    }

    /// What is wrong with the session token of a call that a known key signed.
    pub(crate) fn token_fault(&self, call: &Call) -> Option<TokenFault> {
        let holder = self.holder(access_key(call)?)?;
        if holder.credentials.session.as_deref() != call.header("x-amz-security-token") {
            return Some(TokenFault::Invalid);
        }
        holder
            .expires
            .is_some_and(|at| at <= OffsetDateTime::now_utc())
            .then_some(TokenFault::Expired)
    }

    /// The instance whose credentials signed the call, or else the one at its address.
    pub(crate) fn instance_of(&self, call: &Call) -> Option<String> {
        self.caller_machine(call)
            .map(|machine| machine.spec.id.clone())
    }

    pub(crate) fn caller_machine(&self, call: &Call) -> Option<Arc<Machine>> {
        let signed = access_key(call).and_then(|key| self.owner(key));
        signed.or_else(|| self.at(call.peer.ip()))
    }

    /// Tells who signed, without checking the signature itself; refused as IAM words it.
    pub(crate) fn caller(&self, call: &Call) -> Result<Caller, Refusal> {
        let Some(key) = access_key(call) else {
            return Err(Refusal::new(
                403,
                "MissingAuthenticationToken",
                "Missing Authentication Token",
            ));
        };
        match (self.holder(key), self.token_fault(call)) {
            (Some(holder), None) if holder.arn.starts_with(DISTRIBUTIONS) => {
                Ok(Caller::Distribution)
            }
            (Some(holder), None) => Ok(holder.machine.map_or(Caller::Ci, Caller::Instance)),
            (_, Some(TokenFault::Expired)) => Err(Refusal::new(
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            )),
            _ => Err(Refusal::new(
                403,
                "InvalidClientTokenId",
                "The security token included in the request is invalid.",
            )),
        }
    }

    /// The caller, as IAM names it in a refusal.
    pub(crate) fn arn_of(&self, call: &Call) -> String {
        self.signer(call)
            .unwrap_or_else(|| format!("arn:aws:iam::{}:user/ci", self.account))
    }

    pub(crate) fn issued_token(&self, token: &str) {
        locked(&self.tokens).push(token.to_owned());
    }

    /// Everything that must stand in no log.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let machines = self.machines();
        let roles = machines.iter().map(|machine| machine.credentials.clone());
        let issued: Vec<Credentials> = locked(&self.issued)
            .iter()
            .map(|holder| holder.credentials.clone())
            .collect();
        let keys = roles
            .chain(issued)
            .chain([self.ci.clone()])
            .flat_map(|credentials| [Some(credentials.secret), credentials.session])
            .flatten();
        keys.chain(locked(&self.tokens).clone()).collect()
    }
}

/// Whether the metadata can show a tag of this key; where they are to show tags, no instance is
/// launched with another ("View tags for your EC2 instances using instance metadata").
fn fits_metadata(key: &str) -> bool {
    let is_reserved = ["", ".", "..", "_index"].contains(&key);
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_+=,.@:".contains(letter);
    !is_reserved && key.len() <= 255 && key.chars().all(fits)
}

/// `AWS4-HMAC-SHA256 Credential=AKIA…/20261101/…`
fn access_key(call: &Call) -> Option<&str> {
    let (_, after) = call.header("authorization")?.split_once("Credential=")?;
    after.split_once('/').map(|(key, _)| key)
}

/// So many letters and digits that no other call gives; not a secret worth the name, but nothing
/// here guards anything.
pub(crate) fn unique(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&format!(
            "{:016x}",
            RandomState::new().build_hasher().finish()
        ));
    }
    text.truncate(length);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_instances_never_share_an_id_or_credentials() {
        let registry = Registry::new("ap-southeast-2", "123456789012");
        let first = registry
            .launch(InstanceSpec::new("i-1"), State::Running)
            .unwrap();
        let second = registry
            .launch(InstanceSpec::new("i-2"), State::Running)
            .unwrap();
        assert_ne!(first.credentials.access_key, second.credentials.access_key);
        assert!(
            registry
                .launch(InstanceSpec::new("i-1"), State::Running)
                .is_err()
        );
    }

    #[test]
    fn a_tag_whose_key_metadata_cannot_show_lets_no_instance_come_up() {
        let registry = Registry::new("ap-southeast-2", "123456789012");
        let launch = |spec: InstanceSpec| registry.launch(spec, State::Running).map(|_| ());
        for key in ["Cost Center", "kubernetes.io/cluster", "_index", "Straße"] {
            let error = launch(InstanceSpec::new("i-1").tag(key, "x")).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with(&format!("'{key}' is not a valid tag key. ")),
                "{error}"
            );
        }
        let mut hidden = InstanceSpec::new("i-1").tag("Cost Center", "x");
        hidden.tags_in_metadata = false;
        assert!(launch(hidden).is_ok());
        assert!(launch(InstanceSpec::new("i-2").tag("aws:ec2:fleet-id", "x")).is_ok());
    }

    #[test]
    fn every_secret_is_told() {
        let registry = Registry::new("ap-southeast-2", "123456789012");
        let machine = registry
            .launch(InstanceSpec::new("i-1"), State::Running)
            .unwrap();
        registry.issued_token("a-token");
        let secrets = registry.secrets();
        assert!(secrets.contains(&machine.credentials.secret));
        assert!(secrets.contains(machine.credentials.session.as_ref().unwrap()));
        assert!(secrets.contains(&registry.ci.secret));
        assert!(secrets.contains(&"a-token".to_owned()));
    }
}
