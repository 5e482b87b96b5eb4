//! What every call to AWS can end in: what was being done, the service's code and words, and what
//! the user can do.

use std::error::Error as StdError;
use std::fmt;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::no_credentials::NoCredentials;

/// Codes that say "slow down" (Route 53 counts its own waiting line among them).
pub(super) const THROTTLED: [&str; 7] = [
    "PriorRequestNotComplete",
    "RequestLimitExceeded",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
];

/// Codes of S3 that say "another write is under way": AWS's own, and that of stores that speak its
/// language.
pub(super) const CONFLICTS: [&str; 2] = ["ConditionalRequestConflict", "OperationAborted"];

/// A call to AWS that gave no usable answer. Never holds a credential or a body.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Error {
    /// What was being done to what: `reading s3://bucket/key`.
    pub doing: String,
    /// The service's error code, where it gave one.
    pub code: Option<String>,
    /// The service's words, or the transport's.
    pub message: String,
    /// What the user can do about it.
    pub hint: Option<String>,
}

impl Error {
    /// The credentials are good, a policy is not.
    pub fn is_access_denied(&self) -> bool {
        self.code.as_deref().is_some_and(denies)
    }

    /// The service asked us to slow down, to the end of all attempts.
    pub fn is_throttled(&self) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| THROTTLED.contains(&code))
    }

    /// S3 had another write of the same key under way.
    pub(super) fn is_conflict(&self) -> bool {
        self.code
            .as_deref()
            .is_some_and(|code| CONFLICTS.contains(&code))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.message)?;
        if let Some(code) = &self.code {
            write!(f, " ({code})")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

/// What a call is about, and the permission it needs: an error's first half.
#[derive(Debug, Clone)]
pub(super) struct Doing {
    what: String,
    permission: Option<(&'static str, String)>,
    /// The key of site.toml that says where it is done.
    region_key: &'static str,
}

impl Doing {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            permission: None,
            region_key: "[site] region",
        }
    }

    /// Names the key of site.toml that is wrong where the region is.
    pub(super) fn placed_by(self, region_key: &'static str) -> Self {
        Self { region_key, ..self }
    }

    /// Names the IAM action and resource to allow where access is denied.
    pub(super) fn needing(self, action: &'static str, resource: impl Into<String>) -> Self {
        Self {
            permission: Some((action, resource.into())),
            ..self
        }
    }

    /// An error of ours about the answer; in one line, which the SDK's own words are not always.
    pub(super) fn wrong(&self, message: impl fmt::Display) -> Error {
        let message = message
            .to_string()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        Error {
            doing: self.what.clone(),
            code: None,
            message,
            hint: None,
        }
    }

    /// An error of ours with what to do about it.
    pub(super) fn wrong_with_hint(
        &self,
        message: impl fmt::Display,
        hint: impl Into<String>,
    ) -> Error {
        Error {
            hint: Some(hint.into()),
            ..self.wrong(message)
        }
    }

    pub(super) fn timed_out(&self) -> Error {
        self.wrong_with_hint("no answer in time", OUT_OF_REACH)
    }

    /// An SDK error with its code and message, which its own `Display` ("service error") leaves
    /// out.
    pub(super) fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> Error
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        match error {
            SdkError::ServiceError(context) => {
                let meta = context.err().meta();
                let status = context.raw().status().as_u16();
                let message = meta
                    .message()
                    .map_or_else(|| format!("HTTP status {status}"), str::to_owned);
                let hint = meta.code().and_then(|code| {
                    self.hint(code, context.raw().headers().get("x-amz-bucket-region"))
                });
                Error {
                    code: meta.code().map(str::to_owned),
                    hint,
                    ..self.wrong(message)
                }
            }
            SdkError::TimeoutError(_) => self.timed_out(),
            SdkError::DispatchFailure(failure) if failure.is_timeout() => self.timed_out(),
            other => match find::<NoCredentials>(other) {
                Some(NoCredentials { message, hint }) => {
                    self.wrong_with_hint(format!("no AWS credentials: {message}"), hint)
                }
                None => self.wrong_with_hint(innermost(other), OUT_OF_REACH),
            },
        }
    }

    fn hint(&self, code: &str, bucket_region: Option<&str>) -> Option<String> {
        let hint = match code {
            code if denies(code) => return self.permission.as_ref().map(allow),
            code if THROTTLED.contains(&code) => {
                "AWS limits the rate of these requests for the whole account: try again in a minute"
            }
            code if CONFLICTS.contains(&code) => {
                "another write of it was under way each time that it was tried: try again"
            }
            code if code.starts_with("KMS.") => "check [tls] kms_key_id and the key's policy",
            "NoSuchBucket" => "create the bucket, or correct its name in site.toml",
            "NoSuchHostedZone" => "correct [dns] hosted_zone_id",
            "RequestTimeTooSkewed" => "set this machine's clock",
            "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
                "the credentials have expired: renew them"
            }
            "AuthFailure"
            | "InvalidAccessKeyId"
            | "InvalidClientTokenId"
            | "SignatureDoesNotMatch"
            | "UnrecognizedClientException" => {
                "these are not valid credentials for this account and region"
            }
            "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "PermanentRedirect" => {
                let key = self.region_key;
                return Some(match bucket_region {
                    Some(region) => format!("the bucket is in {region}: set {key}"),
                    None => format!("the bucket is in another region: set {key}"),
                });
            }
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

