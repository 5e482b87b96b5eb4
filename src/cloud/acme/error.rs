//! How a CA says no.

use std::time::Duration;

use instant_acme::{Error, Problem};

use super::fault::Fault;

/// Variants only where callers branch. Never holds an account's key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AcmeError {
    /// Nothing more will be issued for now: ask again after `retry_after`, not before.
    #[error("{doing}: {detail}; the CA limits the rate: try again {}", when(*.retry_after))]
    RateLimited {
        doing: String,
        retry_after: Option<Duration>,
        detail: String,
    },
    /// The CA is down, slow or out of reach: nothing was decided.
    #[error("{doing}: {detail}; the CA is not reachable or not ready: try again {}", when(*.retry_after))]
    Unavailable {
        doing: String,
        retry_after: Option<Duration>,
        detail: String,
    },
    /// The CA does not know the account (any more): register a new one.
    #[error("{doing}: {detail}; the CA does not know this account: a new one is needed")]
    UnknownAccount { doing: String, detail: String },
    /// The certificate has a successor already (RFC 9773 section 5).
    #[error("{doing}: {detail}")]
    AlreadyReplaced { doing: String, detail: String },
    /// This CA takes no order as a successor of that certificate: another account's, or one that it
    /// does not know. Another order may do.
    #[error("{doing}: {detail}")]
    NotReplaceable { doing: String, detail: String },
    /// The CA refused, or what we hold does not fit it: asking again changes nothing.
    #[error("{doing}: {detail}")]
    Rejected { doing: String, detail: String },
}

impl AcmeError {
    /// How long the CA wants not to be asked.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after, .. } | Self::Unavailable { retry_after, .. } => {
                *retry_after
            }
            _ => None,
        }
    }

    pub(super) fn rejected(doing: &str, detail: impl Into<String>) -> Self {
        Self::Rejected {
            doing: doing.to_owned(),
            detail: detail.into(),
        }
    }

    pub(super) fn late(doing: &str) -> Self {
        Self::Unavailable {
            doing: doing.to_owned(),
            retry_after: None,
            detail: "not done in time".to_owned(),
        }
    }

    pub(super) fn from(doing: &str, error: &Error) -> Self {
        match error {
            Error::Api(problem) => Self::from_problem(doing, problem),
            Error::Other(other) => match other.downcast_ref::<Fault>() {
                Some(fault) => Self::from_fault(doing, fault),
                None => Self::rejected(doing, other.to_string()),
            },
            Error::Timeout(_) => Self::late(doing),
            // A CA that answers 200 with something else than ACME is broken for now.
            Error::Json(cause) => Self::unavailable(
                doing,
                format!("the answer is not what an ACME server sends: {cause}"),
            ),
            other => Self::rejected(doing, other.to_string()),
        }
    }

    /// Of an order that named the certificate that it replaces. Only what may be about that is told
    /// apart: whatever else the CA refuses, it would refuse again.
    pub(super) fn of_replacing(doing: &str, error: &Error) -> Self {
        let doing_so = || doing.to_owned();
        match error {
            Error::Api(problem) => match kind(problem) {
                "alreadyReplaced" => Self::AlreadyReplaced {
                    doing: doing_so(),
                    detail: words(problem),
                },
                // 403 for another account's certificate; 404, as a rule of type malformed, for an
                // unknown one.
                "unauthorized" | "malformed" | "" => Self::NotReplaceable {
                    doing: doing_so(),
                    detail: words(problem),
                },
                _ if problem.status == Some(404) => Self::NotReplaceable {
                    doing: doing_so(),
                    detail: words(problem),
                },
                _ => Self::from(doing, error),
            },
            // A CA without renewal information, or one whose answer does not repeat what the order
            // replaces.
            Error::Unsupported(what) => Self::NotReplaceable {
                doing: doing_so(),
                detail: format!("the CA has no {what}"),
            },
            Error::Other(other) => match other.downcast_ref::<Fault>() {
                Some(Fault::Wrong(detail)) => Self::NotReplaceable {
                    doing: doing_so(),
                    detail: detail.clone(),
                },
                Some(fault) => Self::from_fault(doing, fault),
                None => Self::NotReplaceable {
                    doing: doing_so(),
                    detail: other.to_string(),
                },
            },
            other => Self::from(doing, other),
        }
    }

    fn unavailable(doing: &str, detail: String) -> Self {
        Self::Unavailable {
            doing: doing.to_owned(),
            retry_after: None,
            detail,
        }
    }

    fn from_fault(doing: &str, fault: &Fault) -> Self {
        let doing = doing.to_owned();
        match fault.clone() {
            Fault::Down {
                status: Some(429),
                retry_after,
                detail,
            } => Self::RateLimited {
                doing,
                retry_after,
                detail,
            },
            Fault::Down {
                retry_after,
                detail,
                ..
            } => Self::Unavailable {
                doing,
                retry_after,
                detail,
            },
            Fault::Wrong(detail) => Self::Rejected { doing, detail },
        }
    }

    /// By the types of RFC 8555 section 6.7.
    fn from_problem(doing: &str, problem: &Problem) -> Self {
        let doing = doing.to_owned();
        let detail = words(problem);
        match kind(problem) {
            "rateLimited" => Self::RateLimited {
                doing,
                retry_after: None,
                detail,
            },
            "badNonce" | "serverInternal" => Self::Unavailable {
                doing,
                retry_after: None,
                detail,
            },
            "accountDoesNotExist" => Self::UnknownAccount { doing, detail },
            "externalAccountRequired" => Self::Rejected {
                doing,
                detail: format!(
                    "{detail}; this CA wants [tls.eab.<directory>] with kid and hmac_key"
                ),
            },
            "caa" => Self::Rejected {
                doing,
                detail: format!("{detail}; allow this CA in the domain's CAA record"),
            },
            "rejectedIdentifier" => Self::Rejected {
                doing,
                detail: format!("{detail}; correct [site] domains"),
            },
            "invalidContact" | "unsupportedContact" => Self::Rejected {
                doing,
                detail: format!("{detail}; correct [tls] contact"),
            },
            _ => Self::Rejected { doing, detail },
        }
    }
}

