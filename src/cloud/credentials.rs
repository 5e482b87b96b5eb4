//! Credentials by the SDK's default chain: environment, profile, web identity, container, instance.
//! What goes wrong is said in a line, and in full at `debug`.

use std::env;
use std::io::{self, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::imds::client::error::ImdsError;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::error::metadata::ErrorMetadata;
use aws_types::os_shim_internal::{Env, Fs};
use tokio::time::timeout;
use tracing::debug;

use super::Error;
use super::error::{Doing, OUT_OF_REACH, chain, find, innermost};
use super::http;
use super::imds::Imds;
use super::no_credentials::NoCredentials;
use super::profile::{CredentialSource, Profile};

/// A program that asks its user for a password, or for a touch of a key.
const PROMPT_WITHIN: Duration = Duration::from_secs(120);
/// Credentials that end sooner are not handed out again.
const LEAST_LEFT: Duration = Duration::from_secs(60);

/// The default chain. What it gives is kept, so that a command with several clients asks a user or
/// a service once.
#[derive(Debug)]
pub(super) struct Chain {
    chain: DefaultCredentialsChain,
    on_instance: bool,
    kept: Mutex<Option<Credentials>>,
}

impl Chain {
    /// Sends nothing. STS is asked in `region`.
    pub(super) async fn new(region: &Region, imds: &Imds, on_instance: bool) -> Self {
        let provider = ProviderConfig::without_region()
            .with_region(Some(region.clone()))
            .with_http_client(imds.http());
        let provider = provider.with_timeout_config(http::times());
        let role = ImdsCredentialsProvider::builder()
            .configure(&provider)
            .imds_client(imds.client())
            .build();
        let chain = DefaultCredentialsChain::builder()
            .configure(provider)
            .region(region.clone())
            .imds_client(imds.client())
            .with_custom_credential_source("Ec2InstanceMetadata", role);
        Self {
            chain: chain.build().await,
            on_instance,
            kept: Mutex::default(),
        }
    }

    /// Gets the credentials now, for as long as the profile's source may take.
    ///
    /// # Errors
    /// There are none.
    pub(super) async fn load(&self) -> Result<(), Error> {
        let prompts = selected()
            .await?
            .is_some_and(|profile| matches!(profile.source, CredentialSource::Process(_)));
        let within = if prompts {
            PROMPT_WITHIN
        } else {
            http::OPERATION
        };
        match timeout(within, self.credentials()).await {
            Ok(loaded) => loaded.map(drop).map_err(Error::from),
            Err(_) => Err(NoCredentials::new(
                format!("none came within {} s", within.as_secs()),
                OUT_OF_REACH,
            )
            .into()),
        }
    }

    async fn credentials(&self) -> Result<Credentials, NoCredentials> {
        if let Some(kept) = self
            .kept()
            .clone()
            .filter(|kept| is_lasting(kept, SystemTime::now()))
        {
            return Ok(kept);
        }
        let profile = selected().await?;
        let given = self.chain.provide_credentials().await.map_err(|error| {
            debug!(details = %chain(&error).map(ToString::to_string).collect::<Vec<_>>().join(": "), "no credentials");
            explain(&error, profile.as_ref(), self.on_instance)
        })?;
        *self.kept() = Some(given.clone());
        Ok(given)
    }

    fn kept(&self) -> MutexGuard<'_, Option<Credentials>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for Chain {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            self.credentials()
                .await
                .map_err(CredentialsError::provider_error)
        })
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.chain.fallback_on_interrupt()
    }
}

fn is_lasting(credentials: &Credentials, now: SystemTime) -> bool {
    credentials
        .expiry()
        .is_none_or(|end| end > now + LEAST_LEFT)
}

/// The profile that credentials come from; none where the environment has keys, which go before any
/// profile.
async fn selected() -> Result<Option<Profile>, NoCredentials> {
    let has = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
    if has("AWS_ACCESS_KEY_ID") && has("AWS_SECRET_ACCESS_KEY") {
        return Ok(None);
    }
    Profile::selected_in(&Fs::real(), &Env::real())
        .await
        .map(Some)
}

impl From<NoCredentials> for Error {
    fn from(NoCredentials { message, hint }: NoCredentials) -> Self {
        Doing::new("no AWS credentials").wrong_with_hint(message, hint)
    }
}

/// Nothing that could give credentials is set up.
fn none(profile: Option<&Profile>, on_instance: bool) -> NoCredentials {
    const LOG_IN: &str = "log in with `aws login` or `aws sso login`";
    const SET_KEYS: &str = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    match profile {
        _ if on_instance => NoCredentials::new(
            "the instance gives none",
            "give it a role, by an instance profile",
        ),
        Some(profile) if profile.named => NoCredentials::new(
            format!("{profile} has none"),
            format!("{LOG_IN}, name another with AWS_PROFILE, or {SET_KEYS}"),
        ),
        _ => {
            let message = "neither the environment nor ~/.aws/config has any";
            NoCredentials::new(
                message,
                format!("{LOG_IN}, name a profile with AWS_PROFILE, or {SET_KEYS}"),
            )
        }
    }
}

/// The SDK's errors of sessions are private types: they are known by their words.
fn explain(
    error: &CredentialsError,
    profile: Option<&Profile>,
    on_instance: bool,
) -> NoCredentials {
    // At a desk there is usually no metadata service.
    if matches!(error, CredentialsError::CredentialsNotLoaded(_))
        || !on_instance && find::<ImdsError>(error).is_some()
    {
        return none(profile, on_instance);
    }
    if find::<ConnectorError>(error).is_some() {
        return NoCredentials::new(innermost(error), OUT_OF_REACH);
    }
    if let Some(over) = profile.and_then(|profile| session_over(error, &profile.source)) {
        return over;
    }
    refused(error, profile)
}

