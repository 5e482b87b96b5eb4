//! What an instance serves, and what the tasks of its event loop know of it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use time::OffsetDateTime;
use tokio::sync::Mutex;

use super::in_place::decision::TrialState;
use crate::cloud::s3::Etag;
use crate::site::app::InstalledApp;
use crate::site::certificate::Certificate;
use crate::site::records::Zones;
use crate::site::release::{Candidate, Release};
use crate::site::report::{Attempt, Phase, Tried};
use crate::site::web::Former;

/// A site that is up.
pub struct Serving {
    pub phase: Phase,
    pub zones: Zones,
    pub live: RefCell<Live>,
    /// Held by whoever changes what the web server serves, from before the change to the end of its
    /// proof.
    pub change: Mutex<()>,
    /// What the resident does not serve again for a while.
    pub unfit: RefCell<Option<Quarantined>>,
    /// When the certificate is to be renewed, once the resident knows.
    pub renewal_due: Cell<Option<OffsetDateTime>>,
    pub in_place: InPlaceState,
    /// The web server as this boot found it.
    pub before: Former,
}

/// What the web server serves.
#[derive(Debug, Clone)]
pub struct Live {
    pub app: Rc<InstalledApp>,
    /// `None` for kind s3, which has no package.
    pub release: Option<Release>,
    pub certificate: Certificate,
    /// On whose trial it is, or was when it came to serve.
    pub deploy: Option<String>,
}

impl Serving {
    pub fn live(&self) -> Live {
        self.live.borrow().clone()
    }

    /// What serves from now on. For who holds [`Serving::change`], and has proven it.
    pub fn set_live(&self, live: Live) {
        self.live.replace(live);
    }
}

impl Live {
    /// The version of its release.
    pub fn version(&self) -> Option<&str> {
        self.release.as_ref().map(|release| &*release.version)
    }
}

/// A certificate that did not prove itself on this instance.
#[derive(Debug, Clone)]
pub struct Quarantined {
    pub serial: String,
    pub until: OffsetDateTime,
}

/// What an instance knows of deploys in place.
#[derive(Default)]
pub struct InPlaceState {
    pub standing: RefCell<TrialState>,
    /// What served before the release that is on trial, and runs on.
    pub before: RefCell<Option<Before>>,
    /// Another app runs on for who was led to it, and is to go once nobody is served by it.
    pub leaving: RefCell<Option<Former>>,
    /// The candidate as it was when last looked at; what cannot be read is none.
    pub seen: RefCell<Option<(Etag, Option<Candidate>)>>,
    /// What is to be tried, once that it is was told.
    pub next: RefCell<Option<Candidate>>,
    pub tried: RefCell<Option<Tried>>,
    pub failed_looks: Cell<u32>,
}

#[derive(Clone)]
pub struct Before {
    pub live: Live,
    pub web: Former,
}

impl InPlaceState {
    /// For the instance's report.
    pub fn tried(&self) -> Option<Tried> {
        self.tried.borrow().clone()
    }

    pub fn standing(&self) -> TrialState {
        self.standing.borrow().clone()
    }

    pub fn tell(&self, deploy: &str, release: &str, attempt: Attempt, error: Option<String>) {
        self.tried.replace(Some(Tried {
            deploy: deploy.to_owned(),
            release: release.to_owned(),
            attempt,
            error,
        }));
    }

    pub fn tell_end(&self, attempt: Attempt) {
        if let Some(tried) = self.tried.borrow_mut().as_mut() {
            tried.attempt = attempt;
        }
    }

    pub fn saw(&self, candidate: Option<(Etag, Option<Candidate>)>) {
        self.seen.replace(candidate);
        let mut standing = self.standing.borrow_mut();
        if *standing == TrialState::Settled {
            *standing = TrialState::Unsure;
        }
    }
}
