//! Faults on demand: what they do to the requests that they strike.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::hold::Latch;
use super::{Match, Recorded};
use crate::locked;

/// What happens to a request. Several faults on one request all apply, in the order in which they
/// were set.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Answered late.
    Delay(Duration),
    /// Refused in the service's own error format; for ACME `code` is the last part of the problem's
    /// URN.
    Respond {
        status: u16,
        code: String,
        message: String,
        retry_after: Option<Duration>,
    },
    /// Refused as this service says "slower".
    Throttle,
    /// The connection is reset and nothing is done.
    Reset,
    /// It is done, and then the connection is reset in place of the answer.
    LoseAnswer,
    /// Nothing for that long, then the connection is reset and nothing is done.
    Hang(Duration),
    /// The connection ends after so many bytes of the body, whose announced length stays.
    Truncate(usize),
    /// It is done, but answered with this body.
    Replace(Vec<u8>),
    /// The answer's Date header is off by this much.
    ClockSkew(time::Duration),
}

impl Fault {
    pub fn respond(status: u16, code: &str, message: &str) -> Fault {
        Fault::Respond {
            status,
            code: code.to_owned(),
            message: message.to_owned(),
            retry_after: None,
        }
    }

    /// 403 as IAM's refusals are worded.
    pub fn access_denied() -> Fault {
        Fault::respond(
            403,
            "AccessDenied",
            "User is not authorized to perform this action because no identity-based policy allows it",
        )
    }

    /// 503, as any service may answer.
    pub fn unavailable() -> Fault {
        Fault::respond(
            503,
            "ServiceUnavailable",
            "Service is unable to handle request.",
        )
    }

    /// 409 of S3, as to one of two conditional writes that meet; the service does the write at
    /// another attempt.
    pub fn conflict() -> Fault {
        Fault::respond(
            409,
            "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this resource.",
        )
    }

    /// 200 with an error in its body, as S3 may end `CompleteMultipartUpload` and `CopyObject`:
    /// the answer's head is sent before the work is done.
    pub fn error_within_success() -> Fault {
        Fault::respond(
            200,
            "InternalError",
            "We encountered an internal error. Please try again.",
        )
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Delay(by) => write!(f, "delay {by:?}"),
            Fault::Respond { status, code, .. } => write!(f, "respond {status} {code}"),
            Fault::Throttle => f.write_str("throttle"),
            Fault::Reset => f.write_str("reset"),
            Fault::LoseAnswer => f.write_str("lose answer"),
            Fault::Hang(time) => write!(f, "hang {time:?}"),
            Fault::Truncate(bytes) => write!(f, "truncate after {bytes}"),
            Fault::Replace(_) => f.write_str("replace body"),
            Fault::ClockSkew(by) => write!(f, "clock skew {by}"),
        }
    }
}

/// Names a fault or a hold that was set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FaultId(u64);

#[derive(Clone)]
pub(super) enum Strike {
    Fault(Fault),
    Hold(Latch),
}

struct Rule {
    id: FaultId,
    scope: Match,
    fitted: usize,
    struck: usize,
    strike: Strike,
}

#[derive(Default)]
pub(crate) struct Faults {
    rules: Mutex<Vec<Rule>>,
    last: AtomicU64,
}

impl Faults {
    pub(crate) fn add(&self, scope: Match, fault: Fault) -> FaultId {
        self.push(scope, Strike::Fault(fault))
    }

    pub(super) fn push(&self, scope: Match, strike: Strike) -> FaultId {
        let id = FaultId(self.last.fetch_add(1, Ordering::Relaxed));
        locked(&self.rules).push(Rule {
            id,
            scope,
            fitted: 0,
            struck: 0,
            strike,
        });
        id
    }

    pub(crate) fn hits(&self, id: FaultId) -> usize {
        locked(&self.rules)
            .iter()
            .find(|rule| rule.id == id)
            .map_or(0, |rule| rule.struck)
    }

    pub(crate) fn lift(&self, id: FaultId) {
        locked(&self.rules).retain(|rule| rule.id != id);
    }

    pub(crate) fn lift_all(&self) {
        locked(&self.rules).retain(|rule| matches!(rule.strike, Strike::Hold(_)));
    }

