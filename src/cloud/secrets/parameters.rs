//! Parameters of SSM's Parameter Store.

use std::collections::BTreeSet;

use aws_sdk_ssm::types::Parameter;
use futures_util::{StreamExt, stream};

use super::super::Error;
use super::super::error::Doing;
use super::{Answers, Secret, SecretStores, about_the_key};
use crate::config::SecretRef;

/// As many names as one call takes (API reference, GetParameters).
const BATCH: usize = 10;
/// Calls under way at once; an account may send 40 a second.
const AT_ONCE: usize = 4;

impl SecretStores {
    pub(super) async fn parameters(&self, names: &BTreeSet<&str>) -> Answers {
        let names: Vec<&str> = names.iter().copied().collect();
        let batches = stream::iter(names.chunks(BATCH))
            .map(|batch| self.batch(batch))
            .buffer_unordered(AT_ONCE);
        batches
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    async fn batch(&self, names: &[&str]) -> Answers {
        let answers = self.one_call(names).await;
        let refused = |answer: &Result<Secret, Error>| {
            answer
                .as_ref()
                .is_err_and(|error| error.code.is_some() && !error.is_throttled())
        };
        if names.len() == 1 || !answers.values().all(refused) {
            return answers;
        }
        // One name that is not allowed, or whose key is not, fails all of its call: which one it is
        // only shows one by one.
        let singly = stream::iter(names)
            .map(|name| self.one_call(std::slice::from_ref(name)))
            .buffer_unordered(AT_ONCE);
        singly
            .collect::<Vec<_>>()
            .await
            .into_iter()
            .flatten()
            .collect()
    }

    async fn one_call(&self, names: &[&str]) -> Answers {
        let request = self
            .ssm
            .get_parameters()
            .set_names(Some(names.iter().map(ToString::to_string).collect()))
            .with_decryption(true);
        let answer = request.send().await;
        let found = |name: &str, doing: &Doing| match &answer {
            Err(error) => Err(about_the_key(doing.failed(error), "ssm", &self.region)),
            Ok(answer) => value(answer.parameters(), name, doing, &self.region),
        };
        let each = names.iter().map(|name| {
            (
                SecretRef::Parameter((*name).to_owned()),
                found(name, &self.doing(name)),
            )
        });
        each.collect()
    }

    fn doing(&self, name: &str) -> Doing {
        let place = SecretRef::Parameter(name.to_owned());
        Doing::new(format!("reading the parameter {name}"))
            .needing("ssm:GetParameters", place.arn(&self.region, "*"))
    }
}

fn value(
    parameters: &[Parameter],
    name: &str,
    doing: &Doing,
    region: &str,
) -> Result<Secret, Error> {
    let Some(value) = parameters
        .iter()
        .find(|parameter| parameter.name() == Some(name))
        .and_then(Parameter::value)
    else {
        let hint = format!(
            "create it, as in: aws ssm put-parameter --type SecureString --name {name} --value …; or correct site.toml"
        );
        return Err(doing.wrong_with_hint(format!("there is no such parameter in {region}"), hint));
    };
    Secret::new(value.to_owned()).map_err(|why| doing.wrong(why))
}
