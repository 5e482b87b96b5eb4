//! Which requests are meant, by a fault or a hold.

use super::{Recorded, Service};
use crate::percent::decoded;

/// Which requests a fault strikes: every one that fits, unless `nth`, `from` or `times` says less.
#[derive(Clone, Debug)]
pub struct Match {
    service: Option<Service>,
    except: Option<Service>,
    operation: Option<String>,
    path: Option<String>,
    instance: Option<String>,
    by_ci: bool,
    changing: bool,
    conditional: bool,
    pub(super) from: usize,
    pub(super) times: usize,
}

impl Match {
    pub fn any() -> Match {
        Match {
            service: None,
            except: None,
            operation: None,
            path: None,
            instance: None,
            by_ci: false,
            changing: false,
            conditional: false,
            from: 1,
            times: usize::MAX,
        }
    }

    pub fn service(service: Service) -> Match {
        Match {
            service: Some(service),
            ..Match::any()
        }
    }

    /// Every service but this one.
    pub fn except(mut self, service: Service) -> Match {
        self.except = Some(service);
        self
    }

    pub fn operation(mut self, name: &str) -> Match {
        self.operation = Some(name.to_owned());
        self
    }

    /// Part of the decoded path, of the query or (for the XML and form services) the body: a key, a
    /// record's name.
    pub fn path(mut self, part: &str) -> Match {
        self.path = Some(part.to_owned());
        self
    }

    pub fn instance(mut self, id: &str) -> Match {
        self.instance = Some(id.to_owned());
        self
    }

    /// Only what is signed with CI's credentials.
    pub fn by_ci(mut self) -> Match {
        self.by_ci = true;
        self
    }

    /// Only what is to change something.
    pub fn changing(mut self) -> Match {
        self.changing = true;
        self
    }

    /// Only writes to S3 that have a condition.
    pub fn conditional(mut self) -> Match {
        self.conditional = true;
        self
    }

    /// Only the nth that fits, from 1, counted from when the fault was set.
    pub fn nth(self, nth: usize) -> Match {
        self.from(nth).times(1)
    }

    pub fn from(mut self, nth: usize) -> Match {
        self.from = nth;
        self
    }

    pub fn times(mut self, times: usize) -> Match {
        self.times = times;
        self
    }

    pub(super) fn fits(&self, request: &Recorded) -> bool {
        self.service
            .is_none_or(|service| service == request.service)
            && self.except != Some(request.service)
            && self
                .operation
                .as_ref()
                .is_none_or(|operation| *operation == request.operation)
            && self
                .path
                .as_ref()
                .is_none_or(|part| decoded(&request.path).contains(part) || in_body(request, part))
            && self
                .instance
                .as_ref()
                .is_none_or(|id| request.instance.as_ref() == Some(id))
            && (!self.by_ci || request.is_by_ci())
            && (!self.changing || request.is_changing())
            && (!self.conditional || request.is_conditional())
    }
}

/// An S3 body is the user's data and never searched.
fn in_body(request: &Recorded, part: &str) -> bool {
    !matches!(request.service, Service::S3) && request.text().contains(part)
}