    pub(super) fn striking(&self, request: &Recorded) -> Vec<Strike> {
        let mut rules = locked(&self.rules);
        rules
            .iter_mut()
            .filter_map(|rule| rule.meet(request))
            .collect()
    }
}

impl Rule {
    fn meet(&mut self, request: &Recorded) -> Option<Strike> {
        if !self.scope.fits(request) {
            return None;
        }
        self.fitted += 1;
        if self.fitted < self.scope.from || self.struck >= self.scope.times {
            return None;
        }
        self.struck += 1;
        Some(self.strike.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::front::Service;
    use bytes::Bytes;
    use time::OffsetDateTime;

    fn request(operation: &str, path: &str) -> Recorded {
        Recorded {
            number: 1,
            at: OffsetDateTime::UNIX_EPOCH,
            service: Service::S3,
            operation: operation.to_owned(),
            method: "GET".to_owned(),
            path: path.to_owned(),
            headers: Default::default(),
            body: Bytes::from_static(b"certs/"),
            instance: None,
            signer: None,
            status: None,
            fault: None,
            denied: None,
            took: None,
        }
    }

    #[test]
    fn only_the_requests_within_from_and_times_are_struck() {
        let faults = Faults::default();
        let id = faults.add(
            Match::service(Service::S3)
                .operation("GetObject")
                .from(2)
                .times(2),
            Fault::Reset,
        );
        let struck: Vec<usize> = (0..5)
            .map(|_| faults.striking(&request("GetObject", "/b/k")).len())
            .collect();
        assert_eq!(struck, [0, 1, 1, 0, 0]);
        assert_eq!(faults.hits(id), 2);
    }

    #[test]
    fn other_services_operations_and_paths_are_left_alone() {
        let faults = Faults::default();
        faults.add(Match::service(Service::Ec2), Fault::Reset);
        faults.add(Match::any().operation("PutObject"), Fault::Reset);
        faults.add(Match::any().path("certs/"), Fault::Reset);
        assert!(
            faults
                .striking(&request("GetObject", "/b/packages/x"))
                .is_empty()
        );
        assert_eq!(
            faults.striking(&request("GetObject", "/b/certs/x")).len(),
            1
        );
    }

    #[test]
    fn cis_changes_are_told_from_its_looks_and_from_what_instances_do() {
        let faults = Faults::default();
        faults.add(Match::any().by_ci().changing(), Fault::Reset);
        let signed = |operation: &str, instance: Option<&str>| Recorded {
            headers: [("authorization".to_owned(), "AWS4-HMAC-SHA256".to_owned())].into(),
            instance: instance.map(str::to_owned),
            ..request(operation, "/b/k")
        };
        assert_eq!(faults.striking(&signed("PutObject", None)).len(), 1);
        for other in [
            signed("ListObjectsV2", None),
            signed("PutObject", Some("i-1")),
            request("PutObject", "/b/k"),
        ] {
            assert!(faults.striking(&other).is_empty(), "{other:?}");
        }
    }

    #[test]
    fn conditional_writes_are_told_from_other_writes_and_from_reads() {
        let faults = Faults::default();
        faults.add(Match::any().conditional(), Fault::conflict());
        let with = |operation: &str, header: &str| Recorded {
            headers: [(header.to_owned(), "*".to_owned())].into(),
            ..request(operation, "/b/k")
        };
        for struck in [
            with("PutObject", "if-none-match"),
            with("DeleteObject", "if-match"),
            with("CompleteMultipartUpload", "if-none-match"),
        ] {
            assert_eq!(faults.striking(&struck).len(), 1, "{struck:?}");
        }
        for other in [
            with("GetObject", "if-match"),
            with("PutObject", "content-type"),
        ] {
            assert!(faults.striking(&other).is_empty(), "{other:?}");
        }
    }

    #[test]
    fn a_lifted_fault_strikes_no_more() {
        let faults = Faults::default();
        let id = faults.add(Match::any(), Fault::Throttle);
        faults.lift(id);
        assert!(faults.striking(&request("GetObject", "/")).is_empty());
    }
}
