//! Where a secret stands, as site.toml names it: `ssm:/path`, `secretsmanager:id` or
//! `secretsmanager:id#json-key`.

use std::fmt;

/// A secret's place, never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretRef {
    /// A parameter of SSM's Parameter Store, by its name.
    Parameter(String),
    /// A secret of Secrets Manager, by its name or ARN; with `key`, one value of the JSON object
    /// that it holds.
    Secret { id: String, key: Option<String> },
}

impl SecretRef {
    /// # Errors
    /// What is wrong with it, as the end of a sentence about it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("ssm", name)) => parameter(name),
            Some(("secretsmanager", rest)) => secret(rest),
            _ => Err("names no secret's place; it begins with ssm: or secretsmanager:, as in \"ssm:/example/token\"".into()),
        }
    }

    /// What a policy has to name, in an account (`*` where it is not known). Behind its name a
    /// secret's ARN has six characters of the service's own.
    pub fn arn(&self, region: &str, account: &str) -> String {
        match self {
            Self::Parameter(name) => format!(
                "arn:aws:ssm:{region}:{account}:parameter/{}",
                name.trim_start_matches('/')
            ),
            Self::Secret { id, .. } if id.starts_with("arn:") => id.clone(),
            Self::Secret { id, .. } => {
                format!("arn:aws:secretsmanager:{region}:{account}:secret:{id}-??????")
            }
        }
    }
}

/// The rules for names of the Systems Manager user guide, "Creating Parameter Store parameters".
fn parameter(name: &str) -> Result<SecretRef, String> {
    const LONGEST: usize = 1011;
    if name.starts_with("arn:") {
        return Err("is a parameter's ARN; write its name, as in \"ssm:/example/token\"".into());
    }
    if name.starts_with("/aws/reference/secretsmanager/") {
        return Err("is a secret of Secrets Manager; write secretsmanager: and its id".into());
    }
    if !fits(name, LONGEST, b"_.-/") {
        return Err(
            "is not a parameter's name (letters, digits and _.-/), as in \"ssm:/example/token\""
                .into(),
        );
    }
    // A policy would see two slashes where the service sees one level.
    if name.ends_with('/') || name.contains("//") {
        return Err("has an empty level between or behind its slashes".into());
    }
    if name.contains('/') && !name.starts_with('/') {
        return Err(format!(
            "is a parameter's path without its first slash; write \"ssm:/{name}\""
        ));
    }
    Ok(SecretRef::Parameter(name.to_owned()))
}

/// The rules for names of Secrets Manager's API reference, CreateSecret; an ARN has colons beside.
fn secret(text: &str) -> Result<SecretRef, String> {
    const LONGEST: usize = 2048;
    let (id, key) = text
        .split_once('#')
        .map_or((text, None), |(id, key)| (id, Some(key)));
    let also: &[u8] = if id.starts_with("arn:") {
        b"/_+=.@-:"
    } else {
        b"/_+=.@-"
    };
    if !fits(id, LONGEST, also) {
        return Err(
            "is not a secret's name or ARN (letters, digits and /_+=.@-), as in \"secretsmanager:example/database#password\"".into()
        );
    }
    if id.starts_with("arn:") && arn_name(id).is_none() {
        return Err("is not a secret's ARN, as in arn:aws:secretsmanager:eu-west-1:123456789012:secret:example-a1b2c3".into());
    }
    match key {
        Some("") => Err(
            "has nothing behind its #; the name of a value of its JSON object stands there".into(),
        ),
        Some(key) if key.chars().any(char::is_control) => {
            Err("has a control character behind its #".into())
        }
        key => Ok(SecretRef::Secret {
            id: id.to_owned(),
            key: key.map(str::to_owned),
        }),
    }
}

fn arn_name(arn: &str) -> Option<&str> {
    let mut parts = arn.splitn(7, ':');
    let service = parts.nth(2)?;
    let kind = parts.nth(2)?;
    let name = parts.next()?;
    (service == "secretsmanager" && kind == "secret" && !name.is_empty()).then_some(name)
}

fn fits(text: &str, longest: usize, also: &[u8]) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "ssm:{name}"),
            Self::Secret { id, key: None } => write!(f, "secretsmanager:{id}"),
            Self::Secret { id, key: Some(key) } => write!(f, "secretsmanager:{id}#{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_written_alike() {
        let arn = "secretsmanager:arn:aws:secretsmanager:eu-west-1:123456789012:secret:site/db-a1b2c3#password";
        for text in [
            "ssm:/site/token",
            "ssm:token",
            "secretsmanager:site/db",
            "secretsmanager:site/db#password",
            arn,
        ] {
            assert_eq!(SecretRef::parse(text).unwrap().to_string(), text);
        }
        let key = SecretRef::parse(arn).unwrap();
        assert!(matches!(key, SecretRef::Secret { key: Some(key), .. } if key == "password"));
    }

    #[test]
    fn what_names_no_secret_is_refused_with_what_to_write() {
        for (bad, hint) in [
            ("hunter2", "begins with ssm: or secretsmanager:"),
            ("ssm:", "is not a parameter's name"),
            ("ssm:a b", "is not a parameter's name"),
            ("ssm:site/token", "write \"ssm:/site/token\""),
            ("ssm:/site//token", "empty level"),
            ("ssm:/site/", "empty level"),
            ("ssm:/site/*", "is not a parameter's name"),
            ("ssm:arn:aws:ssm:eu-west-1:1:parameter/a", "write its name"),
            (
                "ssm:/aws/reference/secretsmanager/a",
                "write secretsmanager:",
            ),
            ("secretsmanager:", "is not a secret's name"),
            ("secretsmanager:a b", "is not a secret's name"),
            ("secretsmanager:a#", "nothing behind its #"),
            (
                "secretsmanager:arn:aws:s3:::bucket",
                "is not a secret's ARN",
            ),
        ] {
            let why = SecretRef::parse(bad).expect_err(bad);
            assert!(why.contains(hint), "{bad}: {why}");
        }
    }
}
