//! Conditional writes: the store's compare-and-swap.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_s3::types::ServerSideEncryption;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::byte_stream::ByteStream;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use hyper::body::Bytes;

use super::{Etag, S3, etag};
use crate::cloud::Error;

/// What must hold of the object for a write to happen.
#[derive(Debug, Clone, Copy)]
pub enum Condition<'a> {
    Always,
    /// `If-None-Match: *`
    Absent,
    /// `If-Match`
    Matches(&'a Etag),
}

/// How a conditional PUT ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    Stored(Etag),
    /// The condition does not hold.
    Refused,
}

/// How a conditional DELETE ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// It is not there any more, or never was.
    Gone,
    Refused,
}

impl S3 {
    /// Writes an object, under SSE-KMS if `kms_key` is given, else under the bucket's own
    /// encryption.
    ///
    /// An attempt whose answer is lost makes the next one fail its own condition. Then what stands
    /// there is compared with `body`, so a body should name its writer.
    ///
    /// # Errors
    /// Also where another write of the key was under way at every attempt: that is no refusal, for
    /// nothing need have been written.
    pub async fn put(
        &self,
        key: &str,
        body: Vec<u8>,
        condition: Condition<'_>,
        kms_key: Option<&str>,
    ) -> Result<Written, Error> {
        let doing = self
            .doing("writing", key)
            .needing("s3:PutObject", self.arn(key));
        let body = Bytes::from(body);
        let attempts = Attempts::default();
        let (absent, matches) = condition.headers();
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .body(ByteStream::from(body.clone()));
        let request = request
            .set_if_none_match(absent)
            .set_if_match(matches)
            .set_ssekms_key_id(kms_key.map(str::to_owned));
        let request =
            request.set_server_side_encryption(kms_key.map(|_| ServerSideEncryption::AwsKms));
        match request
            .customize()
            .interceptor(attempts.clone())
            .send()
            .await
        {
            Ok(answer) => Ok(Written::Stored(etag(answer.e_tag(), &doing)?)),
            Err(error) if is_refused(&error, condition) => {
                self.refused(key, &body, attempts.count()).await
            }
            Err(error) => Err(doing.failed(&error)),
        }
    }

    async fn refused(&self, key: &str, body: &Bytes, attempts: u32) -> Result<Written, Error> {
        if attempts < 2 {
            return Ok(Written::Refused);
        }
        Ok(match self.get(key, body.len()).await {
            Ok(Some(object)) if object.body == *body => Written::Stored(object.etag),
            _ => Written::Refused,
        })
    }

    /// Deletes an object; one that is not there is no error, and no refusal.
    pub async fn delete(&self, key: &str, condition: Condition<'_>) -> Result<Removed, Error> {
        let doing = self
            .doing("deleting", key)
            .needing("s3:DeleteObject", self.arn(key));
        let (absent, matches) = condition.headers();
        if absent.is_some() {
            return Err(doing.wrong("an object that must be absent cannot be deleted"));
        }
        match self
            .client
            .delete_object()
            .bucket(&self.bucket)
            .key(key)
            .set_if_match(matches)
            .send()
            .await
        {
            Ok(_) => Ok(Removed::Gone),
            Err(error) if error.code() == Some("NoSuchKey") => Ok(Removed::Gone),
            Err(error) if is_refused(&error, condition) => Ok(Removed::Refused),
            Err(error) => Err(doing.failed(&error)),
        }
    }
}

impl Condition<'_> {
    /// `If-None-Match` and `If-Match`.
    pub(super) fn headers(self) -> (Option<String>, Option<String>) {
        match self {
            Self::Always => (None, None),
            Self::Absent => (Some("*".to_owned()), None),
            Self::Matches(etag) => (None, Some(etag.0.clone())),
        }
    }
}

pub(super) fn is_refused<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
    condition: Condition<'_>,
) -> bool {
    refuses(
        error
            .as_service_error()
            .and_then(ProvideErrorMetadata::code),
        condition,
    )
}

/// S3 answers 412 where the condition does not hold, and 404 where `If-Match` finds no object
/// ("Conditional writes" in its user guide). Its 409 decides nothing: see [`super::conflict`].
fn refuses(code: Option<&str>, condition: Condition<'_>) -> bool {
    match code {
        Some("PreconditionFailed") => true,
        Some("NoSuchKey") => matches!(condition, Condition::Matches(_)),
        _ => false,
    }
}

/// Counts the attempts of one call.
#[derive(Debug, Clone, Default)]
struct Attempts(Arc<AtomicU32>);

impl Attempts {
    fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "attempts"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_that_does_not_hold_is_a_refusal_and_no_error() {
        assert!(refuses(Some("PreconditionFailed"), Condition::Absent));
    }

    #[test]
    fn an_object_that_should_match_and_is_gone_is_a_refusal() {
        assert!(refuses(
            Some("NoSuchKey"),
            Condition::Matches(&Etag("\"1\"".into()))
        ));
        assert!(!refuses(Some("NoSuchKey"), Condition::Always));
    }

    #[test]
    fn a_missing_bucket_or_permission_or_another_write_under_way_is_no_refusal() {
        for code in [
            "NoSuchBucket",
            "AccessDenied",
            "SlowDown",
            "ConditionalRequestConflict",
        ] {
            assert!(!refuses(Some(code), Condition::Absent), "{code}");
        }
    }
}