/// Whether one of these words stands in the error or in a cause of it.
fn says(error: &CredentialsError, words: &[&str]) -> bool {
    chain(error).any(|error| words.iter().any(|word| error.to_string().contains(word)))
}

/// The session that somebody logs in to is missing or has expired.
fn session_over(error: &CredentialsError, source: &CredentialSource) -> Option<NoCredentials> {
    let no_file = find::<io::Error>(error).is_some_and(|error| error.kind() == ErrorKind::NotFound);
    match source {
        CredentialSource::Sso(name)
            if no_file || says(error, &["SSO token", "UnauthorizedException"]) =>
        {
            Some(NoCredentials::logged_out("SSO", name, "aws sso login"))
        }
        CredentialSource::Login(name)
            if no_file
                || says(
                    error,
                    &[
                        "is expired",
                        "has expired",
                        "reauthenticate",
                        "cached Login token file",
                    ],
                ) =>
        {
            Some(NoCredentials::logged_out("`aws login`", name, "aws login"))
        }
        _ => None,
    }
}

/// A service or a program was asked for credentials and gave none: what to mend there.
fn refused(error: &CredentialsError, profile: Option<&Profile>) -> NoCredentials {
    let message = refusal(error);
    match profile.map(|profile| (&profile.source, &profile.role)) {
        Some((CredentialSource::Login(_), _)) if says(error, &["insufficient permissions"]) => {
            NoCredentials::new(message, "allow signin:CreateOAuth2Token")
        }
        Some((CredentialSource::Process(name), _)) if says(error, &["external process"]) => {
            let message = message.trim_start_matches("Error retrieving credentials: ");
            let message = format!("the credential_process of profile `{name}`: {message}");
            NoCredentials::new(message, "run it by hand to see what it says")
        }
        Some((CredentialSource::Sso(name), role))
            if role.is_none() || says(error, &["ForbiddenException"]) =>
        {
            NoCredentials::new(
                message,
                format!("check sso_account_id and sso_role_name of profile `{name}`"),
            )
        }
        Some((_, Some(role))) => NoCredentials::new(
            message,
            format!("allow sts:AssumeRole on {role}, and let its trust policy name the caller"),
        ),
        _ => match env::var("AWS_ROLE_ARN") {
            Ok(role) => NoCredentials::new(
                message,
                format!(
                    "let the trust policy of {role} name the identity provider and this caller"
                ),
            ),
            Err(_) => NoCredentials::new(
                message,
                "check the profile that AWS_PROFILE names, and the network",
            ),
        },
    }
}

/// A service's own words and code, or else the cause at the bottom.
fn refusal(error: &CredentialsError) -> String {
    let service =
        find::<ErrorMetadata>(error).and_then(|meta| Some((meta.message()?, meta.code()?)));
    let words = service.map_or_else(
        || innermost(error),
        |(message, code)| format!("{message} ({code})"),
    );
    words
        .trim_start_matches("ProfileFile provider could not be built: ")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(source: CredentialSource, role: Option<&str>) -> Profile {
        Profile {
            name: "work".into(),
            named: true,
            region: None,
            source,
            role: role.map(str::to_owned),
        }
    }

    fn told(error: CredentialsError, profile: &Profile) -> String {
        Error::from(explain(&error, Some(profile), false)).to_string()
    }

    fn no_file() -> CredentialsError {
        CredentialsError::provider_error(io::Error::from(ErrorKind::NotFound))
    }

    #[test]
    fn a_session_without_its_file_says_which_login_makes_one() {
        let sso = told(
            no_file(),
            &profile(
                CredentialSource::Sso("id".into()),
                Some("arn:aws:iam::1:role/r"),
            ),
        );
        assert!(sso.ends_with("the SSO session of profile `id` is missing or has expired; run `aws sso login --profile id`"), "{sso}");
        let login = told(
            no_file(),
            &profile(CredentialSource::Login("work".into()), None),
        );
        assert!(login.ends_with("run `aws login --profile work`"), "{login}");
    }

    #[test]
    fn a_service_out_of_reach_is_no_session_that_is_over() {
        let broken =
            || CredentialsError::provider_error(ConnectorError::io("connection refused".into()));
        for source in [
            CredentialSource::Sso("work".into()),
            CredentialSource::Login("work".into()),
        ] {
            assert!(told(broken(), &profile(source, None)).contains("check the network"));
        }
    }

    #[test]
    fn a_role_that_is_refused_says_what_to_allow() {
        let meta = ErrorMetadata::builder()
            .code("AccessDenied")
            .message("User: me is not authorized")
            .build();
        let text = told(
            CredentialsError::provider_error(meta),
            &profile(CredentialSource::Other, Some("arn:aws:iam::1:role/r")),
        );
        assert!(text.starts_with("no AWS credentials: User: me is not authorized (AccessDenied); allow sts:AssumeRole on arn:"), "{text}");
    }

    #[test]
    fn an_instance_without_a_role_is_told_to_have_one() {
        let none = explain(
            &CredentialsError::not_loaded("no provider:\n  Environment"),
            None,
            true,
        );
        assert_eq!(
            Error::from(none).to_string(),
            "no AWS credentials: the instance gives none; give it a role, by an instance profile"
        );
    }

    #[test]
    fn credentials_that_end_soon_are_not_kept() {
        let now = SystemTime::now();
        let ending = |end: Option<u64>| {
            let end = end.map(|seconds| now + Duration::from_secs(seconds));
            Credentials::new("key", "secret", None, end, "test")
        };
        assert_eq!(
            [None, Some(30), Some(90)].map(|end| is_lasting(&ending(end), now)),
            [true, false, true]
        );
    }
}
