//! Secrets of others' keeping: parameters of SSM, and Secrets Manager. Only reads. A value prints
//! as nothing, and no error repeats one (invariant I7 of docs/ARCHITECTURE.md).
//!
//! What a secret is for, and which text its place can take, is the caller's to say.

mod manager;
mod parameters;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use aws_config::SdkConfig;
use futures_util::future;

use super::Error;
use super::calls::Count;
use crate::config::SecretRef;

/// What Secrets Manager keeps at most; a parameter has up to 8 KiB.
const LARGEST: usize = 64 << 10;

/// The clients of Parameter Store and Secrets Manager in one region.
#[derive(Debug, Clone)]
pub struct SecretStores {
    ssm: aws_sdk_ssm::Client,
    manager: aws_sdk_secretsmanager::Client,
    region: String,
}

/// A secret's value, which prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// What became of each secret that was asked for.
pub type Answers = BTreeMap<SecretRef, Result<Secret, Error>>;

impl SecretStores {
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            ssm: aws_sdk_ssm::Client::from_conf(
                aws_sdk_ssm::config::Builder::from(config)
                    .interceptor(Count)
                    .build(),
            ),
            manager: aws_sdk_secretsmanager::Client::from_conf(
                aws_sdk_secretsmanager::config::Builder::from(config)
                    .interceptor(Count)
                    .build(),
            ),
            region: config.region().map(ToString::to_string).unwrap_or_default(),
        }
    }

    /// All at once; one that cannot be read says why, and keeps the others from nothing.
    pub async fn read(&self, wanted: impl IntoIterator<Item = &SecretRef>) -> Answers {
        let (mut names, mut keys) = (
            BTreeSet::new(),
            BTreeMap::<&str, BTreeSet<Option<&str>>>::new(),
        );
        for place in wanted {
            match place {
                SecretRef::Parameter(name) => {
                    names.insert(name.as_str());
                }
                SecretRef::Secret { id, key } => {
                    keys.entry(id).or_default().insert(key.as_deref());
                }
            }
        }
        let (mut parameters, secrets) =
            future::join(self.parameters(&names), self.secrets(&keys)).await;
        parameters.extend(secrets);
        parameters
    }
}

impl Secret {
    /// # Errors
    /// It is larger than a secret can be: the end of a sentence about it.
    fn new(value: String) -> Result<Self, String> {
        if value.len() > LARGEST {
            Err(format!("its value is larger than {} KiB", LARGEST >> 10))
        } else {
            Ok(Self(value))
        }
    }

    /// For where it is used: an environment, a key; never a log, an argument or an error.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// For tests of what secrets are given to.
    #[cfg(test)]
    pub fn of(value: &str) -> Self {
        Self(value.to_owned())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Whether it is the key that may not be used, where the secret itself may be read. The services
/// say so in several ways.
fn is_about_the_key(error: &Error) -> bool {
    let message = error.message.to_ascii_lowercase();
    let code = error.code.as_deref().unwrap_or_default();
    (error.is_access_denied() && (message.contains("kms") || message.contains("ciphertext")))
        || matches!(code, "DecryptionFailure" | "InvalidKeyId")
}

/// The same error with a word about the key, where that is the cause.
fn about_the_key(error: Error, service: &str, region: &str) -> Error {
    if !is_about_the_key(&error) {
        return error;
    }
    let hint = format!(
        "allow kms:Decrypt on its customer key, for use through {service}.{region}.amazonaws.com; the key's own policy must let it too"
    );
    Error {
        hint: Some(hint),
        ..error
    }
}

#[cfg(test)]
mod suite;
