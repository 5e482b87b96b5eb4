//! Who is in the region: its instances with their state, and whose credentials are whose.

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use anyhow::{Result, bail};
use time::OffsetDateTime;

use crate::elastic::{Addresses, Numbering};
use crate::front::{Call, Refusal};
use crate::instance::{InstanceSpec, State};
use crate::locked;

/// An access key with its secret, and the session token of a role's.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) access_key: String,
    pub(crate) secret: String,
    pub(crate) session: Option<String>,
}

impl Credentials {
    fn new(prefix: &str, session: bool) -> Credentials {
        let access_key = format!("{prefix}{}", unique(16).to_uppercase());
        Credentials { access_key, secret: unique(40), session: session.then(|| unique(120)) }
    }
}

/// A launched instance.
pub(crate) struct Machine {
    pub(crate) spec: InstanceSpec,
    pub(crate) credentials: Credentials,
    pub(crate) now: Mutex<Situation>,
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
    pub(crate) tokens_since: std::time::Instant,
}

pub(crate) struct Registry {
    pub(crate) region: String,
    pub(crate) account: String,
    pub(crate) ci: Credentials,
    pub(crate) addresses: Addresses,
    machines: Mutex<BTreeMap<String, Arc<Machine>>>,
    tokens: Mutex<Vec<String>>,
}

pub(crate) enum Caller {
    Ci,
    Instance(Arc<Machine>),
}

impl Registry {
    pub(crate) fn new(region: &str, account: &str) -> Registry {
        let ci = Credentials::new("AKIA", false);
        let (region, account) = (region.to_owned(), account.to_owned());
        Registry { region, account, ci, addresses: Addresses::default(), machines: Mutex::default(), tokens: Mutex::default() }
    }

    pub(crate) fn launch(&self, spec: InstanceSpec, state: State) -> Result<Arc<Machine>> {
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
            tokens_since: std::time::Instant::now(),
        };
        let machine = Arc::new(Machine { credentials: Credentials::new("ASIA", true), now: Mutex::new(now), spec });
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
        locked(&self.machines).values().find(|machine| machine.spec.peer == Some(peer)).cloned()
    }

    pub(crate) fn credentials(&self, access_key: &str) -> Option<Credentials> {
        if access_key == self.ci.access_key {
            return Some(self.ci.clone());
        }
        self.owner(access_key).map(|machine| machine.credentials.clone())
    }

    fn owner(&self, access_key: &str) -> Option<Arc<Machine>> {
        locked(&self.machines).values().find(|machine| machine.credentials.access_key == access_key).cloned()
    }

    /// The instance whose credentials signed the call, or else the one at its address.
    pub(crate) fn instance_of(&self, call: &Call) -> Option<String> {
        self.caller_machine(call).map(|machine| machine.spec.id.clone())
    }

    pub(crate) fn caller_machine(&self, call: &Call) -> Option<Arc<Machine>> {
        let signed = access_key(call).and_then(|key| self.owner(key));
        signed.or_else(|| self.at(call.peer.ip()))
    }

    /// Tells who signed, without checking the signature itself; refused as IAM words it.
    pub(crate) fn caller(&self, call: &Call) -> Result<Caller, Refusal> {
        let Some(key) = access_key(call) else {
            return Err(Refusal::new(403, "MissingAuthenticationToken", "Missing Authentication Token"));
        };
        if key == self.ci.access_key {
            return Ok(Caller::Ci);
        }
        let session = call.header("x-amz-security-token");
        match self.owner(key) {
            Some(machine) if machine.credentials.session.as_deref() == session => Ok(Caller::Instance(machine)),
            _ => Err(Refusal::new(403, "InvalidClientTokenId", "The security token included in the request is invalid.")),
        }
    }

    /// The caller, as IAM names it in a refusal.
    pub(crate) fn arn_of(&self, call: &Call) -> String {
        match self.instance_of(call) {
            Some(id) => format!("arn:aws:sts::{}:assumed-role/instance/{id}", self.account),
            None => format!("arn:aws:iam::{}:user/ci", self.account),
        }
    }

    pub(crate) fn issued_token(&self, token: &str) {
        locked(&self.tokens).push(token.to_owned());
    }

    /// Everything that must stand in no log.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let machines = self.machines();
        let roles = machines.iter().map(|machine| machine.credentials.clone());
        let keys = roles.chain([self.ci.clone()]).flat_map(|credentials| [Some(credentials.secret), credentials.session]).flatten();
        keys.chain(locked(&self.tokens).clone()).collect()
    }
}

/// `AWS4-HMAC-SHA256 Credential=AKIA…/20261101/…`
fn access_key(call: &Call) -> Option<&str> {
    let (_, after) = call.header("authorization")?.split_once("Credential=")?;
    after.split_once('/').map(|(key, _)| key)
}

/// So many letters and digits that no other call gives; not a secret worth the name, but nothing here guards anything.
pub(crate) fn unique(length: usize) -> String {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(&format!("{:016x}", RandomState::new().build_hasher().finish()));
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
        let first = registry.launch(InstanceSpec::new("i-1"), State::Running).unwrap();
        let second = registry.launch(InstanceSpec::new("i-2"), State::Running).unwrap();
        assert_ne!(first.credentials.access_key, second.credentials.access_key);
        assert!(registry.launch(InstanceSpec::new("i-1"), State::Running).is_err());
    }

    #[test]
    fn every_secret_is_told() {
        let registry = Registry::new("ap-southeast-2", "123456789012");
        let machine = registry.launch(InstanceSpec::new("i-1"), State::Running).unwrap();
        registry.issued_token("a-token");
        let secrets = registry.secrets();
        assert!(secrets.contains(&machine.credentials.secret));
        assert!(secrets.contains(machine.credentials.session.as_ref().unwrap()));
        assert!(secrets.contains(&registry.ci.secret));
        assert!(secrets.contains(&"a-token".to_owned()));
    }
}
