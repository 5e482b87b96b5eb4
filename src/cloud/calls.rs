//! How often each operation of AWS was asked for by this process, and how often it said no: counted
//! at each attempt, also at those that the SDK repeats by itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::FinalizerInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use super::error::THROTTLED;

/// An error's code stands at the beginning of its body.
const CODE_WITHIN: usize = 1024;

static CALLS: Mutex<BTreeMap<Operation, Calls>> = Mutex::new(BTreeMap::new());

/// One of the operations that we call: a few dozen at most.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Operation {
    pub service: String,
    pub name: String,
}

/// What became of an operation's requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calls {
    pub sent: u64,
    /// Those that the service answered with "slow down".
    pub throttled: u64,
    /// The others that it refused, and those without an answer. What is only absent is none of
    /// these.
    pub failed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CallEnd {
    Done,
    Throttled,
    Failed,
}

/// Since the start of this process.
pub fn calls() -> BTreeMap<Operation, Calls> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// Counts a client's calls.
#[derive(Debug, Clone, Copy)]
pub(super) struct Count;

impl Intercept for Count {
    fn name(&self) -> &'static str {
        "count"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let Some(metadata) = config.load::<Metadata>() else {
            return Ok(());
        };
        let operation = Operation {
            service: metadata.service().to_owned(),
            name: metadata.name().to_owned(),
        };
        let answered_well = context
            .output_or_error()
            .is_some_and(|answer| answer.is_ok());
        let end = if answered_well {
            CallEnd::Done
        } else {
            context.response().map_or(CallEnd::Failed, refusal)
        };
        let mut calls = CALLS.lock().unwrap_or_else(PoisonError::into_inner);
        calls.entry(operation).or_default().count(end);
        Ok(())
    }
}

impl Calls {
    fn count(&mut self, end: CallEnd) {
        self.sent += 1;
        match end {
            CallEnd::Done => {}
            CallEnd::Throttled => self.throttled += 1,
            CallEnd::Failed => self.failed += 1,
        }
    }
}

fn refusal(answer: &HttpResponse) -> CallEnd {
    let code = answer.headers().get("x-amzn-errortype").unwrap_or_default();
    let body = answer.body().bytes().unwrap_or_default();
    let words = String::from_utf8_lossy(&body[..body.len().min(CODE_WITHIN)]);
    end_of(answer.status().as_u16(), code, &words)
}

/// An answer that is no success: an error's code stands in a header or in the body, by protocol.
fn end_of(status: u16, header: &str, body: &str) -> CallEnd {
    if status == 429
        || THROTTLED
            .iter()
            .any(|code| header.contains(code) || body.contains(code))
    {
        return CallEnd::Throttled;
    }
    // An object that is not there, a condition that does not hold, what has not changed: answers to
    // what we asked.
    if matches!(status, 304 | 404 | 412) {
        CallEnd::Done
    } else {
        CallEnd::Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_protocol_says_slow_down_in_its_own_way() {
        let route53 = "<ErrorResponse><Error><Type>Sender</Type><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
        assert_eq!(end_of(400, "", route53), CallEnd::Throttled);
        assert_eq!(
            end_of(503, "", "<Error><Code>SlowDown</Code></Error>"),
            CallEnd::Throttled
        );
        assert_eq!(end_of(400, "ThrottlingException", "{}"), CallEnd::Throttled);
        assert_eq!(
            end_of(400, "", r#"{"__type":"ThrottlingException"}"#),
            CallEnd::Throttled
        );
    }

    #[test]
    fn what_is_absent_is_no_failure_and_what_is_denied_is_one() {
        assert_eq!(
            end_of(404, "", "<Error><Code>NoSuchKey</Code></Error>"),
            CallEnd::Done
        );
        assert_eq!(
            end_of(403, "", "<Error><Code>AccessDenied</Code></Error>"),
            CallEnd::Failed
        );
        assert_eq!(end_of(500, "", ""), CallEnd::Failed);
    }
}
