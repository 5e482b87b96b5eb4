//! SSM's GetParameters:
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html>.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Entry, Vault};
use crate::front::{Answer, Backend, Call, Refusal, Service};
use crate::iam::Request;
use crate::locked;
use crate::registry::Registry;

const MOST_NAMES: usize = 10;

pub(crate) struct Parameters {
    registry: Arc<Registry>,
    vault: Vault,
}

impl Parameters {
    pub(crate) fn new(registry: Arc<Registry>, vault: Vault) -> Parameters {
        Parameters { registry, vault }
    }

    fn respond(&self, call: &Call) -> Result<Value, Refusal> {
        self.registry.caller(call)?;
        if super::operation(call) != "GetParameters" {
            return Err(super::unknown(&super::operation(call)));
        }
        let (names, decrypts) = asked(call);
        let distinct: BTreeSet<&String> = names.iter().collect();
        if names.is_empty() || names.len() > MOST_NAMES || distinct.len() < names.len() {
            return Err(Refusal::new(
                400,
                "ValidationException",
                "names: 1 to 10, each once",
            ));
        }
        let (found, missing): (Vec<_>, Vec<_>) = names
            .into_iter()
            .map(|name| (self.entry(&name), name))
            .partition(|(entry, _)| entry.is_some());
        let found = found
            .iter()
            .filter_map(|(entry, name)| Some(self.described(name, entry.as_ref()?, decrypts)));
        let missing: Vec<_> = missing.into_iter().map(|(_, name)| name).collect();
        Ok(json!({ "Parameters": found.collect::<Vec<_>>(), "InvalidParameters": missing }))
    }

    fn described(&self, name: &str, entry: &Entry, decrypted: bool) -> Value {
        let value = if decrypted {
            entry.text().cloned().unwrap_or_default()
        } else {
            "AQICAHh-ciphertext".to_owned()
        };
        json!({ "Name": name, "Type": "SecureString", "Value": value, "Version": 1, "ARN": self.arn(name), "DataType": "text" })
    }

    fn entry(&self, name: &str) -> Option<Entry> {
        locked(&self.vault.0).parameters.get(name).cloned()
    }

    fn arn(&self, name: &str) -> String {
        format!(
            "arn:aws:ssm:{}:{}:parameter/{}",
            self.registry.region,
            self.registry.account,
            name.trim_start_matches('/')
        )
    }
}

fn asked(call: &Call) -> (Vec<String>, bool) {
    let body = super::body(call);
    let names = body["Names"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|name| name.as_str().map(str::to_owned));
    (names.collect(), body["WithDecryption"] == true)
}

impl Backend for Parameters {
    const SERVICE: Service = Service::Ssm;

    fn operation(&self, call: &Call) -> String {
        super::operation(call)
    }

    fn instance(&self, call: &Call) -> Option<String> {
        self.registry.instance_of(call)
    }

    fn refuse(&self, _call: &Call, refusal: &Refusal) -> Answer {
        super::refused(refusal)
    }

    fn throttled(&self) -> Refusal {
        super::throttled()
    }

    fn denied(&self, words: String) -> Refusal {
        super::denied(words)
    }

    fn permissions(&self, call: &Call) -> Vec<Request> {
        let (names, decrypts) = asked(call);
        let each = names.iter().flat_map(|name| {
            let arn = self.arn(name);
            let opened = self
                .entry(name)
                .filter(|_| decrypts)
                .and_then(|entry| entry.decryption(&self.registry, "ssm", ("PARAMETER_ARN", &arn)));
            [Request::new(format!("ssm:{}", super::operation(call)), arn)]
                .into_iter()
                .chain(opened)
        });
        each.collect()
    }

    async fn answer(&self, call: Call) -> Answer {
        super::answered(self.respond(&call))
    }
}