pub(super) const OUT_OF_REACH: &str = "check the network, and AWS_ENDPOINT_URL where it is set";

fn denies(code: &str) -> bool {
    matches!(
        code,
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation"
    )
}

fn allow((action, resource): &(&'static str, String)) -> String {
    // Without s3:ListBucket, S3 answers 403 in place of 404 (GetObject, "Permissions").
    let also = if *action == "s3:GetObject" {
        ", and s3:ListBucket on its bucket (without that, a missing key is denied too)"
    } else {
        ""
    };
    format!("allow {action} on {resource}{also}")
}

pub(super) fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

pub(super) fn find<'a, T: StdError + 'static>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The cause at the bottom: what is above it only says that there was one.
pub(super) fn innermost(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::error::CredentialsError;
    use aws_sdk_s3::operation::get_object::GetObjectError;
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    type SdkFailure = SdkError<GetObjectError, HttpResponse>;

    fn answer(meta: ErrorMetadata) -> SdkFailure {
        let raw = HttpResponse::new(StatusCode::try_from(403).unwrap(), SdkBody::empty());
        SdkError::service_error(GetObjectError::generic(meta), raw)
    }

    fn answer_with(code: &str, message: &str) -> SdkFailure {
        answer(ErrorMetadata::builder().code(code).message(message).build())
    }

    #[test]
    fn a_denied_read_names_what_to_allow() {
        let doing = Doing::new("reading s3://b/k").needing("s3:GetObject", "arn:aws:s3:::b/k");
        let error = doing.failed(&answer_with("AccessDenied", "Access Denied"));
        assert!(error.is_access_denied());
        assert_eq!(
            error.to_string(),
            "reading s3://b/k: Access Denied (AccessDenied); allow s3:GetObject on arn:aws:s3:::b/k, and s3:ListBucket on its bucket \
             (without that, a missing key is denied too)"
        );
    }

    #[test]
    fn a_throttled_call_is_known_as_such() {
        let error =
            Doing::new("changing zone Z1").failed(&answer_with("Throttling", "Rate exceeded"));
        assert!(error.is_throttled() && !error.is_access_denied());
        assert!(
            error
                .to_string()
                .contains("Rate exceeded (Throttling); AWS limits")
        );
    }

    #[test]
    fn a_bucket_elsewhere_says_where() {
        let hint = Doing::new("reading s3://b/k").hint("PermanentRedirect", Some("eu-west-1"));
        assert_eq!(
            hint.as_deref(),
            Some("the bucket is in eu-west-1: set [site] region")
        );
    }

    #[test]
    fn an_error_without_a_code_still_says_the_status() {
        let error =
            Doing::new("reading s3://b/k").failed(&answer(ErrorMetadata::builder().build()));
        assert_eq!(error.to_string(), "reading s3://b/k: HTTP status 403");
    }

    #[test]
    fn missing_credentials_say_how_to_give_them() {
        let missing = NoCredentials::unknown_profile("nope", "~/.aws/config");
        let cause = SdkFailure::construction_failure(CredentialsError::provider_error(missing));
        assert_eq!(
            Doing::new("reading s3://b/k").failed(&cause).to_string(),
            "reading s3://b/k: no AWS credentials: profile `nope` does not exist in ~/.aws/config; `aws configure list-profiles` lists those \
             that do"
        );
    }

    #[test]
    fn a_time_out_says_where_to_look() {
        let cause = SdkFailure::timeout_error("late");
        assert_eq!(
            Doing::new("reading s3://b/k").failed(&cause).to_string(),
            "reading s3://b/k: no answer in time; check the network, and AWS_ENDPOINT_URL where it is set"
        );
    }
}
