//! Writes that meet: S3 answers 409 to a conditional write while another write of its key is under
//! way, and asks that the write be tried again ("Conditional writes" in its user guide). Such a
//! write is not refused: it may be that no object stands there, and that nobody else will write
//! one.

use aws_sdk_s3::operation::delete_object::DeleteObjectError;
use aws_sdk_s3::operation::put_object::PutObjectError;
use aws_smithy_runtime_api::client::interceptors::context::{Error, InterceptorContext};
use aws_smithy_runtime_api::client::orchestrator::OrchestratorError;
use aws_smithy_runtime_api::client::retries::classifiers::{ClassifyRetry, RetryAction};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::cloud::error::CONFLICTS;

/// Has the SDK repeat such a write, with the pauses that it makes for a busy service. The end of an
/// upload in parts is not repeated: after a 409, S3 wants the whole upload anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct RetryConflicts;

impl ClassifyRetry for RetryConflicts {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failed = context.output_or_error().and_then(Result::err);
        if failed
            .and_then(OrchestratorError::as_operation_error)
            .is_some_and(meets)
        {
            RetryAction::throttling_error()
        } else {
            RetryAction::NoActionIndicated
        }
    }

    fn name(&self) -> &'static str {
        "writes that meet"
    }
}

fn meets(error: &Error) -> bool {
    let put = error
        .downcast_ref::<PutObjectError>()
        .and_then(ProvideErrorMetadata::code);
    let delete = error
        .downcast_ref::<DeleteObjectError>()
        .and_then(ProvideErrorMetadata::code);
    put.or(delete).is_some_and(|code| CONFLICTS.contains(&code))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::complete_multipart_upload::CompleteMultipartUploadError;
    use aws_smithy_types::error::ErrorMetadata;

    use super::*;

    fn answered(code: &str) -> ErrorMetadata {
        ErrorMetadata::builder().code(code).build()
    }

    #[test]
    fn a_write_that_met_another_is_tried_again_and_one_that_is_refused_is_not() {
        let put = |code| meets(&Error::erase(PutObjectError::generic(answered(code))));
        let delete = |code| meets(&Error::erase(DeleteObjectError::generic(answered(code))));
        for code in ["ConditionalRequestConflict", "OperationAborted"] {
            assert!(put(code) && delete(code), "{code}");
        }
        for code in ["PreconditionFailed", "NoSuchKey", "AccessDenied"] {
            assert!(!put(code) && !delete(code), "{code}");
        }
    }

    #[test]
    fn the_end_of_an_upload_in_parts_is_not_just_said_again() {
        let end = CompleteMultipartUploadError::generic(answered("ConditionalRequestConflict"));
        assert!(!meets(&Error::erase(end)));
    }
}
