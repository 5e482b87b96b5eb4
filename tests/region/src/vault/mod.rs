//! What SSM's Parameter Store and Secrets Manager keep, for tests to fill; each speaks AWS' JSON
//! protocol.
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

mod manager;
mod parameters;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::front::{Answer, Call, Refusal, answer};
use crate::iam::Request;
use crate::locked;
use crate::registry::Registry;

pub(crate) use manager::Manager;
pub(crate) use parameters::Parameters;

const CONTENT_TYPE: &str = "application/x-amz-json-1.1";
/// What Secrets Manager puts behind each name.
const SUFFIX: &str = "a1B2c3";

/// The keeper of secrets: both services' values. Clones keep the same ones.
#[derive(Clone, Default)]
pub struct Vault(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    parameters: BTreeMap<String, Entry>,
    secrets: BTreeMap<String, Entry>,
}

#[derive(Clone)]
struct Entry {
    value: Content,
    /// A customer's key of KMS; none is the service's own, which everybody in the account may use
    /// through it.
    key: Option<String>,
}

#[derive(Clone)]
enum Content {
    Text(String),
    Bytes(String),
}

impl Vault {
    /// A SecureString.
    pub fn put_parameter(&self, name: &str, value: &str) {
        self.keep(
            |kept| &mut kept.parameters,
            name,
            Content::Text(value.to_owned()),
            None,
        );
    }

    pub fn remove_parameter(&self, name: &str) {
        locked(&self.0).parameters.remove(name);
    }

    /// A SecureString under a customer's key, by the key's id.
    pub fn put_parameter_under_key(&self, name: &str, value: &str, key: &str) {
        self.keep(
            |kept| &mut kept.parameters,
            name,
            Content::Text(value.to_owned()),
            Some(key),
        );
    }

    pub fn put_secret(&self, id: &str, text: &str) {
        self.keep(
            |kept| &mut kept.secrets,
            id,
            Content::Text(text.to_owned()),
            None,
        );
    }

    pub fn put_secret_under_key(&self, id: &str, text: &str, key: &str) {
        self.keep(
            |kept| &mut kept.secrets,
            id,
            Content::Text(text.to_owned()),
            Some(key),
        );
    }

    /// A secret that is no text; `base64` is what the service answers.
    pub fn put_binary_secret(&self, id: &str, base64: &str) {
        self.keep(
            |kept| &mut kept.secrets,
            id,
            Content::Bytes(base64.to_owned()),
            None,
        );
    }

    fn keep(
        &self,
        of: impl Fn(&mut Kept) -> &mut BTreeMap<String, Entry>,
        name: &str,
        value: Content,
        key: Option<&str>,
    ) {
        of(&mut locked(&self.0)).insert(
            name.to_owned(),
            Entry {
                value,
                key: key.map(str::to_owned),
            },
        );
    }

    /// Every value, for the search where none may stand. Of a JSON object each of its values by
    /// itself too.
    pub(crate) fn values(&self) -> Vec<String> {
        let kept = locked(&self.0);
        let whole: Vec<String> = kept
            .parameters
            .values()
            .chain(kept.secrets.values())
            .filter_map(|entry| entry.text().cloned())
            .collect();
        let objects = whole
            .iter()
            .filter_map(|text| serde_json::from_str::<BTreeMap<String, Value>>(text).ok());
        let parts: Vec<String> = objects
            .flat_map(BTreeMap::into_values)
            .filter_map(|value| value.as_str().map(str::to_owned))
            .collect();
        whole.into_iter().chain(parts).collect()
    }
}

impl Entry {
    fn text(&self) -> Option<&String> {
        match &self.value {
            Content::Text(text) => Some(text),
            Content::Bytes(_) => None,
        }
    }

    /// What a customer's key asks of the caller beside; `subject` is what the service binds the
    /// value to.
    fn decryption(
        &self,
        registry: &Registry,
        service: &str,
        subject: (&str, &str),
    ) -> Option<Request> {
        let (region, account) = (&registry.region, &registry.account);
        let request = Request::new(
            "kms:Decrypt",
            format!("arn:aws:kms:{region}:{account}:key/{}", self.key.as_ref()?),
        );
        let request = request.with(
            "kms:ViaService",
            [format!("{service}.{region}.amazonaws.com")],
        );
        Some(request.with(format!("kms:EncryptionContext:{}", subject.0), [subject.1]))
    }
}

/// The operation behind the dot of `X-Amz-Target`.
fn operation(call: &Call) -> String {
    call.header("x-amz-target")
        .and_then(|target| target.rsplit_once('.'))
        .map_or("Unknown", |(_, name)| name)
        .to_owned()
}

fn body(call: &Call) -> Value {
    serde_json::from_slice(&call.body).unwrap_or_default()
}

fn answered(answered: Result<Value, Refusal>) -> Answer {
    match answered {
        Ok(value) => answer(200, CONTENT_TYPE, value.to_string()),
        Err(refusal) => refused(&refusal),
    }
}

fn refused(refusal: &Refusal) -> Answer {
    answer(
        refusal.status,
        CONTENT_TYPE,
        json!({ "__type": refusal.code, "message": refusal.message }).to_string(),
    )
}

fn denied(words: String) -> Refusal {
    Refusal::new(400, "AccessDeniedException", words)
}

fn throttled() -> Refusal {
    Refusal::new(400, "ThrottlingException", "Rate exceeded")
}

fn unknown(operation: &str) -> Refusal {
    Refusal::new(
        400,
        "UnknownOperationException",
        format!("{operation} is not known here"),
    )
}