/// The last part of a problem's type.
pub(super) fn kind(problem: &Problem) -> &str {
    problem
        .r#type
        .as_deref()
        .unwrap_or_default()
        .trim_start_matches("urn:ietf:params:acme:error:")
}

/// A problem's own words with those of its parts, each with its name and type.
pub(super) fn words(problem: &Problem) -> String {
    let mut words = format!(
        "{} ({})",
        problem.detail.as_deref().unwrap_or("no details"),
        kind(problem)
    );
    for part in &problem.subproblems {
        words.push_str("; ");
        words.push_str(part.to_string().trim());
    }
    words
}

fn when(retry_after: Option<Duration>) -> String {
    match retry_after.map(|after| after.as_secs()) {
        None => "later".to_owned(),
        Some(seconds) if seconds < 120 => format!("in {seconds} s"),
        Some(seconds) if seconds < 7200 => format!("in {} min", seconds.div_ceil(60)),
        Some(seconds) => format!("in {} h", seconds.div_ceil(3600)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> Error {
        Error::Api(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn a_rate_limit_keeps_when_to_come_back() {
        let fault = Fault::Down {
            status: Some(429),
            retry_after: Some(Duration::from_secs(34 * 3600)),
            detail: "too many certificates".into(),
        };
        let error = AcmeError::from("ordering a certificate", &Error::Other(Box::new(fault)));
        assert!(matches!(
            error,
            AcmeError::RateLimited {
                retry_after: Some(_),
                ..
            }
        ));
        assert_eq!(
            error.to_string(),
            "ordering a certificate: too many certificates; the CA limits the rate: try again in 34 h"
        );
    }

    #[test]
    fn a_ca_that_is_down_decides_nothing() {
        let fault = Fault::Down {
            status: Some(503),
            retry_after: None,
            detail: "HTTP status 503".into(),
        };
        assert!(matches!(
            AcmeError::from("x", &Error::Other(Box::new(fault))),
            AcmeError::Unavailable { .. }
        ));
    }

    #[test]
    fn an_unknown_account_is_told_apart() {
        let error = problem(
            r#"{"type":"urn:ietf:params:acme:error:accountDoesNotExist","detail":"no such account"}"#,
        );
        assert!(matches!(
            AcmeError::from("x", &error),
            AcmeError::UnknownAccount { .. }
        ));
    }

    #[test]
    fn what_a_ca_says_of_a_replacement_is_told_apart_from_what_it_would_say_of_any_order() {
        let of = |text: &str| AcmeError::of_replacing("ordering", &problem(text));
        let replaced = of(
            r#"{"type":"urn:ietf:params:acme:error:alreadyReplaced","detail":"it has one","status":409}"#,
        );
        assert!(matches!(replaced, AcmeError::AlreadyReplaced { .. }));
        for (kind, status) in [("unauthorized", 403), ("malformed", 404), ("notFound", 404)] {
            let other = of(&format!(
                r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"no","status":{status}}}"#
            ));
            assert!(matches!(other, AcmeError::NotReplaceable { .. }), "{kind}");
        }
        assert!(matches!(
            of(r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier","status":403}"#),
            AcmeError::Rejected { .. }
        ));
        assert!(matches!(
            of(r#"{"type":"urn:ietf:params:acme:error:accountDoesNotExist","status":400}"#),
            AcmeError::UnknownAccount { .. }
        ));
        assert!(matches!(
            AcmeError::of_replacing("x", &Error::Unsupported("ARI")),
            AcmeError::NotReplaceable { .. }
        ));
        let down = Fault::Down {
            status: Some(503),
            retry_after: None,
            detail: String::new(),
        };
        assert!(matches!(
            AcmeError::of_replacing("x", &Error::Other(Box::new(down))),
            AcmeError::Unavailable { .. }
        ));
    }

    #[test]
    fn a_refusal_shows_the_problem_of_each_name() {
        let error = problem(
            r#"{"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"refused","subproblems":[
                {"type":"urn:ietf:params:acme:error:rejectedIdentifier","detail":"blocked","identifier":{"type":"dns","value":"a.example"}}]}"#,
        );
        let text = AcmeError::from("ordering", &error).to_string();
        assert!(
            text.contains("a.example")
                && text.contains("blocked")
                && text.ends_with("correct [site] domains"),
            "{text}"
        );
    }
}
