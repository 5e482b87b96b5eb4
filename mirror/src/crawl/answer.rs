//! What an answer of the site means for its address.

use http::StatusCode;

use super::{Answer, login};
use crate::address::{Address, Own};
use crate::fetch::{FetchError, Fetched};
use crate::spool::BodyId;

/// What an answer means, before its body is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A page or file.
    Body,
    /// The former copy holds.
    NotModified,
    Redirect {
        to: String,
    },
    Missing,
    Dynamic {
        why: String,
    },
    /// There is no good answer; `lasting` where the site meant what it said.
    Failed {
        why: String,
        lasting: bool,
    },
}

impl Meaning {
    /// Reads the status of an answer to `address`; `conditional` where 304 may be one.
    pub(super) fn of(own: &Own, address: &Address, answer: &Fetched, conditional: bool) -> Self {
        let said = || said(answer.status);
        match answer.status {
            200 | 203 => Self::Body,
            304 if conditional => Self::NotModified,
            301 | 302 | 303 | 307 | 308 => Self::of_redirect(own, address, answer),
            404 | 410 => Self::Missing,
            401 | 403 | 405 | 407 => Self::Dynamic { why: said() },
            500.. | 429 => Self::Failed {
                why: said(),
                lasting: false,
            },
            _ => Self::Failed {
                why: said(),
                lasting: true,
            },
        }
    }

    fn of_redirect(own: &Own, address: &Address, answer: &Fetched) -> Self {
        let Some(to) = answer.leads_to() else {
            let why = format!("{}, but names no address", said(answer.status));
            return Self::Failed { why, lasting: true };
        };
        let same = own.address_of(address.as_str());
        match own.leads(&answer.url, to.as_str(), None) {
            crate::address::Led::Own { address: end, .. } if Some(&end) == same.as_ref() => {
                Self::Failed {
                    why: format!("it redirects to itself: {to}"),
                    lasting: true,
                }
            }
            _ => match login::demands(own, address, &to) {
                Some(why) => Self::Dynamic { why },
                None => Self::Redirect { to: to.into() },
            },
        }
    }

    /// What stands for an address that could not be asked.
    pub(super) fn of_error(error: &FetchError) -> Self {
        let lasting = matches!(error, FetchError::TooLarge(_));
        Self::Failed {
            why: error.to_string(),
            lasting,
        }
    }

    /// The answer for the index. `body` is the kept one, `former` that of the crawl before.
    pub(super) fn into_answer(self, body: Option<BodyId>, former: Option<BodyId>) -> Answer {
        match (self, body, former) {
            (Self::Body, Some(body), _) | (Self::NotModified, _, Some(body)) => Answer::Body(body),
            (Self::Body | Self::NotModified, _, former) => Answer::Failed {
                why: "the answer has no body".to_string(),
                former,
            },
            (Self::Redirect { to }, ..) => Answer::Redirect { to },
            (Self::Missing, ..) => Answer::Missing,
            (Self::Dynamic { why }, ..) => Answer::Dynamic { why },
            (Self::Failed { why, lasting: true }, ..) => Answer::Failed { why, former: None },
            (
                Self::Failed {
                    why,
                    lasting: false,
                },
                _,
                former,
            ) => Answer::Failed { why, former },
        }
    }
}

fn said(status: u16) -> String {
    let reason = StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason());
    format!("the site answers {status} {}", reason.unwrap_or_default())
        .trim_end()
        .to_string()
}
