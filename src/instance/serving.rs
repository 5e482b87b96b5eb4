//! What an instance serves, and the only ways to serve something else: visitors meet what is
//! proven (invariant I1 of docs/ARCHITECTURE.md), or what they met before.
//!
//! A change touches nginx, its configuration and the certificates under the state folder, and
//! nothing else: which release or certificate comes next, and what becomes of the former one, is
//! for the task that asks.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, Error, Result};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Instance;
use crate::host::files;
use crate::site::app::InstalledApp;
use crate::site::certificate::Certificate;
use crate::site::proof;
use crate::site::records::Zones;
use crate::site::release::Release;
use crate::site::report::Phase;
use crate::site::web::Former;

/// Until a reloaded nginx has nobody left who shows the former certificate to new connections.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

/// What is done, and how it is undone, in the words of an error.
const LEAD_VISITORS: [&str; 2] = [
    "leading visitors to it",
    "leading visitors back to the release before",
];
const SHOW_CERTIFICATE: [&str; 2] = [
    "serving with the renewed certificate",
    "going back to the former certificate",
];

/// A site that is up.
pub struct Serving {
    /// Whether the boot took the names over.
    pub phase: Phase,
    pub zones: Zones,
    /// The web server as this boot found it.
    pub before: Former,
    live: RefCell<Live>,
    /// Held from before a change of what the web server serves to the end of its proof.
    change: Mutex<()>,
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

/// What was served before a change.
#[derive(Clone)]
pub struct Before {
    pub live: Live,
    pub web: Former,
}

/// Why a change did not come to pass: visitors are served as before.
pub struct NotShown {
    pub error: Error,
    /// The web server as it led visitors to what did not prove itself: some may be served there
    /// still. `None`: the web server could not be led back.
    pub web: Option<Former>,
}

impl Serving {
    /// `live`: what the web server serves and has proven. `before`: the web server as the boot
    /// found it.
    pub fn new(phase: Phase, zones: Zones, live: Live, before: Former) -> Self {
        Self {
            phase,
            zones,
            before,
            live: RefCell::new(live),
            change: Mutex::default(),
        }
    }

    /// What the web server serves now.
    pub fn live(&self) -> Live {
        self.live.borrow().clone()
    }

    /// Leads visitors to another app by a reload of the web server, and proves it; else they are
    /// led back at once. What served before runs on.
    ///
    /// # Errors
    /// The app does not prove itself.
    pub async fn take_over(&self, instance: &Instance, next: Live) -> Result<Before, NotShown> {
        let version = next.version().map(str::to_owned);
        let with_certificate = |live: &Live| Live {
            certificate: live.certificate.clone(),
            ..next
        };
        let before = self
            .change(instance, with_certificate, LEAD_VISITORS)
            .await?;
        info!(
            release = version,
            before = before.live.version(),
            "visitors are led to another release"
        );
        Ok(before)
    }

    /// Serves with another certificate, once it is seen on the own listener; else the former one
    /// comes back.
    ///
    /// # Errors
    /// The certificate does not prove itself.
    pub async fn swap_certificate(
        &self,
        instance: &Instance,
        certificate: Certificate,
    ) -> Result<()> {
        let (serial, until) = (certificate.serial.clone(), certificate.not_after);
        let with_app = |live: &Live| Live {
            certificate,
            ..live.clone()
        };
        let before = self
            .change(instance, with_app, SHOW_CERTIFICATE)
            .await
            .map_err(|refused| refused.error)?;
        info!(serial, %until, "the certificate is renewed");
        forget_certificates_but(instance, &[&serial, &before.live.certificate.serial]);
        Ok(())
    }

    /// Has the web server serve the same by what else it is told on this machine: of the mirror's
    /// copy.
    ///
    /// # Errors
    /// Nginx refuses its configuration; it serves by the former one.
    pub async fn tell_web(&self, instance: &Instance) -> Result<()> {
        let _alone = self.change.lock().await;
        instance.start_web(&self.live()).await
    }

    /// Shows what `next` makes of what is served, and proves it; else shows what was served again.
    async fn change(
        &self,
        instance: &Instance,
        next: impl FnOnce(&Live) -> Live,
        doing: [&'static str; 2],
    ) -> Result<Before, NotShown> {
        let _alone = self.change.lock().await;
        let before = Before {
            live: self.live(),
            web: Former::observe(&instance.paths),
        };
        let next = next(&before.live);
        if let Err(error) = show(instance, &next).await {
            let shown = Former::observe(&instance.paths);
            let back = instance.start_web(&before.live).await.context(doing[1]);
            return Err(match back {
                Ok(()) => NotShown {
                    error: error.context(doing[0]),
                    web: Some(shown),
                },
                Err(error) => NotShown { error, web: None },
            });
        }
        self.live.replace(next);
        Ok(before)
    }
}

/// Makes the web server serve this, and proves it.
async fn show(instance: &Instance, live: &Live) -> Result<()> {
    instance.start_web(live).await?;
    proof::shown_by_all_workers(&instance.expectation(live), Instant::now() + SHOWN_WITHIN)
        .await
        .context("this instance's own listener")?;
    instance.prove(live).await
}

fn forget_certificates_but(instance: &Instance, serials: &[&str]) {
    for folder in std::fs::read_dir(instance.paths.tls())
        .into_iter()
        .flatten()
        .flatten()
    {
        if serials.iter().all(|serial| folder.file_name() != *serial)
            && folder.path().is_dir()
            && let Err(error) = files::remove_dir(&folder.path())
        {
            warn!("an old certificate stays on the disk: {error}");
        }
    }
}

impl Live {
    /// The version of its release.
    pub fn version(&self) -> Option<&str> {
        self.release.as_ref().map(|release| &*release.version)
    }
}
