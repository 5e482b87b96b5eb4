//! Secrets Manager's GetSecretValue:
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_GetSecretValue.html>.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Content, Entry, SUFFIX, Vault};
use crate::front::{Answer, Backend, Call, Refusal, Service};
use crate::iam::Request;
use crate::locked;
use crate::registry::Registry;

pub(crate) struct Manager {
    registry: Arc<Registry>,
    vault: Vault,
}

impl Manager {
    pub(crate) fn new(registry: Arc<Registry>, vault: Vault) -> Manager {
        Manager { registry, vault }
    }

    fn respond(&self, call: &Call) -> Result<Value, Refusal> {
        self.registry.caller(call)?;
        if super::operation(call) != "GetSecretValue" {
            return Err(super::unknown(&super::operation(call)));
        }
        let missing = || {
            Refusal::new(
                400,
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            )
        };
        let (name, entry) = self.find(&asked(call)).ok_or_else(missing)?;
        let mut described = json!({ "ARN": self.arn(&name), "Name": name, "VersionId": "8d5e2f3a-0000-4000-8000-000000000053" });
        match entry.value {
            Content::Text(text) => described["SecretString"] = text.into(),
            Content::Bytes(base64) => described["SecretBinary"] = base64.into(),
        }
        Ok(described)
    }

    /// By its name or its ARN.
    fn find(&self, id: &str) -> Option<(String, Entry)> {
        let kept = locked(&self.vault.0);
        let named = kept
            .secrets
            .iter()
            .find(|(name, _)| *name == id || self.arn(name) == id);
        named.map(|(name, entry)| (name.clone(), entry.clone()))
    }

    fn arn(&self, name: &str) -> String {
        format!(
            "arn:aws:secretsmanager:{}:{}:secret:{name}-{SUFFIX}",
            self.registry.region, self.registry.account
        )
    }
}

fn asked(call: &Call) -> String {
    super::body(call)["SecretId"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

impl Backend for Manager {
    const SERVICE: Service = Service::SecretsManager;

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

    /// A secret that does not exist has no ARN: it is then judged by what the caller called it, and
    /// so denied to who may not read all of them.
    fn permissions(&self, call: &Call) -> Vec<Request> {
        let action = format!("secretsmanager:{}", super::operation(call));
        let Some((name, entry)) = self.find(&asked(call)) else {
            return vec![Request::new(action, asked(call))];
        };
        let arn = self.arn(&name);
        let opened = entry.decryption(&self.registry, "secretsmanager", ("SecretARN", &arn));
        [Request::new(action, arn)]
            .into_iter()
            .chain(opened)
            .collect()
    }

    async fn answer(&self, call: Call) -> Answer {
        super::answered(self.respond(&call))
    }
}
