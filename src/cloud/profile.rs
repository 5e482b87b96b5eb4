//! The profile that the environment selects in the AWS tools' own files: its region, and where its
//! credentials come from.

use std::fmt;

use aws_config::profile::{self, ProfileSet};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};

use super::Error;
use super::error::innermost;
use super::no_credentials::NoCredentials;

/// A profile as far as its files say it: nothing was asked of anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    pub(super) name: String,
    /// Whether `AWS_PROFILE` names it.
    pub(super) named: bool,
    pub region: Option<String>,
    pub(super) source: CredentialSource,
    /// The role that is assumed with the source's credentials.
    pub(super) role: Option<String>,
}

/// Where credentials come from. Each names the profile that says so, which is another one where a
/// role is assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum CredentialSource {
    /// IAM Identity Center.
    Sso(String),
    /// `aws login`.
    Login(String),
    /// A program.
    Process(String),
    Other,
}

impl Profile {
    /// The one that `AWS_PROFILE` names, else `default`, which need not exist.
    ///
    /// # Errors
    /// There is none of the name that `AWS_PROFILE` gives, or the files are no profile files.
    pub async fn selected() -> Result<Self, Error> {
        Self::selected_in(&Fs::real(), &Env::real())
            .await
            .map_err(Error::from)
    }

    pub(super) async fn selected_in(fs: &Fs, env: &Env) -> Result<Self, NoCredentials> {
        let set = profile::load(fs, env, &EnvConfigFiles::default(), None)
            .await
            .map_err(|error| NoCredentials::unreadable(innermost(&error)))?;
        let named = env.get("AWS_PROFILE").is_ok_and(|name| !name.is_empty());
        let name = set.selected_profile().to_owned();
        if named && set.get_profile(&name).is_none() {
            let file = env
                .get("AWS_CONFIG_FILE")
                .unwrap_or_else(|_| "~/.aws/config".to_owned());
            return Err(NoCredentials::unknown_profile(&name, &file));
        }
        Ok(Self::of(&set, name, named))
    }

    fn of(set: &ProfileSet, name: String, named: bool) -> Self {
        let lineage = lineage(set, &name);
        let value = |key: &str| {
            lineage
                .iter()
                .find_map(|profile| profile.get(key))
                .map(str::to_owned)
        };
        let source = lineage
            .last()
            .map_or(CredentialSource::Other, |last| source(last));
        let role = lineage
            .first()
            .and_then(|first| first.get("role_arn"))
            .map(str::to_owned);
        Self {
            region: value("region"),
            name,
            named,
            source,
            role,
        }
    }
}

/// The profile, the one that it names as its source, and so on.
fn lineage<'a>(set: &'a ProfileSet, name: &str) -> Vec<&'a profile::Profile> {
    let mut lineage: Vec<&profile::Profile> = Vec::new();
    let mut next = set.get_profile(name);
    while let Some(profile) =
        next.filter(|next| lineage.iter().all(|before| before.name() != next.name()))
    {
        lineage.push(profile);
        next = profile
            .get("source_profile")
            .and_then(|name| set.get_profile(name));
    }
    lineage
}

/// In the order in which the SDK looks.
fn source(profile: &profile::Profile) -> CredentialSource {
    let (name, has) = (profile.name().to_owned(), |key: &str| {
        profile.get(key).is_some()
    });
    if has("credential_source") || has("web_identity_token_file") {
        CredentialSource::Other
    } else if has("sso_session") || has("sso_start_url") {
        CredentialSource::Sso(name)
    } else if has("login_session") {
        CredentialSource::Login(name)
    } else if has("credential_process") {
        CredentialSource::Process(name)
    } else {
        CredentialSource::Other
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "profile `{}`", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[default]\nregion = eu-west-1\n\
        [profile sso]\nsso_session = work\nregion = eu-west-2\n\
        [profile role]\nrole_arn = arn:aws:iam::1:role/r\nsource_profile = sso\n\
        [profile process]\ncredential_process = /bin/vault\n\
        [profile login]\nlogin_session = arn:aws:iam::1:user/u\n\
        [profile loop]\nrole_arn = arn:aws:iam::1:role/l\nsource_profile = pool\n\
        [profile pool]\nrole_arn = arn:aws:iam::1:role/p\nsource_profile = loop\n";

    async fn selected(config: &str, env: &[(&str, &str)]) -> Result<Profile, NoCredentials> {
        let env = [env, &[("HOME", "/home/me")]].concat();
        Profile::selected_in(
            &Fs::from_slice(&[("/home/me/.aws/config", config)]),
            &Env::from_slice(&env),
        )
        .await
    }

    async fn named(name: &str) -> Profile {
        selected(CONFIG, &[("AWS_PROFILE", name)]).await.unwrap()
    }

    #[tokio::test]
    async fn the_default_profile_is_selected_where_none_is_named_and_need_not_exist() {
        let default = selected(CONFIG, &[]).await.unwrap();
        assert_eq!(
            (
                default.name.as_str(),
                default.named,
                default.region.as_deref()
            ),
            ("default", false, Some("eu-west-1"))
        );
        assert_eq!(selected("", &[]).await.unwrap().region, None);
    }

    #[tokio::test]
    async fn a_source_is_told_with_the_profile_that_names_it() {
        assert_eq!(
            named("sso").await.source,
            CredentialSource::Sso("sso".into())
        );
        assert_eq!(
            named("process").await.source,
            CredentialSource::Process("process".into())
        );
        assert_eq!(
            named("login").await.source,
            CredentialSource::Login("login".into())
        );
        let role = named("role").await;
        assert_eq!(
            (role.source, role.role.as_deref()),
            (
                CredentialSource::Sso("sso".into()),
                Some("arn:aws:iam::1:role/r")
            )
        );
        assert_eq!(
            role.region.as_deref(),
            Some("eu-west-2"),
            "a profile has its source's region"
        );
    }

    #[tokio::test]
    async fn profiles_that_name_each_other_are_read_once() {
        assert_eq!(named("loop").await.source, CredentialSource::Other);
    }

    #[tokio::test]
    async fn a_name_that_no_profile_has_is_an_error() {
        let error = selected(CONFIG, &[("AWS_PROFILE", "nope")])
            .await
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "profile `nope` does not exist in ~/.aws/config"
        );
        let elsewhere = selected(
            CONFIG,
            &[("AWS_PROFILE", "sso"), ("AWS_CONFIG_FILE", "/etc/aws")],
        )
        .await
        .unwrap_err();
        assert_eq!(
            elsewhere.to_string(),
            "profile `sso` does not exist in /etc/aws"
        );
    }

    #[tokio::test]
    async fn a_file_that_is_none_says_so() {
        let error = selected("this is no profile", &[])
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("/home/me/.aws/config"), "{error}");
    }
}
