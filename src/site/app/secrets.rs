//! The site's secrets as variables of its app: from what their keepers answered to what an
//! environment can take.

use std::collections::BTreeMap;

use anyhow::{anyhow, bail};

use crate::cloud::secrets::{Answers, Secret};
use crate::config::SecretRef;

/// By their variables' names.
pub type Secrets = BTreeMap<String, Secret>;

/// All of them together: with arguments and the rest they have to fit into what execve(2) takes, 2
/// MiB as a rule.
const ALL: usize = 1 << 20;

/// One variable's secret, or why it cannot be had.
pub fn secret_for(place: &SecretRef, answers: &Answers) -> anyhow::Result<Secret> {
    let answer = answers
        .get(place)
        .cloned()
        .unwrap_or_else(|| panic!("{place} was not asked for"));
    let secret = answer?;
    // What systemd takes in an environment (systemd.exec(5), "EnvironmentFile="), and execve(2)
    // anywhere.
    if secret
        .reveal()
        .chars()
        .any(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        bail!(
            "reading {place}: its value holds a control character other than a line break or a tab, and no environment takes that; store it in base64, say"
        );
    }
    Ok(secret)
}

/// All of them, or all that is wrong with them.
///
/// # Errors
/// For each that cannot be had its variable, its place, and what to do; never a value.
pub fn secrets_for(
    wanted: &BTreeMap<String, SecretRef>,
    answers: &Answers,
) -> anyhow::Result<Secrets> {
    let (mut secrets, mut wrong) = (Secrets::new(), Vec::new());
    for (name, place) in wanted {
        match secret_for(place, answers) {
            Ok(secret) => drop(secrets.insert(name.clone(), secret)),
            Err(error) => wrong.push(format!("{name}: {error:#}")),
        }
    }
    match wrong.as_slice() {
        [] if secrets
            .values()
            .map(|secret| secret.reveal().len())
            .sum::<usize>()
            > ALL =>
        {
            bail!(
                "the secrets in [app.secrets] are larger than {} KiB together, and no environment takes that",
                ALL >> 10
            )
        }
        [] => Ok(secrets),
        [one] => Err(anyhow!("{one}")),
        all => Err(anyhow!(
            "{} secrets cannot be had:\n  {}",
            all.len(),
            all.join("\n  ")
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(values: &[(&str, &str)]) -> (BTreeMap<String, SecretRef>, Answers) {
        let place = |name: &str| SecretRef::Parameter(format!("/site/{name}"));
        let wanted = values
            .iter()
            .map(|(name, _)| ((*name).to_owned(), place(name)))
            .collect();
        (
            wanted,
            values
                .iter()
                .map(|(name, value)| (place(name), Ok(Secret::of(value))))
                .collect(),
        )
    }

    #[test]
    fn each_variable_gets_the_value_of_its_place() {
        let (wanted, answers) = given(&[("KEY", "-----BEGIN\nabc\n"), ("TOKEN", "t\"$`\\ ü")]);
        let secrets = secrets_for(&wanted, &answers).unwrap();
        assert_eq!(
            (secrets["KEY"].reveal(), secrets["TOKEN"].reveal()),
            ("-----BEGIN\nabc\n", "t\"$`\\ ü")
        );
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_and_no_value_with_it() {
        let (wanted, answers) = given(&[("A", "hunter\0two"), ("B", "fine"), ("C", "hunter\r\n")]);
        let error = format!("{:#}", secrets_for(&wanted, &answers).unwrap_err());
        assert!(
            error.starts_with("2 secrets cannot be had:\n  A: reading ssm:/site/A: "),
            "{error}"
        );
        assert!(
            error.contains("\n  C: reading ssm:/site/C: ")
                && !error.contains("hunter")
                && !error.contains("B:"),
            "{error}"
        );
    }

    #[test]
    fn what_no_environment_takes_is_refused_before_the_app_starts() {
        let large = "x".repeat(64 << 10);
        let values: Vec<(String, &str)> = (0..17)
            .map(|number| (format!("N{number}"), large.as_str()))
            .collect();
        let (wanted, answers) = given(
            &values
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .collect::<Vec<_>>(),
        );
        assert!(
            secrets_for(&wanted, &answers)
                .unwrap_err()
                .to_string()
                .contains("larger than 1024 KiB together")
        );
    }
}
