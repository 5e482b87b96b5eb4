//! Secrets Manager, whose secrets are text, as a rule a JSON object.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::super::Error;
use super::super::error::Doing;
use super::{Answers, Secret, SecretStores, about_the_key};
use crate::config::SecretRef;

const ACTION: &str = "secretsmanager:GetSecretValue";
const AT_ONCE: usize = 4;

impl SecretStores {
    /// By their ids, each with what is wanted of it: the whole of it, or values of its object.
    pub(super) async fn secrets(&self, wanted: &BTreeMap<&str, BTreeSet<Option<&str>>>) -> Answers {
        let each = stream::iter(wanted).map(async |(&id, keys)| {
            let (doing, text) = (self.doing_secret(id), self.secret(id).await);
            let found = |key: Option<&str>| {
                text.clone()
                    .and_then(|text| part(text, key).map_err(|why| doing.wrong(why)))
            };
            let place = |key: Option<&str>| SecretRef::Secret {
                id: id.to_owned(),
                key: key.map(str::to_owned),
            };
            keys.iter()
                .map(|key| (place(*key), found(*key)))
                .collect::<Vec<_>>()
        });
        each.buffer_unordered(AT_ONCE)
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    async fn secret(&self, id: &str) -> Result<String, Error> {
        let doing = self.doing_secret(id);
        match self.manager.get_secret_value().secret_id(id).send().await {
            Ok(answer) => answer
                .secret_string
                .ok_or_else(|| doing.wrong("it holds bytes; store text instead")),
            Err(error) => match about_the_key(doing.failed(&error), "secretsmanager", &self.region)
            {
                error if error.code.as_deref() == Some("ResourceNotFoundException") => {
                    let hint = format!(
                        "create it, as in: aws secretsmanager create-secret --name {id} --secret-string …; or correct site.toml"
                    );
                    Err(Error {
                        hint: Some(hint),
                        message: format!("there is no such secret in {}", self.region),
                        ..error
                    })
                }
                // Who may not read all of them is not told which ones there are.
                error
                    if error.is_access_denied()
                        && error
                            .hint
                            .as_ref()
                            .is_some_and(|hint| hint.contains(ACTION)) =>
                {
                    Err(Error {
                        hint: error.hint.map(|hint| {
                            format!("{hint}; a secret that does not exist is denied too")
                        }),
                        ..error
                    })
                }
                error => Err(error),
            },
        }
    }

    fn doing_secret(&self, id: &str) -> Doing {
        let place = SecretRef::Secret {
            id: id.to_owned(),
            key: None,
        };
        Doing::new(format!("reading the secret {id}")).needing(ACTION, place.arn(&self.region, "*"))
    }
}

/// The whole text, or one value of the object that it is. What is wrong never repeats any of it.
fn part(text: String, key: Option<&str>) -> Result<Secret, String> {
    let Some(key) = key else {
        return Secret::new(text);
    };
    let Ok(Value::Object(mut object)) = serde_json::from_str(&text) else {
        return Err(format!(
            "it is no JSON object, so it has no value {key:?}; leave out #{key}"
        ));
    };
    match object.remove(key) {
        Some(Value::String(value)) => Secret::new(value),
        // The databases' own secrets have their port as a number.
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Secret::new(value.to_string()),
        Some(_) => Err(format!(
            "its value {key:?} is neither text, a number, true nor false"
        )),
        None => Err(format!("its JSON object has no value {key:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_from_the_object_and_an_error_repeats_nothing_of_it() {
        let text = r#"{"password": "hunter2", "port": 5432, "ssl": true, "hosts": ["hunter2"]}"#;
        let part = |key: Option<&str>| part(text.to_owned(), key);
        assert_eq!(part(None), Ok(Secret::of(text)));
        assert_eq!(part(Some("password")), Ok(Secret::of("hunter2")));
        assert_eq!(
            (part(Some("port")), part(Some("ssl"))),
            (Ok(Secret::of("5432")), Ok(Secret::of("true")))
        );
        for key in ["hosts", "user"] {
            let why = part(Some(key)).unwrap_err();
            assert!(why.contains(key) && !why.contains("hunter2"), "{why}");
        }
        let why = super::part("hunter2".into(), Some("password")).unwrap_err();
        assert!(
            why.contains("no JSON object") && !why.contains("hunter2"),
            "{why}"
        );
    }
}
