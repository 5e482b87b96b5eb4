//! The certificate of this instance: from the bucket, else by an order that only one instance
//! makes; and its replacement while the site serves.

use std::time::Duration;

use anyhow::{Context, Result};
use time::OffsetDateTime;
use tokio::time::Instant;
use tracing::{info, warn};

use super::Instance;
use super::serving::{Live, Serving};
use crate::context::certificates::{Certificates, WantedCertificate};
use crate::host::files;
use crate::site::certificate::Certificate;
use crate::site::proof;
use crate::site::records::Zones;

/// How long another instance's order may take before a boot gives up on it.
const PATIENCE: Duration = Duration::from_secs(300);
/// Until a reloaded nginx has nobody left who shows the former certificate to new connections.
const SHOWN_WITHIN: Duration = Duration::from_secs(30);

impl Instance {
    pub fn certificates(&self) -> Certificates<'_> {
        Certificates {
            context: &self.context,
            holder: &self.identity.instance_id,
        }
    }

    /// The cached certificate if it is good, else a new one. One that is due is served first and
    /// renewed after: the CA is slow, or down.
    pub async fn certificate(
        &self,
        cached: Option<Certificate>,
        zones: &Zones,
    ) -> Result<Certificate> {
        if let Some(certificate) = cached {
            return Ok(certificate);
        }
        let wanted = WantedCertificate {
            patience: PATIENCE,
            ..WantedCertificate::default()
        };
        self.certificates().order(zones, &wanted).await
    }

    /// Serves with another certificate, once it is seen on the own listener; else the former one
    /// comes back.
    pub async fn swap(&self, serving: &Serving, certificate: Certificate) -> Result<()> {
        let _alone = serving.change.lock().await;
        let former = serving.live();
        let next = Live {
            certificate,
            ..former.clone()
        };
        if let Err(error) = self.show(&next).await {
            self.start_web(&former)
                .await
                .context("going back to the former certificate")?;
            return Err(error.context("serving with the renewed certificate"));
        }
        info!(serial = next.certificate.serial, until = %next.certificate.not_after, "the certificate is renewed");
        self.forget_certificates_but(&[&next.certificate.serial, &former.certificate.serial]);
        serving.set_live(next);
        Ok(())
    }

    /// Makes the web server serve this, and proves it.
    pub async fn show(&self, live: &Live) -> Result<()> {
        self.start_web(live).await?;
        proof::shown_by_all_workers(&self.expectation(live), Instant::now() + SHOWN_WITHIN)
            .await
            .context("this instance's own listener")?;
        self.prove(live).await
    }

    fn forget_certificates_but(&self, serials: &[&str]) {
        for folder in std::fs::read_dir(self.paths.tls())
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

    /// S3's clock where it was heard, for it is the one that all instances share.
    pub fn now(&self) -> OffsetDateTime {
        self.context
            .state
            .now()
            .unwrap_or_else(OffsetDateTime::now_utc)
    }
}
